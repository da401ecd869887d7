#!/usr/bin/env python3
"""Measures the tokenizer and Hugging Face's Rust tokenizer side by side on every sentence of GLUE.

    tokenizer.py --program build/release/benchmarks/tokenizer_benchmark --vocab bert-base-uncased-vocab.txt --data_dir GLUE

Both take the same sentences on the same pinned cores, with one thread and with as many as there are cores, in turn for
--rounds rounds; both must find the same tokens. Writes benchmarks/results/tokenizer.json. Needs a Python with
`tokenizers`; `--peer FAST_OR_FULL` is what it starts itself with.
"""

import argparse
import datetime
import json
import os
import platform
import shlex
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from common import measure, report
from run import ROOT, compare, output_of, processor, public

TEXT_COLUMNS = ("sentence", "sentence1", "sentence2", "question", "question1", "question2", "#1 String", "#2 String")
BATCH = 10_000


def sentences_of(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    if path.parent.name == "CoLA" and path.stem != "test":  # no header
        columns = [3]
    else:
        columns = [i for i, name in enumerate(lines.pop(0).split("\t")) if name in TEXT_COLUMNS]
    rows = [line.split("\t") for line in lines if line]
    return [row[column] for row in rows for column in columns]


def run_peer(options) -> None:
    """Batches, which `tokenizers` spreads over its threads; without offsets ("fast") or with them, as ours has them."""
    os.environ |= {"RAYON_NUM_THREADS": str(options.threads), "TOKENIZERS_PARALLELISM": str(options.threads > 1).lower()}
    from tokenizers import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(str(options.vocab))._tokenizer
    encode = tokenizer.encode_batch_fast if options.peer == "fast" else tokenizer.encode_batch
    texts = options.texts.read_text(encoding="utf-8").split("\n")[:-1]
    batches = [texts[i : i + BATCH] for i in range(0, len(texts), BATCH)]
    tokens = id_sum = 0
    for batch in batches:
        for encoding in encode(batch):
            tokens, id_sum = tokens + len(encoding), id_sum + sum(encoding.ids)

    def encode_all():
        for batch in batches:
            encode(batch)

    report(measure(encode_all, len(texts), options.repeats, warm_up=0) | {"tokens": tokens, "id_sum": id_sum})


def commands(options, texts: Path, threads: int) -> dict[str, list]:
    shared = ["--vocab", options.vocab, "--texts", texts, "--threads", threads, "--repeats", options.repeats]
    peer = [sys.executable, Path(__file__).resolve(), *shared, "--peer"]
    return {"transkimmer": [options.program, *shared], "tokenizers": [*peer, "full"], "tokenizers, no offsets": [*peer, "fast"]}


def run_all(options) -> dict:
    files = sorted(options.data_dir.rglob("*.tsv"))
    sentences = [s for path in files if path.parent.name != "official-sample" for s in sentences_of(path)]
    cores = sorted(os.sched_getaffinity(0))[: options.threads]
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        texts = Path(folder) / "sentences.txt"
        texts.write_text("\n".join(sentences) + "\n", encoding="utf-8")
        for threads in sorted({1, len(cores)}):
            figures = compare(commands(options, texts, threads), options.rounds, set(cores[:threads]))
            work = {tuple(f["last_round"][k] for k in ("tokens", "id_sum")) for n, f in figures.items() if n != "speed_ratio"}
            if len(work) != 1:
                sys.exit(f"the tokenizers differ: (tokens, sum of ids) are {work}")
            results[f"{threads} thread{'s' if threads > 1 else ''}"] = figures
    dirty = "-dirty" if output_of(["git", "status", "--porcelain", "--untracked-files=no"]) else ""
    return {
        "command": shlex.join(["benchmarks/peers/tokenizer.py", *map(public, sys.argv[1:])]),
        "commit": output_of(["git", "rev-parse", "HEAD"]) + dirty,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": processor(),
        "python": platform.python_version(),
        "tokenizers": version("tokenizers"),
        "sentences": len(sentences),
        "results": results,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, help="the built benchmark")
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--data_dir", type=Path, help="the folder that holds CoLA/, SST-2/ ...")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "tokenizer.json")
    parser.add_argument("--peer", choices=["full", "fast"], help=argparse.SUPPRESS)
    parser.add_argument("--texts", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return run_peer(options)
    if not options.program or not options.data_dir:
        parser.error("--program and --data_dir are needed")
    options.program, options.vocab = options.program.resolve(), options.vocab.resolve()

    result = run_all(options)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    for threads, figures in result["results"].items():
        for name, ratio in {"transkimmer": 1.0, **figures["speed_ratio"]}.items():
            print(f"{threads:9} {name:24} {figures[name]['sentences_per_second']:12,.0f} sentences/s   ours is {ratio:.1f} times as fast")
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
