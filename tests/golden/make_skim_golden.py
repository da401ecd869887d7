#!/usr/bin/env python3
"""Writes the golden values of the skimmed models: skim_layer, skim_layer_paper, skim_staged and skim_staged_cls. See
README.md.

    python make_skim_golden.py
"""

import torch
from torch import Tensor
from torch.nn import functional

import common
import reference
from common import Batch, random_batch, tiny_bert, write, write_model
from reference import Model, Widths

LAYERS, HEADS, HIDDEN = 3, 4, 32
COST_WEIGHT, SHARE_WEIGHT = 0.7, 0.5
MARGIN = 1e-3  # no gate of a golden case is closer to its threshold: float32 must not flip one
SKIM_QUANTILE = 0.3


def add_predictors(model: Model, count: int, width: int, outputs: int, generator: torch.Generator) -> None:
    shapes = {"0": (HIDDEN,), "1": (width, HIDDEN), "2": (width,), "4": (outputs, width)}
    new = {}
    for i in range(count):
        for part, shape in shapes.items():
            name = f"bert.encoder.skim_predictors.{i}.predictor.{part}"
            new[f"{name}.weight"] = torch.empty(shape, dtype=torch.float64)
            new[f"{name}.bias"] = torch.empty(shape[0], dtype=torch.float64)
    common.randomise(new, generator)
    for name, parameter in new.items():
        if name.endswith("4.weight"):
            parameter.mul_(2)
    model.parameters |= {name: parameter.requires_grad_() for name, parameter in new.items()}


def balance_gates(model: Model, batch: Batch, forward, count: int) -> None:
    """Sets the last biases, layer by layer, so that every gate is below zero for about 30 % of the rows."""
    with torch.no_grad():
        for i in range(count):
            bias = model.parameters[f"bert.encoder.skim_predictors.{i}.predictor.4.bias"]
            traces = [forward(batch.ids[s], batch.types[s]) for s in batch.slices]
            z = torch.cat([t.gate_logits[i][model.cls == "kept" :] for t in traces])
            shift = z.quantile(SKIM_QUANTILE, 0).float().double()
            if z.dim() == 1:  # z = s[1] - s[0]
                bias += torch.stack([shift / 2, -shift / 2]).float().double()
            else:
                bias -= shift
            bias.copy_(bias.float())


def skim_model(batch: Batch, seed: int, gate: str, width: int, mode: str, cls: str) -> Model:
    model = Model(dict(tiny_bert(seed).named_parameters()), LAYERS, HEADS, cls=cls)
    count, outputs = (LAYERS, 2) if gate == "layer" else (LAYERS - 1, 3)
    add_predictors(model, count, width, outputs, torch.Generator().manual_seed(seed + 100))
    balance_gates(model, batch, lambda ids, types: evaluate(model, ids, types, gate, mode), count)
    return model


def evaluate(model: Model, ids: Tensor, types: Tensor, gate: str, mode: str = "exact") -> reference.Trace:
    """As the model is evaluated: rows dropped; a model of paper mode is evaluated masked."""
    if mode == "paper":
        return reference.layer_gate_masked(model, ids, types, torch.zeros(LAYERS, len(ids)), mode)
    return (reference.layer_gate_dropped if gate == "layer" else reference.staged_dropped)(model, ids, types)


def train(model: Model, ids: Tensor, types: Tensor, noise: Tensor, gate: str, mode: str = "exact") -> reference.Trace:
    if gate == "layer":
        return reference.layer_gate_masked(model, ids, types, noise, mode)
    return reference.staged_masked(model, ids, types, noise)


