// Sentences a second of the tokenizer: tokenizer_benchmark --vocab vocab.txt --texts FILE [--threads N] [--repeats N]
// FILE has a text a line. Prints one JSON object; `benchmarks/peers/run.py tokenizer` runs it side by side with its peer.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/tokenizer.h"
#include "tensor/error.h"

namespace {

std::vector<std::string> read_lines(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  TK_CHECK(in, path, ": cannot open");
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(std::move(line));
  TK_CHECK(!lines.empty(), path, ": expected at least one line");
  return lines;
}

struct Totals {
  std::int64_t tokens = 0;
  std::int64_t id_sum = 0;  // with `tokens`, tells whether two tokenizers did the same work
};

Totals tokenize(const tk::Tokenizer& tokenizer, const std::vector<std::string>& texts, int threads) {
  std::int64_t tokens = 0, id_sum = 0;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 256) reduction(+ : tokens, id_sum)
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const tk::Encoding encoding = tokenizer.encode(texts[i]);
    tokens += static_cast<std::int64_t>(encoding.ids.size());
    for (const std::int32_t id : encoding.ids) id_sum += id;
  }
  return {tokens, id_sum};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void run(const std::string& vocabulary, const std::string& file, int threads, int repeats) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const std::vector<std::string> texts = read_lines(file);
  const auto start_up = Clock::now();
  const tk::Tokenizer tokenizer(tk::Vocabulary::from_file(vocabulary));
  const double start_up_seconds = seconds_since(start_up);

  const Totals totals = tokenize(tokenizer, texts, threads);  // the first pass warms up and is not timed
  std::vector<double> rates;
  for (int i = 0; i < repeats; ++i) {
    const auto start = Clock::now();
    tokenize(tokenizer, texts, threads);
    rates.push_back(static_cast<double>(texts.size()) / seconds_since(start));
  }
  const nlohmann::ordered_json result = {{"sentences_per_second", median(rates)},
                                         {"repeats", rates},
                                         {"sentences", texts.size()},
                                         {"tokens", totals.tokens},
                                         {"id_sum", totals.id_sum},
                                         {"threads", threads},
                                         {"start_up_seconds", start_up_seconds}};
  std::cout << result.dump() << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program("Sentences a second of the tokenizer");
  std::string vocabulary, texts;
  int threads = 1, repeats = 5;
  program.add_option("--vocab", vocabulary, "vocab.txt")->required();
  program.add_option("--texts", texts, "a text a line")->required();
  program.add_option("--threads", threads)->check(CLI::PositiveNumber);
  program.add_option("--repeats", repeats)->check(CLI::PositiveNumber);
  CLI11_PARSE(program, argc, argv);
  try {
    run(vocabulary, texts, threads, repeats);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
