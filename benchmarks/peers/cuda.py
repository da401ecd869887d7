#!/usr/bin/env python3
"""Measures transkimmer on a GPU in bfloat16, beside its peers, and writes benchmarks/results/bench_cuda.json.

    cuda.py --transkimmer BIN --data_dir GLUE --vocab VOCAB [--cases 'train base *' 'infer *'] [--rounds 3]

A case is WORK MODEL WHAT: train or infer, base or minilm, a task (its sentences as they are, 32 a batch) or BATCHxLENGTH
(all of one length), or skim base GATE BATCHxLENGTH (0.4 of the dense MACs), or train MODEL GATE WHAT (under masks). The models have random weights, which cost
what others cost. Beside them: `packed`, the best PyTorch that we can write (packed.py); `transformers`, eager with
dynamic padding (finetune.py); for a skimmed model our own dense one.

In each of --rounds rounds ours runs, then each peer, one after the other. A peer compiles for half a minute, so it runs
several cases in one process, and all that will be needed compile at once before the first round; the code is kept where
TORCHINDUCTOR_CACHE_DIR says. Other cases stay in the file: each says at which commit and on which GPU it was measured.
Needs Python 3.10; --python one that has PyTorch and transformers.
"""

import argparse
import dataclasses
import fnmatch
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import run

TRAIN_SAMPLES, INFER_SAMPLES = 1280, 768
MODELS = {"base": "bert-base", "minilm": "minilm-l6"}
NAMES = {"base": "BERT-base", "minilm": "MiniLM", "sst2": "SST-2", "mrpc": "MRPC", "qnli": "QNLI"}
TASKS = ("sst2", "mrpc", "qnli")
SHAPES = ("1x128", "32x128", "256x128", "256x32")
KEEP = {  # of a sentence's tokens in each of BERT-base's layers: 0.40 of the dense MACs
    "layer": "1,0.8,0.6,0.5,0.4,0.35,0.3,0.25,0.2,0.15,0.15,0.1",
    "staged": "1,0.9,0.7,0.55,0.45,0.4,0.35,0.3,0.25,0.2,0.2,0.15",
}
GATES = {  # what a training step under masks is measured with: the recipe's
    "staged": ["--skim", "--skim_gate", "staged", "--skim_cls", "free"],
    "layer": ["--skim", "--skim_gate", "layer"],
}
COMPARISON = run.Comparison(same_work=("tokens",), memory="peak_device_bytes", compares_memory=True)


@dataclasses.dataclass(frozen=True)
class Case:
    work: str
    model: str
    what: str  # a task or BATCHxLENGTH
    gate: str = ""

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.work, self.model, self.gate, self.what) if part)

    @property
    def is_task(self) -> bool:
        return self.what in TASKS

    def targets(self) -> dict[str, dict]:
        """What is wanted of ours beside a peer: at least, and hoped for."""
        wanted = lambda at_least, aim: {"at_least": at_least, "aim": aim}
        if self.gate:
            return {"speed dense": wanted(2.1, 2.5) if self.work == "skim" else wanted(0.8, 0.9)}
        if self.work == "infer":
            return {"speed packed": wanted(1.2, 1.5)}
        if self.is_task:
            return {"speed packed": wanted(2.0, 2.5), "speed transformers": wanted(8, 15)}
        return {"speed packed": wanted(1.8, 2.2), "memory packed": wanted(0.6, 0.5)}


CASES = [
    *(Case("train", model, what) for model in MODELS for what in (*TASKS, "32x128")),
    *(Case("infer", model, shape) for model in MODELS for shape in SHAPES),
    *(Case("skim", "base", shape, gate) for gate in KEEP for shape in ("32x128", "256x128")),
    *(Case("train", model, what, gate) for model in MODELS for gate in GATES for what in (*TASKS, "32x128")),
]


def chosen(patterns: list[str] | None) -> list[Case]:
    for pattern in patterns or []:
        if not any(fnmatch.fnmatch(case.name, pattern) for case in CASES):
            sys.exit(f"--cases: {pattern!r} is none of {', '.join(case.name for case in CASES)}")
    return [case for case in CASES if not patterns or any(fnmatch.fnmatch(case.name, p) for p in patterns)]


def groups(cases: list[Case]) -> list[list[Case]]:
    """Cases that a peer measures in one process. Memory is compared at one shape, so training has it alone there."""
    parts = {}
    for case in cases:
        parts.setdefault((case.work, case.model, case.gate, case.is_task), []).append(case)
    return list(parts.values())


