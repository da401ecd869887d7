#include "data/tokenizer.h"

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "tensor/error.h"
#include "tests/data/fnv.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace {

using Json = nlohmann::json;
using tk::ByteSpan;
using tk::Encoding;
using tk::TemporaryFolder;
using tk::Tokenizer;
using tk::TokenizerOptions;
using tk::Truncation;
using tk::Vocabulary;
namespace fs = std::filesystem;

const fs::path kGolden = fs::path(TK_SOURCE_DIR) / "tests/data/golden";

Json read_json(const fs::path& path) { return Json::parse(std::ifstream(path)); }

tk::NormalizerOptions normalizer_options(const std::string& name) {
  if (name == "uncased") return {};
  if (name == "cased") return {.lower_case = false};
  if (name == "uncased, accents kept") return {.strip_accents = false};
  if (name == "cased, accents stripped") return {.lower_case = false, .strip_accents = true};
  throw std::invalid_argument(name);
}

Truncation truncation(const std::string& name) {
  return name == "only_first"    ? Truncation::kOnlyFirst
         : name == "only_second" ? Truncation::kOnlySecond
                                 : Truncation::kLongestFirst;
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

struct Case {
  std::string a;
  std::optional<std::string> b;
  std::optional<std::int64_t> max_length;
  TokenizerOptions options;

  explicit Case(const Json& row) : a(row.contains("a") ? row["a"].get<std::string>() : from_hex(row["a_hex"])) {
    if (row.contains("b")) b = row["b"];
    if (row.contains("max_length")) max_length = row["max_length"].get<std::int64_t>();
    options.normalizer = normalizer_options(row.at("normalizer"));
    options.truncation = truncation(row.value("truncation", ""));
    options.split_special_tokens = row.value("split_special_tokens", false);
  }
};

std::vector<std::vector<std::int32_t>> to_rows(const std::vector<ByteSpan>& spans) {
  std::vector<std::vector<std::int32_t>> rows;
  for (const ByteSpan& span : spans) rows.push_back({span.begin, span.end});
  return rows;
}

using Ids = std::vector<std::int32_t>;

const std::vector<std::string> kTokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "é", "e", "北", "京"};

Tokenizer tiny_tokenizer(const TokenizerOptions& options = {}) { return Tokenizer(Vocabulary(kTokens), options); }

std::string vocabulary_lines() {
  std::string lines;
  for (const auto& token : kTokens) lines += token + "\n";
  return lines;
}

}  // namespace

TEST_CASE("tokenizer: edge cases have the ids, types and sources of Hugging Face's tokenizers") {
  const auto vocabulary = Vocabulary::from_file(kGolden / "tokenizer_vocab.txt");
  const Json golden = read_json(kGolden / "tokenizer_cases.json");
  std::map<std::string, Tokenizer> tokenizers;
  for (const Json& row : golden.at("cases")) {
    const Case example(row);
    const std::string options = row.at("normalizer").get<std::string>() + row.value("truncation", "") +
                                (example.options.split_special_tokens ? " split" : "");
    const Tokenizer& tokenizer = tokenizers.try_emplace(options, vocabulary, example.options).first->second;
    INFO(row.dump());
    if (row.contains("error")) {
      CHECK_THROWS_AS(tokenizer.encode(example.a, example.b, example.max_length), tk::Error);
      continue;
    }
    const Encoding encoding = tokenizer.encode(example.a, example.b, example.max_length);
    CHECK(encoding.ids == row.at("ids").get<Ids>());
    CHECK(encoding.token_types == row.at("types").get<Ids>());
    if (row.contains("sources")) {
      CHECK(to_rows(encoding.sources) == row["sources"].get<std::vector<std::vector<std::int32_t>>>());
    }
  }
  CHECK(golden.at("cases").size() > 1000);
}

