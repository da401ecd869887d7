#include "transkimmer/cli/run/training_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <system_error>

#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/json.h"
#include "tensor/io/problem_text.h"
#include "tensor/io/safetensors.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/cli/run/event_log.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/results.h"
#include "transkimmer/cli/run/run_checkpoint.h"
#include "transkimmer/cli/run/run_files.h"
#include "transkimmer/cli/run/run_log.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/families/family.h"
#include "transkimmer/training/keep_probabilities.h"
#include "transkimmer/training/option_error.h"
#include "transkimmer/training/trainer.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Means over the steps since the last log line.
struct Window {
  std::int64_t steps = 0;
  std::int64_t sentences = 0;
  double loss = 0;
  double task_loss = 0;
  double mac_share = 0;
  double budget = 0;
  double seconds = 0;

  void add(const StepReport& report) {
    ++steps;
    sentences += report.sentences;
    loss += report.loss;
    task_loss += report.task_loss;
    mac_share += report.mac_share;
    budget += report.budget;
    seconds += report.seconds;
  }
  double mean(double sum) const { return sum / static_cast<double>(steps); }
  double sentences_per_second() const { return static_cast<double>(sentences) / seconds; }

  json to_json() const {
    return {{"steps", steps},         {"sentences", sentences}, {"loss", loss},      {"task_loss", task_loss},
            {"mac_share", mac_share}, {"budget", budget},       {"seconds", seconds}};
  }
};

Window window_of(const json& sums) {
  if (sums.is_null()) return {};
  return {.steps = sums.at("steps"),
          .sentences = sums.at("sentences"),
          .loss = sums.at("loss"),
          .task_loss = sums.at("task_loss"),
          .mac_share = sums.at("mac_share"),
          .budget = sums.value("budget", 0.0),
          .seconds = sums.at("seconds")};
}

// Hugging Face's floating_point_ops: six for each token and weight outside the embeddings.
double operations_per_token(const BertClassifier& model) {
  std::int64_t weights = 0;
  for (const NamedTensor& weight : named_values(model.parameters())) {
    if (!is_embedding(weight.name, model.config().family())) weights += weight.tensor.numel();
  }
  return 6.0 * static_cast<double>(weights);
}

Event::Histogram event_of(const GateProbabilities& gate) {
  const ProbabilityHistogram& h = gate.histogram;
  const char* set = gate.set == GateSet::kKeys ? "keys" : gate.set == GateSet::kUpdated ? "updated" : "fed";
  Event::Histogram event{.tag = fmt::format("{}_probability/layer_{}", set, gate.layer),
                         .least = h.count > 0 ? h.least : 0,
                         .largest = h.largest,
                         .count = static_cast<double>(h.count),
                         .sum = h.sum,
                         .sum_of_squares = h.sum_of_squares,
                         .limits = {0},
                         .counts = {0}};
  for (std::size_t i = 0; i < h.counts.size(); ++i) {
    event.limits.push_back(static_cast<double>(i + 1) / static_cast<double>(h.counts.size()));
    event.counts.push_back(static_cast<double>(h.counts[i]));
  }
  return event;
}

class Run {
 public:
  Run(const TrainingInputs& inputs, const TrainingSettings& settings, OutputFolder* folder, Manifest& manifest)
      : inputs_(inputs),
        settings_(settings),
        ranks_(*settings.ranks),
        writes_(folder != nullptr),
        manifest_(manifest),
        trainer_(*inputs.model.model, inputs.model.task, inputs.rows, settings.trainer, inputs.teacher_logits,
                 inputs.epoch, *settings.ranks),
        folder_(writes_ ? begin(*folder, inputs, settings, manifest) : fs::path()),
        log_(folder_),
        skims_(inputs.model.model->config().skim_gate != SkimGate::kNone),
        checkpoints_(folder_, writes_ ? folder->final_name(folder_ / "checkpoint").parent_path() : fs::path()),
        best_(settings.best) {
    if (inputs.checkpoint) go_on(*inputs.checkpoint);
    if (settings.tensorboard && writes_) open_events();
    keep_time();
  }

