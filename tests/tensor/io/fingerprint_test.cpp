#include "tensor/io/fingerprint.h"

#include <set>

#include "tests/support/catch.h"

namespace tk {
namespace {

std::string of(std::string_view text) {
  Fingerprint print;
  print.add(text);
  return print.text();
}

TEST_CASE("fingerprint: the same for the same bytes, and another for each that was changed, added or taken away") {
  CHECK(of("token skimming") == of("token skimming"));
  CHECK(of("").size() == 16);
  std::set<std::string> seen = {of("")};
  std::string text(40, 'a');
  for (std::size_t size = 1; size <= text.size(); ++size) seen.insert(of(text.substr(0, size)));
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      seen.insert(of(changed));
    }
  }
  CHECK(seen.size() == 1 + 40 + 40 * 8);
}

TEST_CASE("fingerprint: where one part ends counts, and so do a tensor's dtype and shape") {
  Fingerprint a, b;
  a.add("ab"), a.add("c");
  b.add("a"), b.add("bc");
  CHECK(a.text() != b.text());
  const auto of_tensor = [](const Tensor& x) {
    Fingerprint print;
    print.add(x);
    return print.text();
  };
  const Tensor x = full({2, 3}, 1.5);
  CHECK(of_tensor(x) == of_tensor(x.clone()));
  CHECK(of_tensor(x.transpose(0, 1)) == of_tensor(x.transpose(0, 1).contiguous()));
  CHECK(of_tensor(x) != of_tensor(x.reshape({3, 2})));
  CHECK(of_tensor(zeros({2})) != of_tensor(zeros({2}, DType::kInt32)));
}

}  // namespace
}  // namespace tk