TEST_CASE("tokenizer: a single text is [CLS] A [SEP], a pair [CLS] A [SEP] B [SEP]") {
  const Tokenizer tokenizer = tiny_tokenizer();
  const Encoding single = tokenizer.encode("a b");
  CHECK(single.ids == Ids{2, 5, 6, 3});
  CHECK(single.token_types == Ids{0, 0, 0, 0});
  CHECK(single.sources == std::vector<ByteSpan>{{0, 0}, {0, 1}, {2, 3}, {0, 0}});
  const Encoding pair = tokenizer.encode("a", "");
  CHECK(pair.ids == Ids{2, 5, 3, 3});
  CHECK(pair.token_types == Ids{0, 0, 0, 1});
}

TEST_CASE("tokenizer: sources count from the start of their own text, around special tokens too") {
  const Encoding encoding = tiny_tokenizer().encode("é[MASK] a", "ba b");
  CHECK(encoding.ids == Ids{2, 8, 4, 5, 3, 1, 6, 3});
  CHECK(encoding.sources == std::vector<ByteSpan>{{0, 0}, {0, 2}, {2, 8}, {9, 10}, {0, 0}, {0, 2}, {3, 4}, {0, 0}});
}

TEST_CASE("tokenizer: a max_length without room for the special tokens is an error") {
  const Tokenizer tokenizer = tiny_tokenizer();
  CHECK(tokenizer.encode("a", std::nullopt, 2).ids == Ids{2, 3});
  CHECK(tokenizer.encode("a", "b", 3).ids == Ids{2, 3, 3});
  CHECK_THROWS_WITH(tokenizer.encode("a", std::nullopt, 1),
                    ContainsSubstring("at least 2") && ContainsSubstring("got 1"));
  CHECK_THROWS_WITH(tokenizer.encode("a", "b", 2), ContainsSubstring("at least 3"));
  CHECK_THROWS_AS(tokenizer.encode("a", "b", -1), tk::Error);
}

TEST_CASE("tokenizer: a vocabulary without [MASK] reads it as text") {
  const Tokenizer tokenizer(Vocabulary({"[UNK]", "[CLS]", "[SEP]", "[", "mask", "]"}));
  CHECK(tokenizer.encode("[MASK]").ids == Ids{1, 3, 4, 5, 2});
}

TEST_CASE("tokenizer: many threads get the ids that one gets") {
  const auto vocabulary = Vocabulary::from_file(kGolden / "tokenizer_vocab.txt");
  const Tokenizer tokenizer{vocabulary};
  const Json golden = read_json(kGolden / "tokenizer_cases.json");
  std::vector<std::string> texts;
  for (const Json& row : golden.at("cases")) texts.push_back(Case(row).a);
  std::vector<Ids> expected;
  for (const auto& text : texts) expected.push_back(tokenizer.encode(text).ids);
  std::vector<int> differences(4, 0);
  std::vector<std::thread> threads;
  for (int& count : differences) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < texts.size(); ++i) count += tokenizer.encode(texts[i]).ids != expected[i];
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(differences == std::vector<int>(4, 0));
}

TEST_CASE("tokenizer: a folder's settings are followed") {
  const TemporaryFolder folder;
  tk::write_bytes(folder / "vocab.txt", vocabulary_lines());
  CHECK(Tokenizer::from_folder(folder.path()).encode("É").ids == Ids{2, 8, 3});
  tk::write_bytes(folder / "tokenizer_config.json", R"({"do_lower_case": true, "strip_accents": false})");
  CHECK(Tokenizer::from_folder(folder.path()).encode("É").ids == Ids{2, 7, 3});
  tk::write_bytes(folder / "tokenizer_config.json", R"({"do_lower_case": false, "strip_accents": null})");
  CHECK(Tokenizer::from_folder(folder.path()).encode("É é").ids == Ids{2, 1, 7, 3});
  tk::write_bytes(folder / "tokenizer_config.json", R"({"tokenize_chinese_chars": false})");
  CHECK(Tokenizer::from_folder(folder.path()).encode("北京").ids == Ids{2, 1, 3});
}