  // Wherever a signal stops it there is a checkpoint to go on from.
  TrainingResult operator()() {
    try {
      return whole_run();
    } catch (const Interrupted& stopped) {
      if (trainer_.is_ahead()) throw;  // the model is that of no step
      info("stopped by {} at step {} of {}; wrote {}", stopped.signal() == SIGALRM ? "--time_limit" : "a signal",
           trainer_.steps_done(), trainer_.total_steps(), save_checkpoint().string());
      throw;
    }
  }

 private:
  static const fs::path& begin(OutputFolder& folder, const TrainingInputs& inputs, const TrainingSettings& settings,
                               Manifest& manifest) {
    folder.begin_run(manifest, settings.parts(), inputs.sources);
    return folder.work();
  }

  // Asks to stop so early that there is time for the step under way and for a checkpoint, each twice as long as the
  // longest so far; before the first checkpoint for its bytes at 100 MB a second.
  void keep_time() const {
    if (!settings_.deadline) return;
    constexpr double kBytesPerSecond = 1e8, kLeast = 0.1;
    const double states = settings_.trainer.ema_decay ? 4 : 3;  // weights, two moments, average
    double save = 2 * checkpoint_seconds_;
    if (save == 0) {
      for (const NamedTensor& weight : named_values(inputs_.model.model->parameters())) {
        save += states * sizeof(float) * static_cast<double>(weight.tensor.numel()) / kBytesPerSecond;
      }
    }
    const std::chrono::duration<double> reserve(kLeast + 2 * step_seconds_ + save);
    stop_at(*settings_.deadline - std::chrono::duration_cast<Clock::duration>(reserve));
  }

  TrainingResult whole_run() {
    tell_start();
    result_.train_examples = inputs_.own;
    train();
    trainer_.show_average();
    if (settings_.best.load_at_end) load_best();
    held_out_costs_ =
        keep_budget(inputs_.model, inputs_.held_out, settings_.trainer, settings_.speedups, settings_.evaluation());
    if (writes_) save_model(inputs_.model, folder_);
    write_train_results();
    if (!inputs_.dev.empty()) result_.scores = final_scores();
    tell_costs(result_.scores);
    if (!writes_) return std::move(result_);
    write_file_atomically(folder_ / "trainer_state.json", trainer_state().dump(2) + '\n');
    // What a signal made it write, and nobody asked for, has served.
    if (settings_.save_strategy == SaveStrategy::kNo && !settings_.tracks_best())
      checkpoints_.drop_all_but(0, std::nullopt);
    return std::move(result_);
  }

  void go_on(const Checkpoint& checkpoint) {
    trainer_.restore(checkpoint.state);
    first_step_ = checkpoint.state.steps;
    log_start_ = checkpoint.log_start;
    window_ = window_of(checkpoint.log_window);
    loss_sum_ = checkpoint.loss_sum;
    tokens_ = checkpoint.tokens;
    last_.budget = checkpoint.budget;
    last_.multipliers = checkpoint.state.skim_multipliers;
    for (const json& row : checkpoint.log) {
      log_.add(row);
      const double step = row.value("step", 0.0);
      if (row.contains("loss")) result_.curves.loss.push_back({step, row["loss"].get<double>()});
      if (row.contains("mac_share")) result_.curves.mac_share.push_back({step, row["mac_share"].get<double>()});
      if (row.contains("budget")) result_.curves.budget.push_back({step, row["budget"].get<double>()});
      const std::string score = "eval_" + inputs_.model.task.headline;
      if (row.contains(score) && row[score].is_number()) note_score(step, row[score].get<double>());
      if (row.contains("eval_loss") && step > 0) best_.note(row);
    }
    checkpoints_.went_on_from(checkpoint.folder);
    info("going on after step {} of {}", trainer_.steps_done(), trainer_.total_steps());
  }

