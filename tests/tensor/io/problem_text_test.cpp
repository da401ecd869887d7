#include "tensor/io/problem_text.h"

#include <filesystem>
#include <vector>

#include "tensor/error.h"
#include "tests/support/catch.h"

namespace {

template <class F>
std::string problem_of(F&& f) {
  try {
    f();
  } catch (const std::exception& error) {
    return tk::problem_text(error);
  }
  return "";
}

}  // namespace

TEST_CASE("problem text: errors of the standard library are said in words of this one") {
  namespace fs = std::filesystem;
  CHECK(problem_of([] { [[maybe_unused]] const auto size = fs::file_size("no/such/file"); }) ==
        "no/such/file: No such file or directory");
  CHECK(problem_of([] { throw std::system_error(std::make_error_code(std::errc::io_error), "read"); }) ==
        "Input/output error");
  CHECK(problem_of([] { throw std::bad_alloc(); }) == "out of memory");
  CHECK(problem_of([] { std::vector<int>().reserve(std::size_t(-1)); }) == "out of memory");
  CHECK(problem_of([] { throw tk::Error("matmul: sizes differ"); }) == "matmul: sizes differ");
}
