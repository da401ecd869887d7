#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

#include "data/glue_reader.h"
#include "tensor/allocator.h"
#include "tensor/backend.h"
#include "tensor/cpu_isa.h"
#include "tensor/error.h"
#include "tensor/profile.h"
#include "tensor/threads.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/cli/commands/commands.h"
#include "transkimmer/cli/run/batch_flags.h"
#include "transkimmer/cli/run/floor.h"
#include "transkimmer/cli/run/manifest.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/ranks.h"
#include "transkimmer/cli/run/runtime.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/cli/run/speed.h"
#include "transkimmer/cli/run/speedup_flag.h"
#include "transkimmer/cli/run/task_flags.h"
#include "transkimmer/cli/run/task_splits.h"
#include "transkimmer/training/inference.h"
#include "transkimmer/training/trainer.h"

namespace tk {
namespace {

using nlohmann::json;

constexpr std::uint64_t kSeed = 42;

struct BenchCommand {
  explicit BenchCommand(CLI::App& program)
      : flags(program, "bench", "speed on real sentences, as one JSON object on standard output") {
    add_task_flags(flags, task);
    flags.group("Benchmark");
    flags.add("--split", split, "which part of the data (default: dev, and train with --train)", "SPLIT");
    flags.add("--max_eval_samples", max_eval_samples, "the first N sentences; -1: all").at_least(-1);
    flags.add("--max_train_samples", max_train_samples, "the first N sentences with --train; -1: all").at_least(-1);
    flags.add("--length", length, "cut or pad every sentence to N tokens, which are all computed; 0: as they are")
        .at_least(0);
    add_batch_flags(flags, batch, "--batch_size", "--batch_tokens");
    flags.add("--train", train, "time training steps instead of inference");
    flags.add("--train_sampling_strategy", sampling, "order of the sentences with --train, a new one for each pass");
    flags.add("--repeats", repeats, "passes after a warm-up pass; the median counts").range(1, 1000);
    flags.add("--skim", skim, "add untrained skim predictors (which keep all) to a model that has none");
    flags.add("--skim_gate", skim_gate, "their gate");
    flags.add("--skim_cls", skim_cls,
              "whether the staged one may take update and feed-forward from [CLS], too (default kept)");
    flags.add("--skim_keep", skim_keep, "share of a sentence's tokens that each layer works on, in place of the gates");
    add_exact_transforms_flag(flags, exact_transforms);
    add_speedup_flag(flags, speedup);
    flags.add("--profile", profile, "add where the time went: a table on standard error, and \"profile\" in the JSON");
    add_runtime_flags(flags, runtime);
  }

