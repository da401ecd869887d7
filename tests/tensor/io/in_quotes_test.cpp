#include "tensor/io/in_quotes.h"

#include "tests/support/catch.h"

using tk::in_quotes;
using tk::printable;

TEST_CASE("in quotes: control characters become question marks, all others stay") {
  CHECK(in_quotes("a\tb\nc\x1f\x7f\x1b[0m") == "\"a?b?c???[0m\"");
  CHECK(in_quotes(" ~\x80\xff") == "\" ~\x80\xff\"");  // the neighbours of the control characters
  CHECK(in_quotes(std::string(1, '\0')) == "\"?\"");
  CHECK(in_quotes("") == "\"\"");
  CHECK(printable("a\r\n") == "a??");
}

TEST_CASE("in quotes: up to 80 bytes stay whole, more are cut") {
  const std::string most(80, 'x');
  CHECK(in_quotes(most) == '"' + most + '"');
  CHECK(in_quotes(most + 'y') == '"' + most + "...\"");
  CHECK(printable(most + 'y') == most + 'y');
}

TEST_CASE("in quotes: no character is cut in two") {
  const std::string text(78, 'x');
  const std::string euro = "\xe2\x82\xac";
  CHECK(in_quotes(text + euro) == '"' + text + "...\"");
  CHECK(in_quotes(text.substr(1) + euro + 'y') == '"' + text.substr(1) + euro + "...\"");
  CHECK(in_quotes(std::string(100, '\x80')) == "\"...\"");  // no character begins here
}