TEST_CASE("tokenizer: a folder with tokenizer.json alone is read, as transformers 5 writes it") {
  Json vocabulary;
  for (std::size_t i = 0; i < kTokens.size(); ++i) vocabulary[kTokens[i]] = i;
  Json json = {
      {"added_tokens", {{{"id", 4}, {"content", "[MASK]"}}}},
      {"normalizer", {{"type", "BertNormalizer"}, {"lowercase", true}, {"strip_accents", false}, {"clean_text", true}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"model", {{"type", "WordPiece"}, {"unk_token", "[UNK]"}, {"vocab", vocabulary}}},
  };
  const TemporaryFolder folder;
  tk::write_bytes(folder / "tokenizer.json", json.dump());
  const Tokenizer tokenizer = Tokenizer::from_folder(folder.path());
  CHECK(tokenizer.vocabulary().tokens() == kTokens);
  CHECK(tokenizer.encode("É[MASK]").ids == Ids{2, 7, 4, 3});

  const auto rejects = [&](const char* pointer, const Json& value, const char* message) {
    Json wrong = json;
    wrong[Json::json_pointer(pointer)] = value;
    tk::write_bytes(folder / "tokenizer.json", wrong.dump());
    CHECK_THROWS_WITH(Tokenizer::from_folder(folder.path()),
                      ContainsSubstring("tokenizer.json") && ContainsSubstring(message));
  };
  rejects("/model/type", "BPE", "BPE");
  rejects("/model/vocab/b", -1, "-1");
  rejects("/model/vocab/b", 5, "share the id 5");
  rejects("/model/vocab/b", 1e9, "token \"b\"");
  rejects("/normalizer", nullptr, "normalizer");
  rejects("/normalizer/type", "Lowercase", "Lowercase");
  rejects("/normalizer/lowercase", 1, "lowercase");
  rejects("/pre_tokenizer/type", "Whitespace", "Whitespace");
  rejects("/added_tokens/0/content", "[E1]", "[E1]");
  rejects("/model/type", "Unigram", "Unigram");
  rejects("/added_tokens", 3, "added_tokens");
  tk::write_bytes(folder / "tokenizer.json", "{");
  CHECK_THROWS_WITH(Tokenizer::from_folder(folder.path()), ContainsSubstring("tokenizer.json"));
}

namespace {

void write_files(const TemporaryFolder& folder, const Json& files) {
  for (const auto& [name, content] : files.items()) {
    tk::write_bytes(folder / name, content.is_string() ? content.get<std::string>() : content.dump());
  }
}

Json golden_files(const std::string& name) {
  const Json golden = read_json(kGolden / "tokenizer_folders.json");
  for (const Json& folder : golden.at("folders")) {
    if (folder.at("name") == name) return folder.at("files");
  }
  throw std::invalid_argument(name);
}

std::vector<std::string> notes_of(const Json& files) {
  const TemporaryFolder folder;
  write_files(folder, files);
  std::vector<std::string> notes = Tokenizer::from_folder(folder.path()).notes();
  for (std::string& note : notes) {
    REQUIRE(note.starts_with(folder.path().string() + ": "));
    note.erase(0, folder.path().string().size() + 2);
  }
  return notes;
}

}  // namespace

TEST_CASE("tokenizer: folders of whatever files have the ids that transformers gives them") {
  const Json golden = read_json(kGolden / "tokenizer_folders.json");
  const auto texts = golden.at("texts").get<std::vector<std::string>>();
  for (const Json& row : golden.at("folders")) {
    INFO(row.at("name").get<std::string>());
    const TemporaryFolder folder;
    write_files(folder, row.at("files"));
    const Tokenizer tokenizer = Tokenizer::from_folder(folder.path());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      INFO(texts[i]);
      CHECK(tokenizer.encode(texts[i]).ids == row.at("ids").at(i).get<Ids>());
    }
  }
}

