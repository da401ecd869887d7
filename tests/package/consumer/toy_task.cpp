// What training.cpp reads where there is no GLUE: a made-up SST-2 and a small model without training. toy_task FOLDER
#include <filesystem>
#include <fstream>

#include "data/toy_corpus.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/classifier.h"

int main(int, char** argv) {
  using namespace tk;
  const std::filesystem::path folder = argv[1], data = folder / "SST-2";
  const ToyCorpus corpus = make_toy_corpus({.train = 4096, .dev = 256});
  std::filesystem::create_directories(data);
  const auto write = [&](const char* file, const ToySplit& split) {
    std::ofstream out(data / file);
    out << "sentence\tlabel\n";
    for (const Example& example : split.examples) out << example.text_a << '\t' << example.label << '\n';
  };
  write("train.tsv", corpus.train);
  write("dev.tsv", corpus.dev);

  Config config;
  config.vocab_size = static_cast<std::int64_t>(corpus.vocabulary.size());
  config.hidden_size = 64;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 4;
  config.intermediate_size = 128;
  config.max_position_embeddings = 64;
  BertClassifier model(config);
  model.initialize(/*seed=*/1);
  std::string vocabulary;
  for (const std::string& token : corpus.vocabulary) vocabulary += token + '\n';
  save_model_folder(folder / "start", config, named_values(model.parameters()),
                    new_tokenizer_files(config, vocabulary));
}
