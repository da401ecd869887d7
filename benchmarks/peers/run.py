#!/usr/bin/env python3
"""Measures transkimmer and its CPU peers side by side and writes benchmarks/results/NAME.json.

    run.py finetune  --transkimmer BIN --model_name_or_path MINILM --data_dir GLUE    -> results/finetune_cpu.json
    run.py inference --transkimmer BIN --model_name_or_path MINILM --data_dir GLUE    -> results/inference_cpu.json

The peers live in a virtual environment that is made on the first run (--venv, 5 GB). All programs run on the same
cores, pinned, one after the other, in --rounds rounds: ours, then each peer, then ours again, so that a machine that
slows down slows all of them. A figure is the median over the rounds; the spread is the smallest and the largest round.
OPENBLAS_CORETYPE and the rest of the environment are passed on as they are. Needs Python 3.10 and nothing else.
"""

import argparse
import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def prepare(folder: Path) -> Path:
    """The Python of a virtual environment that holds the peers."""
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"installing the peers in {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"], check=True)
        (folder / "complete").touch()
    return python


def measure(command: list, cores: set[int]) -> dict:
    """Runs a program on `cores`; its stdout is one JSON object. Adds the peak memory of the process."""
    words = [str(word) for word in command]
    print(f"$ {shlex.join(words)}", file=sys.stderr)
    pin = lambda: os.sched_setaffinity(0, cores)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, preexec_fn=pin)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{shlex.join(words)}: exit status {process.returncode}")
    return json.loads(output) | {"peak_rss_bytes": usage.ru_maxrss * 1024}


def summary(command: list, rounds: list[dict]) -> dict:
    rates = [r["sentences_per_second"] for r in rounds]
    spread = {"min": min(rates), "max": max(rates), "rounds": rates}
    peak = max(r["peak_rss_bytes"] for r in rounds)
    text = shlex.join(public(str(word)) for word in command)
    figures = {"sentences_per_second": statistics.median(rates), "spread": spread, "peak_rss_bytes": peak}
    return {"command": text} | figures | {"last_round": rounds[-1]}


def public(word: str) -> str:
    """A path of this machine as its last part: a result is read elsewhere."""
    return Path(word).name if word.startswith("/") else word


def compare(commands: dict[str, list], rounds: int, cores: set[int]) -> dict:
    """Every program in turn, `rounds` times, and `transkimmer`'s speed over each peer's, from the medians."""
    seen = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            seen[name].append(measure(command, cores))
    figures = {name: summary(commands[name], seen[name]) for name in commands}
    rate = lambda name: figures[name]["sentences_per_second"]
    ratio = {name: rate("transkimmer") / rate(name) for name in commands if name != "transkimmer"}
    return figures | {"speed_ratio": ratio}


def arguments(options, task: str) -> list:
    """What every program is told; `transkimmer bench` and the peers share the spelling."""
    model = ["--model_name_or_path", options.model_name_or_path, "--data_dir", options.data_dir, "--task_name", task]
    return [*model, "--batch_size", 32, "--threads", options.threads]


def finetune_commands(options, python: Path, task: str) -> dict[str, list]:
    shared = [*arguments(options, task), "--max_train_samples", options.samples or 320]
    peer = [python, HERE / "finetune.py", *shared]
    return {
        "transkimmer": [options.transkimmer, "bench", "--train", *shared, "--device", "cpu"],
        "transformers": peer,
        "transformers bfloat16": [*peer, "--dtype", "bfloat16"],
    }


def inference_commands(options, python: Path, task: str) -> dict[str, list]:
    shared = [*arguments(options, task), "--max_eval_samples", options.samples or 512]
    commands = {"transkimmer": [options.transkimmer, "bench", "--split", "dev", *shared, "--device", "cpu"]}
    for runtime in ("transformers", "onnxruntime", "ctranslate2"):
        peer = [python, HERE / "inference.py", "--runtime", runtime, *shared]
        commands |= {runtime: peer, f"{runtime} sorted": [*peer, "--sorted"]}
    return commands


