#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "data/tokenizer.h"
#include "tensor/error.h"
#include "transkimmer/cli/commands/commands.h"
#include "transkimmer/cli/run/options.h"

namespace tk {
namespace {

struct TokenizeCommand {
  explicit TokenizeCommand(CLI::App& program) : flags(program, "tokenize", "token ids of each line of standard input") {
    flags.group("Tokenizer");
    flags.add("--vocab", vocab, "vocab.txt: a token a line", "FILE").required();
    flags.add("--max_seq_length", max_seq_length, "cut to N tokens, [CLS] and [SEP] included; 0: no cut").at_least(0);
    flags.add("--cased", cased, "do not lower-case, keep accents");
    flags.footer("One line in, one line of ids out, blanks between; a tab separates the two texts of a pair.");
  }

  Flags flags;
  std::string vocab;
  std::int64_t max_seq_length = 0;
  bool cased = false;
};

std::string ids_text(const Encoding& encoding) {
  std::string text;
  for (const std::int32_t id : encoding.ids) text.append(text.empty() ? "" : " ").append(std::to_string(id));
  return text + '\n';
}

int run(const TokenizeCommand& c) {
  TokenizerOptions options;
  options.normalizer.lower_case = !c.cased;
  const Tokenizer tokenizer(Vocabulary::from_file(c.vocab), options);
  const std::optional<std::int64_t> length = c.max_seq_length > 0 ? std::optional(c.max_seq_length) : std::nullopt;
  std::ios::sync_with_stdio(false);
  for (std::string line; std::cout && std::getline(std::cin, line);) {
    const std::string_view text = line;
    const std::size_t tab = text.find('\t');
    const bool pair = tab != std::string_view::npos;
    const Encoding encoding =
        tokenizer.encode(text.substr(0, tab), pair ? std::optional(text.substr(tab + 1)) : std::nullopt, length);
    std::cout << ids_text(encoding);
  }
  TK_CHECK(!std::cin.bad(), "standard input: cannot be read");
  TK_CHECK(std::cout.flush().good(), "standard output: cannot be written");
  return 0;
}

}  // namespace

Command add_tokenize(CLI::App& program) {
  auto command = std::make_shared<TokenizeCommand>(program);
  return {&command->flags, [command] { return run(*command); }};
}

}  // namespace tk
