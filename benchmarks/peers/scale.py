#!/usr/bin/env python3
"""Measures training and evaluation on several GPUs of one host: equal bits, sentences a second beside one GPU and beside
PyTorch's DistributedDataParallel, a rank that is killed, evaluations. Run by benchmarks/scale.sh.

    scale.py --transkimmer BIN --vocab VOCAB --data_dir GLUE [--gpus N] [--python PYTHON] [--parts bits train ...]

Weak scaling: every GPU has 32 sentences a step. `base 32x128` is BERT-base on sentences of 128 tokens, `minilm sst2` is
MiniLM on SST-2's own; both with random weights, in bfloat16. What is measured is in the run's log: the median of its
windows but the first, in which shapes are recorded. The parts that were left out stay in the file as they were.
"""

import argparse
import csv
import datetime
import hashlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results" / "scale_cuda.json"
PARTS = ("bits", "train", "killed", "eval", "ddp")
PER_GPU = 32
STEPS = {"base 32x128": (120, 20), "minilm sst2": (600, 100)}  # steps, and those of a window
PEERS = {"base 32x128": ("bert-base", "32x128"), "minilm sst2": ("minilm-l6", "sst2")}  # model and case of packed_ddp.py
VARIANTS = {
    "": [],
    "shard_optimizer": ["--shard_optimizer"],
    "bf16_gradients": ["--bf16_gradients"],
    "shard_optimizer bf16_gradients": ["--shard_optimizer", "--bf16_gradients"],
}
TASKS = {"cola": "CoLA", "sst2": "SST-2", "mrpc": "MRPC", "stsb": "STS-B", "qqp": "QQP", "mnli": "MNLI", "qnli": "QNLI",
         "rte": "RTE"}