TEST_CASE("tokenizer: where two files say different things, a note says which counts") {
  using Notes = std::vector<std::string>;
  CHECK(notes_of(golden_files("cased")).empty());
  CHECK(notes_of(golden_files("tokenizer.json alone")).empty());
  CHECK(notes_of(golden_files("tokenizer.json of a generic class, cased")).empty());
  CHECK(notes_of(golden_files("vocab.txt beside another tokenizer.json")) ==
        Notes{"vocab.txt has other tokens than tokenizer.json, which counts, as in transformers"});
  CHECK(notes_of(golden_files("settings beside a cased tokenizer.json")) ==
        Notes{"do_lower_case is true, and tokenizer.json says otherwise; tokenizer_config.json counts, as in "
              "transformers"});
  Json files = golden_files("cased settings beside an uncased tokenizer.json");
  files["tokenizer_config.json"] = {{"strip_accents", false}};
  CHECK(notes_of(files) == Notes{"strip_accents is false, and tokenizer.json says otherwise; tokenizer_config.json "
                                 "counts, as in transformers"});
  files["tokenizer_config.json"] = {{"tokenize_chinese_chars", false}};
  CHECK(notes_of(files) == Notes{"tokenize_chinese_chars is false, and tokenizer.json says otherwise; "
                                 "tokenizer_config.json counts, as in transformers"});
  files["tokenizer_config.json"] = {{"strip_accents", true}};
  CHECK(notes_of(files).empty());
}

TEST_CASE("tokenizer: tokenizer.json alone says itself whether it is cased") {
  const TemporaryFolder folder;
  Json files = golden_files("settings beside a cased tokenizer.json");
  files.erase("tokenizer_config.json");
  write_files(folder, files);
  const Tokenizer tokenizer = Tokenizer::from_folder(folder.path());
  CHECK_FALSE(tokenizer.options().normalizer.lower_case);
  CHECK(tokenizer.notes().empty());
}

TEST_CASE("tokenizer: added tokens have the bytes of the text that they stand for, and are tokens of the vocabulary") {
  TokenizerOptions options;
  options.added_tokens = {{.text = "<e1>", .special = true}, {.text = "New Thing", .normalized = true}};
  const Tokenizer tokenizer(Vocabulary({"[UNK]", "[CLS]", "[SEP]", "a"}), options);
  CHECK(tokenizer.vocabulary().size() == 6);
  CHECK(tokenizer.vocabulary().token(5) == "New Thing");
  const Encoding encoding = tokenizer.encode("a<e1>A N\u00e9W\u200b Thinga");
  CHECK(encoding.ids == Ids{1, 3, 4, 3, 5, 3, 2});
  CHECK(to_rows(encoding.sources) ==
        std::vector<std::vector<std::int32_t>>{{0, 0}, {0, 1}, {1, 5}, {5, 6}, {7, 20}, {20, 21}, {0, 0}});
  options.split_special_tokens = true;
  const Tokenizer split(Vocabulary({"[UNK]", "[CLS]", "[SEP]", "a"}), options);
  CHECK(split.encode("a<e1>").ids == Ids{1, 3, 0, 0, 0, 2});
  CHECK(split.encode("new thing").ids == Ids{1, 5, 2});
}

TEST_CASE("tokenizer: of a character that becomes several, each may be a token") {
  TokenizerOptions options;
  options.normalizer.strip_accents = false;
  options.added_tokens = {{.text = "\u0307", .normalized = true}, {.text = "i", .normalized = true}};
  const Tokenizer tokenizer(Vocabulary({"[UNK]", "[CLS]", "[SEP]", "a"}), options);
  CHECK(tokenizer.encode("a\u0130a").ids == Ids{1, 3, 5, 4, 3, 2});
}