  Flags flags;
  TaskFlags task;
  RuntimeFlags runtime;
  std::string split;
  std::int64_t max_eval_samples = 512;
  std::int64_t max_train_samples = 320;
  std::int64_t length = 0;
  BatchFlags batch;
  bool train = false;
  BatchOrder sampling = BatchOrder::kRandom;
  std::int64_t repeats = 5;
  bool skim = false;
  SkimGate skim_gate = SkimGate::kStaged;
  std::optional<SkimCls> skim_cls;
  std::vector<double> skim_keep;
  bool exact_transforms = true;
  std::optional<double> speedup;
  bool profile = false;
};

// One pass over the sentences.
struct Pass {
  double seconds = 0;              // in the model
  double mac_share = 1;            // of the dense model's
  std::int64_t padded_tokens = 0;  // as batches padded to their longest sentence have; counted in training
  Work work;                       // what it did at least
  std::int64_t table_bytes = 0;    // of exact transforms
};

Pass inference_pass(const BatchBounds& batch, const BertClassifier& model, Inference& inference, const Task& task,
                    const Split& split) {
  const Evaluation evaluation =
      evaluate(model, task, split.tokenized,
               {.batch_size = batch.sentences, .max_tokens = batch.tokens, .inference = &inference});
  return {.seconds = evaluation.seconds,
          .mac_share = evaluation.mac_share(),
          .work = {.macs = evaluation.executed_macs},
          .table_bytes = inference.table_bytes()};
}

// What the steps of an epoch do at least. Rows of embeddings that the sentences name were all touched in the warm-up.
Work epoch_work(const Config& config, const Trainer& trainer, const Split& split) {
  std::set<std::int32_t> words;
  std::vector<std::int32_t> examples;
  for (const TokenizedExample& example : split.tokenized) {
    words.insert(example.ids.begin(), example.ids.end());
    examples.push_back(example.id);
  }
  const double bytes = optimizer_bytes(trainer.optimizer().parameters(), std::ssize(words));
  return {.macs = training_macs(config, make_packed(lengths_of(split.tokenized), examples)),
          .bytes = static_cast<double>(trainer.steps_per_epoch()) * bytes};
}

// Training computes every row, whatever the gates say.
Pass training_pass(Trainer& trainer, const Work& work) {
  Pass pass{.work = work};
  for (std::int64_t step = 0; step < trainer.steps_per_epoch(); ++step) {
    const StepReport report = trainer.step(step + 1 < trainer.steps_per_epoch());
    pass.seconds += report.seconds;
    pass.padded_tokens += report.sentences * report.longest;
    throw_if_stopped();
  }
  return pass;
}

bool is_product(const std::string& kernel) {
  constexpr std::array<std::string_view, 7> kProducts = {
      "linear", "packed_linear", "pack_weight", "int8_linear", "pack_int8_weight", "matmul", "batched_matmul"};
  return std::ranges::find(kProducts, kernel) != kProducts.end();
}

json profile_json(std::vector<KernelProfile> kernels, double seconds) {
  std::stable_partition(kernels.begin(), kernels.end(), [](const KernelProfile& k) { return is_product(k.name); });
  json rows = json::array();
  double in_kernels = 0;
  const auto add = [&](const std::string& kernel, std::int64_t calls, double time) {
    rows.push_back(
        {{"kernel", kernel}, {"calls", calls}, {"ms", rounded(1e3 * time, 3)}, {"share", rounded(time / seconds, 4)}});
  };
  for (const KernelProfile& k : kernels) {
    add(k.name, k.calls, k.seconds);
    in_kernels += k.seconds;
  }
  add("outside kernels", 0, std::max(0.0, seconds - in_kernels));
  return rows;
}

void print_profile(const json& rows) {
  note("{:<40} {:>9} {:>12} {:>7}\n", "kernel (matrix products first)", "calls", "ms", "share");
  for (const json& row : rows) {
    note("{:<40} {:>9} {:>12.3f} {:>6.1f}%\n", row["kernel"].get<std::string>(), row["calls"].get<std::int64_t>(),
         row["ms"].get<double>(), 100 * row["share"].get<double>());
  }
}

json floor_json(const Work& work, const MachineRates& rates, double sentences, double seconds) {
  const double floor = floor_seconds(work, rates);
  return {{"sentences_per_second", rounded(sentences / floor, 3)},
          {"achieved", rounded(floor / seconds, 4)},
          {"macs", work.macs},
          {"bytes", work.bytes},
          {"macs_per_second", std::round(rates.macs_per_second)},
          {"bytes_per_second", std::round(rates.bytes_per_second)}};
}

struct Measured {
  BatchBounds batch;
  std::vector<Pass> passes;
  HostCalls calls;  // of the last one

