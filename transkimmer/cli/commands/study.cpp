#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "autograd/estimators/estimators.h"
#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "transkimmer/cli/commands/commands.h"
#include "transkimmer/cli/report/study_report.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/manifest.h"
#include "transkimmer/cli/run/options.h"
#include "transkimmer/cli/run/output_folder.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/progress.h"
#include "transkimmer/cli/run/ranks.h"
#include "transkimmer/cli/run/run_files.h"
#include "transkimmer/cli/run/runtime.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/cli/run/study_bernoulli.h"
#include "transkimmer/cli/run/study_enumerate.h"
#include "transkimmer/cli/run/study_listops.h"
#include "transkimmer/cli/run/study_polynomial.h"
#include "transkimmer/cli/run/study_vae.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

struct StudyFlags {
  std::string estimators;
  std::int64_t seeds = 5;
  std::string output_dir;
  std::int64_t threads = 0;
  std::string device = "cpu";
  ProgressMode progress = ProgressMode::kAuto;
};

// The estimators of gates that "pathwise" and "score" stand for: of two with the same gates the first, and not the
// exact one, which the others are held to. Nothing for another name.
std::vector<std::string> names_of_group(const std::string& group) {
  std::vector<std::string> names;
  std::set<Pathwise> seen;
  for (const Estimator& e : estimators()) {
    const bool is_one = group == "pathwise" ? e.gates != nullptr && seen.insert(e.gates).second
                                            : group == "score" && e.surrogate != nullptr && e.bias != Bias::kExact;
    if (is_one) names.emplace_back(e.name);
  }
  return names;
}

// Names of estimators, each once, with groups written out.
std::vector<std::string> names_in(const std::string& text) {
  std::vector<std::string> names;
  for (const std::string& name : comma_separated(text)) {
    std::vector<std::string> some = names_of_group(name);
    if (some.empty()) some = {name};
    for (std::string& each : some) {
      if (std::ranges::find(names, each) == names.end()) names.push_back(std::move(each));
    }
  }
  return names;
}

// What is wrong with an estimator for an experiment, or nothing.
using ProblemOf = std::function<std::string(const ChosenEstimator&)>;

std::string problem_of_gates(const ChosenEstimator& chosen) {
  const Estimator& e = *chosen.estimator;
  return e.gates != nullptr || e.surrogate != nullptr ? "" : concat(e.name, " is not for gates");
}

