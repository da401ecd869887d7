#include "tensor/io/json.h"

#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

using namespace tk;

TEST_CASE("json: what is not JSON is said by line and column, without the text") {
  CHECK(parse_json("{\"a\": [1, 2]}", "f.json")["a"].size() == 2);
  CHECK_THROWS_WITH(parse_json("", "f.json"), "f.json: not valid JSON at line 1, column 1");
  CHECK_THROWS_WITH(parse_json("{\n \"a\": }", "f.json"), "f.json: not valid JSON at line 2, column 7");
  CHECK_THROWS_WITH(parse_json("{\"a\": \"" + std::string(1 << 20, 'x'), "f.json"),
                    "f.json: not valid JSON at line 1, column 1048584");
  CHECK_THROWS_WITH(parse_json("\"\xff\"", "f.json"), "f.json: not valid JSON at line 1, column 2");
  CHECK_THROWS_WITH(parse_json("1e999", "f.json"), "f.json: not valid JSON: a number is too large");
}

TEST_CASE("json: nesting is bounded, so that what recurses over a value does not overflow the stack") {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK_NOTHROW(parse_json(nested(kMaxJsonDepth), "f.json"));
  for (const int depth : {kMaxJsonDepth + 2, 100'000, 3'000'000}) {
    CHECK_THROWS_WITH(parse_json(nested(depth), "f.json"), "f.json: nested more than 32 levels deep");
    CHECK_THROWS_WITH(parse_json(std::string(depth, '['), "f.json"), "f.json: nested more than 32 levels deep");
  }
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  CHECK_THROWS_WITH(parse_json(objects, "f.json"), "f.json: nested more than 32 levels deep");
}

TEST_CASE("json: a value in a message is short and fit to print") {
  CHECK(shown(nlohmann::json("a\nb")) == "\"a?b\"");
  CHECK(shown(nlohmann::json(1.5)) == "1.5");
  CHECK(shown(nlohmann::json::array({1, 2})) == "[1,2]");
  CHECK(shown(nlohmann::json(std::vector<int>(100'000, 7))) == "a list of 100000 values");
  CHECK(shown(nlohmann::json{{"key", std::string(1000, 'x')}}).size() < 70);
}

TEST_CASE("json: a file that is too large is refused before it is read") {
  const TemporaryFolder folder;
  write_bytes(folder / "f.json", "[1, 2, 3]");
  CHECK(read_json(folder / "f.json").size() == 3);
  CHECK_THROWS_WITH(read_json(folder / "f.json", 8), ContainsSubstring("f.json: expected at most 8 bytes, got 9"));
}
