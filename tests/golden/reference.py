"""Transkimmer in plain PyTorch: the oracle that the C++ library is compared with. Slow and literal on purpose.

Everything works on one sentence at a time (a [n, d] matrix, row 0 is [CLS]), so that no result can depend on another
sentence of the batch and nothing is ever padded. Parameters are a dict of tensors under their published names.

Two gates (Guan et al., "Transkimmer: Transformer Learns to Layer-wise Skim", ACL 2022, arXiv 2205.07324):
  layer   the published gate: before layer i a row is kept or dropped for good.
  staged  a row loses first its feed-forward, then its update, then its key and value: three nested row sets a layer,
          R (read as keys), U (updated), F (through the feed-forward).
There [CLS] always stays in R; `Model.cls` says whether it passes the other gates, too ("kept"), or they decide on it as
on any row ("free").
Two ways a mask enters the attention:
  exact   P_jk = m_k exp(S_jk) / sum_k' m_k' exp(S_jk'); equal to physically dropping the rows with m = 0.
  paper   P_jk = m_k softmax(S_j)_k, not renormalised: the published training graph.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

PREDICTOR_EPS = 1e-5  # the predictor's layer norms are nn.LayerNorm's default, unlike BERT's own 1e-12
MASK_EXPONENT_LIMIT = 30.0


@dataclass
class Model:
    """Parameters by published name and the few numbers that the shapes do not tell."""

    parameters: dict[str, Tensor]
    layers: int
    heads: int
    eps: float = 1e-12
    cls: str = "kept"

    def linear(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(x, self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"])

    def layer_norm(self, name: str, x: Tensor, eps: float | None = None) -> Tensor:
        weight, bias = self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"]
        return functional.layer_norm(x, weight.shape, weight, bias, self.eps if eps is None else eps)


@dataclass
class Trace:
    """What one sentence's forward pass leaves behind. Masks are [layers, n]; the layer gate has one: R = U = F."""

    logits: Tensor
    hidden: list[Tensor]  # h^0 .. h^L, [n, d] each
    gate_logits: list[Tensor]  # layer: z [n] a layer; staged: [n, 3] a layer but the last
    keys: Tensor  # R
    updated: Tensor  # U
    fed: Tensor  # F
    final: Tensor | None = None  # [n, d]: the last state of every row, skimmed rows forwarded (layer gate only)
    exponents: list[float] = field(default_factory=list)  # largest score - max of a skimmed key, a layer


class Gate(torch.autograd.Function):
    """hard(sigmoid(z + noise) > 1/2), backward through the sigmoid: straight-through Gumbel-softmax of two classes."""

    @staticmethod
    def forward(ctx, z, noise):
        soft = torch.sigmoid(z + noise)
        ctx.save_for_backward(soft)
        return (soft > 0.5).to(z.dtype)

    @staticmethod
    def backward(ctx, grad):
        (soft,) = ctx.saved_tensors
        return grad * soft * (1 - soft), None


def sampled_gate(z: Tensor, noise: Tensor, cls: str = "kept") -> Tensor:
    """One 0/1 gate for each row of z [n] or [n, k]. Row 0, [CLS], passes without a gradient: all gates, or, if it is
    free, the first of the k."""
    gate = Gate.apply(z, noise)
    passed = torch.cat([torch.ones_like(gate[:1]), gate[1:]])
    return passed if cls == "kept" else torch.cat([passed[:, :1], gate[:, 1:]], 1)


def embed(model: Model, ids: Tensor, types: Tensor) -> Tensor:
    table = lambda name: model.parameters[f"bert.embeddings.{name}_embeddings.weight"]
    x = table("word")[ids] + table("position")[: len(ids)] + table("token_type")[types]
    return model.layer_norm("bert.embeddings.LayerNorm", x)


