#include "tensor/kernels.h"

#include <algorithm>
#include <span>

#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

// Where the tensors lie that a struct of arguments names, in its order.
template <class Argument>
std::vector<const Tensor*> named(const Argument& argument) {
  std::vector<const Tensor*> tensors;
  for_each_tensor(argument, [&](const Tensor& tensor) { tensors.push_back(&tensor); });
  return tensors;
}

using Places = std::vector<const Tensor*>;

// What `call` says with the i-th tensor of an argument on the CPU and all others undefined, for every i: a kernel for
// CUDA, so that the CPU is the other device.
template <class Argument, class F>
std::vector<std::string> refusals(F&& call) {
  std::vector<std::string> messages;
  for (std::size_t i = 0; i < named(Argument()).size(); ++i) {
    Argument argument;
    *const_cast<Tensor*>(named(argument)[i]) = zeros({1});
    messages.push_back(message_of([&] { call(argument); }));
  }
  return messages;
}

}  // namespace

// The structured bindings fail to compile when a member comes or goes.
TEST_CASE("kernel arguments: a struct names every tensor that it holds, those of structs inside too") {
  const DropoutKey key;
  const auto& [p, state, example, position, stream] = key;
  CHECK(named(key) == Places{&state, &example, &position});
  const SumTarget sum;
  const auto& [out, add, beside] = sum;
  CHECK(named(sum) == Places{&out});
  const AttentionKey attention;
  const auto& [heads, q_offsets, kv_offsets, kv_position, weighting, dropout, fills_dummies] = attention;
  CHECK(named(attention) ==
        Places{&q_offsets, &kv_offsets, &kv_position, &dropout.state, &dropout.example, &dropout.position});
  const PredictorWeights weights;
  const auto& [input_gamma, input_beta, w, b, hidden_gamma, hidden_beta, output_w, output_b, epsilon] = weights;
  CHECK(named(weights) == Places{&input_gamma, &input_beta, &w, &b, &hidden_gamma, &hidden_beta, &output_w, &output_b});
  const ResidualNorm norm;
  const auto& [bias, gamma, beta, norm_epsilon] = norm;
  CHECK(named(norm) == Places{&bias, &gamma, &beta});
  const PackedMatrix matrix;
  const auto& [panels, start, scale, its_bias, outputs, inputs] = matrix;
  CHECK(named(matrix) == Places{&panels, &start, &scale, &its_bias});
  const ResidualBranch residual;
  const auto& [inner, activation, last, branch_norm] = residual;
  CHECK(named(residual).size() == named(inner).size() + named(last).size() + named(branch_norm).size());
  const RowRoom room;
  const auto& [room_x, room_offsets, room_position, room_place] = room;
  CHECK(named(room) == Places{&room_x, &room_offsets, &room_position, &room_place});
  const ChosenRows chosen;
  const auto& [keys, asking, fed, states, scan] = chosen;
  CHECK(named(chosen).size() == named(keys).size() + named(asking).size() + named(fed).size() + 2);
  CHECK(std::ranges::count(named(chosen), &states) + std::ranges::count(named(chosen), &scan) == 2);
  const RowChoice choice;
  const auto& [x, branch, place, its_norm, predictor, step, offsets, its_position, original_offsets, shares,
               forces_shares, frees_first, unfed_gamma, unfed_beta, unfed_epsilon] = choice;
  Places expected = {&x, &branch, &place, &step, &offsets, &its_position, &original_offsets, &unfed_gamma, &unfed_beta};
  for (const Tensor* tensor : named(its_norm)) expected.push_back(tensor);
  for (const Tensor* tensor : named(predictor)) expected.push_back(tensor);
  CHECK(named(choice) == expected);
}

