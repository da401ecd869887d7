#!/usr/bin/env python3
"""Fine-tunes MiniLM on GLUE tasks, dense and skimmed, and gathers scores, cost and time in benchmarks/results/: in
glue_cpu.json or glue_cuda.json.

    benchmarks/glue.py --transkimmer BIN --data_dir GLUE --model_name_or_path MINILM --output_dir RUNS
                       [--tasks cola mrpc] [--skim_seeds 42] [--device cpu] [--dtype float32] [--threads N] [--gather]

Runs that are complete in RUNS are not run again; --gather runs nothing and writes what is there.
"""

import argparse
import itertools
import json
import subprocess
from pathlib import Path

EPOCHS = {"cola": 5, "mrpc": 6, "sst2": 3}
SEEDS = (42, 1, 2)
SKIM_STEPS = {"cola": 4005, "mrpc": 2052, "sst2": 6312}
TARGET = 0.5
RESULTS = Path(__file__).parent / "results"


def plan(tasks, skim_seeds):
    """(folder, task, start's folder or None, flags) of every run, starts before what starts from them."""
    for task in tasks:
        for seed in SEEDS:
            yield f"{task}-dense-{seed}", task, None, ["--num_train_epochs", EPOCHS[task], "--seed", seed]
        for seed, gate in itertools.product(skim_seeds, ("staged", "layer")):
            flags = ["--skim", "--skim_gate", gate, "--skim_target", TARGET, "--max_steps", SKIM_STEPS[task]]
            yield f"{task}-{gate}-{TARGET}-{seed}", task, f"{task}-dense-{seed}", flags + ["--seed", seed]


def run(arguments, folder, task, start, flags):
    model = arguments.output_dir / start if start else arguments.model_name_or_path
    command = [arguments.transkimmer, "train", "--task_name", task, "--data_dir", arguments.data_dir,
               "--model_name_or_path", model, "--output_dir", arguments.output_dir / folder, "--save_strategy", "no",
               "--logging_steps", 100, "--device", arguments.device, "--dtype", arguments.dtype, *flags]
    subprocess.run([str(part) for part in command + (["--threads", arguments.threads] if arguments.threads else [])],
                   check=True)


def gather(output_dir):
    rows = []
    for folder, task, start, _ in plan(EPOCHS, SEEDS):
        if not (output_dir / folder / "eval_results.json").exists():
            continue
        manifest = json.loads((output_dir / folder / "run.json").read_text())
        results = json.loads((output_dir / folder / "all_results.json").read_text())
        flags = manifest["flags"]
        rows.append({"run": folder, "task": task, "gate": folder.split("-")[1], "seed": flags["seed"],
                     "steps": json.loads((output_dir / folder / "trainer_state.json").read_text())["global_step"],
                     "device": manifest["device"], "dtype": flags.get("dtype", "float32"), "threads": flags["threads"], "build": manifest["build"], "finished": manifest["finished"],
                     "train_seconds": results["train_runtime"],
                     **{key: value for key, value in results.items() if key.startswith("eval_")}})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transkimmer", default="build/release/transkimmer/cli/transkimmer")
    parser.add_argument("--data_dir", type=Path)
    parser.add_argument("--model_name_or_path", type=Path)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", choices=EPOCHS, default=["cola", "mrpc"])
    parser.add_argument("--skim_seeds", nargs="+", type=int, choices=SEEDS, default=list(SEEDS[:1]))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--gather", action="store_true")
    arguments = parser.parse_args()
    if not arguments.gather:
        for folder, *rest in plan(arguments.tasks, arguments.skim_seeds):
            if not (arguments.output_dir / folder / "eval_results.json").exists():
                run(arguments, folder, *rest)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"glue_{arguments.device}.json"
    file.write_text(json.dumps({"command": f"benchmarks/glue.py --device {arguments.device}",
                                "runs": gather(arguments.output_dir)}, indent=1) + "\n")
    print(f"wrote {file}")


if __name__ == "__main__":
    main()
