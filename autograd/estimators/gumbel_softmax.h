#pragma once

#include "autograd/variable.h"

namespace tk {

/// A sample of the Gumbel-softmax distribution (Jang et al., arXiv 1611.01144; Maddison et al., arXiv 1611.00712):
/// softmax((logits + noise) / temperature) along the last dimension; logits and standard Gumbel noise [rows, classes].
/// With `hard`, the one-hot of its largest entry (the first, on a tie) with the sample's gradient: straight through.
Variable gumbel_softmax(const Variable& logits, const Tensor& noise, double temperature, bool hard);

/// The same with a temperature for each direction (arXiv 2410.13331): the value has the one `forward`, softmax((logits
/// + noise) / forward), the gradient is that of softmax((logits + noise) / backward). forward -> 0 is `hard`.
Variable decoupled_gumbel_softmax(const Variable& logits, const Tensor& noise, double forward, double backward);

/// How far gates are above the step state's skim_threshold: z less that; z of any shape.
Variable gate_margin(const Variable& z, const Tensor& state);

/// The two-class case in its fast form: z = logits[1] - logits[0] [rows] and one logistic number a row. Forward
/// 1 where z + s noise > 0, else 0; backward through sigmoid((z + s noise) / temperature). The temperature and s, the
/// factor of the noise (gate_noise), are the step state's.
Variable gumbel_gate(const Variable& z, const Tensor& noise, const Tensor& state);
/// The same with the noise that the key names, without a tensor of it; the state is the key's.
Variable gumbel_gate(const Variable& z, const DropoutKey& key);

/// The relaxation itself: sigmoid((z + s noise) / temperature), of the step state as above.
Variable soft_gate(const Variable& z, const Tensor& noise, const Tensor& state);

}  // namespace tk