std::string problem_of_names(const std::string& text, const ProblemOf& problem) {
  try {
    for (const std::string& name : names_in(text)) {
      if (std::string wrong = problem(choose_estimator(name)); !wrong.empty()) return wrong;
    }
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void add_study_flags(Flags& flags, StudyFlags& study, const std::string& estimators,
                     const ProblemOf& problem = problem_of_gates) {
  study.estimators = estimators;
  flags.group("Study");
  flags
      .add("--estimators", study.estimators,
           "whose gradients are measured, with commas between; gr:10 takes 10 samples, pathwise and score name all of "
           "a kind",
           "NAMES")
      .words()
      .check([problem](const std::string& text) { return problem_of_names(text, problem); });
  flags.add("--seeds", study.seeds, "how many: 1, 2, ... N; a band is two standard errors of their mean")
      .range(1, 1000);
  flags
      .add("--output_dir", study.output_dir,
           "folder to write to; a study of the same flags that lies there is continued, also with more seeds and "
           "estimators",
           "DIR")
      .required();
  flags.add("--progress", study.progress, "a bar on standard error: auto where that is a terminal");
  flags.add("--threads", study.threads, "CPU threads; 0: the cores that the process may use").range(0, 4096);
  flags.footer(
      "Writes study_values.csv (a line for each value), study_results.json (means and standard errors), report.html "
      "and,\n"
      "in units/, what each estimator gave with each seed, which a later start does not measure again.");
}

std::string unit_file(const std::string& estimator, std::uint64_t seed) {
  std::string name = fmt::format("{}-{}.json", estimator, seed);
  std::ranges::replace(name, ':', '_');
  return name;
}

std::vector<StudyUnit> measure(const Study& study, const StudyFlags& flags, const fs::path& folder) {
  const std::vector<std::string> names = names_in(flags.estimators);
  std::vector<StudyUnit> units;
  Progress progress("study " + study.name, std::ssize(names) * flags.seeds, flags.progress);
  for (const std::string& estimator : names) {
    for (std::uint64_t seed = 1; seed <= static_cast<std::uint64_t>(flags.seeds); ++seed) {
      throw_if_stopped();
      progress.update(std::ssize(units), fmt::format("{}, seed {}", estimator, seed));
      const fs::path file = folder / unit_file(estimator, seed);
      if (fs::exists(file)) {
        units.push_back(unit_of(read_json(file), file.string()));
        continue;
      }
      units.push_back({.estimator = estimator, .seed = seed, .values = study.measure(estimator, seed)});
      write_file_atomically(file, unit_json(units.back()).dump() + '\n');
    }
  }
  progress.update(std::ssize(units));
  return units;
}

int run(const Study& study, const StudyFlags& flags, const nlohmann::json& values, const Invocation& invocation) {
  check_is_alone("study");
  const RuntimeFlags runtime{.threads = flags.threads, .device = flags.device, .progress = flags.progress};
  const Device device = placement_of(runtime).device;
  start_runtime(runtime, invocation.argv);
  OutputFolder folder(flags.output_dir, EarlierRun::kExtend);
  Manifest manifest(invocation.text, values, 1, device);
  folder.begin_run(manifest, {kStudyUnits});
  fs::create_directories(folder.work() / kStudyUnits);
  const std::vector<StudyUnit> units = measure(study, flags, folder.work() / kStudyUnits);
  const std::vector<StudyCurve> curves = study_curves(study, units);
  write_file_atomically(folder.work() / kStudyValues, study_csv(study, units));
  write_file_atomically(folder.work() / kStudyResults, study_json(study, curves).dump(2) + '\n');
  write_report((folder.work() / "report.html").string(), make_study_report(study, curves, manifest.json()));
  print("{}", study_text(study, curves));
  folder.finish_run(manifest);
  info("wrote {}", folder.path().string());
  return 0;
}

constexpr std::int64_t kMostNodesOfExact = 8;  // it keeps the graph of every state
struct BernoulliCommand {
  explicit BernoulliCommand(CLI::App& study)
      : flags(study, "bernoulli", "one gate and the cost (b - t)^2: bias, deviation and descent") {
    add_study_flags(flags, common, "pathwise,score");
    flags.group("Experiment");
    flags.add("--samples", options.samples, "gradients of which mean and deviation are taken").at_least(2);
    flags.add("--target", options.target, "t of the cost").range(0, 1).check([](const std::string& value) {
      return value == "0.5" ? "at 0.5 the gradient is 0, which nothing is a multiple of" : "";
    });
    flags.add("--temperatures", options.temperatures, "of the estimators that have one, with commas between");
    flags.add("--steps", options.steps, "of Adam, a sample each").at_least(1);
    flags.add("--learning_rate", options.learning_rate, "of Adam").above(0);
  }

  Flags flags;
  StudyFlags common;
  BernoulliStudyOptions options;
};

struct PolynomialCommand {
  explicit PolynomialCommand(CLI::App& study)
      : flags(study, "polynomial", "polynomial programming: gates and the mean of |b - t|^power") {
    common.seeds = 3;
    add_study_flags(flags, common, "st,st-gs,gr:10,gst-1,reinmax,rloo,disarm");
    flags.group("Experiment");
    flags.add("--samples", options.samples, "of all gates, a step").at_least(1);
    flags.add("--latents", options.latents, "gates").range(1, 100000);
    flags.add("--powers", options.powers, "of the cost, with commas between");
    flags.add("--target", options.target, "t of the cost").range(0.01, 0.99);
    flags.add("--steps", options.steps, "of Adam").at_least(1);
    flags.add("--learning_rate", options.learning_rate, "of Adam").above(0);
    flags.add("--temperature", options.temperature, "of the estimators that have one").above(0);
  }

  Flags flags;
  StudyFlags common;
  PolynomialStudyOptions options;
};

struct EnumerateCommand {
  explicit EnumerateCommand(CLI::App& study)
      : flags(study, "enumerate",
              "a small skimming model whose masks are all enumerated: bias and deviation, layer by layer") {
    add_study_flags(flags, common, "pathwise,score");
    flags.group("Experiment");
    flags.add("--samples", options.samples, "gradients of each layer").at_least(2);
    flags.add("--skim_gate", options.gate, "whose gates are enumerated");
    flags.contradictions([this]() -> std::vector<std::string> {
      const std::vector<std::string> names = names_in(common.estimators);
      if (options.nodes <= kMostNodesOfExact || std::ranges::find(names, "exact") == names.end()) return {};
      return {fmt::format("--estimators: exact is what the others are held to; beside them it takes at most {} --nodes",
                          kMostNodesOfExact)};
    });
    flags.add("--nodes", options.nodes, "gates of a predictor that are enumerated, at most").range(3, 16);
    flags.add("--steps", options.steps, "for which the model is trained on the toy corpus before").at_least(1);
    flags.add("--temperature", options.temperature, "of the estimators that have one").above(0);
  }

  Flags flags;
  StudyFlags common;
  EnumerateStudyOptions options;
};

std::string problem_of_pathwise_classes(const ChosenEstimator& chosen) {
  const Estimator& e = *chosen.estimator;
  return e.classes != nullptr ? "" : concat(e.name, " is not a pathwise one for classes");
}

struct ListOpsCommand {
  explicit ListOpsCommand(CLI::App& study)
      : flags(study, "listops", "a tree LSTM that chooses its own tree, on generated ListOps: accuracy") {
    common.seeds = 3;
    add_study_flags(flags, common, "st-gs,st,gr:10,gst-1,reinmax", problem_of_pathwise_classes);
    flags.group("Experiment");
    flags.add("--samples", options.samples, "expressions to train on; a quarter of as many are held out")
        .range(4, 1000000);
    flags.add("--max_depth", options.max_depth, "of lists in lists").range(1, 10);
    flags.add("--max_length", options.max_length, "tokens of an expression").range(4, 100);
    flags.add("--hidden", options.hidden, "units").range(1, 4096);
    flags.add("--batch_size", options.batch_size, "expressions of one length, a step").range(1, 65536);
    flags.add("--steps", options.steps, "of Adam").at_least(1);
    flags.add("--learning_rate", options.learning_rate, "of Adam").above(0);
    flags.add("--temperature", options.temperature, "of the estimators that have one").above(0);
  }

  Flags flags;
  StudyFlags common;
  ListOpsStudyOptions options;
};

struct VaeCommand {
  explicit VaeCommand(CLI::App& study)
      : flags(study, "vae",
              "a variational autoencoder with discrete latents: training ELBO and the gradient's deviation") {
    common.seeds = 3;
    add_study_flags(flags, common, "", [](const ChosenEstimator&) { return ""; });
    flags.group("Experiment");
    flags.add("--samples", options.samples, "gradients of which the deviation is taken, at each point of its curve")
        .at_least(2);
    flags.add("--latents", options.latents, "what they are");
    flags.add("--latent_count", options.count, "how many; 0: 8 categorical ones, or 16 counts").range(0, 4096);
    flags
        .add("--values", options.values,
             "classes of each, trials of a binomial one, 4 times the largest rate of a Poisson one; 0: 4, 8, 32")
        .range(0, 1024);
    flags.add(
        "--data_dir", options.data_dir,
        "folder with train-images-idx3-ubyte, MNIST's format, or the same with .gz; without one shapes are generated",
        "DIR");
    flags.add("--images", options.images, "to train on, the first of them; 0: all of the files, or 2000 generated ones")
        .range(0, 10000000);
    flags.add("--hidden", options.hidden,
              "widths of the encoder's layers, with commas between; the decoder mirrors them");
    flags.add("--batch_size", options.batch_size, "images a step").range(1, 65536);
    flags.add("--steps", options.steps, "of Adam").at_least(1);
    flags.add("--learning_rate", options.learning_rate, "of Adam").above(0);
    flags.add("--temperature", options.temperature, "of the estimators that have one").above(0);
    flags.add("--device", common.device, "where to compute; auto: cuda if there is one")
        .choices({"auto", "cpu", "cuda"});
    flags.contradictions([this] { return problems(); });
  }

  // Without names those that show most of the latents' kind.
  std::vector<std::string> problems() {
    const bool categorical = options.latents == LatentKind::kCategorical;
    if (common.estimators.empty()) {
      common.estimators = categorical ? "st-gs,st,gr:10,reinmax,rloo" : "st-gs,reinmax,fini-2,fini-3,rloo";
    }
    const Latents law = options.law();
    std::vector<std::string> wrong;
    if (law.values < 2) wrong.emplace_back("--values: latents have at least 2");
    if (law.kind == LatentKind::kPoisson && law.values < 8) {
      wrong.emplace_back("--values: Poisson latents, whose rates are below a quarter of it, have at least 8");
    }
    for (const double width : options.hidden) {
      const bool is_width = width >= 1 && width <= 65536 && width == std::floor(width);
      if (!is_width) wrong.emplace_back("--hidden: expected whole numbers from 1 to 65536");
    }
    const std::string problem =
        problem_of_names(common.estimators, [&](const ChosenEstimator& chosen) { return law.problem(chosen); });
    if (!problem.empty()) wrong.push_back(problem);
    return wrong;
  }

  Flags flags;
  StudyFlags common;
  VaeStudyOptions options;
};

struct StudyCommand {
  explicit StudyCommand(CLI::App& program)
      : flags(program, "study", "compare estimators of gradients through discrete choices"),
        bernoulli(flags.command()),
        polynomial(flags.command()),
        enumerate(flags.command()),
        listops(flags.command()),
        vae(flags.command()) {
    flags.need_command();
  }

  Flags flags;
  BernoulliCommand bernoulli;
  PolynomialCommand polynomial;
  EnumerateCommand enumerate;
  ListOpsCommand listops;
  VaeCommand vae;
};

}  // namespace

std::vector<Command> add_study(CLI::App& program, const Invocation& invocation) {
  auto command = std::make_shared<StudyCommand>(program);
  const auto entry = [&](auto& experiment, auto make_study) -> Command {
    return {&experiment.flags, [command, invocation, &experiment, make_study] {
              return run(make_study(experiment.options), experiment.common, experiment.flags.values(), invocation);
            }};
  };
  const auto vae = [command, invocation] {
    VaeCommand& experiment = command->vae;
    experiment.options.device = placement_of({.device = experiment.common.device}).device;
    return run(vae_study(experiment.options), experiment.common, experiment.flags.values(), invocation);
  };
  return {entry(command->bernoulli, bernoulli_study),
          entry(command->polynomial, polynomial_study),
          entry(command->enumerate, enumerate_study),
          entry(command->listops, listops_study),
          {&command->vae.flags, vae}};
}

}  // namespace tk