  void open_events() {
    events_.emplace(settings_.event_folder ? *settings_.event_folder : event_folder_in(folder_),
                    first_step_ == 0 ? 0 : first_step_ + 1);
    events_->add_text("args", manifest_.json()["flags"].dump(2, ' ', false, json::error_handler_t::replace));
    events_->add_text("model_config", to_json(inputs_.model.model->config()));
  }

  void log(const json& row) {
    log_.add(row);
    if (events_) events_->add(trainer_.steps_done(), row);
  }

  // The share of all tokens that each layer reads, updates and feeds forward.
  void show_layers(const std::vector<SplitScore>& scores) {
    if (!events_ || !skims_) return;
    std::vector<Event::Scalar> scalars;
    for (const SplitScore& s : scores) {
      for (std::size_t i = 0; i < s.evaluation.layers.size(); ++i) {
        const LayerShares& layer = s.evaluation.layers[i];
        for (const auto& [rows, share] :
             {std::pair("keys", layer.keys), {"updated", layer.updated}, {"fed", layer.fed}}) {
          scalars.push_back({fmt::format("{}{}/layer_{}", rows, s.suffix, i), static_cast<float>(share)});
        }
      }
    }
    events_->add(trainer_.steps_done(), std::move(scalars));
  }

  // With which probability each gate lets rows pass, of the first rows of the first dev set.
  void show_gates() {
    if (!events_ || !skims_) return;
    constexpr std::size_t kMost = 1000;
    const std::vector<TokenizedExample>& dev = inputs_.dev.front().tokenized;
    std::vector<Event::Histogram> histograms;
    for (const GateProbabilities& gate :
         keep_probabilities(*inputs_.model.model, std::span(dev).first(std::min(kMost, dev.size())))) {
      histograms.push_back(event_of(gate));
    }
    events_->add(trainer_.steps_done(), std::move(histograms));
  }

  void note_score(double step, double score) {
    result_.curves.dev_score.push_back({step, score});
    if (!best_score_ || score > *best_score_) best_score_ = score;
  }

  void tell_start() const {
    info("training on {} examples of {}{}, {} steps ({:.2f} epochs of {}), batch {}, learning rate {:g}{}, seed {}",
         inputs_.own, inputs_.model.task.name,
         unlabelled() > 0 ? fmt::format(" and {} without labels", unlabelled()) : "", trainer_.total_steps(),
         epochs_of(trainer_.total_steps()), trainer_.steps_per_epoch(), settings_.trainer.batch_size,
         settings_.trainer.learning_rate,
         skims_ ? fmt::format(" (predictors {:g})", settings_.trainer.skim_learning_rate) : "", settings_.trainer.seed);
  }

  std::int64_t unlabelled() const { return std::ssize(inputs_.rows) - inputs_.own; }

  void train() {
    const Clock::time_point start = Clock::now();
    Progress progress("train", trainer_.total_steps(), settings_.progress);
    if (first_step_ == 0 && settings_.eval_on_start && !inputs_.dev.empty()) progress.line(log_evaluation(score_dev()));
    if (first_step_ > 0 && lacks_evaluation()) evaluate_and_save(progress, first_step_);
    while (!trainer_.finished() && !best_.is_patience_over()) {
      if (stop_signal() != 0) trainer_.ask_to_stop(stop_signal());
      const StepReport report = trainer_.step(!reads_model(trainer_.steps_done() + 1));
      note(report);
      progress.update(report.step, details(report));
      if (logs_after(report.step)) progress.line(log_window(report));
      evaluate_and_save(progress, report.step);
      if (!trainer_.is_ahead() && stop() != 0) throw Interrupted(stop());
    }
    if (best_.is_patience_over() && !trainer_.finished()) {
      info("{} was not better for {} evaluations: training ends at step {}", settings_.best.key(),
           *settings_.best.patience, trainer_.steps_done());
    }
    train_seconds_ = seconds_since(start);
  }

