#include "data/text_lines.h"

#include "tensor/error.h"
#include "tests/data/write_file.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace tk {

TEST_CASE("read_text_lines: a text a line, or two with a tab between them, none labelled") {
  const TemporaryFolder folder;
  const auto single = read_text_lines(write_file(folder, "lines.txt", "one text\n\nanother\r\n"), 1);
  REQUIRE(single.size() == 2);
  CHECK(single[1].text_a == "another");
  CHECK(single[1].id == 1);
  CHECK_FALSE(single[0].has_b);
  CHECK(single[0].label == -1);
  const auto pairs = read_text_lines(write_file(folder, "pairs.tsv", "a first\ta second\n"), 2);
  REQUIRE(pairs.size() == 1);
  CHECK(pairs[0].text_a == "a first");
  CHECK(pairs[0].text_b == "a second");
  CHECK(pairs[0].has_b);
}

TEST_CASE("read_text_lines: another number of texts is refused with file and line, and so is a file without any") {
  const TemporaryFolder folder;
  const auto pairs = write_file(folder, "pairs.tsv", "a\tb\nc\n");
  CHECK(test::message_of([&] { read_text_lines(pairs, 2); }) ==
        pairs.string() + ", line 2: expected 2 texts with a tab between them, got 1");
  CHECK(test::message_of([&] { read_text_lines(pairs, 1); }) == pairs.string() + ", line 1: expected 1 text, got 2");
  CHECK_THROWS_AS(read_text_lines(write_file(folder, "empty", "\n"), 1), Error);
}

}  // namespace tk
