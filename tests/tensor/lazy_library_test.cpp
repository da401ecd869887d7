#include "tensor/lazy_library.h"

#include "tensor/error.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

TEST_CASE("lazy library: functions of a library that is there are called, and what is missing is said") {
  const LazyLibrary math("libm.so.6");
  CHECK(math.function<double(double)>("cbrt")(27) == Approx(3));
  CHECK_THROWS_WITH(math.function<double(double)>("no_such_function"),
                    ContainsSubstring("libm.so.6: has no no_such_function"));
  CHECK_THROWS_WITH(LazyLibrary("libnone.so.9"), ContainsSubstring("cannot load a library: libnone.so.9: "));
}

}  // namespace
}  // namespace tk