  // The signal that asks to stop. Ranks stop after the same step: the one whose report says that one of them was asked.
  int stop() const { return ranks_.size() == 1 ? stop_signal() : last_.stop; }

  bool is_last(std::int64_t step) const { return step == trainer_.total_steps(); }

  bool logs_after(std::int64_t step) const {
    if (settings_.logging_strategy == Strategy::kNo) return false;
    return happens(settings_.logging_strategy, settings_.logging_steps, step) || is_last(step) ||
           (step == 1 && settings_.logging_first_step);
  }

  // What belongs to a step's model. The last one is the run's result anyway, unless the best may be another.
  void evaluate_and_save(Progress& progress, std::int64_t step) {
    bool is_best = false;
    if (evaluates_after(step)) {
      trainer_.show_average();
      progress.line(log_evaluation(score_dev()));
      is_best = best_.note(log_.history().back()) && settings_.tracks_best();
      if (is_best)
        progress.line(fmt::format("step {:>6}  best {}: {:.4f}", step, settings_.best.key(), *best_.score()));
    }
    if (is_best || saves_after(step)) save_checkpoint();
  }

  void load_best() {
    if (!best_.step()) {
      warn("{} was never defined: the last model is taken", settings_.best.key());
      return;
    }
    load_checkpoint_weights(broadcast(ranks_, writes_ ? checkpoints_.find(*best_.step()).string() : ""),
                            *inputs_.model.model);
    info("the model of step {} is the best: {} {:.4f}", *best_.step(), settings_.best.key(), *best_.score());
  }

  bool varies_budget() const { return settings_.trainer.skim_widest.has_value(); }

  void tell_costs(const std::vector<SplitScore>& scores) const {
    if (!held_out_costs_.chosen) return;
    std::string text =
        fmt::format("cost: {} held-out training rows {:.1f} %", inputs_.held_out.size(), 100 * *held_out_costs_.chosen);
    for (const SplitScore& s : scores) {
      text += fmt::format(", dev{} {:.1f} %", s.suffix, 100 * s.evaluation.mac_share());
    }
    info("{} of the dense model's MACs; the budget is {:.1f} %", text, 100 * budget());
  }

  // What the model that is left may cost.
  double budget() const { return varies_budget() ? 1 / settings_.speedups.chosen : *settings_.trainer.skim_target; }

  void note(const StepReport& report) {
    last_ = report;
    window_.add(report);
    loss_sum_ += report.loss;
    tokens_ += report.tokens;
    bytes_sent_ += report.bytes_sent;
    if (report.seconds > step_seconds_) {
      step_seconds_ = report.seconds;
      keep_time();
    }
    const auto step = static_cast<double>(report.step);
    result_.curves.loss.push_back({step, report.loss});
    if (!skims_) return;
    result_.curves.mac_share.push_back({step, report.mac_share});
    if (settings_.trainer.skim_target && !varies_budget()) result_.curves.budget.push_back({step, report.budget});
  }

  std::string details(const StepReport& report) const {
    return fmt::format("loss {:.4f}{}  {:.0f} sentences/s", report.loss,
                       skims_ ? fmt::format("  cost {:.1f}%", 100 * report.mac_share) : "",
                       static_cast<double>(report.sentences) / report.seconds);
  }

  // Whether the model of a step is evaluated or saved, so that the next step must wait for that.
  bool reads_model(std::int64_t step) const { return stop() != 0 || evaluates_after(step) || saves_after(step); }

  bool evaluates_after(std::int64_t step) const {
    if (inputs_.dev.empty()) return false;
    if (is_last(step)) return settings_.tracks_best();
    return happens(settings_.eval_strategy, settings_.eval_steps, step);
  }

