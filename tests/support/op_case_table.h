#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/ops/to.h"
#include "tensor/error.h"
#include "tensor/packed.h"
#include "tests/support/op_cases.h"
#include "tests/support/tensors.h"

// What the files of op cases have in common.
namespace tk::test {

using Function = OpCase::Function;

// Where inputs lie: away from the kinks and poles of an op. Quarters and odd eighths never meet, and the latter never
// touch zero.
enum class Domain { kNormal, kPositive, kAwayFromZero, kQuarters, kOddEighths };

inline double into(Domain domain, double x) {
  switch (domain) {
    case Domain::kNormal:
      return x;
    case Domain::kPositive:
      return 0.25 + std::fabs(x);
    case Domain::kAwayFromZero:
      return x + std::copysign(0.1, x);
    case Domain::kQuarters:
      return std::round(4 * x) / 4;
    case Domain::kOddEighths:
      break;
  }
  return std::round(4 * x) / 4 + 0.125;
}

struct Input {
  Shape shape;
  Domain domain = Domain::kNormal;
};

// FNV-1a: inputs depend on their row alone, not on the rows before it.
inline std::uint64_t seed_of(const std::string& name) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

/// Collects rows.
class Table {
 public:
  OpCase& add(const std::string& op, Function f, Tensors inputs) {
    std::string name = op;
    for (const Tensor& input : inputs) name += concat(' ', input.shape());
    cases_.push_back({std::move(name), std::move(f), std::move(inputs), kFloat32, false, {}});
    return cases_.back();
  }

  OpCase& add(const std::string& op, Function f, const std::vector<Input>& inputs) {
    Tensors values;
    for (const Input& input : inputs) {
      const Tensor x = random_normal(input.shape, seed_of(op) + values.size(), DType::kFloat64);
      for (std::int64_t i = 0; i < x.numel(); ++i) x.data<double>()[i] = into(input.domain, x.data<double>()[i]);
      values.push_back(x);
    }
    return add(op, std::move(f), std::move(values));
  }

  OpCase& add_large(const std::string& op, Function f, const std::vector<Input>& inputs) {
    OpCase& row = add(op, std::move(f), inputs);
    row.large = true;
    row.float32 = kFloat32LongSums;
    return row;
  }

  std::vector<OpCase> take() { return std::move(cases_); }

 private:
  std::vector<OpCase> cases_;
};

// What an op reads beside its inputs, on their device.
template <class T>
auto on(const Variables& x, const T& constant) {
  if constexpr (std::is_same_v<T, Tensor>) {
    return constant.to(x[0].device());
  } else {
    return to(constant, x[0].device());
  }
}

inline Packed compacted_rows() {
  const Packed all = make_packed({4, 2, 7}, {11, 3, 5});
  const Tensor mask = full({13}, 1, DType::kBool);
  for (const std::int64_t row : {2, 5, 7, 10}) mask.data<bool>()[row] = false;
  return keep(all, mask).packed;
}

inline Packed many_rows() {
  std::vector<std::int64_t> lengths;
  std::vector<std::int32_t> examples;
  for (std::int32_t i = 0; i < 40; ++i) {
    lengths.push_back(5 + 7 * i % 19);
    examples.push_back(1000 + i);
  }
  return make_packed(lengths, examples);
}

/// The rows of ops that no part of the model needs.
void add_general(Table& table);
/// The rows of autograd/estimators.
void add_estimators(Table& table);

}  // namespace tk::test
