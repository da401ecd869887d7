#!/usr/bin/env python3
"""Measures two ranks of one thread each beside one process of two threads, on the same two cores and the same batches.

    ranks_cpu.py --transkimmer BIN --model_name_or_path MINILM --data_dir GLUE [--cases 'sst2 32' ...] [--rounds 6]

Takes turns, forth and back, and writes benchmarks/results/ranks_cpu.json. What is measured is in the run's log: windows
of five steps but the first. Of each window, which has the same sentences in every round, the least and the median of the
rounds are taken; a figure is their mean over the windows. The least is what the work takes where nobody else computes.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import run

RESULTS = Path(__file__).resolve().parent.parent / "results" / "ranks_cpu.json"
CASES = {"sst2 32": ("sst2", 32), "sst2 128": ("sst2", 128), "mrpc 32": ("mrpc", 32)}  # task, sentences of a step
RANKS = ["mpirun", "--allow-run-as-root", "-n", "2", "--bind-to", "core"]
VARIANTS = {  # what starts the program, and its flags
    "1 x 2 threads": ([], ["--threads", "2", "--micro_batches", "1"]),
    "2 ranks": (RANKS, ["--threads", "1", "--micro_batches", "2"]),
    "2 ranks, overlap_gradients": (RANKS, ["--threads", "1", "--micro_batches", "2", "--overlap_gradients"]),
    "2 ranks, shard_optimizer": (RANKS, ["--threads", "1", "--micro_batches", "2", "--shard_optimizer"]),
}
WINDOW = 5


def windows(options, case: str, variant: str) -> tuple[list[float], float | None]:
    """Milliseconds a step of each window, and the bytes that a rank sends a step."""
    task, sentences = CASES[case]
    before, flags = VARIANTS[variant]
    with tempfile.TemporaryDirectory() as folder:
        command = [*before, options.transkimmer, "train", "--task_name", task, "--data_dir", options.data_dir,
                   "--model_name_or_path", options.model_name_or_path, "--output_dir", folder, "--max_steps",
                   options.steps, "--logging_steps", WINDOW, "--per_device_train_batch_size", sentences,
                   "--max_train_samples", 3000, "--do_eval=false", "--save_strategy", "no", "--report=false",
                   "--progress", "off", "--device", "cpu", *flags]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))}: {done.stderr[-1500:]}")
        rows = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
        sent = json.loads((Path(folder) / "train_results.json").read_text()).get("rank_bytes_sent_per_step")
    return [row["ms_per_step"] for row in rows if "ms_per_step" in row][1:], sent


def measure(options, case: str) -> dict:
    seen: dict[str, list[list[float]]] = {variant: [] for variant in VARIANTS}
    sent = {}
    for i in range(options.rounds):
        for variant in VARIANTS if i % 2 == 0 else reversed(VARIANTS):
            its, sent[variant] = windows(options, case, variant)
            seen[variant].append(its)
            print(f"{case}, round {i + 1}, {variant}: {statistics.mean(its):.1f} ms a step", flush=True)
    results = {}
    for variant, rounds in seen.items():
        by_window = list(zip(*rounds))
        results[variant] = {"ms_per_step": statistics.mean(map(min, by_window)),
                            "median_ms_per_step": statistics.mean(map(statistics.median, by_window)),
                            "rank_bytes_sent_per_step": sent[variant],
                            "rounds": [statistics.mean(its) for its in rounds]}
    one = results["1 x 2 threads"]
    for variant, its in results.items():
        its["efficiency"] = one["ms_per_step"] / its["ms_per_step"]
        its["efficiency_of_medians"] = one["median_ms_per_step"] / its["median_ms_per_step"]
        print(f"{case}, {variant}: {its['ms_per_step']:.1f} ms, efficiency {its['efficiency']:.3f}; of medians "
              f"{its['efficiency_of_medians']:.3f}", flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transkimmer", required=True)
    parser.add_argument("--model_name_or_path", required=True)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    results = json.loads(options.output.read_text()) if options.output.exists() else {}
    for case in options.cases:
        measured = measure(options, case)
        results[case] = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                         "cpu": run.processor(), "cores": len(os.sched_getaffinity(0)),
                         "build": run.output_of([options.transkimmer, "--build_info"]).splitlines(),
                         "steps": options.steps, "results": measured}
        options.output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
