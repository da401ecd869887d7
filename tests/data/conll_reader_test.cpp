#include "data/conll_reader.h"

#include <cstdlib>
#include <numeric>

#include "tensor/error.h"
#include "tests/data/write_file.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace tk {
namespace {

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("conll_reader: words and the tags of the last column, a sentence up to a line of blanks") {
  const TemporaryFolder folder;
  const auto sentences = read_conll(write_file(folder, "a.conll",
                                               "-DOCSTART- -X- O\n\nEU NNP B-org\nrejects VBZ O\n\t\n"
                                               "Peter\tB-person\r\n\n\nhere  O"));
  REQUIRE(sentences.size() == 3);
  CHECK(sentences[0].words == Texts{"EU", "rejects"});
  CHECK(sentences[0].tags == Texts{"B-org", "O"});
  CHECK(sentences[0].line == 3);
  CHECK(sentences[1].words == Texts{"Peter"});
  CHECK(sentences[1].line == 6);
  CHECK(sentences[2].tags == Texts{"O"});
}

TEST_CASE("conll_reader: words alone have no tags, and some with and some without is an error with file and line") {
  const TemporaryFolder folder;
  const auto words = read_conll(write_file(folder, "words.conll", "one\ntwo\n\nthree\n"));
  REQUIRE(words.size() == 2);
  CHECK(words[0].tags.empty());
  const auto mixed = write_file(folder, "mixed.conll", "one O\ntwo\n");
  CHECK(test::message_of([&] { read_conll(mixed); }) == mixed.string() + ", line 2: expected a word and its tag");
  const auto others = write_file(folder, "others.conll", "one\n\ntwo O\n");
  CHECK(test::message_of([&] { read_conll(others); }) ==
        others.string() + ", line 3: expected a word alone, as in the lines before");
  const auto empty = write_file(folder, "empty.conll", "\n\n");
  CHECK(test::message_of([&] { read_conll(empty); }) ==
        empty.string() + ": no words; expected one a line, with its tag");
}

}  // namespace tk
