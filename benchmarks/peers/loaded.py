#!/usr/bin/env python3
"""Measures small training steps on two cores that others use, too: benchmarks/results/loaded_cpu.json.

    loaded.py --build build/release

Seconds of --steps steps of the examples that train (see examples.py), with the threads that a program of the library has
by itself beside one thread, while 0, 1 and 2 other processes compute all the time. Takes turns in --rounds rounds.
Nothing is set in the environment: threads that wait spin as GCC's OpenMP has it.
"""

import argparse
import contextlib
import datetime
import json
import os
import statistics
import subprocess
from pathlib import Path

import examples
import run

THREADS = {"default": None, "one thread": 1}


@contextlib.contextmanager
def busy(count: int):
    processes = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, required=True, help="a build folder with -DTK_BENCHMARKS=ON")
    parser.add_argument("--examples", nargs="+", choices=examples.EXAMPLES, default=examples.EXAMPLES)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", type=Path, default=run.ROOT / "benchmarks" / "results" / "loaded_cpu.json")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        os.environ.pop(name, None)
    result = {
        "command": "benchmarks/peers/loaded.py --build build/release",
        "commit": run.checkout(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": run.processor(),
        "cores": 2,
        "rounds": options.rounds,
        "steps": options.steps,
        "unit": "seconds of all steps",
        "results": {},
    }
    for name in options.examples:
        command = [options.build / "benchmarks" / f"steps_{name}"]
        result["results"][name] = {}
        for others in (0, 1, 2):
            seen = {threads: [] for threads in THREADS}
            with busy(others):
                for _ in range(options.rounds):
                    for threads, count in THREADS.items():
                        seen[threads].append(examples.run_steps(command, options.steps, count)["seconds"])
            row = {
                threads: {"median": statistics.median(its), "min": min(its), "max": max(its)}
                for threads, its in seen.items()
            }
            row["ratio"] = row["default"]["median"] / row["one thread"]["median"]
            result["results"][name][f"beside {others}"] = row
            print(f"{name}, beside {others}: {json.dumps(row)}", flush=True)
    run.save(result, options.output)


if __name__ == "__main__":
    main()
