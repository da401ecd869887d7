#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "data/vocabulary.h"
#include "tensor/error.h"
#include "tensor/threads.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/classifier.h"
#include "transkimmer/cli/commands/commands.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/options.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/training/task_model.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

struct InitCommand {
  explicit InitCommand(CLI::App& program) : flags(program, "init", "make a model folder with random weights") {
    flags.positional("DIR", folder, "folder to make").required();
    flags.group("Model");
    flags.add("--config", config, "bert-base, minilm-l6, tiny, or a config.json", "NAME").required();
    flags.add("--vocab", vocab,
              "vocab.txt, which also sets the number of embeddings (default: the one beside the "
              "config.json)",
              "FILE");
    flags.add("--cased", cased, "the vocabulary is cased: texts are not lower-cased");
    flags.add("--seed", seed, "of the random weights");
  }

  Flags flags;
  std::string folder;
  std::string config;
  std::string vocab;
  bool cased = false;
  std::uint64_t seed = 42;
};

std::string text_of(const Vocabulary& vocabulary) {
  std::string text;
  for (const std::string& token : vocabulary.tokens()) text += token + '\n';
  return text;
}

int run(const InitCommand& c) {
  catch_stop_signals();
  start_threads();  // while there is nothing to leave behind
  const fs::path folder = c.folder;
  const bool is_new = is_new_folder(folder);
  Config config = config_from_name_or_file(c.config);
  FolderTexts tokenizer;
  if (!c.vocab.empty()) {
    const Vocabulary vocabulary = Vocabulary::from_file(c.vocab);
    config.vocab_size = vocabulary.size();
    tokenizer = new_tokenizer_files(config, text_of(vocabulary), !c.cased);
  } else if (const fs::path beside = fs::is_directory(c.config) ? fs::path(c.config) : fs::path(c.config).parent_path();
             fs::exists(c.config) && fs::exists(beside / "vocab.txt")) {
    tokenizer = read_tokenizer_files(beside, config.family());
    tokenizer.files.merge(new_tokenizer_files(config, "", !c.cased).files);  // what the folder does not say
    make_tokenizer(tokenizer, config.family());                              // throws unless it is one
  } else {
    warn("no vocabulary: put a vocab.txt of {} tokens into {} before training", config.vocab_size, c.folder);
  }
  BertClassifier model(config);
  model.initialize(c.seed);
  throw_if_stopped();
  const auto save = is_new ? save_new_model_folder : save_model_folder;
  save(folder, config, named_values(model.parameters()), tokenizer, FloatStorage::kFloat32);
  print("{}\n{} parameters\n", summary(config), parameter_count(config));
  return 0;
}

}  // namespace

Command add_init(CLI::App& program) {
  auto command = std::make_shared<InitCommand>(program);
  return {&command->flags, [command] { return run(*command); }};
}

}  // namespace tk