TEST_CASE("kernels: a tensor inside a key that lies on another device is refused") {
  Tensor none;
  const auto all_say = [](const std::vector<std::string>& messages, std::size_t count, const std::string& expected) {
    return messages.size() == count && std::ranges::count(messages, expected) == std::ssize(messages);
  };
  CHECK(all_say(refusals<DropoutKey>([&](const DropoutKey& key) { dropout_kernel(Device::kCuda, none, none, key); }), 3,
                "dropout: tensors on cuda and on cpu"));
  CHECK(all_say(refusals<AttentionKey>([&](const AttentionKey& key) {
                  packed_attention_kernel(Device::kCuda, none, none, none, none, none, none, none, key);
                }),
                6, "packed_attention: tensors on cuda and on cpu"));
  CHECK(all_say(refusals<PredictorWeights>(
                    [&](const PredictorWeights& weights) { gate_scores_kernel(Device::kCuda, none, none, weights); }),
                8, "gate_scores: tensors on cuda and on cpu"));
  CHECK(all_say(refusals<SumTarget>([&](const SumTarget& sum) {
                  bias_activation_backward_kernel(Device::kCuda, none, sum, none, none, none, Activation::kGelu);
                }),
                1, "bias_activation_backward: tensors on cuda and on cpu"));
  CHECK(all_say(refusals<ChosenRows>([&](const ChosenRows& to) { choose_rows_kernel(Device::kCuda, to, {}); }), 14,
                "choose_rows: tensors on cuda and on cpu"));
  CHECK(all_say(refusals<RowChoice>([&](const RowChoice& from) { choose_rows_kernel(Device::kCuda, {}, from); }), 20,
                "choose_rows: tensors on cuda and on cpu"));
  CHECK(all_say(refusals<PackedMatrix>(
                    [&](const PackedMatrix& w) { packed_gate_scores_kernel(Device::kCuda, none, none, w, {}); }),
                4, "packed_gate_scores: tensors on cuda and on cpu"));
  CHECK(all_say(refusals<ResidualBranch>([&](const ResidualBranch& branch) {
                  residual_branch_kernel(Device::kCuda, none, none, none, none, branch);
                }),
                11, "residual_branch: tensors on cuda and on cpu"));
  CHECK(message_of([&] { gate_scores_kernel(Device::kCpu, none, none, {}); }) ==
        "gate_scores: no kernel for device cpu");
}

TEST_CASE("kernels: a message names the function, and not the kernel that all such functions share") {
  Tensor y = zeros({2});
  CHECK(message_of([&] { unary_kernel(Device::kCuda, y, UnaryOp::kTanh, y); }) == "tanh: tensors on cuda and on cpu");
  CHECK(message_of([&] { binary_kernel(Device::kCuda, y, BinaryOp::kMaximum, y, y); }) ==
        "maximum: tensors on cuda and on cpu");
}

TEST_CASE("kernels: a call counts one write to each output, and none to what it reads") {
  const auto writes = [](auto&& call, std::span<Tensor> outputs, std::span<const Tensor> inputs) {
    std::vector<std::uint64_t> counts;
    for (const Tensor& x : outputs) counts.push_back(x.version());
    for (const Tensor& x : inputs) counts.push_back(x.version());
    call();
    for (std::size_t i = 0; i < outputs.size(); ++i) counts[i] = outputs[i].version() - counts[i];
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      counts[outputs.size() + i] = inputs[i].version() - counts[outputs.size() + i];
    }
    return counts;
  };
  using Counts = std::vector<std::uint64_t>;
  const auto ones = [](const Shape& shape) { return full(shape, 1); };

  Tensor y[] = {ones({4, 3}), ones({4}), ones({4})};
  const Tensor x[] = {ones({4, 3}), ones({3}), ones({3})};
  CHECK(writes([&] { copy_kernel(Device::kCpu, y[0], x[0]); }, {y, 1}, {x, 1}) == Counts{1, 0});
  CHECK(writes([&] { fill_kernel(Device::kCpu, y[0], 2); }, {y, 1}, {}) == Counts{1});
  CHECK(writes([&] { add_to_kernel(Device::kCpu, y[0], x[0]); }, {y, 1}, {x, 1}) == Counts{1, 0});
  CHECK(writes([&] { layer_norm_kernel(Device::kCpu, y[0], y[1], y[2], x[0], x[1], x[2], 1e-5); }, y, x) ==
        Counts{1, 1, 1, 0, 0, 0});

  Tensor sums[] = {ones({3}), ones({3})};
  const auto backward = [&] {
    layer_norm_backward_kernel(Device::kCpu, y[0], {sums[0], true}, {}, x[0], x[0], y[1], y[2], x[1]);
  };
  CHECK(writes(backward, {y, 1}, {x, 2}) == Counts{1, 0, 0});
  CHECK(writes(backward, sums, {}) == Counts{1, 0});  // what was not wanted was not written

  Tensor value[] = {ones({8}), zeros({8}), zeros({8})};
  const Tensor read[] = {ones({8}), from_values<std::int64_t>({0, 8, 0}, {1, 3}), make_step_state({.step = 1})};
  Tensor none;
  CHECK(writes([&] { adamw_kernel(Device::kCpu, value[0], value[1], value[2], none, read[0], read[1], read[2], {}); },
               value, read) == Counts{1, 1, 1, 0, 0, 0});

  Tensor ids[] = {zeros({2}, DType::kInt32), zeros({2, 3})};
  CHECK(writes(
            [&] {
              coalesce_kernel(Device::kCpu, ids[0], ids[1], arange(2), ones({2, 3}));
            },
            ids, {}) == Counts{1, 1});
  Tensor view[] = {ones({4, 6}).narrow(1, 1, 3)};
  CHECK(writes([&] { copy_kernel(Device::kCpu, view[0], x[0]); }, view, {}) == Counts{1});
}
