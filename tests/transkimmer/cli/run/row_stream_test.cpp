#include "transkimmer/cli/run/row_stream.h"

#include <unistd.h>

#include <array>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace tk {
namespace {

using Texts = std::vector<std::string>;

// A pipe that is written to and closed piece by piece.
class Pipe {
 public:
  Pipe() { REQUIRE(::pipe(ends_.data()) == 0); }
  ~Pipe() {
    close_end();
    ::close(ends_[0]);
  }
  int out() const { return ends_[0]; }
  void write(const std::string& text) const {
    REQUIRE(::write(ends_[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void close_end() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_ = {-1, -1};
};

// "first|second" of each row.
Texts texts_of(const std::vector<Example>& rows) {
  Texts texts;
  for (const Example& row : rows) texts.push_back(row.text_a + (row.has_b ? "|" + row.text_b : ""));
  return texts;
}

Texts all_of(const std::string& text, std::optional<StreamFormat> format, const OwnColumns& columns = {}) {
  Pipe pipe;
  pipe.write(text);
  pipe.close_end();
  RowStream stream(pipe.out(), format, columns);
  Texts all;
  while (true) {
    const Texts more = texts_of(stream.next(2));
    if (more.empty()) return all;
    all.insert(all.end(), more.begin(), more.end());
  }
}

}  // namespace

TEST_CASE("row_stream: every line is a row, an empty one, too, and a tab separates two texts") {
  CHECK(all_of("one\n\ntwo\tmore\r\nthree", StreamFormat::kLines) == Texts{"one", "", "two|more", "three"});
  CHECK(all_of("", StreamFormat::kLines).empty());
  CHECK(all_of("\xEF\xBB\xBFone\n", StreamFormat::kLines) == Texts{"one"});
}

TEST_CASE("row_stream: columns of CSV, TSV and JSON lines are found as in files") {
  CHECK(all_of("id,text\n1,\"a,\nb\"\n\n2,c", StreamFormat::kCsv) == Texts{"a,\nb", "c"});
  CHECK(all_of("x;review\n1;a,b\n", StreamFormat::kCsv, {.texts = {"review"}}) == Texts{"a,b"});
  CHECK(all_of("sentence2\tlabel\tsentence1\nb\t0\ta\n", StreamFormat::kTsv) == Texts{"a|b"});
  CHECK(all_of("{\"label\": 1, \"text\": \"a\"}\n\n{\"text\": \"b\"}", StreamFormat::kJsonl) == Texts{"a", "b"});
  CHECK(all_of("text\n", StreamFormat::kCsv).empty());
}

TEST_CASE("row_stream: gives what has come, and waits for no more") {
  Pipe pipe;
  RowStream stream(pipe.out(), StreamFormat::kCsv);
  pipe.write("text\none\n\"tw");
  CHECK(texts_of(stream.next(100)) == Texts{"one"});
  pipe.write("o\"\nthree\nfour\n");
  const std::vector<Example> rows = stream.next(2);
  CHECK(texts_of(rows) == Texts{"two", "three"});
  CHECK(rows.back().id == 2);
  CHECK(texts_of(stream.next(100)) == Texts{"four"});
  pipe.close_end();
  CHECK(stream.next(100).empty());
  CHECK(stream.next(100).empty());
}

TEST_CASE("row_stream: a table that comes as lines is an error, unless it is said that they are") {
  OwnColumns columns;
  columns.texts = {"review"};
  const std::string problem =
      "standard input, line 1: is the header of a table; --input_format csv reads it, --input_format lines takes it "
      "for a text";
  for (const char* table : {"id,review\n1,a\n", "review\na\n", "\"review\";id\na;1\n"}) {
    CHECK(test::message_of([&] { all_of(table, std::nullopt, columns); }) == problem);
    CHECK(all_of(table, StreamFormat::kLines, columns).size() == 2);
  }
  CHECK(all_of("a review, and \"more\"\nreview\n", std::nullopt, columns).size() == 2);
  CHECK(all_of("id,review\n", std::nullopt).size() == 1);  // of no known column
}

TEST_CASE("row_stream: what is not of the format is an error that names the line") {
  const auto message = [](const std::string& text, StreamFormat format) {
    return test::message_of([&] { all_of(text, format); });
  };
  CHECK(message("a\tb\tc\n", StreamFormat::kLines) ==
        "standard input, line 1: expected a text, or two with a tab between them, got 3");
  CHECK(message("a\n\xff\n", StreamFormat::kLines) == "standard input, line 2: invalid UTF-8");
  CHECK(message("a,text\n1\n", StreamFormat::kCsv) ==
        "standard input, line 2: expected the 2 fields of the header, got 1");
  CHECK(message("text\n\"a\n", StreamFormat::kCsv) == "standard input, line 2: a quote is opened and never closed");
  CHECK(message("label\n1\n", StreamFormat::kTsv) == "standard input, line 1: no column holds a text; it has label");
  CHECK(message("{\"text\": \"a\"}\n{\"text\": 1}\n", StreamFormat::kJsonl) ==
        "standard input, line 2: expected a text as \"text\"");
  CHECK(message("[]\n", StreamFormat::kJsonl) == "standard input, line 1: expected an object, got []");
}

}  // namespace tk
