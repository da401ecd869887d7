#!/usr/bin/env python3
"""Measures transkimmer, beside its CPU peers where it has some, and writes benchmarks/results/NAME_cpu.json.

    run.py finetune --transkimmer BIN --model_name_or_path MINILM --data_dir GLUE    -> results/finetune_cpu.json

NAME is finetune (training steps and peak memory), inference, bfloat16, int8, skim (a schedule of 0.4 of the MACs beside
the dense model), threads (all of them beside one), tokenizer (every sentence of GLUE) or startup (until the first training
step is done). Peers live in a virtual environment that is made on the first run that needs them (--venv, 5 GB).

All programs run on the same cores, pinned, one after the other, in --rounds rounds: ours, then each peer, then ours
again, so that a machine that slows down slows all of them. A figure is the median over the rounds; the spread is the
smallest and the largest round. OPENBLAS_CORETYPE and the rest of the environment are passed on as they are. --processor
shows the processor to all programs as one that has less (lesser_processor.cpp; results/NAME_avx2_cpu.json). Needs Python
3.10 and, for --processor, a C++ compiler.
"""

import argparse
import dataclasses
import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path

import common

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


def start(command: list, cores: set[int], **streams) -> subprocess.Popen:
    """Starts a program on `cores`."""
    words = [str(word) for word in command]
    print(f"$ {shlex.join(words)}", file=sys.stderr)
    return subprocess.Popen(words, text=True, preexec_fn=lambda: os.sched_setaffinity(0, cores), **streams)


PROCESSORS = {"avx2": [], "avx512_vnni": ["-DKEEP_AVX512_VNNI"]}


def hide_features(processor: str, folder: Path) -> None:
    """Programs that are started from here on see a processor with so much and no more."""
    auditor = folder / "lesser_processor.so"
    build = ["c++", "-O2", "-shared", "-fPIC", *PROCESSORS[processor], HERE / "lesser_processor.cpp", "-o", auditor]
    subprocess.run(build, check=True)
    os.environ["LD_AUDIT"] = str(auditor)