  bool saves_after(std::int64_t step) const {
    if (is_last(step)) return settings_.tracks_best() && settings_.save_strategy != SaveStrategy::kBest;
    switch (settings_.save_strategy) {
      case SaveStrategy::kSteps:
        return happens(Strategy::kSteps, settings_.save_steps, step);
      case SaveStrategy::kEpoch:
        return happens(Strategy::kEpoch, settings_.save_steps, step);
      default:
        return false;
    }
  }

  // Whether a signal came between the step that this process goes on from and its evaluation.
  bool lacks_evaluation() const {
    const auto is_there = [&](const json& row) { return row.contains("eval_loss") && row["step"] == first_step_; };
    return evaluates_after(first_step_) && std::ranges::none_of(log_.history(), is_there);
  }

  bool happens(Strategy strategy, std::int64_t steps, std::int64_t step) const {
    if (strategy == Strategy::kNo) return false;
    return step % (strategy == Strategy::kSteps ? steps : trainer_.steps_per_epoch()) == 0;
  }

  std::string log_window(const StepReport& report) {
    const Window w = std::exchange(window_, {});
    json row = {{"step", report.step},
                {"epoch", rounded(report.epoch, 4)},
                {"loss", w.mean(w.loss)},
                {"task_loss", w.mean(w.task_loss)},
                {"grad_norm", report.grad_norm},
                {"learning_rate", report.learning_rate},
                {"ms_per_step", rounded(1e3 * w.mean(w.seconds), 2)},
                {"sentences_per_second", rounded(w.sentences_per_second(), 2)}};
    std::string text =
        fmt::format("step {:>6}  epoch {:.2f}  loss {:.4f}  task {:.4f}  |g| {:.2f}  lr {:.2e}", report.step,
                    report.epoch, w.mean(w.loss), w.mean(w.task_loss), report.grad_norm, report.learning_rate);
    if (skims_) {
      row["mac_share"] = w.mean(w.mac_share);
      text += fmt::format("  cost {:.1f}%", 100 * w.mean(w.mac_share));
    }
    if (settings_.trainer.skim_target) {
      const double budget = varies_budget() ? w.mean(w.budget) : report.budget;
      row["budget"] = budget;
      row["multiplier"] = report.multipliers.widest;
      text += fmt::format(" of {:.1f}% (a {:.2f}", 100 * budget, report.multipliers.widest);
      if (varies_budget()) {
        row["tightest_multiplier"] = report.multipliers.tightest;
        text += fmt::format(" to {:.2f}", report.multipliers.tightest);
      }
      text += ')';
    }
    log(row);
    return text + fmt::format("  {:.0f} ms  {:.0f} sentences/s", 1e3 * w.mean(w.seconds), w.sentences_per_second());
  }

  std::vector<SplitScore> score_dev() const {
    std::vector<SplitScore> scores =
        score_all(*inputs_.model.model, inputs_.model.task, inputs_.dev, settings_.evaluation());
    warn_of_undefined(scores);
    return scores;
  }

  // Adds the scores to the log; the line says them.
  std::string log_evaluation(const std::vector<SplitScore>& scores) {
    json row = eval_results(scores);
    row["step"] = trainer_.steps_done();
    row["epoch"] = rounded(epochs_of(trainer_.steps_done()), 4);
    log(row);
    show_layers(scores);
    show_gates();
    note_score(static_cast<double>(trainer_.steps_done()), headline(inputs_.model.task, scores));
    std::string text = fmt::format("step {:>6}  dev:", trainer_.steps_done());
    for (const SplitScore& s : scores) {
      for (const Metric& metric : s.metrics) text += fmt::format("  {}{} {:.4f}", metric.name, s.suffix, metric.value);
    }
    if (skims_) text += fmt::format("  cost {:.1f}%", 100 * scores.front().evaluation.mac_share());
    return text;
  }

  double epochs_of(std::int64_t steps) const {
    return static_cast<double>(steps) / static_cast<double>(trainer_.steps_per_epoch());
  }

