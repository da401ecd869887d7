// The whole model against PyTorch: tests/golden/README.md says what each tensor is.

#include <memory>

#include "autograd/ops/elementwise.h"
#include "nn/loss.h"
#include "nn/optim/adamw.h"
#include "nn/optim/schedule.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/golden.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/classifier.h"
#include "transkimmer/families/bert.h"

using namespace tk;
using namespace tk::test;

namespace {

PackedTokens golden_inputs(const SafetensorsFile& file, Device device, const std::string& prefix = "") {
  return {to(golden_packed(file, prefix), device), file.tensor(prefix + "ids").to(device),
          file.tensor(prefix + "token_types").to(device)};
}

std::unique_ptr<BertClassifier> golden_model(const std::string& folder, Device device, const Config& config) {
  const std::string path = golden_path(folder);
  auto model = std::make_unique<BertClassifier>(config);
  const LoadReport report = load_weights(path, named_values(model->parameters()), kBert);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
  model->place(device);
  return model;
}

std::unique_ptr<BertClassifier> golden_model(const std::string& folder, Device device) {
  return golden_model(folder, device, load_config(golden_path(folder)));
}

void check_gradients(Device device) {
  const SafetensorsFile file = golden("bert_tiny");
  const auto model = golden_model("bert_tiny_config", device);
  const ClassifierOutput out = (*model)(golden_inputs(file, device), {});
  CHECK(largest_difference(out.logits.value(), file.tensor("logits")) < 1e-5);
  const Variable loss = cross_entropy_loss(out.logits, file.tensor("labels").to(device));
  CHECK(loss.item() == Approx(file.tensor("loss").item()).margin(1e-5));
  loss.backward();
  CHECK(first_difference(named_gradients(model->parameters()), file, "grad.", 1e-5) == "");
}

// The tiny model with each activation that a config.json may name.
void check_activations(Device device) {
  const SafetensorsFile file = golden("activations");
  for (const Choice<Activation>& choice : kActivations) {
    INFO(choice.name);
    Config config = load_config(golden_path("bert_tiny_config"));
    config.hidden_act = choice.value;
    const auto model = golden_model("bert_tiny_config", device, config);
    const ClassifierOutput out = (*model)(golden_inputs(file, device), {});
    const std::string prefix = concat("bert_", choice.name, '.');
    CHECK(largest_difference(out.logits.value(), file.tensor(prefix + "logits")) < 1e-5);
    const Variable loss = cross_entropy_loss(out.logits, file.tensor("labels").to(device));
    CHECK(loss.item() == Approx(file.tensor(prefix + "loss").item()).margin(1e-5));
    loss.backward();
    std::vector<NamedTensor> gradients = named_gradients(model->parameters());
    std::erase_if(gradients, [](const NamedTensor& gradient) {
      return gradient.name != "bert.encoder.layer.0.intermediate.dense.weight";
    });
    REQUIRE(gradients.size() == 1);
    CHECK(first_difference(gradients, file, prefix + "grad.", 1e-5) == "");
  }
}

void check_ten_steps(Device device) {
  const SafetensorsFile file = golden("training");
  const auto model = golden_model("bert_tiny_config", device);
  AdamW optimizer(model->parameters());
  const std::vector<float> losses = file.tensor("losses").to_vector<float>();
  const std::vector<float> norms = file.tensor("grad_norms").to_vector<float>();
  StepState start;
  start.max_grad_norm = 1;
  start.weight_decay[0] = 0.01;
  const Tensor state = make_step_state(start, device);
  for (std::int64_t i = 0; i < 10; ++i) {
    const std::string prefix = concat("batch.", i, ".");
    StepState now = start;
    now.step = i + 1;
    now.learning_rate[0] = 1e-3 * linear_schedule(i, 2, 10);
    set_step(state, now);
    const ClassifierOutput out = (*model)(golden_inputs(file, device, prefix), {.training = false, .state = {}});
    const Variable loss = cross_entropy_loss(out.logits, file.tensor(prefix + "labels").to(device));
    CHECK(loss.item() == Approx(losses[static_cast<std::size_t>(i)]).margin(1e-5));
    loss.backward();
    optimizer.step(state);
    CHECK(read_step_state(state).grad_norm == Approx(norms[static_cast<std::size_t>(i)]).epsilon(1e-4));
  }
  std::vector<NamedTensor> values;
  for (const NamedTensor& named : named_values(model->parameters())) {
    // The key's bias has a gradient of zero: AdamW divides its rounding noise by its own size.
    if (named.name.find("key.bias") == std::string::npos) values.push_back(named);
  }
  CHECK(first_difference(values, file, "param.", 2e-5) == "");
}

}  // namespace

