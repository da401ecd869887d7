#include "data/tsv_reader.h"

#include "tensor/error.h"
#include "tests/data/write_file.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows read_rows(const std::string& content, std::vector<std::int64_t>* lines = nullptr) {
  const TemporaryFolder folder;
  TsvReader reader(write_file(folder, "rows.tsv", content));
  Rows rows;
  std::vector<std::string_view> fields;
  while (reader.next(fields)) {
    rows.emplace_back(fields.begin(), fields.end());
    if (lines) lines->push_back(reader.line());
  }
  return rows;
}

}  // namespace

TEST_CASE("tsv_reader: fields are split at every tab and nothing is trimmed") {
  CHECK(read_rows("a\t b \t\tc\n") == Rows{{"a", " b ", "", "c"}});
  CHECK(read_rows("a\t\n\t\n") == Rows{{"a", ""}, {"", ""}});
  CHECK(read_rows("") == Rows{});
  CHECK(read_rows("no line end") == Rows{{"no line end"}});
}

TEST_CASE("tsv_reader: quotes are ordinary characters") {
  CHECK(read_rows("\"a\tb\"\n\" open\tc\n") == Rows{{"\"a", "b\""}, {"\" open", "c"}});
}

TEST_CASE("tsv_reader: universal newlines end lines, U+0085 and U+2028 do not") {
  std::vector<std::int64_t> lines;
  CHECK(read_rows("a\r\nb\rc\nd", &lines) == Rows{{"a"}, {"b"}, {"c"}, {"d"}});
  CHECK(lines == std::vector<std::int64_t>{1, 2, 3, 4});
  CHECK(read_rows("a\u0085b\u2028c\x0b\x0c\n") == Rows{{"a\u0085b\u2028c\x0b\x0c"}});
}

TEST_CASE("tsv_reader: empty lines are passed over but counted") {
  std::vector<std::int64_t> lines;
  CHECK(read_rows("\n\na\n\r\n\nb\n\n", &lines) == Rows{{"a"}, {"b"}});
  CHECK(lines == std::vector<std::int64_t>{3, 6});
}

TEST_CASE("tsv_reader: a byte-order mark goes at the start only") {
  CHECK(read_rows("\xEF\xBB\xBFQuality\tx\n") == Rows{{"Quality", "x"}});
  CHECK(read_rows("a\n\xEF\xBB\xBF"
                  "b\n") == Rows{{"a"},
                                 {"\xEF\xBB\xBF"
                                  "b"}});
  CHECK(read_rows("\xEF\xBB\xBF").empty());
}

TEST_CASE("tsv_reader: invalid UTF-8 is refused with its line") {
  const std::string start = "a line of ASCII, long enough for words\r\nanother, \u00e9\u4e2d\U0001F600\rthen ";
  for (const std::string bad : {"\x80", "\xC3(", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE4\xB8", "\xFF"}) {
    CHECK_THROWS_WITH(read_rows(start + bad + " end\n"), ContainsSubstring("rows.tsv, line 3: invalid UTF-8"));
    CHECK_THROWS_AS(read_rows(start + bad), Error);
  }
  CHECK(read_rows(start + "fine").size() == 3);
}

TEST_CASE("tsv_reader: a missing file and a folder are refused by name") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(TsvReader(folder.path() / "none.tsv"),
                    ContainsSubstring("none.tsv") && ContainsSubstring("No such file"));
  CHECK_THROWS_WITH(TsvReader(folder.path()), ContainsSubstring("got a folder"));
}

TEST_CASE("tsv_reader: where() names file and line") {
  const TemporaryFolder folder;
  const auto path = write_file(folder, "x.tsv", "a\nb\n");
  TsvReader reader(path);
  std::vector<std::string_view> fields;
  reader.next(fields);
  reader.next(fields);
  CHECK(reader.where() == path.string() + ", line 2");
}

}  // namespace tk