def ours(options, case: Case, dense: bool = False, samples: int | None = None, repeats: int | None = None) -> list:
    command = [options.transkimmer, "bench", "--model_name_or_path", options.models / MODELS[case.model]]
    command += ["--data_dir", options.data_dir, "--task_name", case.what if case.is_task else "sst2"]
    command += ["--device", "cuda", "--dtype", "bfloat16", "--progress", "off", "--repeats", repeats or options.repeats]
    if not case.is_task:
        batch, length = case.what.split("x")
        command += ["--batch_size", batch, "--length", length]
    if case.work == "train":
        command += ["--train", "--train_sampling_strategy", "sequential"]
        command += GATES[case.gate] if case.gate and not dense else []
        return [*command, "--max_train_samples", samples or TRAIN_SAMPLES]
    if case.work == "infer":
        command += ["--queues", 1]  # as the peer: a batch at a time
    if case.gate and not dense:
        command += ["--skim", "--skim_gate", case.gate, "--skim_keep", KEEP[case.gate]]
    return [*command, "--max_eval_samples", samples or INFER_SAMPLES]


def peer(options, script: str, cases: list[Case]) -> list:
    model = options.models / MODELS[cases[0].model]
    return [options.python, run.HERE / script, "--model_name_or_path", model, "--data_dir", options.data_dir]


def packed(options, cases: list[Case], samples: int | None = None, repeats: int | None = None) -> list:
    training = cases[0].work == "train"
    command = [*peer(options, "packed.py", cases), "--cases", *(case.what for case in cases)]
    command += ["--max_samples", samples or (TRAIN_SAMPLES if training else INFER_SAMPLES)]
    return [*command, "--repeats", repeats or options.repeats, *(["--train"] if training else [])]


def transformers(options, cases: list[Case]) -> list:
    command = [*peer(options, "finetune.py", cases), "--task_name", *(case.what for case in cases)]
    command += ["--device", "cuda", "--dtype", "bfloat16", "--threads", options.threads]
    command += ["--train_sampling_strategy", "sequential", "--max_train_samples", TRAIN_SAMPLES]
    return [*command, "--repeats", options.repeats]


def programs(options, cases: list[Case]) -> Iterator[tuple[str, list, list[Case]]]:
    """Name, command and cases of every process of a round over a group, in turn."""
    for case in cases:
        yield "transkimmer", ours(options, case), [case]
        if case.gate:
            yield "dense", ours(options, case, dense=True), [case]
    if cases[0].gate:
        return
    yield "packed", packed(options, cases), cases
    if cases[0].work == "train" and cases[0].is_task:
        yield "transformers", transformers(options, cases), cases


def make_models(options, cases: list[Case]) -> None:
    for name in sorted({MODELS[case.model] for case in cases}):
        init = [options.transkimmer, "init", "--config", name, "--vocab", options.vocab, options.models / name]
        subprocess.run(init, check=True, stdout=sys.stderr)


def compile_peers(options, parts: list[list[Case]], cores: set[int]) -> None:
    """Runs packed.py on a few sentences of everything that it will be asked for, all at once, so that it finds its code.
    What fails here fails again in its turn."""
    commands = [packed(options, cases, samples=256, repeats=1) for cases in parts if not cases[0].gate]
    processes = [run.start(command, cores, stdout=subprocess.DEVNULL) for command in commands]
    for process in processes:
        process.wait()


def measure(options, cases: list[Case], cores: set[int]) -> dict[str, dict]:
    """The figures of a group's cases, side by side."""
    commands = {case: {} for case in cases}
    seen = {case: {} for case in cases}
    for _ in range(options.rounds):
        for name, command, of in programs(options, cases):
            for case, result in zip(of, run.run_cases(command, cores), strict=True):
                commands[case][name] = command
                seen[case].setdefault(name, []).append(result)
    return {case.name: with_targets(case, run.side_by_side(COMPARISON, commands[case], seen[case])) for case in cases}


def with_targets(case: Case, figures: dict) -> dict:
    """The ratios beside what is wanted of them: more speed, less memory."""
    targets = {}
    for name, wanted in case.targets().items():
        kind, other = name.split()
        ratio = figures[f"{kind}_ratio"][other]
        reached = ratio >= wanted["at_least"] if kind == "speed" else ratio <= wanted["at_least"]
        targets[name] = {"ratio": ratio} | wanted | {"reached": reached}
    return figures | {"targets": targets}


def line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def target_of(figures: dict, name: str) -> str:
    return "{at_least}, {aim}".format(**figures["targets"][name]) if name in figures["targets"] else ""


def speed_line(case: Case, figures: dict, other: str) -> str:
    """Ours beside another, as docs/performance.md has it."""
    work = {"train": "training", "infer": "inference", "skim": f"skimmed to 0.40 of the MACs, `{case.gate}`"}[case.work]
    if case.work == "train" and case.gate:
        work += f" under masks, `{case.gate}`"
    what = f"{NAMES[case.what]}'s lengths" if case.is_task else case.what.replace("x", " x ")
    speed = lambda f: f"{f[COMPARISON.figure]:,.0f} ({f['spread']['min']:,.0f} to {f['spread']['max']:,.0f})"
    mine, ratio = figures["transkimmer"], f"{figures['speed_ratio'][other]:.2f}"
    left = [f"{work}, {what}, {NAMES[case.model]}", speed(mine), f"{speed(figures[other])}, {other}"]
    return line(*left, ratio, target_of(figures, f"speed {other}"), f"{100 * mine['achieved']:.0f} %")


