#!/usr/bin/env python3
"""Measures the training examples of docs/examples beside the same in PyTorch: benchmarks/results/examples_cpu.json.

    examples.py --build build/release --python PYTHON

Each example is run as it stands, in C++ and in Python, but for how many steps it takes: --steps, of which the first tenth
is not counted. A round's figure is steps a second by the median step; both have one thread and the same core, and take
turns in --rounds rounds. --python is one that has PyTorch.
"""

import argparse
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import run

EXAMPLES = ["regression", "spiral", "characters", "vae", "custom_estimator", "convolution"]


def run_in_torch(name: str, steps: int) -> None:
    """Runs an example's loop for `steps` steps, and prints what a step took as benchmarks/step_clock.h does."""
    import torch

    torch.set_num_threads(1)
    begins = []

    def counted():
        for step in range(steps):
            begins.append(time.perf_counter())
            yield step
        begins.append(time.perf_counter())

    source = (run.ROOT / "docs" / "examples" / f"{name}.py").read_text()
    source, loops = re.subn(r"for step in range\(\d+\):", "for step in counted():", source)
    assert loops == 1, f"{name}.py: expected one loop over steps"
    exec(compile(source, name, "exec"), {"counted": counted})
    each = sorted(b - a for a, b in zip(begins[steps // 10 :], begins[steps // 10 + 1 :]))
    print(json.dumps({"seconds": begins[-1] - begins[0], "median_step": each[len(each) // 2]}), file=sys.stderr)


def run_steps(command: list, steps: int, threads: int | None = 1) -> dict:
    """What a program prints about its steps; `threads` None: as many as it takes by itself."""
    environment = os.environ | {"STEPS": str(steps)} | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment)
    lines = [line for line in done.stderr.splitlines() if line.startswith('{"seconds"')]
    if len(lines) != 1:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr[-1500:]}")
    return json.loads(lines[0])


def figures(rounds: list[float]) -> dict:
    return {"steps_per_second": round(statistics.median(rounds), 1), "min": round(min(rounds), 1), "max": round(max(rounds), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, help="a build folder with -DTK_BENCHMARKS=ON")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--examples", nargs="+", choices=EXAMPLES, default=EXAMPLES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--output", type=Path, default=run.ROOT / "benchmarks" / "results" / "examples_cpu.json")
    parser.add_argument("--in_torch", choices=EXAMPLES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_torch:
        return run_in_torch(options.in_torch, options.steps)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    result = {
        "command": "benchmarks/peers/examples.py --build build/release --python PYTHON",
        "commit": run.checkout(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": run.processor(),
        "torch": run.output_of([options.python, "-c", "import torch; print(torch.__version__)"]),
        "threads": 1,
        "rounds": options.rounds,
        "steps": options.steps,
        "results": {},
    }
    for name in options.examples:
        ours, torch = [], []
        for _ in range(options.rounds):
            in_torch = [options.python, __file__, "--in_torch", name, "--steps", options.steps]
            for command, rates in ([options.build / "benchmarks" / f"steps_{name}"], ours), (in_torch, torch):
                rates.append(1 / run_steps(command, options.steps)["median_step"])
        ratios = sorted(a / b for a, b in zip(ours, torch))
        row = {"transkimmer": figures(ours), "torch": figures(torch), "ratio": round(statistics.median(ratios), 2)}
        result["results"][name] = row | {"ratios": [round(r, 2) for r in ratios]}
        print(name, json.dumps(result["results"][name]), flush=True)
    run.save(result, options.output)


if __name__ == "__main__":
    main()
