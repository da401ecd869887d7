#include "data/csv_reader.h"

#include "tensor/error.h"
#include "tests/data/write_file.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace tk {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows read_rows(const std::string& content, std::vector<std::string>* places = nullptr) {
  const TemporaryFolder folder;
  const auto path = write_file(folder, "rows.csv", content);
  CsvReader reader(path);
  Rows rows;
  std::vector<std::string> fields;
  while (reader.next(fields)) {
    rows.push_back(fields);
    if (places) places->push_back(reader.where().substr(path.string().size()));
  }
  return rows;
}

}  // namespace

TEST_CASE("csv_reader: RFC 4180's fields, in quotes or not, and nothing is trimmed") {
  CHECK(read_rows("a, b ,,c\r\n") == Rows{{"a", " b ", "", "c"}});
  CHECK(read_rows("\"a,b\",\"say \"\"yes\"\"\",\"\"\n") == Rows{{"a,b", "say \"yes\"", ""}});
  CHECK(read_rows("\"two\nlines\r\nthree\",x") == Rows{{"two\nlines\r\nthree", "x"}});
  CHECK(read_rows("5\" wide,\"\"\n") == Rows{{"5\" wide", ""}});
  CHECK(read_rows("a,\n") == Rows{{"a", ""}});
  CHECK(read_rows("a,") == Rows{{"a", ""}});
  CHECK(read_rows("") == Rows{});
}

TEST_CASE("csv_reader: empty lines and a byte-order mark are passed over, a line of an empty field in quotes is not") {
  CHECK(read_rows("\xEF\xBB\xBF"
                  "a,b\n\n\r\nc,d\r\r") == Rows{{"a", "b"}, {"c", "d"}});
  CHECK(read_rows("a\n\"\"\nb\n") == Rows{{"a"}, {""}, {"b"}});
}

TEST_CASE("csv_reader: a record is at the line on which it begins, and the next one behind its last") {
  std::vector<std::string> places;
  read_rows("a\n\n\"b\nc\n\nd\"\ne\r\nf", &places);
  CHECK(places == std::vector<std::string>{", line 1", ", line 3", ", line 7", ", line 8"});
}

TEST_CASE("csv_reader: where the first line has no comma, semicolons or tabs separate") {
  CHECK(read_rows("text;label\na,b;1\n") == Rows{{"text", "label"}, {"a,b", "1"}});
  CHECK(read_rows("text\tlabel\n\"a\tb\"\t1\n") == Rows{{"text", "label"}, {"a\tb", "1"}});
  CHECK(read_rows("a;b,c\n") == Rows{{"a;b", "c"}});
}

TEST_CASE("csv_reader: what follows a closing quote, and a quote that is never closed, are errors with file and line") {
  const auto message = [](const std::string& content) {
    const TemporaryFolder folder;
    const auto path = write_file(folder, "rows.csv", content);
    const std::string text = test::message_of([&] {
      CsvReader reader(path);
      std::vector<std::string> fields;
      while (reader.next(fields)) {
      }
    });
    return text.substr(std::min(text.size(), path.string().size()));
  };
  CHECK(message("a\n\"b\"c\n") ==
        ", line 2: characters follow a closing quote; a quote inside quotes is written twice");
  CHECK(message("a\n\"b\nc\n") == ", line 2: a quote is opened and never closed");
  CHECK(message("a\n\xff\n") ==
        ", line 2: invalid UTF-8; if it is in Windows' encoding, iconv -f WINDOWS-1252 -t UTF-8 converts it");
  CHECK(message(std::string("\xff\xfe"
                            "a\0\n\0",
                            6)) == ": is UTF-16; expected UTF-8 (iconv -f UTF-16 -t UTF-8 converts it)");
  CHECK(message("PK\x03\x04") == ": is a spreadsheet or a zip archive; expected text in UTF-8");
}

TEST_CASE("parse_csv_record: waits for more where a record does not end in the text") {
  std::vector<std::string> fields;
  for (const char* text : {"a,b", "\"a", "\"a\"", "\"a\"\"", "a\r", "\"a\n"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_csv_record(text, ',', false, fields).has_value());
  }
  CHECK(parse_csv_record("a,b\nc", ',', false, fields) == 4);
  CHECK(parse_csv_record("\"a\"\r\nc", ',', false, fields) == 5);
  CHECK(fields == std::vector<std::string>{"a"});
}

}  // namespace tk
