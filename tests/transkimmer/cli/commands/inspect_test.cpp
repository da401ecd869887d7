#include "transkimmer/cli/commands/inspect.h"

#include <sstream>

#include "tensor/io/safetensors.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace fs = std::filesystem;
using namespace tk;

namespace {

std::string inspected(const fs::path& path) {
  std::ostringstream out;
  inspect(path, out);
  return out.str();
}

}  // namespace

TEST_CASE("inspect: a file is a table in natural order with totals") {
  const TemporaryFolder folder;
  save_safetensors(
      folder / "w",
      {{{"layer.10.w", zeros({500, 2000})}, {"layer.2.w", zeros({1, 2, 3}, DType::kInt64)}, {"s", zeros({})}}},
      {{"format", "pt"}});
  CHECK(inspected(folder / "w") ==
        "format: pt\n"
        "name        dtype  shape          MB\n"
        "layer.2.w   I64    1 x 2 x 3   0.000\n"
        "layer.10.w  F32    500 x 2000  4.000\n"
        "s           F32    scalar      0.000\n"
        "3 tensors, 1,000,007 elements, 4.000 MB\n");
}

TEST_CASE("inspect: a model folder opens with its configuration") {
  const std::string text = inspected(fs::path(TK_SOURCE_DIR) / "tests/golden/skim_staged_config");
  CHECK_THAT(text,
             ContainsSubstring("BERT: 3 layers, hidden 32, 4 heads, feed-forward 64, vocabulary 120, positions 64, "
                               "labels 3, skim gate staged (width 8, attention exact)\n"));
  CHECK_THAT(text, ContainsSubstring("bert.encoder.skim_predictors.1.predictor.4.weight"));
}

TEST_CASE("inspect: dtypes that cannot be loaded are listed too") {
  const std::string text = inspected(fs::path(TK_SOURCE_DIR) / "tests/tensor/io/golden/foreign_dtypes.safetensors");
  CHECK_THAT(text, ContainsSubstring("u16   U16"));
  CHECK_THAT(text, ContainsSubstring("2 tensors, 6 elements, 0.000 MB"));
}

TEST_CASE("inspect: a path that holds no weights is an error") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(inspected(folder.path()), ContainsSubstring(": no model.safetensors in this folder"));
}
