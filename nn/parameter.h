#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/variable.h"
#include "tensor/named_tensor.h"
#include "tensor/ops/quantize.h"
#include "tensor/random.h"

namespace tk {

/// Parameters that share a learning rate: StepState has one for each, in this order.
enum class ParameterGroup : std::uint8_t { kBase, kPredictor };

/// The bfloat16 copy of float32 values that share one storage, and so one version: all of it is made anew when any of
/// them was written. One part after the other, a part that a backward has saved would change when the next is asked
/// for.
struct BFloat16Copy {
  Tensor value;
  Tensor copy;                                ///< like `value`
  std::optional<std::uint64_t> version = {};  ///< of the values that were copied last

  void refresh();
  void is_fresh() { version = value.version(); }
};

/// A trained float32 tensor, or for inference an int8 one. Its value and gradient may move into flat buffers
/// (FlatParameters); ops read it through variable(), or as() where they compute in another dtype.
class Parameter {
 public:
  Parameter() = default;
  /// Zeros.
  explicit Parameter(const Shape& shape, bool decay = true);
  /// Zeros in int8, as of quantize(), of a matrix.
  static Parameter int8(const Shape& shape);

  bool defined() const { return variable_.defined(); }
  const Variable& variable() const { return variable_; }
  operator const Variable&() const { return variable_; }
  /// The value in `dtype`, float32 or bfloat16; the gradient that flows back is float32 all the same. The bfloat16 copy
  /// is kept, and made anew after the value was written.
  Variable as(DType dtype) const;
  const Tensor& value() const { return variable_.value(); }
  /// A matrix on the CPU becomes int8 with a scale for each row (tensor/ops/quantize.h), for inference: it is not
  /// trainable from then on. Throws as quantize_rows does, and as long as a keeper of the storage lives.
  void quantize();
  bool is_quantized() const { return scale_.defined(); }
  /// value() and its scales.
  QuantizedRows quantized() const { return {value(), scale_}; }
  /// Throws where it is not trainable.
  GradSlot& grad() const;
  /// Moves the value and the gradient so far into the given storage; with an undefined one the gradient stays where it
  /// is. Throws as long as a keeper of the storage lives.
  void move_to(const Tensor& value, const Tensor& grad);
  /// Moves the value and the gradient so far to a device. Throws as long as a keeper of the storage lives.
  void move_to(Device device);
  /// Nobody may move the storage as long as `keeper` lives: an optimizer, whose buffers it lies in.
  void keep(const std::shared_ptr<const void>& keeper) { keeper_ = keeper; }
  bool is_kept() const { return !keeper_.expired(); }
  /// Reads its bfloat16 copy from `part` of a copy of all values in its storage.
  void keep_copy_in(const std::shared_ptr<BFloat16Copy>& whole, const Tensor& part);

  bool decay() const { return decay_; }    ///< whether weight decay applies: not to biases and layer norms
  bool sparse() const { return sparse_; }  ///< whether the gradient is a list of rows
  ParameterGroup group() const { return group_; }
  void make_sparse();
  /// Whether ops that read it compute a gradient, and optimizers list it. What a frozen one had gathered is gone.
  /// Throws as long as a keeper of the storage lives, and for an int8 one that shall be trained.
  void set_trainable(bool trainable);
  bool trainable() const { return variable_.requires_grad(); }
  void set_group(ParameterGroup group) { group_ = group; }

 private:
  void check_free() const;

  Variable variable_;
  Tensor scale_;                                      // of an int8 value
  mutable std::shared_ptr<BFloat16Copy> whole_copy_;  // made when it is first asked for
  mutable Tensor copy_;                               // the part of it that is of this value
  bool decay_ = true;
  bool sparse_ = false;
  ParameterGroup group_ = ParameterGroup::kBase;
  std::weak_ptr<const void> keeper_;
};

/// Behind the name of an int8 weight, that of its scales.
inline constexpr std::string_view kScaleSuffix = "_scale";

/// A parameter under its published names: one, or several for equal ranges of dimension 0 (query, key and value lie in
/// one matrix).
struct NamedParameter {
  std::vector<std::string> names;
  Parameter* parameter = nullptr;
};
using ParameterList = std::vector<NamedParameter>;

/// The parameters of modules, which list them by collect(list, path), under the paths "0", "1", ... They must outlive
/// what trains them.
template <class... Modules>
ParameterList parameters_of(Modules&... modules) {
  ParameterList list;
  int i = 0;
  (modules.collect(list, std::to_string(i++)), ...);
  return list;
}

/// A view of `whole`, which belongs to a parameter and has as many entries in dimension 0 or can be divided like it,
/// for each published name, `suffix` behind it.
std::vector<NamedTensor> named_ranges(const NamedParameter& named, const Tensor& whole, const std::string& suffix = "");
/// A view for each published name; of int8 weights also one of the scales, [rows, 1], kScaleSuffix behind the name.
std::vector<NamedTensor> named_values(const ParameterList& parameters);
/// The gradients under the published names; zeros where none arrived, dense also for embeddings.
std::vector<NamedTensor> named_gradients(const ParameterList& parameters);
/// Makes parameters trainable, but for those one of whose names has one of `frozen` in it, as a run of whole parts
/// between dots: "encoder.layer.0" is in "bert.encoder.layer.0.output.dense.bias". Throws, before anything changes,
/// where one of them is in no name, or in some names of a parameter that has several and not in all.
void freeze(const ParameterList& parameters, std::span<const std::string> frozen);
inline void freeze(const ParameterList& parameters, std::initializer_list<std::string> frozen) {
  freeze(parameters, std::span(frozen.begin(), frozen.size()));
}
ParameterList trainable(const ParameterList& parameters);
/// Of a parameter that is listed twice once.
std::int64_t count_elements(const ParameterList& parameters);
/// Copies each of `from` into the one of `to` that has its name. Throws, before anything is written, if names, shapes
/// or dtypes differ, and says which.
void copy_by_name(const char* op, std::span<const NamedTensor> to, std::span<const NamedTensor> from);

/// Normal numbers with the given standard deviation; `sequence` tells the parameters of one seed apart.
void init_normal(const Tensor& x, double mean, double deviation, std::uint64_t seed, std::uint32_t sequence);

}  // namespace tk
