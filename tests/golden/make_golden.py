#!/usr/bin/env python3
"""Writes the golden values of the dense model, its training, MiniLM, the metrics and a few ops. See README.md.

    python make_golden.py [--minilm DIR --glue DIR] [NAME ...]

NAME is one of the functions below without `make_`; all by default, minilm only where both folders are given.
"""

import argparse
import json
import math
import warnings
from pathlib import Path

import numpy
import scipy.stats
import sklearn.metrics
import torch
from torch.nn import functional
from transformers import AutoTokenizer, BertModel, get_linear_schedule_with_warmup

import common
import reference
from common import HERE, Batch, random_batch, tiny_bert, write, write_model


def gradients(module: torch.nn.Module, prefix: str = "grad.") -> dict[str, torch.Tensor]:
    return {prefix + name: p.grad for name, p in module.named_parameters()}


def make_bert_tiny(_) -> None:
    """Forward and gradients of the tiny classifier by transformers, padded, in float64; stored packed."""
    model = tiny_bert()
    batch = random_batch([3, 17, 8, 12, 5], torch.Generator().manual_seed(2))
    output = model(**batch.padded(), labels=batch.labels, output_hidden_states=True)
    output.loss.backward()
    hidden = torch.stack([batch.unpad(h) for h in output.hidden_states])

    own = reference.Model(dict(model.named_parameters()), layers=3, heads=4)
    traces = [reference.dense_forward(own, batch.ids[s], batch.types[s]) for s in batch.slices]
    torch.testing.assert_close(torch.stack([t.logits for t in traces]), output.logits, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.cat([torch.stack(t.hidden) for t in traces], 1), hidden, rtol=0, atol=1e-12)

    tensors = {"logits": output.logits, "loss": output.loss, "hidden": hidden, **gradients(model)}
    write("bert_tiny.safetensors", tensors | batch.tensors())
    write("bert_tiny_float64.safetensors", tensors | batch.tensors(), torch.float64)
    write_model("bert_tiny_config", dict(model.named_parameters()))


def make_encoder_layer(_) -> None:
    """One BertLayer alone, forward and backward, on sentences of 1, 3, 7 and 17 tokens."""
    layer = tiny_bert(seed=3).bert.encoder.layer[0]
    lengths = [1, 3, 7, 17]
    generator = torch.Generator().manual_seed(4)
    draw = lambda: torch.randn(sum(lengths), 32, generator=generator).double()
    x, dy = draw().requires_grad_(), draw()
    y = torch.cat([layer(rows[None])[0].reshape(-1, 32) for rows in x.split(lengths)])
    y.backward(dy)
    offsets = torch.tensor([0, *lengths]).cumsum(0).int()
    tensors = {"x": x, "y": y, "dy": dy, "dx": x.grad, "offsets": offsets}
    write("encoder_layer.safetensors", tensors | dict(layer.named_parameters()) | gradients(layer))


def make_training(_) -> None:
    """Ten steps as transformers' Trainer takes them: linear schedule, clipping, AdamW; from bert_tiny_config."""
    model = tiny_bert().train()
    plain = lambda name: name.endswith("bias") or "LayerNorm" in name
    named = list(model.named_parameters())
    groups = [
        {"params": [p for n, p in named if not plain(n)], "weight_decay": 0.01},
        {"params": [p for n, p in named if plain(n)], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    schedule = get_linear_schedule_with_warmup(optimizer, num_warmup_steps=2, num_training_steps=10)
    generator = torch.Generator().manual_seed(5)
    losses, norms, rates, tensors = [], [], [], {}
    for step in range(10):
        lengths = torch.randint(3, 18, (4,), generator=generator).tolist()
        batch = random_batch(lengths, generator)
        tensors |= batch.tensors(f"batch.{step}.")
        loss = model(**batch.padded(), labels=batch.labels).loss
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0))
        rates.append(schedule.get_last_lr()[0])
        losses.append(loss.detach())
        optimizer.step(), schedule.step(), optimizer.zero_grad()
    assert max(norms) > 1 and rates[0] == 0
    tensors |= {"losses": torch.stack(losses), "grad_norms": torch.stack(norms), "learning_rates": torch.tensor(rates)}
    write("training.safetensors", tensors | {f"param.{n}": p for n, p in named})


def glue_rows(glue: Path, task: str, count: int) -> list[tuple[str, ...]]:
    """The texts of the first dev rows: tab-separated, no quoting; CoLA has no header, MRPC one."""
    lines = (glue / task / "dev.tsv").read_text(encoding="utf-8-sig").split("\n")
    columns, first = {"CoLA": ([3], 0), "MRPC": ([3, 4], 1)}[task]
    rows = [line.split("\t") for line in lines[first : first + count]]
    return [tuple(row[c] for c in columns) for row in rows]


