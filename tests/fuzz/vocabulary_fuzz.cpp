#include "data/tokenizer.h"
#include "tensor/error.h"
#include "tests/fuzz/fuzz.h"

namespace {

// The pieces of an input: vocab.txt, or tokenizer.json if it starts with '{'; and perhaps others, each unless it is
// empty.
void write_folder(const std::vector<std::string>& input) {
  const auto& folder = tk::fuzz::folder();
  const char* const files[] = {input[0].starts_with('{') ? "tokenizer.json" : "vocab.txt", "tokenizer_config.json",
                               "added_tokens.json", "special_tokens_map.json"};
  for (const char* file : {"vocab.txt", "tokenizer.json"}) std::filesystem::remove(folder / file);
  for (std::size_t i = 0; i < std::size(files); ++i) {
    std::filesystem::remove(folder / files[i]);
    if (i == 0 || (i < input.size() && !input[i].empty())) tk::write_bytes(folder / files[i], input[i]);
  }
}

void check_vocabulary(const tk::Vocabulary& vocabulary) {
  using tk::fuzz::require;
  for (std::int64_t id = 0; id < vocabulary.size(); ++id) {
    const std::string& token = vocabulary.token(id);
    const auto found = vocabulary.find(token);
    require(token.empty() || (found && *found >= id), "a token is found under its last id");
    require(token.empty() || vocabulary.token(*found) == token, "an id has its token");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tk;
  const std::vector<std::string> input = fuzz::pieces(fuzz::text_of(data, size));
  write_folder(input);
  try {
    const Tokenizer tokenizer = Tokenizer::from_folder(fuzz::folder().path());
    check_vocabulary(tokenizer.vocabulary());
    for (const std::string& text : input) {
      const Encoding encoding = tokenizer.encode(text, std::nullopt, 16);
      fuzz::require(encoding.ids.size() <= 16, "no more tokens than asked for");
      for (const std::int32_t id : encoding.ids) tokenizer.vocabulary().token(id);
    }
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).starts_with(fuzz::folder().path().string()),
                  "an error starts with the file's path");
  }
  return 0;
}