  Timing timing() const {
    Timing timing;
    for (const Pass& pass : passes) timing.seconds.push_back(pass.seconds);
    return timing;
  }
};

json results(const BenchCommand& c, const Task& task, const BertClassifier& model, const Split& split,
             const Measured& measured, const MachineRates& rates) {
  const std::vector<Pass>& passes = measured.passes;
  const Timing timing = measured.timing();
  std::int64_t padded_tokens = 0;
  for (const Pass& pass : passes) padded_tokens += pass.padded_tokens;
  std::int64_t tokens = 0;
  for (const std::int64_t length : lengths_of(split.tokenized)) tokens += length;
  const auto sentences = static_cast<double>(split.size());
  json result = {{"mode", c.train ? "train" : "inference"},
                 {"task", task.name},
                 {"model", c.task.model},
                 {"skim_gate", name(model.config().skim_gate)},
                 {"order", c.train ? choice_name(c.sampling) : "longest first"},
                 {"sentences", split.size()},
                 {"tokens", tokens},
                 {"sentences_per_second", rounded(sentences / timing.median(), 3)},
                 {"tokens_per_second", rounded(static_cast<double>(tokens) / timing.median(), 1)},
                 {"length", c.length},
                 {"batch_size", measured.batch.sentences},
                 {"batch_tokens", measured.batch.tokens},
                 {"device", name(model.device())},
                 {"threads", num_threads()},
                 {"dtype", name(model.compute_dtype())},
                 {"mac_share", rounded(passes.back().mac_share, 6)},
                 {"repeats", c.repeats},
                 {"spread",
                  {{"sentences_per_second_min", rounded(sentences / timing.most(), 3)},
                   {"sentences_per_second_max", rounded(sentences / timing.least(), 3)},
                   {"relative", rounded((timing.most() - timing.least()) / timing.median(), 4)}}},
                 {"floor", floor_json(passes.back().work, rates, sentences, timing.median())},
                 {"cpu_isa", name(cpu_isa())},
                 {"blas_core", blas_core()}};
  if (c.train) result["padded_tokens"] = padded_tokens;
  if (passes.back().table_bytes > 0) result["table_bytes"] = passes.back().table_bytes;
  if (traits(model.config().skim_gate).can_free_cls) result["skim_cls"] = name(model.config().skim_cls);
  return result;
}

void print_table(const json& result) {
  const auto number = [](const json& value) { return value.get<double>(); };
  const json& spread = result["spread"];
  const json& floor = result["floor"];
  note("{:<10} {:>12}\n", "", "sentences/s");
  for (const json& batch : result.value("batches", json::array())) {
    const BatchBounds bounds{batch["batch_size"], batch["batch_tokens"]};
    note("{:<10} {:>12.1f}   batch {}\n", "tried", number(batch["sentences_per_second"]), text_of(bounds));
  }
  note("{:<10} {:>12.1f}   {:.1f} to {:.1f}\n", "measured", number(result["sentences_per_second"]),
       number(spread["sentences_per_second_min"]), number(spread["sentences_per_second_max"]));
  note("{:<10} {:>12.1f}   {:.4g} GMAC at {:.4g} a second, {:.4g} GB at {:.4g} a second\n", "floor",
       number(floor["sentences_per_second"]), number(floor["macs"]) / 1e9, number(floor["macs_per_second"]) / 1e9,
       number(floor["bytes"]) / 1e9, number(floor["bytes_per_second"]) / 1e9);
  note("{:<10} {:>11.1f}%\n", "achieved", 100 * number(floor["achieved"]));
  if (result.contains("peak_device_bytes")) {
    note("{:<10} {:>12.1f} MB\n", "memory", number(result["peak_device_bytes"]) / 1e6);
  }
}

// What the host asked of the device in one pass.
json host_calls_json(const HostCalls& calls) {
  return {{"launches", calls.launches},
          {"replays", calls.replays},
          {"copies_in", calls.copies_in},
          {"copies_out", calls.copies_out},
          {"waits", calls.waits}};
}

std::vector<std::string> contradictions(const BenchCommand& c) {
  std::vector<std::string> problems = task_problems(c.task, c.train ? Part::kTrain : Part::kDev);
  const auto refuse = [&](bool when, const std::string& problem) {
    if (when) problems.push_back(problem);
  };
  refuse(c.task.has_own_files() && !c.split.empty(), "--split: of a task of GLUE");
  refuse(c.train && !c.skim_keep.empty(), "--skim_keep: forces rows in inference only, not with --train");
  refuse(c.train && c.speedup.has_value(), "--speedup: of inference, not with --train");
  refuse(!c.skim_keep.empty() && c.speedup.has_value(), "--speedup: --skim_keep forces rows in place of the gates");
  refuse(c.train && c.batch.tokens > 0, "--batch_tokens: of inference, not with --train");
  refuse(c.train && c.runtime.queues > 1, "--queues: of inference, not with --train");
  for (const double share : c.skim_keep) {
    refuse(share < 0 || share > 1, concat("--skim_keep: expected shares from 0 to 1, got ", share));
  }
  return problems;
}

void check_keep_shares(const BenchCommand& c, const Config& config) {
  if (c.skim_keep.empty()) return;
  TK_CHECK(config.skim_gate != SkimGate::kNone, "--skim_keep: ", c.task.model,
           " has no skim predictors; --skim adds some");
  TK_CHECK(config.skim_attention == SkimAttention::kExact, "--skim_keep: a model with paper attention drops nothing");
  TK_CHECK(std::ssize(c.skim_keep) == config.num_hidden_layers, "--skim_keep: expected a share for each of ",
           config.num_hidden_layers, " layers, got ", c.skim_keep.size());
}

TrainerOptions trainer_options(const BenchCommand& c, const Config& config, int warm_up) {
  TrainerOptions options;
  options.epochs = static_cast<double>(c.repeats + warm_up + 1);
  options.batch_size = c.batch.sentences > 0 ? c.batch.sentences : kBatchSize;
  options.order = c.sampling;
  options.seed = kSeed;
  if (config.skim_gate != SkimGate::kNone) options.skim_target = 0.5;
  return options;
}

// By a split's name one of a task's two dev or test files.
Split read_sentences(const BenchCommand& c, const Reader& reader) {
  const std::int64_t most = c.train ? c.max_train_samples : c.max_eval_samples;
  const GlueTask* const task = glue_task_of(c.task);
  if (task != nullptr && !c.split.empty()) {
    return GlueReader(*task, c.task.data_dir).read(find_split(*task, c.split), most);
  }
  std::vector<Split> splits = reader.read(c.train ? Part::kTrain : scored_part(c.task), most);
  TK_CHECK(!splits.empty(), "bench: ", reader.task().name, " has no ", c.train ? "training" : "dev", " set");
  return std::move(splits.front());
}

Split load_sentences(const BenchCommand& c, const TaskModel& model, const Reader& reader) {
  const LoadOptions loading{.max_length = told_length(model, c.task.max_seq_length)};
  Split split = prepared(read_sentences(c, reader), model, loading);
  if (c.train) check_labelled(split);
  if (c.length > 0) {
    split.tokenized = of_length(std::move(split.tokenized), told_length(model, c.length),
                                model.tokenizer.vocabulary().pad().value_or(0));
  }
  return split;
}

// Passes that count, after those to warm up.
Measured measure(std::int64_t warm_up, std::int64_t repeats, Device device, ProgressMode mode,
                 const std::function<Pass()>& pass) {
  Progress progress("bench", repeats + warm_up, mode);
  Measured measured;
  for (std::int64_t i = 0; i < repeats + warm_up; ++i) {
    const HostCalls before = backend(device).host_calls();
    const Pass done = pass();
    measured.calls = backend(device).host_calls() - before;
    if (i >= warm_up) measured.passes.push_back(done);
    throw_if_stopped();
    progress.update(i + 1);
  }
  progress.line("");
  return measured;
}

// The batches to try: what the flags say, else on a GPU, where speed depends on it most, some of which the best counts.
std::vector<BatchBounds> batches_to_try(const BenchCommand& c, const Split& split, Device device) {
  if (c.train) return {{c.batch.sentences > 0 ? c.batch.sentences : kBatchSize, 0}};
  if (c.batch.is_given() || device == Device::kCpu) return {batch_bounds(c.batch, device)};
  std::vector<BatchBounds> tried = {{kBatchSize, 0}};
  const std::vector<std::int64_t> lengths = lengths_of(split.tokenized);
  const std::int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  for (std::int64_t most = kBatchTokens / 4; most <= kBatchTokens * 4; most *= 2) {
    tried.push_back({0, most});
    if (most >= tokens) break;  // all in one batch
  }
  return tried;
}

json batches_json(const std::vector<Measured>& tried, std::int64_t sentences) {
  json rows = json::array();
  for (const Measured& measured : tried) {
    rows.push_back({{"batch_size", measured.batch.sentences},
                    {"batch_tokens", measured.batch.tokens},
                    {"sentences_per_second", rounded(static_cast<double>(sentences) / measured.timing().median(), 3)}});
  }
  return rows;
}

int run(const BenchCommand& c, const Invocation& invocation) {
  check_is_alone("bench");
  start_runtime(c.runtime, invocation.argv);
  const std::unique_ptr<Reader> reader = c.train ? training_reader(c.task, kSeed) : scoring_reader(c.task);
  const Task& task = reader->task();
  std::optional<SkimSettings> skim;
  if (c.skim) skim = SkimSettings{.gate = c.skim_gate, .cls = c.skim_cls};
  Placement placement = placement_of(c.runtime);
  if (placement.dtype == DType::kFloat32 && load_config(c.task.model).int8_weights) placement.dtype = DType::kInt8;
  TK_CHECK(!c.train || placement.dtype != DType::kInt8, "--train: int8 is for inference");
  // Before anything is loaded: its memory is given back, and the peak is the model's.
  const MachineRates rates = measure_rates(placement.device, placement.dtype);
  const TaskModel model = load_for_training(c.task.model, task, skim, kSeed);
  tell(model.notes);
  model.model->place(placement.device, placement.dtype);
  set_speedup(*model.model, c.speedup);
  const Config& config = model.model->config();
  check_keep_shares(c, config);
  const Split split = load_sentences(c, model, *reader);

  const int warm_up = warm_up_passes(placement.device);
  std::optional<Trainer> trainer;
  Work work;
  if (c.train) {
    trainer.emplace(*model.model, task, split.tokenized, trainer_options(c, config, warm_up));
    work = epoch_work(config, *trainer, split);
  }
  // Each batch has recorded passes of its own, which go with it.
  const auto passes_of = [&](const BatchBounds& batch) -> std::function<Pass()> {
    if (c.train) return [&] { return training_pass(*trainer, work); };
    const auto inference = std::make_shared<Inference>(
        *model.model, InferenceOptions{.keep_shares = c.skim_keep.empty() ? nullptr : &c.skim_keep,
                                       .queues = placement.queues,
                                       .unrecorded = 1,
                                       .exact_transforms = c.exact_transforms});
    return [&, batch, inference] { return inference_pass(batch, *model.model, *inference, task, split); };
  };
  std::vector<Measured> tried;
  for (const BatchBounds& batch : batches_to_try(c, split, placement.device)) {
    tried.push_back(measure(warm_up, c.repeats, placement.device, c.runtime.progress, passes_of(batch)));
    tried.back().batch = batch;
  }
  const Measured& measured =
      *std::ranges::min_element(tried, {}, [](const Measured& m) { return m.timing().median(); });
  json result = results(c, task, *model.model, split, measured, rates);
  if (tried.size() > 1) result["batches"] = batches_json(tried, split.size());
  if (placement.device != Device::kCpu) {
    if (!c.train) result["queues"] = placement.queues;
    result["host_calls"] = host_calls_json(measured.calls);
    result["peak_device_bytes"] = allocator_stats(placement.device).peak_reserved;
  }
  print_table(result);
  if (c.profile) {
    start_profile();
    const double seconds = passes_of(measured.batch)().seconds;
    result["profile"] = profile_json(stop_profile(), seconds);
    print_profile(result["profile"]);
  }
  print("{}\n", result.dump(-1, ' ', true, json::error_handler_t::replace));  // a path may be anything
  return 0;
}

}  // namespace

Command add_bench(CLI::App& program, const Invocation& invocation) {
  auto command = std::make_shared<BenchCommand>(program);
  command->flags.contradictions([c = command.get()] { return contradictions(*c); });
  return {&command->flags, [command, invocation] { return run(*command, invocation); }};
}

}  // namespace tk