def make_minilm(options) -> None:
    """all-MiniLM-L6-v2 on the first 16 dev pairs of MRPC and the first 16 dev sentences of CoLA."""
    if not (options.minilm and options.glue):
        print("minilm.safetensors: skipped, needs --minilm and --glue")
        return
    tokenizer = AutoTokenizer.from_pretrained(options.minilm, use_fast=True)
    texts = glue_rows(options.glue, "MRPC", 16) + glue_rows(options.glue, "CoLA", 16)
    encoded = [tokenizer(*text, truncation=True, max_length=128) for text in texts]
    rows = [torch.tensor(e["input_ids"]) for e in encoded]
    types = torch.cat([torch.tensor(e["token_type_ids"]) for e in encoded])
    offsets = torch.tensor([0, *(len(r) for r in rows)]).cumsum(0)
    batch = Batch(torch.cat(rows), types, offsets, torch.zeros(len(rows)))
    model = BertModel.from_pretrained(options.minilm, attn_implementation="eager", dtype=torch.float64).eval()
    with torch.no_grad():
        output = model(**batch.padded())
    mean = torch.stack([output.last_hidden_state[b, :n].mean(0) for b, n in enumerate(batch.lengths)])
    tensors = batch.tensors()
    del tensors["labels"]
    tensors |= {"cls": output.last_hidden_state[:, 0], "pooled": output.pooler_output, "mean": mean}
    write("minilm.safetensors", tensors)


def ignore_warnings(function):
    """Scores of degenerate cases warn, as they should."""

    def quiet(*arguments):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments)

    return quiet


@ignore_warnings
def classification_case(name: str, predictions, labels) -> dict:
    predictions, labels = [int(p) for p in predictions], [int(t) for t in labels]
    case = {"name": name, "predictions": predictions, "labels": labels}
    case["matthews_correlation"] = float(sklearn.metrics.matthews_corrcoef(labels, predictions))
    case["accuracy"] = float(sklearn.metrics.accuracy_score(labels, predictions))
    if set(predictions) | set(labels) <= {0, 1}:
        case["f1"] = float(sklearn.metrics.f1_score(labels, predictions, zero_division=0.0))
    return case


@ignore_warnings
def regression_case(name: str, predictions, labels) -> dict:
    predictions, labels = [float(p) for p in predictions], [float(t) for t in labels]
    value = lambda r: None if math.isnan(r) else float(r)
    pearson = value(scipy.stats.pearsonr(predictions, labels).statistic)
    spearman = value(scipy.stats.spearmanr(predictions, labels).statistic)
    return {"name": name, "predictions": predictions, "labels": labels, "pearson": pearson, "spearmanr": spearman}


def make_metrics(_) -> None:
    """Scores by scikit-learn and SciPy, to compare to 1e-12; null where the library says NaN."""
    rng = numpy.random.default_rng(6)
    binary = lambda n, p: (rng.random(n) < p).astype(int)
    noisy = lambda labels, share: numpy.where(rng.random(len(labels)) < share, 1 - labels, labels)
    cases = [classification_case("spec", [1, 1, 1, 0, 0, 0, 1, 0], [1, 0, 1, 0, 1, 0, 1, 1])]
    for n, p, share in [(1, 0.5, 0.0), (7, 0.5, 0.3), (100, 0.3, 0.2), (277, 0.53, 0.4), (1043, 0.69, 0.25)]:
        labels = binary(n, p)
        cases.append(classification_case(f"binary, {n} rows", noisy(labels, share), labels))
    labels = binary(50, 0.4)
    cases.append(classification_case("perfect", labels, labels))
    cases.append(classification_case("inverted", 1 - labels, labels))
    cases.append(classification_case("constant prediction 1", numpy.ones(50), labels))
    cases.append(classification_case("constant prediction 0", numpy.zeros(50), labels))
    cases.append(classification_case("constant truth", labels, numpy.zeros(50)))
    cases.append(classification_case("both constant", numpy.zeros(5), numpy.zeros(5)))
    for n in (20, 300):
        labels = rng.integers(0, 3, n)
        guess = numpy.where(rng.random(n) < 0.3, rng.integers(0, 3, n), labels)
        cases.append(classification_case(f"three classes, {n} rows", guess, labels))

    cases.append(regression_case("spec regression", [0.5, 1.2, 3.3, 4.9, 2.0], [0, 1.5, 3, 5, 2.5]))
    for n, digits, noise in [(3, 3, 1.0), (40, 3, 1.0), (200, 1, 2.0), (1500, 2, 0.7)]:
        labels = numpy.round(rng.random(n) * 5, digits - 1)  # rounding makes ties
        guess = numpy.round(labels + noise * rng.normal(size=n), digits)
        cases.append(regression_case(f"regression, {n} rows, {len(set(labels))} distinct labels", guess, labels))
    labels = rng.normal(size=30)
    cases.append(regression_case("far from zero", 1e6 + labels, labels + 0.1 * rng.normal(size=30)))
    cases.append(regression_case("negative", -labels, labels**3))
    cases.append(regression_case("constant prediction", numpy.full(6, 2.5), rng.random(6)))
    path = HERE / "metrics.json"
    path.write_text(json.dumps({"cases": cases}) + "\n")
    print(f"metrics.json: {len(cases)} cases, {path.stat().st_size / 1000:.0f} kB")


