#!/usr/bin/env python3
"""Measures a million gates on a GPU beside the rate of its memory: benchmarks/results/estimators_cuda.json.

    estimators_cuda.py --benchmark build/release/benchmarks/estimators_benchmark

Forward and backward with straight-through Gumbel-softmax, Gumbel-Rao of 10 samples and ReinMax, recorded in one graph and
replayed: microseconds, and how many times as long as the bytes take which no program can do without, at the rate of a
copy of 1 GiB in the same process. Those are z, its gradient, and 8 bytes for each row that names random numbers, read
once, and choices and their gradient, written once. Beside them two copies, of z and of the choices' gradient,
since a pass is two kernels, too. A case is ROWS x GATES: a name for each gate, as skimming has it, or for many.
"""

import argparse
import datetime
import json
import statistics
import subprocess
from pathlib import Path

import run

CASES = [(1000000, 1), (1000, 1000), (16000, 1000)]


def summary(rounds: list[dict]) -> dict:
    last = rounds[-1]
    result = {key: last[key] for key in ("gates", "row_gates", "least_bytes")}
    result["copy_bytes_per_second"] = [r["copy_bytes_per_second"] for r in rounds]
    for name in last["estimators"]:
        its = [r["estimators"][name] for r in rounds]
        result[name] = {
            "microseconds": statistics.median(i["microseconds"] for i in its),
            "min": min(i["min"] for i in its),
            "max": max(i["max"] for i in its),
            "ratio": statistics.median(i["ratio"] for i in its),
            "ratios": [i["ratio"] for i in its],
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmark", required=True, help="the program estimators_benchmark")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commit", help="where this is no checkout")
    parser.add_argument("--output", type=Path, default=run.ROOT / "benchmarks" / "results" / "estimators_cuda.json")
    options = parser.parse_args()
    seen = {case: [] for case in CASES}
    for _ in range(options.rounds):
        for rows, gates in CASES:
            command = [options.benchmark, "--device", "cuda", "--gates", str(rows * gates), "--row_gates", str(gates)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seen[rows, gates].append(json.loads(done.stdout))
    result = {
        "command": f"benchmarks/peers/estimators_cuda.py --benchmark {run.public(options.benchmark)}",
        "commit": options.commit or run.checkout(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "device": seen[CASES[0]][0]["device"],
        "rounds": options.rounds,
        "results": {f"{rows} x {gates}": summary(rounds) for (rows, gates), rounds in seen.items()},
    }
    run.save(result, options.output)
    for case, its in result["results"].items():
        rate = statistics.median(its["copy_bytes_per_second"])
        print(f"{case}: {its['least_bytes'] / 1e6:.1f} MB in {1e6 * its['least_bytes'] / rate:.2f} us at {rate / 1e12:.2f} TB/s")
        for name in (key for key in its if isinstance(its[key], dict)):
            its_own = its[name]
            print(f"  {name:10} {its_own['microseconds']:8.2f} us ({its_own['min']:.2f} to {its_own['max']:.2f}), ratio {its_own['ratio']:.2f}")


if __name__ == "__main__":
    main()
