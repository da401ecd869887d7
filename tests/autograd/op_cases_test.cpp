#include "tests/support/op_cases.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "autograd/gradcheck.h"
#include "autograd/ops/elementwise.h"
#include "tests/support/catch.h"
#include "tests/support/passes.h"

using namespace tk;
using namespace tk::test;

namespace {

Tensors to(DType dtype, const Tensors& inputs) {
  Tensors converted;
  for (const Tensor& input : inputs) converted.push_back(input.to(dtype));
  return converted;
}

// The words that follow `pattern` in the sources of a folder.
std::set<std::string> words_in_sources(const std::filesystem::path& folder, const std::regex& pattern) {
  std::set<std::string> words;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(entry.path());
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) words.insert((*it)[1]);
  }
  return words;
}

void add_names(const Node& node, std::set<std::string>& names) {
  names.insert(node.name);
  for (const auto& input : node.inputs) {
    if (input) add_names(*input, names);
  }
}

}  // namespace

TEST_CASE("op cases: every op that is recorded has a row") {
  const ThreadCount one(1);
  const std::filesystem::path root = std::filesystem::path(TK_SOURCE_DIR) / "autograd";
  const std::regex recorded(R"rx(record(?:_node|_view)?\(\s*"([a-z0-9_]+)")rx");
  std::set<std::string> missing = words_in_sources(root / "ops", recorded);
  missing.merge(words_in_sources(root / "estimators", recorded));
  CHECK(missing.size() >= 20);
#define TK_ADD(name, functor) missing.insert(#name);
  TK_UNARY_OPS(TK_ADD)
  TK_BINARY_OPS(TK_ADD)
#undef TK_ADD
  std::set<std::string> tested;
  for (const OpCase& row : op_cases()) {
    Variables inputs;
    for (const Tensor& input : row.inputs) inputs.emplace_back(input, true);
    add_names(*row.f(inputs).node(), tested);
  }
  for (const std::string& name : tested) missing.erase(name);
  for (const std::string& name : missing) FAIL_CHECK("no row for " << name);
}

TEST_CASE("op cases: the gradient is the central difference") {
  const ThreadCount one(1);  // small products: starting a team of threads would take longer than they do
  for (const OpCase& row : op_cases()) {
    if (row.large) continue;
    const GradcheckResult result = gradcheck(row.relaxed ? row.relaxed : row.f, row.inputs);
    if (!result.passed) FAIL_CHECK(row.name << ": " << result.message);
  }
}

TEST_CASE("op cases: a discrete choice has its relaxation's gradient") {
  int rows = 0;
  for (const OpCase& row : op_cases()) {
    if (!row.relaxed) continue;
    ++rows;
    const Pass hard = run(row.f, row.inputs);
    const Pass soft = run(row.relaxed, row.inputs);
    if (row.chooses) {
      for (const double x : hard.value.to_vector<double>()) CHECK((x == 0 || x == 1));
    }
    const std::string text = difference({soft.value, hard.grads}, soft, kSameInFloat64);
    if (!text.empty()) FAIL_CHECK(row.name << ": " << text);
  }
  CHECK(rows >= 3);
}

TEST_CASE("op cases: float32 is near float64, forward and backward") {
  const ThreadCount one(1);
  for (const OpCase& row : op_cases()) {
    const Pass single = run(row.f, to(DType::kFloat32, row.inputs));
    CHECK(single.value.dtype() == DType::kFloat32);
    // The same float32 inputs, so that only the op's own roundings remain.
    const Pass twice = run(row.f, to(DType::kFloat64, to(DType::kFloat32, row.inputs)));
    const std::string text = difference(single, twice, row.float32);
    if (!text.empty()) FAIL_CHECK(row.name << ": " << text);
  }
}

TEST_CASE("op cases: strided inputs give what contiguous ones give") {
  const ThreadCount one(1);
  for (const OpCase& row : op_cases()) {
    const Pass expected = run(row.f, row.inputs);
    for (std::size_t way : {0, 1}) {
      Tensors strided;
      for (const Tensor& input : row.inputs) {
        const Tensors copies = strided_copies(input);
        strided.push_back(copies[way % copies.size()]);
      }
      const std::string text = difference(run(row.f, strided), expected, kSameInFloat64);
      if (!text.empty()) FAIL_CHECK(row.name << ", way " << way << ": " << text);
    }
  }
}

TEST_CASE("op cases: one and two threads give the same bits") {
  int large = 0;
  for (const OpCase& row : op_cases()) {
    if (!row.large) continue;  // one chunk, one panel: the same call whatever the number of threads
    ++large;
    const auto with_threads = [&](int n) {
      const ThreadCount threads(n);
      return run(row.f, to(DType::kFloat32, row.inputs));
    };
    const Pass one = with_threads(1);
    const Pass two = with_threads(2);
    if (!same_bits(one.value, two.value)) FAIL_CHECK(row.name << ": the value differs");
    for (std::size_t i = 0; i < one.grads.size(); ++i) {
      if (!same_bits(one.grads[i], two.grads[i])) FAIL_CHECK(row.name << ": the gradient of input " << i << " differs");
    }
  }
  CHECK(large > 40);
}

TEST_CASE("op cases: inputs that take no gradient change nothing for the others") {
  const ThreadCount one(1);
  for (const OpCase& row : op_cases()) {
    if (row.large || row.inputs.size() < 2) continue;
    const Pass expected = run(row.f, row.inputs);
    for (std::size_t only = 0; only < row.inputs.size(); ++only) {
      Variables variables;
      for (std::size_t i = 0; i < row.inputs.size(); ++i) variables.emplace_back(row.inputs[i], i == only);
      const Variable y = row.f(variables);
      y.backward(random_normal(y.shape(), 1, y.dtype()));
      if (!same_bits(variables[only].grad(), expected.grads[only])) FAIL_CHECK(row.name << ": input " << only);
    }
  }
}
