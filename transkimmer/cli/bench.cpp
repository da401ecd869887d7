#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "tensor/error.h"
#include "tensor/profile.h"
#include "tensor/threads.h"
#include "transkimmer/cli/commands.h"
#include "transkimmer/cli/manifest.h"
#include "transkimmer/cli/runtime.h"
#include "transkimmer/cli/signals.h"
#include "transkimmer/cli/speed.h"
#include "transkimmer/cli/task_flags.h"
#include "transkimmer/cli/task_model.h"
#include "transkimmer/cli/trainer.h"

namespace tk {
namespace {

using nlohmann::json;

struct BenchCommand {
  explicit BenchCommand(CLI::App& program)
      : flags(program, "bench", "speed on real sentences, as one JSON object on standard output") {
    add_task_flags(flags, task);
    flags.group("Benchmark");
    flags.add("--split", split, "which part of the data (default: dev, and train with --train)", "SPLIT");
    flags.add("--max_eval_samples", max_eval_samples, "the first N sentences; -1: all");
    flags.add("--max_train_samples", max_train_samples, "the first N sentences with --train; -1: all");
    flags.add("--batch_size", batch_size, "sentences of a batch").at_least(1);
    flags.add("--train", train, "time training steps, in the order of the file, instead of inference");
    flags.add("--repeats", repeats, "passes after a warm-up pass; the median counts").range(1, 1000);
    flags.add("--skim", skim, "add untrained skim predictors (which keep all) to a model that has none");
    flags.add("--skim_gate", skim_gate, "their gate").choices({"staged", "layer"});
    flags.add("--skim_keep", skim_keep, "share of a sentence's tokens that each layer works on, in place of the gates");
    flags.add("--profile", profile, "add where the time went: a table on standard error, and \"profile\" in the JSON");
    add_runtime_flags(flags, runtime);
  }

