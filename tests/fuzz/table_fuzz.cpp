#include <array>

#include "data/conll_reader.h"
#include "data/csv_reader.h"
#include "data/own_reader.h"
#include "data/table_reader.h"
#include "tensor/error.h"
#include "tests/fuzz/fuzz.h"

namespace tk::fuzz {
namespace {

void check_table(const std::filesystem::path& path) {
  TableReader table(path);
  std::vector<Cell> row;
  while (table.next(row)) {
    require(row.size() == table.columns().size(), "a row has a cell a column");
    require(table.where().starts_with(path.string()), "a row says where it is");
  }
}

// A record of CSV is the same, whether all of the text is there or it ends in the middle of the next one.
void check_record(std::string_view text) {
  std::vector<std::string> whole, begun;
  const auto size = parse_csv_record(text, ',', true, whole);
  require(size && *size <= text.size() && !whole.empty(), "a record lies in the text and has a field");
  const auto again = parse_csv_record(text, ',', false, begun);
  require(!again || (*again == *size && begun == whole), "a record does not depend on what follows it");
}

void check_words(const std::filesystem::path& path) {
  for (const TaggedSentence& sentence : read_conll(path)) {
    require(!sentence.words.empty(), "a sentence has words");
    require(sentence.tags.empty() || sentence.tags.size() == sentence.words.size(), "a word has a tag");
    for (const std::string& word : sentence.words) require(!word.empty(), "a word has characters");
  }
}

void check_examples(const std::filesystem::path& path) {
  const Task task = infer_task(path);
  require(task.regression() || task.labels.size() > 1, "there are classes");
  const Split dev = OwnReader(task, {.dev = path}).read(Part::kDev).front();
  require(dev.size() > 0, "a task has examples");
  for (const Example& example : dev.examples) {
    for (const std::int32_t label : example.word_labels) require(label < task.outputs(), "labels are of the task");
    require(task.kind == TaskKind::kTokens || task.regression() ||
                (example.label >= 0 && example.label < static_cast<float>(task.outputs())),
            "a label is of the task");
  }
}

}  // namespace
}  // namespace tk::fuzz

// The first byte of an input chooses the ending; the rest is the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tk;
  if (size < 1) return 0;
  constexpr std::array<const char*, 5> kEndings = {"file.csv", "file.tsv", "file.jsonl", "file.json", "file.conll"};
  const auto path = fuzz::folder() / kEndings[data[0] % kEndings.size()];
  const std::string_view text = fuzz::text_of(data + 1, size - 1);
  write_bytes(path, std::string(text));
  try {
    if (data[0] == 0) fuzz::check_record(text);
  } catch (const Error&) {  // a quote in the wrong place
  }
  try {
    TableReader::reads(path) ? fuzz::check_table(path) : fuzz::check_words(path);
    fuzz::check_examples(path);
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).starts_with(path.string()), "errors begin with the file");
  }
  return 0;
}