TEST_CASE("model: logits, loss and all gradients equal transformers'") { check_gradients(Device::kCpu); }

TEST_CASE("cuda model: logits, loss and all gradients equal transformers'") {
  if (has_cuda()) check_gradients(Device::kCuda);
}

TEST_CASE("model: with every activation, logits, loss and gradients equal transformers'") {
  check_activations(Device::kCpu);
}

TEST_CASE("cuda model: with every activation, logits, loss and gradients equal transformers'") {
  if (has_cuda()) check_activations(Device::kCuda);
}

TEST_CASE("model: ten steps without dropout give PyTorch's losses, gradient norms and parameters") {
  check_ten_steps(Device::kCpu);
}

TEST_CASE("cuda model: ten steps without dropout give PyTorch's losses, gradient norms and parameters") {
  if (has_cuda()) check_ten_steps(Device::kCuda);
}

namespace {

// The golden noise [rows, gates] of each predictor, without the first rows unless it is asked for them.
std::vector<Tensor> gate_noise(const SafetensorsFile& file, const Packed& rows, SkimCls cls = SkimCls::kKept) {
  const Tensor noise = file.tensor("noise");
  const std::int64_t gates = noise.rank() == 3 ? noise.shape()[2] : 1;
  const auto* offsets = rows.offsets.data<std::int32_t>();
  std::vector<Tensor> by_layer;
  for (std::int64_t i = 0; i < noise.shape()[0]; ++i) {
    const Tensor layer = noise.select(0, i).reshape({rows.tokens, gates});
    if (cls == SkimCls::kFree) {
      by_layer.push_back(layer);
      continue;
    }
    std::vector<float> values;
    for (std::int64_t s = 0; s < rows.sentences; ++s) {
      const std::vector<float> some =
          layer.narrow(0, offsets[s] + 1, offsets[s + 1] - offsets[s] - 1).to_vector<float>();
      values.insert(values.end(), some.begin(), some.end());
    }
    by_layer.push_back(from_values(values, {rows.tokens - rows.sentences, gates}));
  }
  return by_layer;
}

void check_training(const std::string& name, const std::string& folder, bool share, Device device) {
  const SafetensorsFile file = golden(name);
  for (const std::string prefix : {"budget.", "share."}) {
    if (prefix == "share." && !share) continue;
    const auto model = golden_model(folder, device);
    const PackedTokens inputs = golden_inputs(file, device);
    std::vector<Tensor> noise = gate_noise(file, golden_packed(file), model->config().skim_cls);
    for (Tensor& layer : noise) layer = layer.to(device);
    ForwardOptions options;
    options.noise = &noise;
    const Context context{.training = true, .state = make_step_state({}, device)};
    const ClassifierOutput out = (*model)(inputs, context, options);
    CHECK(largest_difference(out.logits.value(), file.tensor("logits")) < 1e-5);
    for (std::size_t i = 0; i < out.encoder.masks.size(); ++i) {
      const MaskVariables& masks = out.encoder.masks[i];
      const auto check = [&](const Variable& mask, const char* set) {
        if (!mask.defined()) return;
        CHECK(largest_difference(mask.value(), file.tensor(set).select(0, static_cast<std::int64_t>(i))) == 0);
      };
      check(masks.keys, "keys");
      if (model->config().skim_gate != SkimGate::kStaged) continue;
      check(masks.updated, "updated");
      check(masks.fed, "fed");
    }
    CHECK(out.encoder.cost.item() == Approx(file.tensor("cost").item()).epsilon(1e-5));
    const Variable task = cross_entropy_loss(out.logits, file.tensor("labels").to(device));
    CHECK(task.item() == Approx(file.tensor("task_loss").item()).margin(1e-5));
    const Variable loss = prefix == "budget." ? task + out.encoder.cost * 0.7 : task + out.encoder.skim_loss * 0.5;
    CHECK(loss.item() == Approx(file.tensor(prefix + "loss").item()).margin(1e-5));
    loss.backward();
    CHECK(first_difference(named_gradients(model->parameters()), file, prefix + "grad.", 2e-5) == "");
  }
}

void check_counts(const std::vector<double>& rows, const Tensor& expected) {
  CHECK(rows == expected.to(DType::kFloat64).to_vector<double>());
}

double total(const Tensor& x) {
  double sum = 0;
  for (const double value : x.to(DType::kFloat64).to_vector<double>()) sum += value;
  return sum;
}

void check_published_evaluation(Device device) {
  const SafetensorsFile file = golden("skim_layer");
  const auto model = golden_model("skim_layer_config", device);
  const ClassifierOutput out = (*model)(golden_inputs(file, device), {});
  CHECK(largest_difference(out.logits.value(), file.tensor("eval.logits")) < 1e-5);
  const Packed rows = golden_packed(file);
  const std::vector<LayerRows> layers = count_rows(out.encoder.sets, rows);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    check_counts(layers[i].keys, file.tensor("eval.keys_count").select(0, static_cast<std::int64_t>(i)));
  }
  CHECK(counted_macs(model->config(), layers, rows) == Approx(total(file.tensor("eval.macs"))));
  CHECK(executed_macs(model->config(), layers, rows) == Approx(total(file.tensor("eval.macs_executed"))));
  CHECK(dense_macs(model->config(), rows) == Approx(total(file.tensor("dense_macs"))));
}