  fs::path save_checkpoint() {
    trainer_.show_average();
    const std::vector<NamedTensor> optimizer = trainer_.optimizer().state();  // of all ranks
    if (!writes_) return {};
    const fs::path path = checkpoints_.path(trainer_.steps_done());
    if (fs::exists(path)) return path;
    const Clock::time_point start = Clock::now();
    AtomicFolder complete(path);
    save_model(inputs_.model, complete.path());
    save_safetensors(complete.path() / "optimizer.safetensors", optimizer);
    write_file_atomically(complete.path() / "trainer_state.json", trainer_state().dump(2) + '\n');
    complete.commit();
    checkpoints_.add(path);
    if (settings_.save_total_limit > 0) checkpoints_.drop_all_but(settings_.save_total_limit, best_step());
    checkpoint_seconds_ = std::max(checkpoint_seconds_, seconds_since(start));
    keep_time();
    return path;
  }

  // Of the best model so far, where that matters.
  std::optional<std::int64_t> best_step() const { return settings_.tracks_best() ? best_.step() : std::nullopt; }

  // The keys of transformers' TrainerState, the sum of the losses and the budget controller's state.
  json trainer_state() const {
    const std::optional<std::int64_t> best_at = best_step();
    const std::optional<double> best = settings_.tracks_best() ? best_.score() : best_score_;
    json state = {{"best_global_step", best_at ? json(*best_at) : json()},
                  {"best_metric", best ? json(*best) : json()},
                  {"best_model_checkpoint", best_at ? json(checkpoints_.final_name(*best_at).string()) : json()},
                  {"epoch", epochs_of(trainer_.steps_done())},
                  {"eval_steps", settings_.eval_strategy == Strategy::kSteps ? settings_.eval_steps : 500},
                  {"global_step", trainer_.steps_done()},
                  {"is_hyper_param_search", false},
                  {"is_local_process_zero", true},
                  {"is_world_process_zero", true},
                  {"log_history", log_.history()},
                  {"log_window", window_.to_json()},
                  {"logging_steps", settings_.logging_steps},
                  {"loss_sum", loss_sum_},
                  {"max_steps", trainer_.total_steps()},
                  {"num_input_tokens_seen", tokens_},
                  {"num_train_epochs", static_cast<std::int64_t>(std::ceil(epochs_of(trainer_.total_steps())))},
                  {"save_steps", settings_.save_steps},
                  {"starts", starts_json(trainer_.starts(), log_start_)},
                  {"stateful_callbacks", json::object()},
                  {"total_flos", total_operations()},
                  {"train_batch_size", settings_.trainer.batch_size},
                  {"trial_name", nullptr},
                  {"trial_params", nullptr}};
    if (settings_.trainer.skim_target) {
      state["skim_budget"] = {{"budget", last_.budget}, {"multiplier", last_.multipliers.widest}};
      if (varies_budget()) state["skim_budget"]["tightest_multiplier"] = last_.multipliers.tightest;
    }
    return state;
  }

  double total_operations() const { return operations_per_token(*inputs_.model.model) * static_cast<double>(tokens_); }

