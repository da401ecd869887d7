#include "data/vocabulary.h"

#include <string>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace {

std::filesystem::path write_vocabulary(const tk::TemporaryFolder& folder, const std::string& content) {
  tk::write_bytes(folder / "vocab.txt", content);
  return folder / "vocab.txt";
}

tk::Vocabulary read(const std::string& content) {
  const tk::TemporaryFolder folder;
  return tk::Vocabulary::from_file(write_vocabulary(folder, content));
}

const std::string kSpecials = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";

}  // namespace

TEST_CASE("vocabulary: a token's id is its line number from 0") {
  const auto vocabulary = read(kSpecials + "the\n##ing\n");
  CHECK(vocabulary.size() == 7);
  CHECK(vocabulary.find("the") == 5);
  CHECK(vocabulary.find("##ing") == 6);
  CHECK(vocabulary.find("ing") == std::nullopt);
  CHECK(vocabulary.token(5) == "the");
  CHECK(vocabulary.unk() == 1);
  CHECK(vocabulary.cls() == 2);
  CHECK(vocabulary.sep() == 3);
  CHECK(vocabulary.pad() == 0);
  CHECK(vocabulary.mask() == 4);
}

TEST_CASE("vocabulary: [PAD] and [MASK] may be missing") {
  const tk::Vocabulary vocabulary({"[UNK]", "[CLS]", "[SEP]"});
  CHECK(vocabulary.pad() == std::nullopt);
  CHECK(vocabulary.mask() == std::nullopt);
}

TEST_CASE("vocabulary: white space at a line's end is cut off, of Windows files and any other") {
  const auto vocabulary = read("[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\nfoo\r\nbar \t\nbaz\u00a0\u3000\n qux\n");
  CHECK(vocabulary.find("[UNK]") == 1);
  CHECK(vocabulary.find("foo") == 4);
  CHECK(vocabulary.find("bar") == 5);
  CHECK(vocabulary.find("baz") == 6);
  CHECK(vocabulary.find(" qux") == 7);
}

TEST_CASE("vocabulary: of a token that is listed twice the later line counts") {
  const auto vocabulary = read(kSpecials + "foo\nbar\nfoo \n");
  CHECK(vocabulary.size() == 8);
  CHECK(vocabulary.find("foo") == 7);
  CHECK(vocabulary.token(5) == "foo");
}

TEST_CASE("vocabulary: a blank line takes up an id, but for those at the file's end") {
  const auto vocabulary = read(kSpecials + "\nfoo\n\n \n");
  CHECK(vocabulary.size() == 7);
  CHECK(vocabulary.find("foo") == 6);
  CHECK(vocabulary.find("") == std::nullopt);
}

TEST_CASE("vocabulary: the last line needs no newline") { CHECK(read(kSpecials + "foo").find("foo") == 5); }

TEST_CASE("vocabulary: a missing special token is an error that names the file") {
  const tk::TemporaryFolder folder;
  for (const std::string missing : {"[UNK]", "[CLS]", "[SEP]"}) {
    std::string content = kSpecials;
    content.erase(content.find(missing), missing.size() + 1);
    const auto path = write_vocabulary(folder, content);
    CHECK_THROWS_WITH(tk::Vocabulary::from_file(path), ContainsSubstring(path.string()) && ContainsSubstring(missing));
  }
}

TEST_CASE("vocabulary: what is no vocabulary is an error that names the file") {
  const tk::TemporaryFolder folder;
  CHECK_THROWS_WITH(tk::Vocabulary::from_file("no/such/vocab.txt"), ContainsSubstring("no/such/vocab.txt"));
  CHECK_THROWS_AS(tk::Vocabulary::from_file(folder.path()), tk::Error);
  const auto path = write_vocabulary(folder, kSpecials + "caf\xc3\n");
  CHECK_THROWS_WITH(tk::Vocabulary::from_file(path), ContainsSubstring(path.string()) && ContainsSubstring("token 5"));
}

TEST_CASE("vocabulary: a token that is added has its own id, or the next one") {
  tk::Vocabulary vocabulary({"[UNK]", "[CLS]", "[SEP]", "", "a"});
  CHECK(vocabulary.add("a") == 4);
  CHECK(vocabulary.add("b") == 5);
  CHECK(vocabulary.add("b") == 5);
  CHECK(vocabulary.token(5) == "b");
  CHECK(vocabulary.size() == 6);
  CHECK_THROWS_WITH(vocabulary.add(""), "vocabulary: cannot add the token \"\"");
  CHECK_THROWS_WITH(vocabulary.add("\xff"), ContainsSubstring("cannot add the token"));
}

TEST_CASE("vocabulary: an id out of range is an error") {
  const tk::Vocabulary vocabulary({"[UNK]", "[CLS]", "[SEP]"});
  CHECK_THROWS_AS(vocabulary.token(3), tk::Error);
  CHECK_THROWS_AS(vocabulary.token(-1), tk::Error);
}