def make_ops(_) -> None:
    """A few ops alone, forward and backward, in float64."""
    generator = torch.Generator().manual_seed(7)
    draw = lambda *shape, scale=1.0: (scale * torch.randn(shape, generator=generator)).double().requires_grad_()
    tensors = {}

    def record(op: str, inputs: dict, y: torch.Tensor) -> None:
        dy = draw(*y.shape).detach() if y.dim() else torch.ones_like(y)
        grads = torch.autograd.grad(y, [t for t in inputs.values() if t.requires_grad], dy)
        names = [k for k, t in inputs.items() if t.requires_grad]
        tensors.update({f"{op}.{k}": t for k, t in inputs.items()} | {f"{op}.y": y, f"{op}.dy": dy})
        tensors.update({f"{op}.d{k}": g for k, g in zip(names, grads)})

    x = draw(5, 33, scale=3.0)
    record("softmax", {"x": x}, functional.softmax(x, -1))
    record("log_softmax", {"x": x}, functional.log_softmax(x, -1))
    x = draw(9, 17, scale=2.0)
    record("gelu", {"x": x}, functional.gelu(x))
    x, weight, bias = draw(6, 40), draw(40), draw(40)
    record("layer_norm", {"x": x, "weight": weight, "bias": bias}, functional.layer_norm(x, (40,), weight, bias, 1e-12))
    x, labels = draw(7, 3, scale=2.0), torch.randint(0, 3, (7,), generator=generator).int()
    record("cross_entropy", {"x": x, "labels": labels}, functional.cross_entropy(x, labels.long()))
    x, target = draw(8), draw(8).detach()
    record("mse", {"x": x, "target": target}, functional.mse_loss(x, target))
    x, teacher = draw(7, 3, scale=2.0), draw(7, 3, scale=2.0).detach()
    soft = lambda t: functional.log_softmax(t / 2, -1)
    kl = 4 * functional.kl_div(soft(x), soft(teacher), reduction="batchmean", log_target=True)
    record("distillation", {"x": x, "teacher": teacher}, kl)

    # Attention over weighted keys: weights 0 and 1 as a skim mask has them, then any weight >= 0; in the third case
    # scores are so large that skimmed keys pass the exponent's limit.
    mask = [1.0, 0, 1, 1, 0, 1, 0]
    split = lambda t: t.unflatten(-1, (4, -1)).transpose(0, 1)  # [n, heads * d_h] -> [heads, n, d_h]
    for name, scale, weights in [("mask", 1, mask), ("count", 1, [1.0, 3, 0.25, 0, 2, 0, 1]), ("clamp", 6, mask)]:
        q, k, v = draw(5, 32, scale=scale), draw(7, 32, scale=scale), draw(7, 32)
        weight = torch.tensor(weights).double().requires_grad_()
        y, largest = reference.weighted_attention(split(q), split(k), split(v), weight)
        assert (largest > reference.MASK_EXPONENT_LIMIT) == (name == "clamp")
        if name != "clamp":
            heads = [split(t).detach() for t in (q, k, v)]
            assert torch.autograd.gradcheck(lambda w: reference.weighted_attention(*heads, w)[0], weight)
        record(f"attention_{name}", {"q": q, "k": k, "v": v, "weight": weight}, y.transpose(0, 1).flatten(1))
    write("ops.safetensors", tensors)


def main() -> None:
    makers = {name[5:]: f for name, f in globals().items() if name.startswith("make_")}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minilm", type=Path, help="a folder that scripts/fetch_minilm.sh wrote")
    parser.add_argument("--glue", type=Path, help="the folder that holds CoLA/ and MRPC/")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(makers))
    options = parser.parse_args()
    if unknown := set(options.names) - makers.keys():
        parser.error(f"unknown {', '.join(sorted(unknown))}; known: {', '.join(makers)}")
    for name in options.names or makers:
        makers[name](options)


if __name__ == "__main__":
    main()