def output_of(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def children_of(parent: int) -> list[int]:
    """In the order in which they were started."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[1]) == parent:
            children.append(int(stat.parent.name))
    return sorted(children)


class Scale:
    def __init__(self, options, work: Path):
        self.options, self.work = options, work
        self.environment = dict(os.environ)
        if options.nccl:
            paths = [options.nccl, self.environment.get("LD_LIBRARY_PATH", "")]
            self.environment["LD_LIBRARY_PATH"] = ":".join(path for path in paths if path)
        self.counts = [n for n in (1, 2, 4, 8, 16) if n <= options.gpus]
        self.made = 0

    def run(self, *arguments) -> subprocess.CompletedProcess:
        command = [self.options.transkimmer, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr[-3000:]}")
        return done

    def model(self, name: str) -> Path:
        folder = self.work / name
        if not folder.exists():
            self.run("init", folder, "--config", name, "--vocab", self.options.vocab)
        return folder

    def long_rows(self) -> Path:
        """Sentences that are cut at 128 tokens."""
        path = self.work / "long.csv"
        if not path.exists():
            generator = random.Random(1)
            words = [w for w in self.options.vocab.read_text(encoding="utf-8").split("\n") if w.isascii() and w.isalpha()]
            with path.open("w", encoding="utf-8") as file:
                rows = csv.writer(file)
                rows.writerow(["sentence", "label"])
                for i in range(8192):
                    rows.writerow([" ".join(generator.choices(words, k=140)), ("bad", "good")[i % 2]])
        return path

    def training(self, case: str, gpus: int, steps: int, *more) -> list:
        """The flags of a run, and the folder that it writes."""
        self.made += 1
        output = self.work / f"run-{self.made}"
        if case.startswith("base"):
            data = ["--model_name_or_path", self.model("bert-base"), "--train_file", self.long_rows()]
        else:
            data = ["--model_name_or_path", self.model("minilm-l6"), "--task_name", "sst2", "--data_dir",
                    self.options.data_dir, "--max_train_samples", 32768]
        ranks = ["--ranks", gpus, "--rank_timeout", "2m"] if gpus > 1 else []
        return ["train", *data, *ranks, "--output_dir", output, "--device", "cuda", "--dtype", "bfloat16", "--max_steps",
                steps, "--do_eval=false", "--report=false", "--progress", "off", *more]

    @staticmethod
    def folder_of(flags: list) -> Path:
        return flags[flags.index("--output_dir") + 1]

    def bits(self) -> dict:
        """SHA-256 of the model after 20 steps in eight micro-batches; and in one a GPU, whose gradients go while
        backward runs, on the first and the largest number of GPUs."""
        results = {}
        skimmed = ["--skim", "--skim_fit=false", "--distill_weight", 0]
        largest = self.counts[-1]
        ends = sorted({1, largest})
        for name, counts, parts, more in (
            ("dense", self.counts, max(8, largest), []),
            ("skimmed", self.counts, max(8, largest), skimmed),
            ("one part a GPU", ends, largest, skimmed),
            ("one part a GPU, shards", ends, largest, ["--shard_optimizer"]),
        ):
            hashes = {}
            for gpus in counts:
                flags = self.training("minilm sst2", gpus, 20, "--save_strategy", "no", "--micro_batches", parts,
                                      "--per_device_train_batch_size", 64, *more)
                self.run(*flags)
                model = (self.folder_of(flags) / "model.safetensors").read_bytes()
                hashes[gpus] = hashlib.sha256(model).hexdigest()
            results[name] = {"equal": len(set(hashes.values())) == 1, "sha256": hashes}
            print(f"bits {name}: {'equal' if results[name]['equal'] else hashes}", flush=True)
        return results

    def rate(self, case: str, gpus: int, variant: str) -> dict:
        steps, window = STEPS[case]
        flags = self.training(case, gpus, steps, "--save_strategy", "no", "--logging_steps", window, "--micro_batches",
                              gpus, "--per_device_train_batch_size", PER_GPU * gpus, *VARIANTS[variant])
        self.run(*flags)
        log = [json.loads(line) for line in (self.folder_of(flags) / "metrics.jsonl").read_text().splitlines()]
        rates = [row["sentences_per_second"] for row in log if "sentences_per_second" in row][1:]
        results = json.loads((self.folder_of(flags) / "train_results.json").read_text())
        return {"sentences_per_second": statistics.median(rates), "windows": rates, "sentences_per_step": PER_GPU * gpus,
                "bytes_sent_per_step": results.get("rank_bytes_sent_per_step", 0)}

    def train(self) -> dict:
        results = {}
        for case in self.options.cases:
            for gpus in self.counts:
                for variant in VARIANTS if gpus == self.counts[-1] > 1 else [""]:
                    its = self.rate(case, gpus, variant)
                    one = results.get(f"{case} 1", its)["sentences_per_second"]
                    its["efficiency"] = its["sentences_per_second"] / (gpus * one)
                    results[f"{case} {gpus} {variant}".strip()] = its
                    print(f"{case} {gpus} {variant}: {its['sentences_per_second']:.0f} sentences/s, efficiency "
                          f"{its['efficiency']:.3f}", flush=True)
        return results

    def killed(self) -> dict:
        """A rank is killed after the first checkpoint: how the others end, and whether the checkpoint is whole."""
        gpus = self.counts[-1]
        flags = self.training("minilm sst2", gpus, 1000000, "--save_steps", 200, "--save_total_limit", 0)
        checkpoint = self.folder_of(flags) / "checkpoint-200"
        started = subprocess.Popen([self.options.transkimmer, *map(str, flags)], stderr=subprocess.PIPE, text=True,
                                   env=self.environment)
        while not checkpoint.exists() and started.poll() is None:
            time.sleep(0.02)
        os.kill(children_of(started.pid)[-1], signal.SIGKILL)
        start = time.monotonic()
        error = started.communicate()[1]
        ended = time.monotonic() - start
        evaluated = self.run("eval", "--task_name", "sst2", "--data_dir", self.options.data_dir, "--model_name_or_path",
                             checkpoint, "--json", "--speed_samples", 0, "--device", "cuda")
        results = {"ranks": gpus, "exit_code": started.returncode, "seconds_until_all_ended": ended,
                   "line": [line for line in error.splitlines() if "rank" in line][-1:],
                   "checkpoint_loads": "eval_loss" in json.loads(evaluated.stdout)}
        print(f"killed: {results['line']}, all ended after {ended:.1f} s", flush=True)
        return results

    def eval(self) -> dict:
        """Every dev set that is there, on one GPU and on all: the same scores."""
        results = {}
        model, timed = self.model("minilm-l6"), ("runtime", "per_second", "executed")
        for task, folder in TASKS.items():
            if not (self.options.data_dir / folder).is_dir() or task in ("stsb", "mnli"):
                continue  # the model has two classes
            scores, seconds = [], {}
            for gpus in sorted({1, self.counts[-1]}):
                ranks = ["--ranks", gpus] if gpus > 1 else []
                done = self.run("eval", "--task_name", task, "--data_dir", self.options.data_dir, "--model_name_or_path",
                                model, "--json", "--speed_samples", 0, "--device", "cuda", "--dtype", "bfloat16", *ranks)
                all_results = json.loads(done.stdout)
                seconds[gpus] = all_results.get("eval_runtime")
                scores.append({k: v for k, v in all_results.items() if not any(t in k for t in timed)})
            results[task] = {"equal": all(s == scores[0] for s in scores), "seconds": seconds}
            print(f"eval {task}: equal {results[task]['equal']}, seconds {seconds}", flush=True)
        return results

    def ddp(self) -> dict:
        """The packed peer in DistributedDataParallel, on one GPU and on all."""
        results = {}
        if not self.options.python:
            return results
        for case in self.options.cases:
            model, what = PEERS[case]
            for gpus in sorted({1, self.counts[-1]}):
                command = [self.options.python, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={gpus}",
                           HERE / "packed_ddp.py", "--model_name_or_path", self.model(model), "--data_dir",
                           self.options.data_dir, "--case", what]
                done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
                lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
                its = json.loads(lines[-1]) if lines else {"failed": done.stderr[-1500:]}
                results[f"{case} {gpus}"] = its
                print(f"ddp {case} {gpus}: {its.get('sentences_per_second', 'failed')}", flush=True)
        return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transkimmer", required=True)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--gpus", type=int, default=len(output_of(["nvidia-smi", "-L"]).splitlines()))
    parser.add_argument("--python", help="one that has PyTorch and transformers; without it DDP is left out")
    parser.add_argument("--nccl", help="folder of libnccl.so.2")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--cases", nargs="+", choices=list(STEPS), default=list(STEPS), help="of the parts train and ddp")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.gpus < 1:
        parser.error("--gpus: no GPU was found")
    before = json.loads(options.output.read_text()) if options.output.exists() else {}
    build = output_of([options.transkimmer, "--build_info"])
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        scale = Scale(options, Path(folder))
        for part in options.parts:
            before[part] = {
                "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                "device": output_of(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]).splitlines(),
                "gpus": options.gpus,
                "build": build.splitlines(),
                "results": getattr(scale, part)(),
            }
            before["seconds"] = round(time.monotonic() - start, 1)
            options.output.write_text(json.dumps(before, indent=1) + "\n")
    print(f"{before['seconds']} s; wrote {options.output}")


if __name__ == "__main__":
    main()