def logistic(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard logistic noise log u - log(1 - u), float32 numbers in float64."""
    u = torch.rand(shape, generator=generator, dtype=torch.float64).clamp(1e-6, 1 - 1e-6)
    return (u.log() - torch.log1p(-u)).float().double()


def gather(traces: list[reference.Trace], name: str) -> Tensor:
    """[layers, rows, ...] over all sentences from the traces' [layers, n, ...]."""
    parts = [getattr(t, name) for t in traces]
    return torch.cat([torch.stack(p) if isinstance(p, list) else p for p in parts], 1)


def mask_tensors(traces: list[reference.Trace], gate: str, prefix: str = "") -> dict[str, Tensor]:
    sets = ["keys"] if gate == "layer" else ["keys", "updated", "fed"]
    tensors = {f"{prefix}gate_logits": gather(traces, "gate_logits")}
    for name in sets:
        tensors[f"{prefix}{name}"] = gather(traces, name) > 0.5
        counts = torch.stack([getattr(t, name).sum(1) for t in traces], 1)
        tensors[f"{prefix}{name}_count"] = counts.round().int()
    return tensors


def macs(traces: list[reference.Trace], widths: Widths, gate: str) -> Tensor:
    """[sentences], differentiable in the masks."""
    if gate == "layer":
        return torch.stack([reference.layer_gate_macs(widths, t.keys) for t in traces])
    return torch.stack([reference.staged_macs(widths, t) for t in traces])


def check_gates(traces: list[reference.Trace], noise: Tensor, gate: str) -> None:
    """Every gate fires both ways among the rows it can decide, none is near its threshold, about half is gone."""
    z = gather(traces, "gate_logits") + noise
    lengths = [t.keys.shape[1] for t in traces]
    is_cls = torch.cat([torch.arange(n) == 0 for n in lengths])
    assert z[:, ~is_cls].abs().min() > MARGIN, "a gate is too close to its threshold"
    keys = gather(traces, "keys") > 0.5
    for i in range(len(z)):
        before = torch.ones_like(keys[0]) if i == 0 and gate == "layer" else keys[i - 1 if gate == "layer" else i]
        open_gates = (z[i] > 0)[before & ~is_cls].reshape(-1, *z.shape[2:])
        share = open_gates.double().mean(0)
        assert ((share > 0.05) & (share < 0.95)).all(), f"gate of layer {i} does not mix: {share}"
    left = keys[-1][~is_cls].double().mean()
    assert 0.15 < left < 0.75, f"{left:.2f} of the rows are left"


def check_free_cls(traces: list[reference.Trace], noise: Tensor) -> None:
    """[CLS] is in U and F of each layer in some sentences and not in others; no gate is near its threshold. noise
    [layers - 1, sentences, 3]."""
    z = torch.stack([torch.stack([of_rows[0] for of_rows in t.gate_logits]) for t in traces], 1) + noise
    assert z[:, :, 1:].abs().min() > MARGIN, "a gate of [CLS] is too close to its threshold"
    for i in range(LAYERS - 1):
        for name in ("updated", "fed") if i > 0 else ("fed",):
            share = torch.stack([getattr(t, name)[i, 0] for t in traces]).mean()
            assert 0 < share < 1, f"{name} of layer {i} has all [CLS] or none"


def check_masks_equal_drops(model: Model, batch: Batch, gate: str) -> None:
    """The masked forward pass without noise computes what dropping rows computes."""
    steps = (LAYERS,) if gate == "layer" else (LAYERS - 1, 3)
    for s in batch.slices:
        ids, types = batch.ids[s], batch.types[s]
        noise = torch.zeros((steps[0], len(ids), *steps[1:]), dtype=torch.float64)
        masked, dropped = train(model, ids, types, noise, gate), evaluate(model, ids, types, gate)
        for name in ("logits", "keys", "updated", "fed"):
            torch.testing.assert_close(getattr(masked, name), getattr(dropped, name), rtol=0, atol=1e-10)
        if gate == "layer":
            torch.testing.assert_close(masked.final, dropped.final, rtol=0, atol=1e-10)


def check_published_graph(model: Model, batch: Batch, noise: Tensor, logits: Tensor) -> None:
    """Paper mode on a batch of sentences of equal length, as the published code arranges it: [batch, length, d] tensors
    and a Gumbel-softmax over two classes whose difference of noises is the given logistic."""
    n, size = batch.lengths[0], len(batch.lengths)
    shape = lambda t: t.reshape(size, n, *t.shape[1:])
    p = model.parameters
    table = lambda name: p[f"bert.embeddings.{name}_embeddings.weight"]
    h = table("word")[shape(batch.ids)] + table("token_type")[shape(batch.types)] + table("position")[:n]
    h = model.layer_norm("bert.embeddings.LayerNorm", h)
    mask = torch.ones(size, n, dtype=h.dtype)
    for i in range(LAYERS):
        s = reference.predict(model, i, h[:, 1:])
        gumbel = torch.stack([torch.zeros_like(s[..., 0]), shape(noise[i])[:, 1:]], -1)
        soft = torch.softmax(s + gumbel, -1)
        hard = functional.one_hot(soft.argmax(-1), 2) - soft.detach() + soft
        mask = torch.cat([torch.ones(size, 1, dtype=h.dtype), hard[..., 1]], 1) * mask
        name = f"bert.encoder.layer.{i}.attention"
        split = lambda y: y.unflatten(-1, (HEADS, -1)).transpose(1, 2)
        q, k, v = (split(model.linear(f"{name}.self.{part}", h)) for part in ("query", "key", "value"))
        probabilities = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -1) * mask[:, None, None, :]
        context = (probabilities @ v).transpose(1, 2).flatten(2)
        y = model.layer_norm(f"{name}.output.LayerNorm", h + model.linear(f"{name}.output.dense", context))
        h = reference.output_norm(model, i, y + reference.feed_forward(model, i, y))
    other = reference.classify(model, h[:, 0])
    torch.testing.assert_close(other, logits, rtol=0, atol=1e-10)
    weights = torch.arange(1.0, logits.numel() + 1).double().reshape(logits.shape)
    compare = [torch.autograd.grad((y * weights).sum(), list(p.values()), retain_graph=True) for y in (other, logits)]
    for name, a, b in zip(p, *compare):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, msg=lambda text: f"{name}: {text}")


