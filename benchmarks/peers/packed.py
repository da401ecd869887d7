#!/usr/bin/env python3
"""The best PyTorch that we can write for BERT on a GPU: packed batches without padding, varlen flash attention, compiled,
one CUDA graph for each bucket of shapes, bfloat16 (autocast in training, bfloat16 weights in inference), fused AdamW.

    packed.py --model_name_or_path DIR --data_dir GLUE --cases sst2 mrpc [--train] [--max_samples N] ...
    packed.py --model_name_or_path DIR --cases 1x128 32x128 [--train]     # batch x length, random sentences of one length

Training is forward with dropout (attention's probabilities excepted: varlen attention has none), backward, clip to norm
1, AdamW with float32 weights. Neither tokenising nor packing is timed, copying a batch to the GPU is. A task's batches
share code compiled for any shape, sentences of one length have code compiled for theirs. Prints one JSON object a case.
"""

import argparse
import re
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from torch.nn.attention.varlen import varlen_attn
from transformers import BertForSequenceClassification

import common

BUCKET = 64  # rows of a graph are a multiple of this


class Packed(torch.nn.Module):
    """BertForSequenceClassification on packed rows; its parameters are the ones of `bert`."""

    def __init__(self, bert):
        super().__init__()
        self.bert = bert
        self.p = bert.config.hidden_dropout_prob
        self.heads = bert.config.num_attention_heads
        for layer in bert.bert.encoder.layer:  # one product for query, key and value
            attention = layer.attention.self
            parts = (attention.query, attention.key, attention.value)
            layer.qkv_weight = torch.nn.Parameter(torch.cat([part.weight.data for part in parts]))
            layer.qkv_bias = torch.nn.Parameter(torch.cat([part.bias.data for part in parts]))
            del attention.query, attention.key, attention.value

    def forward(self, ids, types, positions, offsets, longest: int):
        e = self.bert.bert.embeddings
        x = e.word_embeddings(ids) + e.position_embeddings(positions) + e.token_type_embeddings(types)
        x = F.dropout(e.LayerNorm(x), self.p, self.training)
        real = (torch.arange(len(x), device=x.device) < offsets[-1]).unsqueeze(1)  # attention leaves dummy rows unwritten, both ways
        for layer in self.bert.bert.encoder.layer:
            q, k, v = F.linear(x, layer.qkv_weight, layer.qkv_bias).view(len(x), 3, self.heads, -1).unbind(1)
            q, k, v = (torch.where(real.unsqueeze(1), part.bfloat16(), 0) for part in (q, k, v))
            a = varlen_attn(q, k, v, offsets, offsets, longest, longest)
            a = torch.where(real, a.reshape(len(x), -1), 0)
            out = layer.attention.output
            x = out.LayerNorm(x + F.dropout(out.dense(a), self.p, self.training))
            y = layer.output.dense(F.gelu(layer.intermediate.dense(x)))
            x = layer.output.LayerNorm(x + F.dropout(y, self.p, self.training))
        pooled = torch.tanh(self.bert.bert.pooler.dense(x[offsets[:-1].long()]))
        return self.bert.classifier(F.dropout(pooled, self.p, self.training))


class Step:
    """One CUDA graph: a training step or a forward pass for one bucket, recorded after some that are not."""

    def __init__(self, run, static, warm_up=3):
        self.static = static
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(warm_up):
                run(static)
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.out = run(static)

    def __call__(self, batch):
        for to, value in zip(self.static, batch):
            if isinstance(to, torch.Tensor):
                to.copy_(value, non_blocking=True)
        self.graph.replay()
        return self.out


