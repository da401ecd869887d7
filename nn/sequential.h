#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "autograd/ops/elementwise.h"
#include "nn/parameter.h"

namespace tk {

/// Layers one after the other, each a module or any function of a variable; an elementwise function goes by its
/// enumerator: `Sequential net(Linear(2, 16), UnaryOp::kTanh, Linear(16, 1))`. Copies share the layers.
class Sequential {
 public:
  template <class... Layers>
  explicit Sequential(Layers... layers) {
    (add(std::move(layers)), ...);
  }

  Variable operator()(Variable x) const {
    for (const Layer& layer : layers_) x = layer.forward(x);
    return x;
  }

  /// The parameters of layer i lie under "<path>.<i>".
  void collect(ParameterList& list, const std::string& path) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (layers_[i].collect) layers_[i].collect(list, concat(path, path.empty() ? "" : ".", i));
    }
  }
  ParameterList parameters() {
    ParameterList list;
    collect(list, "");
    return list;
  }

 private:
  struct Layer {
    std::function<Variable(const Variable&)> forward;
    std::function<void(ParameterList&, const std::string&)> collect;  // none where there are no parameters
  };

  void add(UnaryOp op) {
    layers_.push_back({[op](const Variable& x) { return unary(op, x); }, {}});
  }
  template <class Module>
  void add(Module module) {
    const auto shared = std::make_shared<Module>(std::move(module));
    Layer layer{[shared](const Variable& x) { return (*shared)(x); }, {}};
    if constexpr (requires(ParameterList & list) { shared->collect(list, std::string()); }) {
      layer.collect = [shared](ParameterList& list, const std::string& path) { shared->collect(list, path); };
    }
    layers_.push_back(std::move(layer));
  }

  std::vector<Layer> layers_;
};

}  // namespace tk
