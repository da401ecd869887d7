#include "tensor/choices.h"

#include "tests/support/catch.h"

namespace {

enum class Fruit { kApple, kPear, kStone };
constexpr tk::Choice<Fruit> kFruits[] = {{Fruit::kPear, "pear"}, {Fruit::kApple, "apple"}};
tk::Choices<Fruit> choices(Fruit) { return kFruits; }

}  // namespace

TEST_CASE("choices: names and values are found in one table, in its order") {
  using namespace tk;
  CHECK(choice_names<Fruit>() == std::vector<std::string>{"pear", "apple"});
  for (const Fruit fruit : {Fruit::kPear, Fruit::kApple}) CHECK(find_choice<Fruit>(choice_name(fruit)) == fruit);
  CHECK_FALSE(find_choice<Fruit>("plum"));
  CHECK_FALSE(find_choice<Fruit>(""));
  CHECK(std::string(choice_name(Fruit::kStone)).empty());
}