  Flags flags;
  TaskFlags task;
  RuntimeFlags runtime;
  std::string split;
  std::int64_t max_eval_samples = 512;
  std::int64_t max_train_samples = 320;
  std::int64_t batch_size = 32;
  bool train = false;
  std::int64_t repeats = 5;
  bool skim = false;
  std::string skim_gate = "staged";
  std::vector<double> skim_keep;
  bool profile = false;
};

// One pass over the sentences: its seconds in the model, and the share of the dense MACs that it computed.
struct Pass {
  double seconds = 0;
  double mac_share = 1;
};

Pass inference_pass(const BenchCommand& c, const BertClassifier& model, const GlueTask& task, const TaskSplit& split) {
  const Evaluation evaluation =
      evaluate(model, task, split.tokenized,
               {.batch_size = c.batch_size, .keep_shares = c.skim_keep.empty() ? nullptr : &c.skim_keep});
  return {evaluation.seconds, evaluation.mac_share()};
}

// Training computes every row, whatever the gates say.
Pass training_pass(Trainer& trainer) {
  Pass pass;
  for (std::int64_t step = 0; step < trainer.steps_per_epoch(); ++step) {
    pass.seconds += trainer.step().seconds;
    throw_if_stopped();
  }
  return pass;
}

bool is_product(const std::string& kernel) {
  constexpr std::array<std::string_view, 3> kProducts = {"linear", "matmul", "batched_matmul"};
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
  fmt::print(stderr, "{:<40} {:>9} {:>12} {:>7}\n", "kernel (matrix products first)", "calls", "ms", "share");
  for (const json& row : rows) {
    fmt::print(stderr, "{:<40} {:>9} {:>12.3f} {:>6.1f}%\n", row["kernel"].get<std::string>(),
               row["calls"].get<std::int64_t>(), row["ms"].get<double>(), 100 * row["share"].get<double>());
  }
}

json results(const BenchCommand& c, const BertClassifier& model, const TaskSplit& split,
             const std::vector<Pass>& passes) {
  Timing timing;
  for (const Pass& pass : passes) timing.seconds.push_back(pass.seconds);
  std::int64_t tokens = 0;
  for (const std::int64_t length : lengths_of(split.tokenized)) tokens += length;
  const auto sentences = static_cast<double>(split.size());
  return {{"mode", c.train ? "train" : "inference"},
          {"task", c.task.task_name},
          {"model", c.task.model},
          {"skim_gate", name(model.config().skim_gate)},
          {"order", c.train ? "sequential" : "longest first"},
          {"sentences", split.size()},
          {"tokens", tokens},
          {"sentences_per_second", rounded(sentences / timing.median(), 3)},
          {"tokens_per_second", rounded(static_cast<double>(tokens) / timing.median(), 1)},
          {"batch_size", c.batch_size},
          {"device", name(model.device())},
          {"threads", num_threads()},
          {"dtype", name(model.compute_dtype())},
          {"mac_share", rounded(passes.back().mac_share, 6)},
          {"repeats", c.repeats},
          {"spread",
           {{"sentences_per_second_min", rounded(sentences / timing.most(), 3)},
            {"sentences_per_second_max", rounded(sentences / timing.least(), 3)},
            {"relative", rounded((timing.most() - timing.least()) / timing.median(), 4)}}},
          {"blas_core", blas_core()}};
}

void check_combinations(const BenchCommand& c) {
  if (c.train && !c.skim_keep.empty()) throw UsageError("--skim_keep: forces rows in inference only, not with --train");
  for (const double share : c.skim_keep) {
    if (share < 0 || share > 1) throw UsageError(concat("--skim_keep: expected shares from 0 to 1, got ", share));
  }
}

void check_keep_shares(const BenchCommand& c, const Config& config) {
  if (c.skim_keep.empty()) return;
  TK_CHECK(config.skim_gate != SkimGate::kNone, "--skim_keep: ", c.task.model,
           " has no skim predictors; --skim adds some");
  TK_CHECK(config.skim_attention == SkimAttention::kExact, "--skim_keep: a model with paper attention drops nothing");
  TK_CHECK(std::ssize(c.skim_keep) == config.num_hidden_layers, "--skim_keep: expected a share for each of ",
           config.num_hidden_layers, " layers, got ", c.skim_keep.size());
}

int run(const BenchCommand& c, const Invocation& invocation) {
  check_combinations(c);
  start_runtime(c.runtime, invocation.argv);
  const GlueTask& task = find_task(c.task.task_name);
  std::optional<SkimSettings> skim;
  if (c.skim) skim = SkimSettings{.gate = skim_gate_from_name(c.skim_gate)};
  constexpr std::uint64_t kSeed = 42;
  const TaskModel model = load_for_training(c.task.model, task, skim, kSeed);
  const Placement placement = placement_of(c.runtime);
  model.model->place(placement.device, placement.dtype);
  const Config& config = model.model->config();
  check_keep_shares(c, config);
  const std::string wanted = !c.split.empty() ? c.split : c.train ? "train" : "dev";
  const TaskSplit split = load_split(task, find_split(task, wanted), c.task.data_dir, model.tokenizer,
                                     {.max_length = fitting_length(model, c.task.max_seq_length),
                                      .limit = c.train ? c.max_train_samples : c.max_eval_samples});
  if (c.train) check_labelled(split);

  std::optional<Trainer> trainer;
  if (c.train) {
    TrainerOptions options;
    options.epochs = static_cast<double>(c.repeats + 2);
    options.batch_size = c.batch_size;
    options.order = BatchOrder::kSequential;
    if (config.skim_gate != SkimGate::kNone) options.skim_target = 0.5;
    trainer.emplace(*model.model, task, split.tokenized, options);
  }
  const auto pass = [&] { return c.train ? training_pass(*trainer) : inference_pass(c, *model.model, task, split); };
  Progress progress("bench", c.repeats + 1, c.runtime.progress_mode());
  std::vector<Pass> passes;
  for (std::int64_t i = 0; i <= c.repeats; ++i) {
    const Pass done = pass();
    if (i > 0) passes.push_back(done);  // the first one warms up
    throw_if_stopped();
    progress.update(i + 1);
  }
  json result = results(c, *model.model, split, passes);
  if (c.profile) {
    start_profile();
    const double seconds = pass().seconds;
    result["profile"] = profile_json(stop_profile(), seconds);
    progress.line("");
    print_profile(result["profile"]);
  }
  fmt::print("{}\n", result.dump(-1, ' ', false, json::error_handler_t::replace));  // a path may not be UTF-8
  return 0;
}

}  // namespace

Command add_bench(CLI::App& program, const Invocation& invocation) {
  auto command = std::make_shared<BenchCommand>(program);
  return {&command->flags.command(), [command, invocation] { return run(*command, invocation); }};
}

}  // namespace tk