# What is measured: the commands of a task, and the tasks unless --tasks names others.
BENCHMARKS = {
    "finetune": (finetune_commands, ["cola", "sst2", "mrpc"]),
    "inference": (inference_commands, ["sst2", "qnli"]),
}


def output_of(command: list) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def peer_versions(python: Path) -> list[str]:
    """What requirements.txt names, with the versions that are installed."""
    wanted = (HERE / "requirements.txt").read_text().split()
    installed = output_of([python, "-m", "pip", "freeze", "--disable-pip-version-check"]).splitlines()
    return [line for line in installed if line.split("==")[0] in wanted]


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    field = lambda name: next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "unknown")
    return f"{field('model name')} (family {field('cpu family')}, model {field('model')}), {platform.machine()}"


def manifest(options, python: Path, cores: set[int]) -> dict:
    dirty = "-dirty" if output_of(["git", "status", "--porcelain", "--untracked-files=no"]) else ""
    return {
        "command": shlex.join(["benchmarks/peers/run.py", *map(public, sys.argv[1:])]),
        "commit": output_of(["git", "rev-parse", "HEAD"]) + dirty,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": processor(),
        "cores": len(cores),
        "threads": options.threads,
        "rounds": options.rounds,
        "environment": {k: v for k, v in os.environ.items() if k.startswith(("OPENBLAS_", "OMP_", "MKL_"))},
        "python": platform.python_version(),
        "peers": peer_versions(python),
        "transkimmer_build": output_of([options.transkimmer, "--build-info"]).splitlines(),
    }


def print_figures(task: str, figures: dict) -> None:
    ratio = figures["speed_ratio"]
    for name in ["transkimmer", *ratio]:
        figure = figures[name]
        rate, peak = figure["sentences_per_second"], figure["peak_rss_bytes"] / 1e6
        comparison = f"   transkimmer is {ratio[name]:.2f} times as fast" if name in ratio else ""
        print(f"{task:5} {name:22} {rate:8.1f} sentences/s {peak:7.0f} MB{comparison}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=list(BENCHMARKS))
    parser.add_argument("--transkimmer", type=Path, required=True, help="the program")
    parser.add_argument("--model_name_or_path", type=Path, required=True, help="what scripts/fetch_minilm.sh wrote")
    parser.add_argument("--data_dir", type=Path, required=True, help="the folder that holds CoLA/, SST-2/ ...")
    parser.add_argument("--tasks", nargs="*", help="some of cola sst2 mrpc qnli")
    parser.add_argument("--samples", type=int, help="sentences; finetune 320, inference 512")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cores", help="comma-separated; the first --threads that this process may use")
    parser.add_argument("--venv", type=Path, default=ROOT / "build" / "peers-venv")
    parser.add_argument("--output", type=Path, help="benchmarks/results/finetune_cpu.json or inference_cpu.json")
    options = parser.parse_args()
    for name in ("transkimmer", "model_name_or_path", "data_dir"):
        path = getattr(options, name).resolve()
        if not path.exists():
            parser.error(f"--{name}: {path} does not exist")
        setattr(options, name, path)

    allowed = sorted(os.sched_getaffinity(0))[: options.threads]
    cores = {int(c) for c in options.cores.split(",")} if options.cores else set(allowed)
    python = prepare(options.venv.resolve())
    commands, tasks = BENCHMARKS[options.what]
    result = manifest(options, python, cores) | {"results": {}}
    for task in options.tasks or tasks:
        result["results"][task] = compare(commands(options, python, task), options.rounds, cores)

    output = options.output or ROOT / "benchmarks" / "results" / f"{options.what}_cpu.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_suffix(".tmp")
    temporary.write_text(json.dumps(result, indent=2) + "\n")
    temporary.rename(output)
    for task, figures in result["results"].items():
        print_figures(task, figures)
    print(f"wrote {output}")


if __name__ == "__main__":
    main()
