#include "tensor/io/in_quotes.h"

#include "tests/support/catch.h"

using tk::in_quotes;
using tk::printable;

TEST_CASE("in quotes: control characters become question marks, all others stay") {
  CHECK(in_quotes("a\tb\nc\x1f\x7f\x1b[0m") == "\"a?b?c???[0m\"");
  CHECK(in_quotes(" ~") == "\" ~\"");  // the neighbours of the control characters
  CHECK(in_quotes(std::string(1, '\0')) == "\"?\"");
  CHECK(in_quotes("") == "\"\"");
  CHECK(printable("a\r\n") == "a??");
}

TEST_CASE("in quotes: what a terminal would obey, in any of Unicode's ways, becomes a question mark") {
  CHECK(printable("a\xc2\x9b"
                  "31mred") == "a?31mred");      // U+009B, a control sequence in one character
  CHECK(printable("\xc2\x80\xc2\x9f") == "??");  // the first and the last of C1
  CHECK(printable("\xe2\x80\xae"
                  "gpj.exe") == "?gpj.exe");                         // right-to-left override
  CHECK(printable("\xe2\x81\xa6x\xe2\x81\xa9") == "?x?");            // isolates
  CHECK(printable("one\xe2\x80\xa8two\xe2\x80\xa9") == "one?two?");  // line and paragraph separators
  CHECK(printable("\xef\xbb\xbfx\xe2\x80\x8b") == "?x?");            // a byte-order mark, a space of no width
  CHECK(printable("\xf3\xa0\x81\x81") == "?");                       // a tag
}

TEST_CASE("in quotes: letters of all scripts stay") {
  for (const std::string text : {"\xc2\xa0", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac", "\xe6\x97\xa5\xe6\x9c\xac",
                                 "\xf0\x9f\x98\x80", "\xd8\xb9", "\xf4\x8f\xbf\xbd"}) {
    CHECK(printable(text) == text);
  }
}

TEST_CASE("in quotes: a byte that is not valid UTF-8 becomes a question mark") {
  CHECK(printable("\x80\xff") == "??");
  CHECK(printable("\xc0\xaf") == "??");            // an overlong '/'
  CHECK(printable("\xe0\x80\xaf") == "???");       // the same
  CHECK(printable("\xed\xa0\x80") == "???");       // a surrogate
  CHECK(printable("\xf4\x90\x80\x80") == "????");  // beyond Unicode
  CHECK(printable("\xe2\x82") == "??");            // the end is missing
  CHECK(printable("\xe2"
                  "ab") == "?ab");  // what follows is read on its own
}

TEST_CASE("in quotes: up to 80 bytes stay whole, more are cut") {
  const std::string most(80, 'x');
  CHECK(in_quotes(most) == '"' + most + '"');
  CHECK(in_quotes(most + 'y') == '"' + most + "...\"");
  CHECK(printable(most + 'y') == most + 'y');
  CHECK(printable(most + 'y', 80) == most + "...");
}

TEST_CASE("in quotes: of many names the first are listed, and how many more there are") {
  const std::vector<std::string> names = {"a", "b\n", std::string(100, 'x')};
  CHECK(tk::listed(names) == "a, b?, " + std::string(80, 'x') + "...");
  CHECK(tk::listed(names, 2) == "a, b?, and 1 more");
  CHECK(tk::listed({}) == "");
}

TEST_CASE("in quotes: a line that is too long keeps its beginning and its end") {
  CHECK(tk::printable_line("0123456789", 10) == "0123456789");
  CHECK(tk::printable_line("0123456789\n", 10) == "01234...6789?");
  const std::string euros = "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac";
  CHECK(tk::printable_line(euros, 8) == "\xe2\x82\xac...\xe2\x82\xac");
}

TEST_CASE("in quotes: no character is cut in two") {
  const std::string text(78, 'x');
  const std::string euro = "\xe2\x82\xac";
  CHECK(in_quotes(text + euro) == '"' + text + "...\"");
  CHECK(in_quotes(text.substr(1) + euro + 'y') == '"' + text.substr(1) + euro + "...\"");
  CHECK(in_quotes(std::string(100, '\x80')) == "\"...\"");  // no character begins here
}