def run_cases(command: list, cores: set[int]) -> list[dict]:
    """What a program prints, a JSON object a line for each of its cases, and the peak memory of its process."""
    process = start(command, cores, stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{shlex.join(process.args)}: exit status {process.returncode}")
    return [json.loads(line) | {"peak_rss_bytes": usage.ru_maxrss * 1024} for line in output.splitlines()]


def run(command: list, cores: set[int]) -> dict:
    (result,) = run_cases(command, cores)
    return result


def run_to_first_step(command: list, cores: set[int]) -> dict:
    """Seconds from before the process is started until it says that its first step is done; then it is ended."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        process = start([*command, "--output_dir", Path(folder, "run")], cores, stderr=subprocess.PIPE)
        said = next((time.perf_counter() for line in process.stderr if line.startswith("step ")), None)
        process.kill()
        process.wait()
    if said is None:
        sys.exit(f"{shlex.join(process.args)}: no step was done")
    return {"seconds": said - begin}


@dataclasses.dataclass(kw_only=True)
class Comparison:
    """What is compared of the programs' output."""

    figure: str = "sentences_per_second"
    same_work: tuple[str, ...] = ()  # what every program counts, and must count alike
    memory: str = "peak_rss_bytes"
    compares_memory: bool = False


def summary(benchmark: Comparison, command: list, rounds: list[dict]) -> dict:
    values = [r[benchmark.figure] for r in rounds]
    spread = {"min": min(values), "max": max(values), "rounds": values}
    figures = {benchmark.figure: statistics.median(values), "spread": spread}
    if benchmark.memory in rounds[0]:
        figures[benchmark.memory] = max(r[benchmark.memory] for r in rounds)
    if "floor" in rounds[0]:  # the machine's best is that of its best round
        figures["floor"] = max(r["floor"][benchmark.figure] for r in rounds)
        figures["achieved"] = figures[benchmark.figure] / figures["floor"]
    last = {key: public(value) if isinstance(value, str) else value for key, value in rounds[-1].items()}
    return {"command": shlex.join(public(str(word)) for word in command)} | figures | {"last_round": last}


def public(word: str) -> str:
    """A path of this machine as its last part: a result is read elsewhere."""
    return Path(word).name if word.startswith("/") else word


def check_same_work(benchmark: Comparison, figures: dict) -> None:
    """Ends the program unless all programs counted the same."""
    work = {name: [figure["last_round"][key] for key in benchmark.same_work] for name, figure in figures.items()}
    if any(counts != work["transkimmer"] for counts in work.values()):
        sys.exit(f"the programs did different work: {', '.join(benchmark.same_work)} are {work}")


def compare(benchmark: "Benchmark", commands: dict[str, list], rounds: int, cores: set[int]) -> dict:
    """Every program in turn, `rounds` times."""
    seen = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            seen[name].append(benchmark.run(command, cores))
    return side_by_side(benchmark, commands, seen)


def side_by_side(benchmark: Comparison, commands: dict[str, list], seen: dict[str, list[dict]]) -> dict:
    """Every program's rounds, and `transkimmer` beside each other one, from the medians."""
    figures = {name: summary(benchmark, commands[name], seen[name]) for name in commands}
    check_same_work(benchmark, figures)
    others = [name for name in commands if name != "transkimmer"]
    ratio = lambda key, name: figures["transkimmer"][key] / figures[name][key]
    result = dict(figures)
    if others:
        result["speed_ratio"] = {name: ratio(benchmark.figure, name) for name in others}
    if benchmark.compares_memory:
        result["memory_ratio"] = {name: ratio(benchmark.memory, name) for name in others}
    return result


def arguments(options, task: str) -> list:
    """What every program that runs the model is told; `transkimmer` and the peers share the spelling."""
    return ["--model_name_or_path", options.model_name_or_path, "--data_dir", options.data_dir, "--task_name", task]


def bench(options, task: str, threads: int, *more) -> list:
    return [options.transkimmer, "bench", *arguments(options, task), "--threads", threads, "--device", "cpu", *more]


def training(options) -> list:
    return ["--batch_size", 32, "--max_train_samples", options.samples or 320, "--repeats", options.repeats]


def inference(options) -> list:
    return ["--batch_size", 32, "--max_eval_samples", options.samples or 512, "--repeats", options.repeats]


def finetune_commands(options, task: str) -> dict[str, list]:
    shared = [*arguments(options, task), "--threads", options.threads, *training(options)]
    peer = [options.python, HERE / "finetune.py", *shared]
    commands = {"transkimmer": bench(options, task, options.threads, "--train", *training(options)), "transformers": peer}
    if options.processor is None:  # in software it takes minutes
        commands["transformers bfloat16"] = [*peer, "--dtype", "bfloat16"]
    return commands


def inference_commands(options, task: str) -> dict[str, list]:
    shared = [*arguments(options, task), "--threads", options.threads, *inference(options)]
    commands = {"transkimmer": bench(options, task, options.threads, *inference(options))}
    for runtime in ("transformers", "onnxruntime", "ctranslate2", "openvino"):
        peer = [options.python, HERE / "inference.py", "--runtime", runtime, *shared]
        commands |= {runtime: peer, f"{runtime} sorted": [*peer, "--sorted"]}
    return commands


def bfloat16_commands(options, case: str) -> dict[str, list]:
    mode, task = case.split()
    narrow = ["--dtype", "bfloat16"]
    if mode == "train":
        ours = bench(options, task, options.threads, "--train", *training(options))
        peer = [options.python, HERE / "finetune.py", *arguments(options, task), "--threads", options.threads, *training(options)]
        return {"transkimmer": [*ours, *narrow], "float32": ours, "transformers": [*peer, *narrow]}
    ours = bench(options, task, options.threads, *inference(options))
    skimming = [*ours, "--skim", "--skim_keep", SKIM_KEEP]
    shared = [*arguments(options, task), "--threads", options.threads, *inference(options), *narrow, "--sorted"]
    peers = {
        f"{runtime} sorted": [options.python, HERE / "inference.py", "--runtime", runtime, *shared]
        for runtime in ("transformers", "openvino")
    }
    return {"transkimmer": [*ours, *narrow], "float32": ours, "skimmed": [*skimming, *narrow]} | peers


def int8_commands(options, task: str) -> dict[str, list]:
    """Of a folder that `convert` makes, so that what is loaded is int8 too."""
    folder = options.scratch / "int8"
    if not folder.exists():
        subprocess.run([options.transkimmer, "convert", options.model_name_or_path, folder, "--dtype", "int8"], check=True)
    wide = bench(options, task, options.threads, *inference(options))
    ours = [folder if word == options.model_name_or_path else word for word in wide]
    shared = [*arguments(options, task), "--threads", options.threads, *inference(options), "--dtype", "int8", "--sorted"]
    peers = {
        f"{runtime} sorted": [options.python, HERE / "inference.py", "--runtime", runtime, *shared]
        for runtime in ("onnxruntime", "ctranslate2", "openvino")
    }
    isas = {isa: [*ours, "--cpu_isa", isa] for isa in lesser_isas(options)}
    skimming = [*ours, "--skim", "--skim_keep", SKIM_KEEP]
    return {"transkimmer": ours, "float32": wide, "skimmed": skimming} | isas | peers


def lesser_isas(options) -> list[str]:
    """What products of int8 can be told to run on, beside the processor's best."""
    return [] if options.processor else [isa for isa in ("avx512_vnni", "avx_vnni", "avx2") if isa in processor_flags()]


def skim_commands(options, task: str) -> dict[str, list]:
    dense = bench(options, task, options.threads, *inference(options))
    return {"transkimmer": [*dense, "--skim", "--skim_keep", SKIM_KEEP], "dense": dense}


def threads_commands(options, case: str) -> dict[str, list]:
    mode, task = case.split()
    more = ["--train", *training(options)] if mode == "train" else inference(options)
    return {
        "transkimmer": bench(options, task, options.threads, *more),
        "one thread": bench(options, task, 1, *more),
    }


def tokenizer_commands(options, case: str) -> dict[str, list]:
    threads = options.threads if case == "all" else 1
    vocabulary = options.model_name_or_path / "vocab.txt"
    shared = ["--vocab", vocabulary, "--texts", all_sentences(options), "--threads", threads, "--repeats", options.repeats]
    peer = [options.python, HERE / "tokenizer.py", *shared]
    ours = options.transkimmer.parents[2] / "benchmarks" / "tokenizer_benchmark"
    if not ours.exists():
        sys.exit(f"{ours} does not exist: configure with -DTK_BENCHMARKS=ON and build")
    return {"transkimmer": [ours, *shared], "tokenizers": [*peer, "--offsets"], "tokenizers, no offsets": peer}


def all_sentences(options) -> Path:
    """Every sentence of GLUE, a line each."""
    path = options.scratch / "sentences.txt"
    if not path.exists():
        files = sorted(options.data_dir.rglob("*.tsv"))
        sentences = [s for file in files if file.parent.name != "official-sample" for s in common.sentences_of(file)]
        path.write_text("\n".join(sentences) + "\n", encoding="utf-8")
    return path


def startup_commands(options, task: str) -> dict[str, list]:
    train = [options.transkimmer, "train", *arguments(options, task), "--max_steps", 1]
    return {"transkimmer": [*train, "--threads", options.threads, "--device", "cpu"]}


SKIM_KEEP = "1,0.8,0.55,0.35,0.2,0.1"  # of a sentence's tokens in each of MiniLM's six layers: 0.4 of the dense MACs


@dataclasses.dataclass(kw_only=True)
class Benchmark(Comparison):
    commands: Callable[..., dict[str, list]]  # of a case, by name; `transkimmer` is compared with the others
    cases: list[str]
    needs_peers: bool = False
    run: Callable[[list, set[int]], dict] = run


BENCHMARKS = {
    "finetune": Benchmark(
        commands=finetune_commands,
        cases=["cola", "sst2", "mrpc"],
        needs_peers=True,
        same_work=("padded_tokens",),
        compares_memory=True,
    ),
    "inference": Benchmark(commands=inference_commands, cases=["sst2", "qnli"], needs_peers=True),
    "bfloat16": Benchmark(
        commands=bfloat16_commands,
        cases=["inference sst2", "inference qnli", "train sst2", "train mrpc"],
        needs_peers=True,
        compares_memory=True,
    ),
    "int8": Benchmark(commands=int8_commands, cases=["sst2", "qnli"], needs_peers=True, compares_memory=True),
    "skim": Benchmark(commands=skim_commands, cases=["sst2", "qnli"]),
    "threads": Benchmark(commands=threads_commands, cases=["inference sst2", "train cola", "train mrpc"]),
    "tokenizer": Benchmark(
        commands=tokenizer_commands, cases=["one", "all"], needs_peers=True, same_work=("tokens", "id_sum")
    ),
    "startup": Benchmark(commands=startup_commands, cases=["sst2"], figure="seconds", run=run_to_first_step),
}


def output_of(command: list) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def peer_versions(python: Path) -> list[str]:
    """What requirements.txt names, with the versions that are installed."""
    say = "import importlib.metadata as m; print(*sorted({f'{d.name}=={d.version}' for d in m.distributions()}), sep='\\n')"
    wanted = (HERE / "requirements.txt").read_text().split()
    return [line for line in output_of([python, "-c", say]).splitlines() if line.split("==")[0] in wanted]


def cpu_field(name: str) -> str:
    """Of the first processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "unknown")


def processor_flags() -> list[str]:
    return cpu_field("flags").split()


def processor() -> str:
    return f"{cpu_field('model name')} (family {cpu_field('cpu family')}, model {cpu_field('model')}), {platform.machine()}"


def checkout() -> str:
    """The commit of this working tree."""
    changes = ["git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results"]
    dirty = "-dirty" if output_of(changes) else ""
    return output_of(["git", "rev-parse", "HEAD"]) + dirty


def manifest(options, commit: str, cores: set[int]) -> dict:
    return {
        "commands": [shlex.join([f"benchmarks/peers/{Path(sys.argv[0]).name}", *map(public, sys.argv[1:])])],
        "commit": commit,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": processor(),
        "cores": len(cores),
        "threads": options.threads,
        "rounds": options.rounds,
        "environment": {k: v for k, v in os.environ.items() if k.startswith(("OPENBLAS_", "OMP_", "MKL_"))},
        "python": platform.python_version(),
        "peers": peer_versions(options.python) if options.python else [],
        "transkimmer_build": output_of([options.transkimmer, "--build-info"]).splitlines(),
    }


def print_figures(benchmark: Comparison, case: str, figures: dict) -> None:
    speed, memory = figures.get("speed_ratio", {}), figures.get("memory_ratio", {})
    for name in ["transkimmer", *speed]:
        figure = figures[name]
        words = [f"{case:14} {name:22} {figure[benchmark.figure]:10.4g} {benchmark.figure.replace('_', ' ')}"]
        if "floor" in figure:
            words.append(f"{100 * figure['achieved']:.0f} % of the floor's {figure['floor']:.4g}")
        if benchmark.memory in figure:
            words.append(f"{figure[benchmark.memory] / 1e6:.0f} MB")
        if name in speed:
            words.append(f"transkimmer is {speed[name]:.2f} times as fast")
        if name in memory:
            words.append(f"in {memory[name]:.2f} of the memory")
        print("   ".join(words))


def of_file(output: Path) -> dict:
    return json.loads(output.read_text()) if output.exists() else {}


def write(result: dict, output: Path) -> None:
    """Writes the results; other cases that were measured at the same commit stay."""
    before = of_file(output)
    if before.get("commit") == result["commit"]:
        result["commands"] = before["commands"] + result["commands"]
        result["results"] = before["results"] | result["results"]
    save(result, output)


def save(result: dict, output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_suffix(".tmp")
    temporary.write_text(json.dumps(result, indent=2) + "\n")
    temporary.rename(output)


def parse_paths(parser: argparse.ArgumentParser, *names: str):
    """The options, of which these are paths that must exist."""
    options = parser.parse_args()
    for name in names:
        path = getattr(options, name).resolve()
        if not path.exists():
            parser.error(f"--{name}: {path} does not exist")
        setattr(options, name, path)
    return options


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=list(BENCHMARKS))
    parser.add_argument("--transkimmer", type=Path, required=True, help="the program, in its build folder")
    parser.add_argument("--model_name_or_path", type=Path, required=True, help="what scripts/fetch_minilm.sh wrote")
    parser.add_argument("--data_dir", type=Path, required=True, help="the folder that holds CoLA/, SST-2/ ...")
    parser.add_argument("--cases", nargs="*", help="some of the benchmark's; the file keeps others of the same commit")
    parser.add_argument("--samples", type=int, help="sentences; 320 in training, 512 in inference")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3, help="passes in a round, after one to warm up")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cores", help="comma-separated; the first --threads that this process may use")
    parser.add_argument("--venv", type=Path, default=ROOT / "build" / "peers-venv")
    parser.add_argument("--processor", choices=list(PROCESSORS), help="show the processor as one with so much and no more")
    parser.add_argument("--output", type=Path, help="benchmarks/results/NAME_cpu.json, or NAME_PROCESSOR_cpu.json")
    return parse_paths(parser, "transkimmer", "model_name_or_path", "data_dir")


def main() -> None:
    options = parse_options()
    benchmark = BENCHMARKS[options.what]
    allowed = sorted(os.sched_getaffinity(0))[: options.threads]
    cores = {int(c) for c in options.cores.split(",")} if options.cores else set(allowed)
    options.python = prepare(options.venv.resolve()) if benchmark.needs_peers else None
    result = manifest(options, checkout(), cores) | {"results": {}}
    with tempfile.TemporaryDirectory() as scratch:
        options.scratch = Path(scratch)
        if options.processor:
            hide_features(options.processor, options.scratch)
            result["cpu"] += f", shown as {options.processor}"
        for case in options.cases or benchmark.cases:
            figures = compare(benchmark, benchmark.commands(options, case), options.rounds, cores)
            result["results"][case] = figures
            print_figures(benchmark, case, figures)

    of_what = "_".join(filter(None, [options.what, options.processor, "cpu"]))
    output = options.output or ROOT / "benchmarks" / "results" / f"{of_what}.json"
    write(result, output)
    print(f"wrote {output}")


if __name__ == "__main__":
    main()
