"""What the peers share: reading GLUE rows, timing, and the JSON they print."""

import gc
import itertools
import json
import resource
import statistics
import sys
import time
from pathlib import Path

TASKS = {  # folder, text columns, label column; CoLA has no header, so its columns are numbers
    "cola": ("CoLA", (3,), 1),
    "sst2": ("SST-2", ("sentence",), "label"),
    "mrpc": ("MRPC", ("#1 String", "#2 String"), "Quality"),
    "qnli": ("QNLI", ("question", "sentence"), "label"),
}
SENTENCES = ("sentence", "sentence1", "sentence2", "question", "question1", "question2", "#1 String", "#2 String")
LABELS = {"0": 0, "1": 1, "entailment": 0, "not_entailment": 1}


def read_glue(data: Path, task: str, split: str, count: int) -> tuple[list[tuple[str, ...]], list[int]]:
    """The texts and labels of the first `count` rows: tab-separated, no quoting."""
    folder, texts, label = TASKS[task]
    path = data / folder / f"{split}.tsv"
    if not path.exists():
        path = data / folder / f"{split}-subset.tsv"
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    header = [] if task == "cola" else lines.pop(0).split("\t")
    column = lambda c: c if isinstance(c, int) else header.index(c)
    rows = [line.split("\t") for line in lines[:count] if line]
    if len(rows) < count:
        sys.exit(f"{path}: {count} rows were asked for, it has {len(rows)}")
    return [tuple(r[column(c)] for c in texts) for r in rows], [LABELS[r[column(label)]] for r in rows]


def sentences_of(path: Path) -> list[str]:
    """Every text of a GLUE file."""
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    if path.parent.name == "CoLA" and path.stem != "test":  # no header
        columns = [3]
    else:
        columns = [i for i, name in enumerate(lines.pop(0).split("\t")) if name in SENTENCES]
    rows = [line.split("\t") for line in lines if line]
    return [row[column] for row in rows for column in columns]


def tokenize(model: Path, texts: list[tuple[str, ...]]) -> list[dict[str, list[int]]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, use_fast=True)
    return [dict(tokenizer(*text, truncation=True, max_length=128)) for text in texts]


def philox(key: int, c0: int, c1: int, c2: int, c3: int) -> tuple[int, int, int, int]:
    """Philox 4x32-10, as tensor/random.h has it."""
    low = 0xFFFFFFFF
    k0, k1 = key & low, key >> 32
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & low, (p0 >> 32) ^ c3 ^ k1, p0 & low
        k0, k1 = (k0 + 0x9E3779B9) & low, (k1 + 0xBB67AE85) & low
    return c0, c1, c2, c3


def random_order(count: int, epoch: int, seed: int = 42) -> list[int]:
    """The order in which `transkimmer bench --train` takes `count` sentences in its pass `epoch`."""
    shuffle = 6 << 28  # the stream of Purpose::kShuffle
    words = (word for block in itertools.count() for word in philox(seed, 0, epoch, shuffle, block))
    order = list(range(count))
    for i in range(count, 1, -1):
        threshold = (1 << 32) % i  # words below it would favour small results
        j = next(word for word in words if word >= threshold) % i
        order[i - 1], order[j] = order[j], order[i - 1]
    return order


def batches(rows: list, size: int) -> list[list]:
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def measure(run, sentences: int, repeats: int, warm_up: int = 1) -> dict:
    """Sentences a second of run(): the median of `repeats` after `warm_up` unmeasured calls, and every value."""
    for _ in range(warm_up):
        run()
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        rates.append(sentences / (time.perf_counter() - start))
    return {"sentences_per_second": statistics.median(rates), "repeats": rates}


def clear_device() -> None:
    """Gives a GPU's cached memory back, so that the peak from now on is the next case's."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()


def report(result: dict) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(result | {"peak_rss_bytes": peak}), flush=True)