  void write_train_results() {
    const auto steps = static_cast<double>(trainer_.steps_done() - log_start_);
    const std::size_t epoch = inputs_.epoch.empty() ? inputs_.rows.size() : inputs_.epoch.size();
    const auto timed = static_cast<double>(trainer_.steps_done() - first_step_);
    const double samples = timed / static_cast<double>(trainer_.steps_per_epoch()) * static_cast<double>(epoch);
    json results = {{"epoch", rounded(epochs_of(trainer_.steps_done()), 4)},
                    {"total_flos", total_operations()},
                    {"train_loss", loss_sum_ / steps},
                    {"train_runtime", rounded(train_seconds_, 4)},
                    {"train_samples", inputs_.own},
                    {"train_samples_per_second", rounded(samples / train_seconds_, 3)},
                    {"train_steps_per_second", rounded(timed / train_seconds_, 3)}};
    if (unlabelled() > 0) results["distill_samples"] = unlabelled();
    if (ranks_.size() > 1) {
      results["ranks"] = ranks_.size();
      results["rank_bytes_sent_per_step"] = static_cast<double>(bytes_sent_) / timed;
    }
    if (held_out_costs_.chosen) {
      results["held_out_samples"] = inputs_.held_out.size();
      results["held_out_mac_share"] = *held_out_costs_.chosen;
      for (std::size_t i = 0; i < held_out_costs_.all.size(); ++i) {
        results["held_out_mac_share" + speedup_suffix(settings_.speedups.all[i])] = held_out_costs_.all[i];
      }
    }
    if (writes_) write_results(folder_, "train", results);
    if (events_) events_->add(trainer_.steps_done(), results);
    if (settings_.print_metrics) print("{}", metrics_text("train metrics", results));
    manifest_.add_duration("train", train_seconds_);
  }

  std::vector<SplitScore> final_scores() {
    const Clock::time_point start = Clock::now();
    std::vector<SplitScore> scores = score_dev();
    info("{}", log_evaluation(scores));
    json results = eval_results(scores);
    result_.at_speedups =
        scores_at_speedups(*inputs_.model.model, settings_.speedups, scores, [this] { return score_dev(); });
    for (const std::vector<SplitScore>& at : result_.at_speedups) results.update(eval_results(at));
    results["epoch"] = rounded(epochs_of(trainer_.steps_done()), 4);
    if (writes_) write_results(folder_, "eval", results);
    if (settings_.print_metrics) print("{}", metrics_text("eval metrics", results));
    manifest_.add_duration("eval", seconds_since(start));
    return scores;
  }

  const TrainingInputs& inputs_;
  const TrainingSettings& settings_;
  Communicator& ranks_;
  bool writes_;
  Manifest& manifest_;
  Trainer trainer_;
  fs::path folder_;  // begun when the trainer has found the options good
  RunLog log_;
  std::optional<EventLog> events_ = {};
  bool skims_;
  RunCheckpoints checkpoints_;
  Window window_;
  StepReport last_;
  TrainingResult result_;
  BestScore best_;
  std::optional<double> best_score_;  // of the task's headline
  HeldOutCosts held_out_costs_;
  std::int64_t first_step_ = 0;  // after which this process went on
  std::int64_t log_start_ = 0;   // steps before those that log and sums are of
  double loss_sum_ = 0;
  double train_seconds_ = 0;
  double step_seconds_ = 0;        // the longest step, and
  double checkpoint_seconds_ = 0;  // the longest checkpoint of this process
  std::int64_t tokens_ = 0;
  std::int64_t bytes_sent_ = 0;  // by this process
};

// That evaluations will have the score by which the best model is chosen.
void check_best(const BestModelOptions& best, const Task& task, const std::vector<Split>& dev) {
  std::vector<std::string> known;
  for (const Split& split : dev) {
    known.push_back("loss" + split.suffix);
    for (const std::string& metric : task.metrics) known.push_back(metric + split.suffix);
    if (std::ranges::find(task.metrics, task.headline) == task.metrics.end())
      known.push_back(task.headline + split.suffix);
  }
  const auto is_it = [&](const std::string& name) { return "eval_" + name == best.key(); };
  check_option(std::ranges::any_of(known, is_it), "metric_for_best_model", "evaluations have no ",
               in_quotes(best.key()), "; they have ", fmt::format("{}", fmt::join(known, ", ")));
}

}  // namespace

TrainingResult run_training(const TrainingInputs& inputs, const TrainingSettings& settings, OutputFolder* folder,
                            Manifest& manifest) {
  if (settings.tracks_best()) check_best(settings.best, inputs.model.task, inputs.dev);
  return Run(inputs, settings, folder, manifest)();
}

}  // namespace tk
