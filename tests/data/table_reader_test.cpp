#include "data/table_reader.h"

#include "tensor/error.h"
#include "tests/data/write_file.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace tk {
namespace {

using Texts = std::vector<std::string>;

// Cells as texts: a list as "[a|b]", no value as "-".
std::string shown(const Cell& cell) {
  if (cell.is_missing()) return "-";
  std::string text;
  for (const std::string& value : cell.values) text += (text.empty() ? "" : "|") + value;
  return cell.is_list ? "[" + text + "]" : text;
}

struct Found {
  Texts columns;
  std::vector<Texts> rows;
  Texts places;
};

Found read_table(const std::string& name, const std::string& content) {
  const TemporaryFolder folder;
  const auto path = write_file(folder, name, content);
  TableReader table(path);
  Found found{.columns = table.columns(), .rows = {}, .places = {}};
  std::vector<Cell> row;
  while (table.next(row)) {
    Texts& texts = found.rows.emplace_back();
    for (const Cell& cell : row) texts.push_back(shown(cell));
    found.places.push_back(table.where().substr(path.string().size()));
  }
  return found;
}

std::string problem(const std::string& name, const std::string& content) {
  const TemporaryFolder folder;
  const auto path = write_file(folder, name, content);
  const std::string text = test::message_of([&] {
    TableReader table(path);
    std::vector<Cell> row;
    while (table.next(row)) {
    }
  });
  return text.starts_with(path.string()) ? text.substr(path.string().size()) : text;
}

}  // namespace

TEST_CASE("table_reader: CSV and TSV have a header, and quotes mean something in CSV alone") {
  const Found csv = read_table("a.csv", "text,label\n\"one, two\",1\n\nthree,\n");
  CHECK(csv.columns == Texts{"text", "label"});
  CHECK(csv.rows == std::vector<Texts>{{"one, two", "1"}, {"three", ""}});
  CHECK(csv.places == Texts{", line 2", ", line 4"});
  const Found tsv = read_table("a.tsv", "text\tlabel\n\"one\ttwo\"\n");
  CHECK(tsv.rows == std::vector<Texts>{{"\"one", "two\""}});
}

TEST_CASE(
    "table_reader: JSON lines have the first row's keys in its order, and no value where a key is absent or null") {
  for (const char* name : {"a.jsonl", "a.json"}) {
    const Found found = read_table(name,
                                   "{\"text\": \"x\", \"b\": 1.50, \"a\": [\"p\", 2]}\n\n"
                                   "{\"a\": [], \"text\": null, \"more\": 1}\n{\"text\": true}\n");
    CHECK(found.columns == Texts{"text", "b", "a"});
    CHECK(found.rows == std::vector<Texts>{{"x", "1.5", "[p|2]"}, {"-", "-", "[]"}, {"true", "-", "-"}});
    CHECK(found.places == Texts{", line 1", ", line 3", ", line 4"});
  }
}

TEST_CASE("table_reader: a JSON file may be one array of objects, alone or under data, or a single object") {
  const std::vector<Texts> rows = {{"x", "1"}, {"y", "2"}};
  const std::string array = "[\n {\"text\": \"x\", \"label\": 1},\n {\"label\": 2, \"text\": \"y\"}\n]";
  CHECK(read_table("a.json", array).rows == rows);
  CHECK(read_table("a.json", "{\"version\": 1, \"data\": " + array + "}").rows == rows);
  CHECK(read_table("a.json", array).places == Texts{", row 1", ", row 2"});
  CHECK(read_table("a.json", "{\"text\": \"x\", \"label\": 1}").rows == std::vector<Texts>{{"x", "1"}});
}

TEST_CASE("table_reader: what is no table is refused with file and line") {
  CHECK(problem("a.csv", "text,label\none\n") == ", line 2: expected the 2 fields of the header, got 1");
  CHECK(problem("a.csv", "text,label\none, two,1\n") ==
        ", line 2: expected the 2 fields of the header, got 3; a text that holds the separator stands in quotes");
  CHECK(problem("a.tsv", "text\tlabel\none\ttwo\t1\n") == ", line 2: expected the 2 fields of the header, got 3");
  CHECK(problem("a.csv", "text,text\n") == ", line 1: two columns are called \"text\"");
  CHECK(problem("a.csv", "") == ": no rows; expected a header that names the columns");
  CHECK(problem("a.jsonl", "\n") == ": no rows; expected an object of JSON a line");
  CHECK(problem("a.jsonl", "{\"a\": 1}\n{\"a\": \n") == ", line 2: not valid JSON at line 1, column 7");
  CHECK(problem("a.jsonl", "{\"a\": 1}\n[1]\n") == ", line 2: expected an object, got [1]");
  CHECK(problem("a.jsonl", "{\"a\": {\"b\": 1}}\n") == ", line 1: expected a text or a number, got {\"b\":1}");
  CHECK(problem("a.json", "[1, 2]") == ": expected objects, one a line, or an array of them, alone or under \"data\"");
  CHECK(problem("a.json", "[{\"a\": 1},\n {\"a\" 2}]") == ": not valid JSON at line 2, column 7");
  CHECK(problem("a.json", std::string(100000, '[')) == ": nested more than 32 levels deep");
  CHECK(problem("a.xlsx", "") == ": expected a file that ends in .csv, .tsv, .jsonl or .json");
}

}  // namespace tk
