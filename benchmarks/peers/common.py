"""What the peers share: reading GLUE rows, timing, and the JSON they print."""

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


def tokenize(model: Path, texts: list[tuple[str, ...]]) -> list[dict[str, list[int]]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, use_fast=True)
    return [dict(tokenizer(*text, truncation=True, max_length=128)) for text in texts]


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


def report(result: dict) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(result | {"peak_rss_bytes": peak}))