def pack(rows):
    ids = [i for row in rows for i in row["input_ids"]]
    types = [i for row in rows for i in row["token_type_ids"]]
    positions = [i for row in rows for i in range(len(row["input_ids"]))]
    lengths = [len(row["input_ids"]) for row in rows]
    size = -(-len(ids) // BUCKET) * BUCKET
    padded = lambda values: torch.tensor(values + [0] * (size - len(values))).pin_memory()
    offsets = torch.tensor([0] + lengths, dtype=torch.int32).cumsum(0, dtype=torch.int32).pin_memory()
    longest = -(-max(lengths) // 32) * 32
    labels = torch.tensor([row["labels"] for row in rows]).pin_memory()
    return padded(ids), padded(types), padded(positions), offsets, longest, labels


def shape_of(case: str) -> tuple[int, int] | None:
    """Batch and length of 32x128; None for a task."""
    match = re.fullmatch(r"(\d+)x(\d+)", case)
    return (int(match[1]), int(match[2])) if match else None


def rows_of(case: str, options, vocabulary: int) -> list[dict]:
    """The first sentences of a task, or random ones of one length, with their labels."""
    if shape := shape_of(case):
        ids = torch.randint(1000, vocabulary, (options.max_samples, shape[1])).tolist()
        return [{"input_ids": row, "token_type_ids": [0] * len(row), "labels": i % 2} for i, row in enumerate(ids)]
    split = "train" if options.train else "dev"
    texts, labels = common.read_glue(options.data_dir, case, split, options.max_samples)
    rows = common.tokenize(options.model_name_or_path, texts)
    return [row | {"labels": label} for row, label in zip(rows, labels)]


def training_step(model: Packed, compiled):
    optimizer = torch.optim.AdamW(model.parameters(), lr=torch.tensor(5e-5), weight_decay=0.0, fused=True, capturable=True)

    def run(batch):
        *inputs, labels = batch
        with torch.autocast("cuda", torch.bfloat16):
            logits = compiled(*inputs)
        loss = F.cross_entropy(logits.float(), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        return loss.detach()

    return run


def forward_pass(compiled):
    @torch.no_grad()
    def run(batch):
        *inputs, _ = batch
        return compiled(*inputs)

    return run


def measure(case: str, run, rows: list[dict], options) -> dict:
    """Passes over a case's sentences in batches, each replayed by the graph of its bucket."""
    common.clear_device()
    graphs = {}

    def step(batch):
        key = (len(batch[0]), len(batch[3]), batch[4])
        if key not in graphs:
            static = tuple(part.cuda() if isinstance(part, torch.Tensor) else part for part in batch)
            graphs[key] = Step(run, static)
        return graphs[key](batch)

    batch_size = (shape_of(case) or [options.batch_size])[0]
    packed = [pack(part) for part in common.batches(rows, batch_size)]
    outputs = []

    def epoch() -> None:
        outputs.clear()
        for batch in packed:
            outputs.append(step(batch).clone())
        torch.cuda.synchronize()

    tokens = sum(len(row["input_ids"]) for row in rows)
    return common.measure(epoch, len(rows), options.repeats, warm_up=2) | {
        "case": case,
        "sentences": len(rows),
        "tokens": tokens,
        "tokens_per_sentence": tokens / len(rows),
        "batch_size": batch_size,
        "graphs": len(graphs),
        "last_outputs": torch.stack(outputs[:4]).float().mean().item(),
        "peak_device_bytes": torch.cuda.max_memory_reserved(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_name_or_path", type=Path, required=True)
    parser.add_argument("--data_dir", type=Path)
    parser.add_argument("--cases", nargs="+", required=True, help=f"{', '.join(common.TASKS)}, or BATCHxLENGTH")
    parser.add_argument("--max_samples", type=int, default=1280)
    parser.add_argument("--batch_size", type=int, default=32, help="of a task's")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--train", action="store_true")
    options = parser.parse_args()
    for case in options.cases:
        if not shape_of(case) and case not in common.TASKS:
            parser.error(f"--cases: {case} is neither BATCHxLENGTH nor one of {', '.join(common.TASKS)}")
        if not shape_of(case) and not options.data_dir:
            parser.error(f"--data_dir: {case} needs the folder that holds GLUE")

    torch.manual_seed(42)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    bert = BertForSequenceClassification.from_pretrained(options.model_name_or_path, num_labels=2, dtype=torch.float32)
    model = Packed(bert).cuda().train(options.train)
    if not options.train:
        model.bfloat16()
    any_shape, one_shape = (torch.compile(model, dynamic=dynamic) for dynamic in (True, False))
    of_code = (lambda code: training_step(model, code)) if options.train else forward_pass
    for case in options.cases:
        run = of_code(one_shape if shape_of(case) else any_shape)
        common.report(
            measure(case, run, rows_of(case, options, bert.config.vocab_size), options)
            | {
                "runtime": f"packed, varlen attention, compiled, CUDA graphs: torch {torch.__version__}",
                "device": torch.cuda.get_device_name(),
                "mode": "train" if options.train else "inference",
            }
        )


if __name__ == "__main__":
    main()