def make(
    file: str, batch: Batch, seed: int, gate: str, width: int, mode: str = "exact", cls: str = "kept"
) -> None:
    model = skim_model(batch, seed, gate, width, mode, cls)
    parameters, widths = model.parameters, Widths(HIDDEN, 64, width, 3, unasked=int(cls == "kept"))
    generator = torch.Generator().manual_seed(seed + 200)
    rows = len(batch.ids)
    noise = logistic((LAYERS, rows) if gate == "layer" else (LAYERS - 1, rows, 3), generator)

    traces = [train(model, batch.ids[s], batch.types[s], noise[:, s], gate, mode) for s in batch.slices]
    check_gates(traces, noise, gate)
    if cls == "free":
        check_free_cls(traces, noise[:, batch.offsets[:-1]])
    logits = torch.stack([t.logits for t in traces])
    task_loss = functional.cross_entropy(logits, batch.labels)
    dense = torch.tensor([reference.dense_macs(widths, LAYERS, n) for n in batch.lengths])
    kept = macs(traces, widths, gate)
    cost = kept.sum() / dense.sum()
    tensors = batch.tensors() | {"noise": noise, "logits": logits, "hidden": gather(traces, "hidden")}
    tensors |= mask_tensors(traces, gate)
    tensors |= {"task_loss": task_loss, "cost": cost, "macs": kept.round().long(), "dense_macs": dense}
    objectives = {"budget": task_loss + COST_WEIGHT * cost}
    if gate == "layer":
        share = gather(traces, "keys").mean()
        tensors |= {"skim_loss": share, "final": torch.cat([t.final for t in traces])}
        objectives["share"] = task_loss + SHARE_WEIGHT * share
    for name, loss in objectives.items():
        gradients = torch.autograd.grad(loss, list(parameters.values()), retain_graph=True)
        tensors[f"{name}.loss"] = loss
        tensors |= {f"{name}.grad.{parameter}": gradient for parameter, gradient in zip(parameters, gradients)}

    with torch.no_grad():
        decided = [evaluate(model, batch.ids[s], batch.types[s], gate, mode) for s in batch.slices]
    if cls == "free":
        check_free_cls(decided, torch.zeros(()))
    if mode == "exact":
        check_masks_equal_drops(model, batch, gate)
        largest = max(e for t in traces for e in t.exponents)
        assert largest < reference.MASK_EXPONENT_LIMIT, "the exponent's limit must not be active here"
        print(f"{file}: largest exponent of a skimmed key {largest:.2f}")
    else:
        check_published_graph(model, batch, noise, logits)
    evaluation = evaluation_tensors(decided, batch, gate, widths, mode)
    write(f"{file}.safetensors", tensors | evaluation)
    named = {"skim_gate": "staged"} if gate == "staged" else {}
    write_model(f"{file}_config", parameters, named | ({"skim_cls": cls} if cls == "free" else {}))
    print_summary(file, traces, decided, cost)


