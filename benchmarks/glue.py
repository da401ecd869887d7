#!/usr/bin/env python3
"""Fine-tunes MiniLM on GLUE tasks, dense and skimmed, and gathers scores, cost and time in benchmarks/results/glue_cpu.json.

    benchmarks/glue.py --transkimmer BIN --data_dir GLUE --model_name_or_path MINILM --output_dir RUNS
                       [--tasks cola mrpc] [--threads N] [--gather]

Runs that are complete in RUNS are not run again; --gather runs nothing and writes what is there.
"""

import argparse
import json
import subprocess
from pathlib import Path

EPOCHS = {"cola": 5, "mrpc": 6}
SEEDS = (42, 1, 2)
SKIM_STEPS = {"cola": 4005, "mrpc": 2052}
TARGET = 0.5
RESULTS = Path(__file__).parent / "results" / "glue_cpu.json"


def plan(tasks):
    """(folder, task, start's folder or None, flags) of every run, starts before what starts from them."""
    for task in tasks:
        for seed in SEEDS:
            yield f"{task}-dense-{seed}", task, None, ["--num_train_epochs", EPOCHS[task], "--seed", seed]
        for gate in ("staged", "layer"):
            flags = ["--skim", "--skim_gate", gate, "--skim_target", TARGET, "--max_steps", SKIM_STEPS[task]]
            yield f"{task}-{gate}-{TARGET}-{SEEDS[0]}", task, f"{task}-dense-{SEEDS[0]}", flags + ["--seed", SEEDS[0]]


def run(arguments, folder, task, start, flags):
    model = arguments.output_dir / start if start else arguments.model_name_or_path
    command = [arguments.transkimmer, "train", "--task_name", task, "--data_dir", arguments.data_dir,
               "--model_name_or_path", model, "--output_dir", arguments.output_dir / folder, "--save_strategy", "no",
               "--logging_steps", 100, *flags]
    subprocess.run([str(part) for part in command + (["--threads", arguments.threads] if arguments.threads else [])],
                   check=True)


def gather(output_dir):
    rows = []
    for folder, task, start, _ in plan(EPOCHS):
        if not (output_dir / folder / "eval_results.json").exists():
            continue
        manifest = json.loads((output_dir / folder / "run.json").read_text())
        results = json.loads((output_dir / folder / "all_results.json").read_text())
        flags = manifest["flags"]
        rows.append({"run": folder, "task": task, "gate": folder.split("-")[1], "seed": flags["seed"],
                     "steps": json.loads((output_dir / folder / "trainer_state.json").read_text())["global_step"],
                     "threads": flags["threads"], "build": manifest["build"], "finished": manifest["finished"],
                     "train_seconds": results["train_runtime"],
                     **{key: value for key, value in results.items() if key.startswith("eval_")}})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transkimmer", default="build/release/transkimmer/cli/transkimmer")
    parser.add_argument("--data_dir", type=Path)
    parser.add_argument("--model_name_or_path", type=Path)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", choices=EPOCHS, default=list(EPOCHS))
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--gather", action="store_true")
    arguments = parser.parse_args()
    if not arguments.gather:
        for folder, *rest in plan(arguments.tasks):
            if not (arguments.output_dir / folder / "eval_results.json").exists():
                run(arguments, folder, *rest)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"command": "benchmarks/glue.py", "runs": gather(arguments.output_dir)}, indent=1) + "\n")
    print(f"wrote {RESULTS}")


if __name__ == "__main__":
    main()
