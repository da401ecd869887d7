#!/usr/bin/env python3
"""Measures skimmed inference beside dense at GLUE's own lengths on a GPU in bfloat16: benchmarks/results/skim_cuda.json.

    skim_cuda.py --transkimmer BIN --data_dir GLUE --vocab VOCAB [--before BIN]

BERT-base and MiniLM with random weights, which cost what others cost; sentences of SST-2's and QNLI's dev sets as they
are; forced schedules of about 0.4 of the dense MACs. Each in batches of 32 sentences, 8 of them side by side, and in
batches by tokens, where the program tries several and says which was best. SST-2's 872 sentences are taken --copies
times, so that a pass is longer than its beginning and end. --before is an earlier program, measured at batch 32 alone.
"""

import argparse
import datetime
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

MODELS = {"base": "bert-base", "minilm": "minilm-l6"}
KEEP = {  # of a sentence's tokens in each layer
    ("base", "layer"): "1,0.8,0.6,0.5,0.4,0.35,0.3,0.25,0.2,0.15,0.15,0.1",
    ("base", "staged"): "1,0.9,0.7,0.55,0.45,0.4,0.35,0.3,0.25,0.2,0.2,0.15",
    ("minilm", "layer"): "1,0.5,0.32,0.22,0.15,0.15",
    ("minilm", "staged"): "1,0.75,0.52,0.36,0.25,0.2",
}
FOLDERS = {"sst2": "SST-2", "qnli": "QNLI"}
BATCHES = {"32 sentences": ["--batch_size", "32", "--queues", "8"], "by tokens": []}


def write_dev_sets(source: Path, target: Path, copies: int) -> None:
    for task, folder in FOLDERS.items():
        header, *rows = (source / folder / "dev.tsv").read_text().splitlines(keepends=True)
        (target / folder).mkdir(parents=True)
        (target / folder / "dev.tsv").write_text(header + "".join(rows) * (copies if task == "sst2" else 1))


def command(program: str, models: Path, data: Path, case: tuple[str, str, str, str], options) -> list[str]:
    model, task, batch, gate = case
    flags = ["--task_name", task, "--data_dir", str(data), "--model_name_or_path", str(models / model)]
    flags += ["--device", "cuda", "--dtype", "bfloat16", "--progress", "off"]
    flags += ["--max_eval_samples", str(options.samples), "--repeats", str(options.repeats), *BATCHES[batch]]
    if gate != "dense":
        flags += ["--skim", "--skim_gate", gate, "--skim_keep", KEEP[model, gate]]
    return [program, "bench", *flags]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transkimmer", required=True)
    parser.add_argument("--before")
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--vocab", required=True)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/skim_cuda.json"))
    parser.add_argument("--copies", type=int, default=8, help="of SST-2's dev set")
    parser.add_argument("--samples", type=int, default=5400)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    text = lambda *line: subprocess.run(line, capture_output=True, text=True, check=True).stdout
    result = {
        "command": "benchmarks/peers/skim_cuda.py " + shlex.join(sys.argv[1:]),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "build": text(options.transkimmer, "--build_info").splitlines(),
        "device": text("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader").strip(),
        "keep": {" ".join(key): value for key, value in KEEP.items()},
        "results": [],
    }
    if options.before:
        result["build_before"] = text(options.before, "--build_info").splitlines()
    with tempfile.TemporaryDirectory() as folder:
        models, data = Path(folder) / "models", Path(folder) / "data"
        write_dev_sets(options.data_dir, data, options.copies)
        for model, config in MODELS.items():
            text(options.transkimmer, "init", str(models / model), "--config", config, "--vocab", options.vocab)
        cases = [(m, t, b, g) for m in MODELS for t in FOLDERS for b in BATCHES for g in ("dense", "layer", "staged")]
        for program, label in ((options.transkimmer, "now"), (options.before, "before")):
            dense = 0.0
            for case in cases if program else []:
                if label == "before" and case[2] == "by tokens":
                    continue
                line = json.loads(text(*command(program, models, data, case, options)))
                row = dict(zip(("model", "task", "batch", "gate"), case), program=label)
                row |= {key: line[key] for key in ("sentences_per_second", "mac_share", "spread", "queues")}
                row["best_batch"] = {key: line[key] for key in ("batch_size", "batch_tokens") if key in line}
                row["batches"] = line.get("batches", [])
                row["of_the_floor"] = line["floor"]["achieved"]
                dense = row["sentences_per_second"] if case[3] == "dense" else dense
                row["speed_up"] = round(row["sentences_per_second"] / dense, 3)
                result["results"].append(row)
                options.output.write_text(json.dumps(result, indent=1) + "\n")
                print(label, *case, round(row["sentences_per_second"]), row["mac_share"], row["speed_up"], flush=True)


if __name__ == "__main__":
    main()