def evaluation_tensors(
    traces: list[reference.Trace], batch: Batch, gate: str, widths: Widths, mode: str
) -> dict[str, Tensor]:
    logits = torch.stack([t.logits for t in traces])
    tensors = {"eval.logits": logits, "eval.loss": functional.cross_entropy(logits, batch.labels)}
    tensors["eval.macs"] = macs(traces, widths, gate).round().long()
    if mode == "paper":  # every row is computed, gates are never forced, so logits of dropped rows exist too
        return tensors | mask_tensors(traces, gate, "eval.")
    if gate == "layer":
        executed = [reference.layer_gate_macs_executed(widths, t.keys) for t in traces]
        tensors |= {"eval.final": torch.cat([t.final for t in traces]), "eval.macs_executed": torch.tensor(executed)}
    scattered = [scatter_gate_logits(t, gate) for t in traces]
    return tensors | mask_tensors(scattered, gate, "eval.")


def scatter_gate_logits(trace: reference.Trace, gate: str) -> reference.Trace:
    """Puts each layer's logits, of the rows that were still there, back on the original rows; gone rows get 0."""
    n, full = trace.keys.shape[1], []
    for i, z in enumerate(trace.gate_logits):
        entered = torch.ones(n) if gate == "layer" and i == 0 else trace.keys[i - 1 if gate == "layer" else i]
        full.append(z.new_zeros(n, *z.shape[1:]).index_copy(0, entered.nonzero()[:, 0], z))
    trace.gate_logits = full
    return trace


def print_summary(file: str, traces: list[reference.Trace], decided: list[reference.Trace], cost: Tensor) -> None:
    count = lambda some, name: [int(sum(getattr(t, name)[i].sum() for t in some)) for i in range(LAYERS)]
    for title, some in (("training", traces), ("evaluation", decided)):
        text = ", ".join(f"{name} {count(some, name)}" for name in ("keys", "updated", "fed"))
        print(f"{file}: {title}, rows a layer of {sum(t.keys.shape[1] for t in some)}: {text}")
    print(f"{file}: cost {cost.item():.4f}")


def main() -> None:
    mixed = random_batch([3, 17, 8, 12, 5, 9], torch.Generator().manual_seed(11))
    equal = random_batch([9, 9, 9, 9], torch.Generator().manual_seed(12))
    make("skim_layer", mixed, 21, "layer", width=HIDDEN // 4)
    make("skim_layer_paper", equal, 22, "layer", width=HIDDEN, mode="paper")
    make("skim_staged", mixed, 23, "staged", width=HIDDEN // 4)
    make("skim_staged_cls", mixed, 28, "staged", width=HIDDEN // 4, cls="free")


if __name__ == "__main__":
    main()