def weighted_attention(q: Tensor, k: Tensor, v: Tensor, weight: Tensor, mode: str = "exact") -> tuple[Tensor, float]:
    """softmax(q k^T / sqrt(d_h)) v for each head, keys weighted: q [h, n, d_h], k, v [h, m, d_h], weight [m] >= 0.

    Also returns the largest exponent of a key with weight 0 (-inf if there is none).
    """
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    if mode == "paper":
        return (torch.softmax(scores, -1) * weight) @ v, -torch.inf
    kept = weight > 0
    # The maximum over the kept keys only shifts exponents: it cancels, also in the derivative.
    maximum = scores.masked_fill(~kept, -torch.inf).amax(-1, keepdim=True).detach()
    exponent = scores - maximum
    # Kept keys have exponents <= 0. Where weight is 0 the limit touches the derivative with respect to weight alone:
    # forward and the scores' gradient carry the factor 0.
    numerator = weight * torch.exp(exponent.clamp(max=MASK_EXPONENT_LIMIT))
    skimmed = exponent.detach()[..., ~kept]
    largest = skimmed.max().item() if skimmed.numel() else -torch.inf
    return (numerator / numerator.sum(-1, keepdim=True)) @ v, largest


def attention_block(model: Model, i: int, x: Tensor, keys: Tensor, mode: str = "exact", queries: Tensor | None = None):
    """LN1(x + attention) for the rows `queries` (all if None) of x [n, d] over keys weighted by `keys` [n]."""
    name = f"bert.encoder.layer.{i}.attention"
    rows = x if queries is None else x[queries]
    split = lambda y: y.unflatten(-1, (model.heads, -1)).transpose(0, 1)
    q = split(model.linear(f"{name}.self.query", rows))
    k, v = (split(model.linear(f"{name}.self.{part}", x)) for part in ("key", "value"))
    context, largest = weighted_attention(q, k, v, keys, mode)
    projected = model.linear(f"{name}.output.dense", context.transpose(0, 1).flatten(1))
    return model.layer_norm(f"{name}.output.LayerNorm", rows + projected), largest


def feed_forward(model: Model, i: int, y: Tensor) -> Tensor:
    """W_2 GELU(W_1 y + b_1) + b_2, without the residual; GELU is the exact erf form."""
    name = f"bert.encoder.layer.{i}"
    return model.linear(f"{name}.output.dense", functional.gelu(model.linear(f"{name}.intermediate.dense", y)))


def output_norm(model: Model, i: int, y: Tensor) -> Tensor:
    return model.layer_norm(f"bert.encoder.layer.{i}.output.LayerNorm", y)


def predict(model: Model, i: int, x: Tensor) -> Tensor:
    """W_2 GELU(LN_2(W_1 LN_1(x) + b_1)) + b_2: [n, 2] for the published gate, [n, 3] for the staged one."""
    name = f"bert.encoder.skim_predictors.{i}.predictor"
    hidden = model.linear(f"{name}.1", model.layer_norm(f"{name}.0", x, PREDICTOR_EPS))
    return model.linear(f"{name}.4", functional.gelu(model.layer_norm(f"{name}.2", hidden, PREDICTOR_EPS)))


def keep_logit(model: Model, i: int, x: Tensor) -> Tensor:
    s = predict(model, i, x)
    return s[:, 1] - s[:, 0]


def classify(model: Model, cls: Tensor) -> Tensor:
    return model.linear("classifier", torch.tanh(model.linear("bert.pooler.dense", cls)))


def dense_forward(model: Model, ids: Tensor, types: Tensor) -> Trace:
    """Plain BERT, every row of every layer."""
    x = embed(model, ids, types)
    ones = torch.ones(len(ids), dtype=x.dtype)
    hidden = [x]
    for i in range(model.layers):
        y, _ = attention_block(model, i, x, ones)
        x = output_norm(model, i, y + feed_forward(model, i, y))
        hidden.append(x)
    masks = ones.expand(model.layers, -1)
    return Trace(classify(model, x[0]), hidden, [], masks, masks, masks, final=x)