def memory_line(case: Case, figures: dict) -> str:
    memory = lambda name: f"{figures[name][COMPARISON.memory] / 1e6:,.0f} MB"
    left = [f"peak memory of that, {NAMES[case.model]}", memory("transkimmer"), f"{memory('packed')}, packed"]
    return line(*left, f"{figures['memory_ratio']['packed']:.2f}", target_of(figures, "memory packed"), "")


def table(results: dict[str, dict]) -> str:
    lines = [line("work", "Transkimmer", "beside", "ratio", "target, aim", "of the floor"), line(*["---"] * 6)]
    for case in CASES:
        if figures := results.get(case.name):
            lines += [speed_line(case, figures, other) for other in figures["speed_ratio"]]
            lines += [memory_line(case, figures)] if case.work == "train" and not case.is_task and not case.gate else []
    return "\n".join(lines)


def gpu() -> str:
    query = "--query-gpu=name,memory.total,driver_version,clocks.max.sm"
    return run.output_of(["nvidia-smi", query, "--format=csv,noheader"])


def commit_of(build: list[str]) -> str:
    """The commit that the program says it was built from: it may have come from elsewhere."""
    return next(line.split()[1] for line in build if line.startswith("git_commit"))


def manifest(options, cores: set[int]) -> dict:
    build = run.output_of([options.transkimmer, "--build-info"]).splitlines()
    return run.manifest(options, commit_of(build), cores) | {"device": gpu(), "results": {}}


def write(result: dict, output: Path) -> None:
    """Writes the results so far; other cases stay, at whatever commit they were measured."""
    before = run.of_file(output)
    merged = before.get("results", {}) | result["results"]
    results = {case.name: merged[case.name] for case in CASES if case.name in merged}
    commands = list(dict.fromkeys(before.get("commands", []) + result["commands"]))  # each once: every group writes
    run.save(result | {"commands": commands, "results": results}, output)


def make_parser(description: str, output: str) -> argparse.ArgumentParser:
    """The options of everything that runs cases on a GPU."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transkimmer", type=Path, required=True, help="the program")
    parser.add_argument("--data_dir", type=Path, required=True, help="the folder that holds SST-2/, MRPC/ and QNLI/")
    parser.add_argument("--vocab", type=Path, required=True, help="BERT's uncased vocab.txt")
    parser.add_argument("--cases", nargs="+", help="names or patterns, such as 'infer *'")
    parser.add_argument("--output", type=Path, default=run.ROOT / "benchmarks" / "results" / output)
    parser.add_argument("--dry_run", action="store_true", help="print the commands and run none")
    return parser


def parse(parser: argparse.ArgumentParser):
    return run.parse_paths(parser, "transkimmer", "data_dir", "vocab")


def print_commands(options, parts: list[list[Case]]) -> None:
    for cases in parts:
        for _, command, _ in programs(options, cases):
            print(shlex.join(map(str, command)))


def measure_all(options, parts: list[list[Case]], cores: set[int]) -> None:
    """Writes after every group, and goes on when one fails: a GPU's time is dear."""
    result = manifest(options, cores)
    stamp = {key: result[key] for key in ("commit", "date", "device", "rounds")}
    make_models(options, [case for cases in parts for case in cases])
    compile_peers(options, parts, cores)
    failures = []
    for cases in parts:
        try:
            measured = {name: stamp | figures for name, figures in measure(options, cases, cores).items()}
        except SystemExit as failure:
            failures.append(str(failure))
            continue
        print(table(measured), flush=True)
        result["results"] |= measured
        write(result, options.output)
    if result["results"]:
        print(f"\n{table(run.of_file(options.output)['results'])}\n\nwrote {options.output}")
    if failures:
        sys.exit("\n".join(failures))


def main() -> None:
    parser = make_parser(__doc__, "bench_cuda.json")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5, help="passes in a round, after warm-up")
    parser.add_argument("--python", type=Path, default=sys.executable, help="that has the peers' packages")
    options = parse(parser)
    parts = groups(chosen(options.cases))
    cores = os.sched_getaffinity(0)
    options.threads = len(cores)
    with tempfile.TemporaryDirectory() as scratch:
        options.models = Path(scratch)
        if options.dry_run:
            print_commands(options, parts)
        else:
            measure_all(options, parts, cores)


if __name__ == "__main__":
    main()
