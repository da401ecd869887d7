#include "data/wordpiece.h"

#include <string>

#include "tests/support/catch.h"

namespace {

const tk::Vocabulary kVocabulary({"[UNK]", "[CLS]", "[SEP]", "un", "una", "##aff", "##able", "##a", "##f", "a", "##ffa",
                                  "é", "##é", "##", "able", "a"});

// "un ##aff(2-5)": the pieces' tokens and bytes, or "?" when the word does not split.
std::string split(const std::string& word) {
  std::vector<tk::WordPiece::Piece> pieces;
  if (!tk::WordPiece(kVocabulary).split(word, pieces)) return pieces.empty() ? "?" : "pieces were left";
  std::string text;
  for (const auto& piece : pieces) {
    text += kVocabulary.token(piece.id) + "(" + std::to_string(piece.begin) + "-" + std::to_string(piece.end) + ")";
  }
  return text;
}

}  // namespace

TEST_CASE("wordpiece: the longest token wins, from the left") {
  CHECK(split("un") == "un(0-2)");
  CHECK(split("una") == "una(0-3)");
  CHECK(split("unaff") == "una(0-3)##f(3-4)##f(4-5)");
  CHECK(split("unaffa") == "una(0-3)##ffa(3-6)");
  CHECK(split("unfable") == "un(0-2)##f(2-3)##able(3-7)");
}

TEST_CASE("wordpiece: a greedy choice is not taken back") {
  CHECK(split("unable") == "?");     // una, then ##ble; not un, ##able
  CHECK(split("unaffable") == "?");  // una, ##ffa, then ##ble
}

TEST_CASE("wordpiece: a word with one unknown piece leaves no pieces") {
  CHECK(split("unax") == "?");
  CHECK(split("x") == "?");
  CHECK(split("ffa") == "?");  // only ##ffa is a token
}

TEST_CASE("wordpiece: tokens end where code points end") {
  CHECK(split("aé") == "a(0-1)##é(1-3)");
  CHECK(split("éa") == "é(0-2)##a(2-3)");
  CHECK(split("è") == "?");  // shares its first byte with é
}

TEST_CASE("wordpiece: a token listed twice has its later id") {
  std::vector<tk::WordPiece::Piece> pieces;
  REQUIRE(tk::WordPiece(kVocabulary).split("a", pieces));
  CHECK(pieces.at(0).id == 15);
}

TEST_CASE("wordpiece: pieces are appended to those that are there") {
  const tk::WordPiece wordpiece(kVocabulary);
  std::vector<tk::WordPiece::Piece> pieces;
  CHECK(wordpiece.split("un", pieces));
  CHECK_FALSE(wordpiece.split("unx", pieces));
  CHECK(wordpiece.split("able", pieces));
  REQUIRE(pieces.size() == 2);
  CHECK(pieces[1].id == 14);
}