def layer_gate_masked(model: Model, ids: Tensor, types: Tensor, noise: Tensor, mode: str = "exact") -> Trace:
    """The published gate with masks; noise [layers, n], zeros for the deterministic argmax. All rows are computed."""
    x = embed(model, ids, types)
    final, mask = x, torch.ones(len(ids), dtype=x.dtype)
    hidden, gate_logits, masks, exponents = [x], [], [], []
    for i in range(model.layers):
        z = keep_logit(model, i, x)
        mask = sampled_gate(z, noise[i]) * mask  # a skimmed row never returns
        y, largest = attention_block(model, i, x, mask, mode)
        x = output_norm(model, i, y + feed_forward(model, i, y))
        final = final * (1 - mask[:, None]) + x * mask[:, None]
        hidden.append(x), gate_logits.append(z), masks.append(mask), exponents.append(largest)
    masks = torch.stack(masks)
    return Trace(classify(model, final[0]), hidden, gate_logits, masks, masks, masks, final, exponents)


def staged_masked(model: Model, ids: Tensor, types: Tensor, noise: Tensor) -> Trace:
    """The staged gate with masks; noise [layers - 1, n, 3], zeros for the deterministic gates. All rows are computed.

    x <- x + u (x_new - x) with x_new = LN2(y_new + f FFN(y_new)), y_new = LN1(x + attention): what the row would become
    if it were updated, also where u = 0, so that the derivative in u sees it. The predictor reads the state that the
    row really has, y = x + u (y_new - x).
    """
    x = embed(model, ids, types)
    cls = functional.one_hot(torch.tensor(0), len(ids)).to(x.dtype)
    r = u = torch.ones(len(ids), dtype=x.dtype)
    hidden, gate_logits, keys, updated, fed, exponents = [x], [], [], [], [], []
    for j in range(model.layers):
        last = j == model.layers - 1
        if last:
            u = f = cls  # the classifier reads [CLS] alone
        y_new, largest = attention_block(model, j, x, r)
        next_r = next_u = None
        if not last:
            y = x + u[:, None] * (y_new - x)
            z = predict(model, j, y)
            gates = sampled_gate(z, noise[j], model.cls)
            next_r = r * gates[:, 0]
            next_u = next_r * gates[:, 1]
            f = u * next_r * gates[:, 2]
            gate_logits.append(z)
        x_new = output_norm(model, j, y_new + f[:, None] * feed_forward(model, j, y_new))
        x = x + u[:, None] * (x_new - x)
        hidden.append(x), keys.append(r), updated.append(u), fed.append(f), exponents.append(largest)
        r, u = next_r, next_u
    sets = (torch.stack(s) for s in (keys, updated, fed))
    return Trace(classify(model, x[0]), hidden, gate_logits, *sets, exponents=exponents)


def layer_gate_dropped(model: Model, ids: Tensor, types: Tensor) -> Trace:
    """The published gate in evaluation: argmax, and the rows that lose are physically gone from then on."""
    x = embed(model, ids, types)
    final, alive = x.clone(), torch.arange(len(ids))
    gate_logits, masks = [], []
    for i in range(model.layers):
        z = keep_logit(model, i, x)
        keep = z > 0
        keep[0] = True
        x, alive = x[keep], alive[keep]
        y, _ = attention_block(model, i, x, torch.ones(len(x), dtype=x.dtype))
        x = output_norm(model, i, y + feed_forward(model, i, y))
        final[alive] = x
        gate_logits.append(z), masks.append(torch.zeros(len(ids), dtype=x.dtype).index_fill(0, alive, 1.0))
    masks = torch.stack(masks)
    return Trace(classify(model, final[0]), [], gate_logits, masks, masks, masks, final)


