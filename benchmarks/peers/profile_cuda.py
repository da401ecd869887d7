#!/usr/bin/env python3
"""Where a GPU's time goes in one replayed pass: its kernels by Nsight Compute, in benchmarks/results/profile_cuda.json.

    profile_cuda.py --transkimmer BIN --data_dir GLUE --vocab VOCAB [--cases 'infer base 32x128' 'train base 32x128']

A case is one of cuda.py's, with a single batch (of skimming from compute 9.0 on: ncu cannot look into the switches that a
graph has below). `ncu` times every kernel of the program by itself, with clocks and
caches as they are; the graph's nodes too. The last pass counts. A second run, without ncu, says how long a pass takes:
what is more than its kernels is copies, gaps in the graph and waiting for the host. Other cases stay in the file.
"""

import csv
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import cuda
import run

NCU = ["ncu", "--graph-profiling", "node", "--clock-control", "none", "--cache-control", "none"]
NCU += ["--metrics", "gpu__time_duration.sum", "--print-units", "base", "--print-kernel-base", "demangled", "--csv"]
CASES = ["infer base 32x128", "train base 32x128"]


def short(kernel: str) -> str:
    """`tk::cuda::softmax_rows` of `void tk::cuda::(anonymous namespace)::softmax_rows<float>(...)`; products by tile."""
    if match := re.match(r"(?:void )?(?:\w+::)*(?:nvjet|cutlass|sm\d+_xmma|\w*gemm)\w*", kernel):
        tile = re.search(r"\d+x\d+", kernel)
        layout = re.search(r"_([NT]{3})(?![A-Za-z0-9])", kernel)
        parts = [tile[0] if tile else match[0].split()[-1], layout[1] if layout else ""]
        return " ".join(["cuBLAS product", *filter(None, parts)])
    name = re.sub(r"\(anonymous namespace\)::|<unnamed>::", "", kernel)
    while (shorter := re.sub(r"<[^<>]*>", "", name)) != name:
        name = shorter
    return name.split("(")[0].split()[-1]


def kernels_of(log: str) -> list[tuple[str, float]]:
    """Name and microseconds of every kernel in the order of their runs, from ncu's CSV."""
    rows = list(csv.DictReader(line for line in log.splitlines() if line.startswith('"')))
    if not rows or any(row["Metric Unit"] not in ("ns", "nsecond") for row in rows):
        sys.exit(f"ncu: expected nanoseconds of some kernels, got:\n{log[:2000]}")
    return [(row["Kernel Name"], float(row["Metric Value"].replace(",", "")) / 1e3) for row in rows]


def last_pass(kernels: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """The last passes run the same kernels: one that comes once in a pass comes at equal distances, with equal kernels
    between; one that comes more often does so at smaller distances."""
    names = [name for name, _ in kernels]
    places = defaultdict(list)
    for place, name in enumerate(names):
        places[name].append(place)
    found = []
    for *_, a, b, c in (at for at in places.values() if len(at) >= 3):
        if names[a:b] == names[b:c]:
            found.append((c - b, kernels[b:c]))
    if not found:
        sys.exit("ncu: no two passes with the same kernels")
    return max(found, key=lambda pair: pair[0])[1]


def condensed(kernels: list[tuple[str, float]]) -> list[dict]:
    """Calls, microseconds and share of each kernel, the longest first."""
    rows = defaultdict(lambda: {"calls": 0, "us": 0.0})
    for name, us in kernels:
        row = rows[short(name)]
        row["calls"], row["us"] = row["calls"] + 1, row["us"] + us
    total = sum(us for _, us in kernels)
    ordered = sorted(rows.items(), key=lambda pair: -pair[1]["us"])
    return [{"kernel": k, "calls": r["calls"], "us": round(r["us"], 2), "share": round(r["us"] / total, 4)} for k, r in ordered]


def commands_of(options, case: cuda.Case, log: Path) -> tuple[list, list]:
    """With ncu, and without."""
    samples = 32 if case.is_task else int(case.what.split("x")[0])
    with_ncu = [*NCU, "--log-file", log, *cuda.ours(options, case, samples=samples, repeats=3)]
    return with_ncu, cuda.ours(options, case, samples=samples, repeats=20)


def said(log: Path) -> str:
    return f", with\n{log.read_text()[-2000:]}" if log.exists() else ""


def profile(options, case: cuda.Case, cores: set[int]) -> dict:
    log = options.models / "ncu.csv"
    with_ncu, alone = commands_of(options, case, log)
    process = run.start(with_ncu, cores, stdout=sys.stderr)
    if process.wait() != 0:
        sys.exit(f"{shlex.join(process.args)}: exit status {process.returncode}{said(log)}")
    kernels = last_pass(kernels_of(log.read_text()))
    result = run.run(alone, cores)
    pass_us = 1e6 * result["sentences"] / result["sentences_per_second"]
    in_kernels = sum(us for _, us in kernels)
    return {
        "command": shlex.join(run.public(str(word)) for word in with_ncu),
        "sentences": result["sentences"],
        "tokens": result["tokens"],
        "pass_us": round(pass_us, 1),
        "kernels_us": round(in_kernels, 1),
        "outside_kernels_us": round(pass_us - in_kernels, 1),
        "calls": len(kernels),
        "kernels": condensed(kernels),
    }


def print_profile(name: str, figures: dict) -> None:
    pass_us, in_kernels = figures["pass_us"], figures["kernels_us"]
    print(f"{name}: {pass_us:,.0f} us a pass, {in_kernels:,.0f} us in {figures['calls']} kernels")
    print(f"{'kernel':60} {'calls':>6} {'us':>10} {'share':>7}")
    for row in figures["kernels"]:
        print(f"{row['kernel']:60} {row['calls']:6} {row['us']:10.1f} {100 * row['share']:6.1f}%")


def main() -> None:
    options = cuda.parse(cuda.make_parser(__doc__, "profile_cuda.json"))
    cases = cuda.chosen(options.cases or CASES)
    cores = os.sched_getaffinity(0)
    options.threads, options.rounds, options.python = len(cores), 1, None
    with tempfile.TemporaryDirectory() as scratch:
        options.models = Path(scratch)
        if options.dry_run:
            for case in cases:
                print("\n".join(shlex.join(map(str, c)) for c in commands_of(options, case, options.models / "ncu.csv")))
            return
        if not shutil.which("ncu"):
            sys.exit("ncu: not found; it comes with CUDA's toolkit")
        result = cuda.manifest(options, cores)
        stamp = {key: result[key] for key in ("commit", "date", "device")}
        cuda.make_models(options, cases)
        for case in cases:
            result["results"][case.name] = stamp | profile(options, case, cores)
            print_profile(case.name, result["results"][case.name])
            cuda.write(result, options.output)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