void check_staged_evaluation(const std::string& name, Device device) {
  const SafetensorsFile file = golden(name);
  const auto model = golden_model(name + "_config", device);
  const ClassifierOutput out = (*model)(golden_inputs(file, device), {});
  CHECK(largest_difference(out.logits.value(), file.tensor("eval.logits")) < 1e-5);
  const Packed rows = golden_packed(file);
  const std::vector<LayerRows> layers = count_rows(out.encoder.sets, rows);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto layer = static_cast<std::int64_t>(i);
    check_counts(layers[i].keys, file.tensor("eval.keys_count").select(0, layer));
    check_counts(layers[i].updated, file.tensor("eval.updated_count").select(0, layer));
    check_counts(layers[i].fed, file.tensor("eval.fed_count").select(0, layer));
  }
  CHECK(counted_macs(model->config(), layers, rows) == Approx(total(file.tensor("eval.macs"))));
  CHECK(executed_macs(model->config(), layers, rows) == Approx(total(file.tensor("eval.macs"))));
}

}  // namespace

TEST_CASE("published gate: masks, cost, losses and all gradients equal the PyTorch reference") {
  check_training("skim_layer", "skim_layer_config", true, Device::kCpu);
}

TEST_CASE("staged gate: masks, cost, losses and all gradients equal the PyTorch reference") {
  check_training("skim_staged", "skim_staged_config", false, Device::kCpu);
}

TEST_CASE("staged gate, [CLS] free: masks, cost, losses and all gradients equal the PyTorch reference") {
  check_training("skim_staged_cls", "skim_staged_cls_config", false, Device::kCpu);
}

TEST_CASE("cuda gates: masks, cost, losses and all gradients equal the PyTorch reference") {
  if (!has_cuda()) return;
  check_training("skim_layer", "skim_layer_config", true, Device::kCuda);
  check_training("skim_staged", "skim_staged_config", false, Device::kCuda);
  check_training("skim_staged_cls", "skim_staged_cls_config", false, Device::kCuda);
}

TEST_CASE("published gate: evaluation drops the rows that the reference drops, and agrees") {
  check_published_evaluation(Device::kCpu);
}

TEST_CASE("staged gate: evaluation drops the rows that the reference drops, and agrees") {
  check_staged_evaluation("skim_staged", Device::kCpu);
}

TEST_CASE("staged gate, [CLS] free: evaluation drops the rows that the reference drops, and agrees") {
  check_staged_evaluation("skim_staged_cls", Device::kCpu);
}

TEST_CASE("cuda gates: evaluation drops the rows that the reference drops, and agrees") {
  if (!has_cuda()) return;
  check_published_evaluation(Device::kCuda);
  check_staged_evaluation("skim_staged", Device::kCuda);
  check_staged_evaluation("skim_staged_cls", Device::kCuda);
}

TEST_CASE("paper attention: equals the published graph on sentences of equal length, in training and evaluation") {
  const SafetensorsFile file = golden("skim_layer_paper");
  Config config = load_config(golden_path("skim_layer_paper_config"));
  config.skim_attention = SkimAttention::kPaper;
  BertClassifier model(config);
  load_weights(golden_path("skim_layer_paper_config"), named_values(model.parameters()), kBert);
  const PackedTokens inputs = golden_inputs(file, Device::kCpu);
  const std::vector<Tensor> noise = gate_noise(file, inputs.rows);
  ForwardOptions options;
  options.noise = &noise;
  const ClassifierOutput out = model(inputs, {.training = true, .state = make_step_state({})}, options);
  CHECK(largest_difference(out.logits.value(), file.tensor("logits")) < 1e-5);
  const Variable loss = cross_entropy_loss(out.logits, file.tensor("labels")) + out.encoder.cost * 0.7;
  loss.backward();
  CHECK(first_difference(named_gradients(model.parameters()), file, "budget.grad.", 2e-5) == "");
  CHECK(largest_difference(model(inputs, {}).logits.value(), file.tensor("eval.logits")) < 1e-5);
}