def staged_dropped(model: Model, ids: Tensor, types: Tensor) -> Trace:
    """The staged gate in evaluation: rows outside R are physically gone, rows outside U and F are not computed."""
    n = len(ids)
    x = embed(model, ids, types)
    rows = torch.arange(n)  # R, as original rows
    update = torch.ones(n, dtype=torch.bool)  # U, as a mask over R
    gate_logits, keys, updated, fed = [], [], [], []
    mark = lambda some: torch.zeros(n, dtype=x.dtype).index_fill(0, some, 1.0)
    for j in range(model.layers):
        last = j == model.layers - 1
        if last:
            update = torch.arange(len(rows)) == 0
        y = x.clone()
        y[update], _ = attention_block(model, j, x, torch.ones(len(x), dtype=x.dtype), queries=update)
        gates = torch.ones(len(rows), 3, dtype=torch.bool)
        if not last:
            z = predict(model, j, y)
            gates = z > 0
            gates[0, : 3 if model.cls == "kept" else 1] = True
            gate_logits.append(z)
        feed = update & gates[:, 0] & gates[:, 2]
        keys.append(mark(rows)), updated.append(mark(rows[update])), fed.append(mark(rows[feed]))
        x = y.clone()
        x[feed] = x[feed] + feed_forward(model, j, y[feed])
        x[update] = output_norm(model, j, x[update])
        rows, x, update = rows[gates[:, 0]], x[gates[:, 0]], gates[gates[:, 0], 1]
    return Trace(classify(model, x[0]), [], gate_logits, *(torch.stack(s) for s in (keys, updated, fed)))


@dataclass
class Widths:
    """The sizes that multiply-accumulate counts need: hidden, feed-forward, predictor, classes, and how many rows of a
    sentence the staged gate's predictors are not asked for."""

    d: int
    f: int
    w: int
    classes: int
    unasked: int = 1

    def head(self) -> int:
        return self.d * self.d + self.d * self.classes


def dense_macs(widths: Widths, layers: int, n: int) -> int:
    """An unpadded dense BERT that computes every row of every layer, pooler and classifier included."""
    d, f = widths.d, widths.f
    return layers * (n * (4 * d * d + 2 * d * f) + 2 * d * n * n) + widths.head()


def layer_gate_macs(widths: Widths, masks: Tensor) -> Tensor:
    """sum_i (n_{i-1} - 1)(d w + 2 w) + n_i (4 d^2 + 2 d f) + 2 d n_i^2, + head; masks [layers, n], differentiable."""
    d, f, w = widths.d, widths.f, widths.w
    total, before = masks.new_tensor(float(widths.head())), masks.new_tensor(float(masks.shape[1]))
    for mask in masks:
        kept = mask.sum()
        total = total + (before - 1) * (d * w + 2 * w) + kept * (4 * d * d + 2 * d * f) + 2 * d * kept * kept
        before = kept
    return total


def staged_macs(widths: Widths, trace: Trace) -> Tensor:
    """sum_j 2 d^2 (|R| + |U|) + 2 d |U| |R| + 2 d f |F| + [j < L - 1] (|R| - unasked)(d w + 3 w), + head; differentiable."""
    d, f, w = widths.d, widths.f, widths.w
    total = trace.keys.new_tensor(float(widths.head()))
    for j, sets in enumerate(zip(trace.keys, trace.updated, trace.fed)):
        r, u, fed = (s.sum() for s in sets)
        total = total + 2 * d * d * (r + u) + 2 * d * u * r + 2 * d * f * fed
        if j < len(trace.keys) - 1:
            total = total + (r - widths.unasked) * (d * w + 3 * w)
    return total


def layer_gate_macs_executed(widths: Widths, masks: Tensor) -> int:
    """What evaluation executes if the last layer updates only [CLS]: keys and values for all kept rows there."""
    d, f = widths.d, widths.f
    last = int(masks[-1].sum())
    saved = (last - 1) * (2 * d * d + 2 * d * f) + 2 * d * last * (last - 1)
    return round(layer_gate_macs(widths, masks).item()) - saved