TEST_CASE("tokenizer: added tokens that BERT's cannot be, or that have no such id, are refused by name") {
  const auto refused = [](const std::string& file, const Json& content, const std::string& message) {
    const TemporaryFolder folder;
    write_files(folder, golden_files("vocab.txt alone"));
    tk::write_bytes(folder / file, content.dump());
    CHECK_THROWS_WITH(Tokenizer::from_folder(folder.path()),
                      ContainsSubstring(folder.path().string()) && ContainsSubstring(message));
  };
  const char* config = "tokenizer_config.json";
  refused(config, {{"cls_token", "<s>"}}, R"(cls_token: expected "[CLS]", the only one supported, got "<s>")");
  refused("special_tokens_map.json", {{"unk_token", {{"content", "<unk>"}}}}, R"(unk_token: expected "[UNK]")");
  refused(config, {{"additional_special_tokens", {3}}}, "expected a token, got 3");
  refused(config, {{"additional_special_tokens", {""}}}, "expected a token, got \"\"");
  refused("added_tokens.json", {{"[E1]", 7}}, R"(the added token "[E1]" has the id 7, expected )");
  refused("added_tokens.json", {{"[E1]", "x"}}, R"(for the token "[E1]", got "x")");
  refused("added_tokens.json", {{"", 7}}, "added_tokens.json: an added token is empty");
  refused(config, {{"added_tokens_decoder", 3}}, "expected an object added_tokens_decoder, got 3");
  refused(config, {{"added_tokens_decoder", {{"x", {{"content", "a"}}}}}}, R"(for the token "a", got "x")");
  refused(config, {{"added_tokens_decoder", {{"1", {{"content", 1}}}}}}, "expected a token, got {");
  refused(config, {{"added_tokens_decoder", {{"1", {{"content", "[UNK]"}, {"lstrip", 1}}}}}},
          "expected true or false for lstrip, got 1");
  Json many = Json::object();
  for (int i = 0; i < 5000; ++i) many[std::to_string(i)] = i;
  refused("added_tokens.json", many, "expected at most 4096 added tokens");
}

TEST_CASE("tokenizer: what is no tokenizer's folder is an error that names it") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(Tokenizer::from_folder(folder.path()), ContainsSubstring(folder.path().string()));
  tk::write_bytes(folder / "vocab.txt", vocabulary_lines());
  tk::write_bytes(folder / "tokenizer_config.json", R"({"do_lower_case": "yes"})");
  CHECK_THROWS_WITH(Tokenizer::from_folder(folder.path()),
                    ContainsSubstring("tokenizer_config.json") && ContainsSubstring("do_lower_case"));
}

namespace {

std::uint64_t add_ids(std::uint64_t hash, const Encoding& encoding) {
  std::string text;
  for (const std::int32_t id : encoding.ids) text += std::to_string(id) + ' ';
  return tk::fnv1a(text + '\n', hash);
}

// Each line by itself, then each line paired with the next, in at most 128 tokens.
std::string hash_of_file(const Tokenizer& tokenizer, const fs::path& path) {
  const std::string content = tk::read_bytes(path);
  std::vector<std::string_view> lines;
  for (std::size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
    end = content.find('\n', begin);
    lines.push_back(std::string_view(content).substr(begin, end == std::string::npos ? end : end - begin));
  }
  std::uint64_t hash = tk::kFnvBasis;
  for (const auto line : lines) hash = add_ids(hash, tokenizer.encode(line));
  for (std::size_t i = 1; i < lines.size(); ++i) hash = add_ids(hash, tokenizer.encode(lines[i - 1], lines[i], 128));
  return tk::to_hex(hash);
}

}  // namespace

TEST_CASE("tokenizer: GLUE's dev and test files have the ids of Hugging Face's tokenizers", "[realdata][slow]") {
  const char* glue = std::getenv("TK_GLUE_DIR");
  const char* vocabularies = std::getenv("TK_VOCAB_DIR");
  if (!glue || !vocabularies) {
    WARN("skipped: set TK_GLUE_DIR (CoLA/, SST-2/ ...) and TK_VOCAB_DIR (bert-base-uncased-vocab.txt ...)");
    return;
  }
  const Json golden = read_json(kGolden / "tokenizer_glue.json");
  for (const std::string name : {"uncased", "cased"}) {
    TokenizerOptions options;
    options.normalizer = normalizer_options(name);
    const Tokenizer tokenizer(Vocabulary::from_file(fs::path(vocabularies) / ("bert-base-" + name + "-vocab.txt")),
                              options);
    for (const auto& [file, hash] : golden.at(name).items()) {
      INFO(name << " " << file);
      CHECK(hash_of_file(tokenizer, fs::path(glue) / file) == hash.get<std::string>());
    }
  }
}
