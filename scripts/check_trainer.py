#!/usr/bin/env python3
"""Checks that `transkimmer train` trains as transformers' Trainer does: the same flags through both, step by step.

    check_trainer.py --program PROGRAM --model_name_or_path DIR --data_dir GLUE [--task_name mrpc] [--max_steps 12] ...

Both start from one folder, whose classifier transformers draws, without dropout and with the rows in the file's order;
flags are spelled once and given to both. Losses, gradient norms and learning rates of all steps and the scores at the
end must agree, and the files of results have the same keys. Prints a table; exit code 1: something differs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from transformers import (AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, PrinterCallback,
                          Trainer, TrainingArguments)

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks/peers"))
import common

SCHEDULES = ("linear", "cosine", "constant_with_warmup", "polynomial", "inverse_sqrt")
TOLERANCE = {"loss": 2e-4, "grad_norm": 2e-3, "learning_rate": 1e-9}  # of values near 1; rates are exact to rounding


def start_model(source: Path, folder: Path) -> None:
    """A checkpoint with a new classifier and no dropout."""
    torch.manual_seed(42)
    model = AutoModelForSequenceClassification.from_pretrained(
        source, num_labels=2, dtype=torch.float32, hidden_dropout_prob=0, attention_probs_dropout_prob=0)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    if not (folder / "vocab.txt").exists():
        (folder / "vocab.txt").write_bytes((source / "vocab.txt").read_bytes())


def flags_of(options) -> dict:
    """Spelled as both have them."""
    return {
        "max_steps": options.max_steps,
        "per_device_train_batch_size": 8,
        "per_device_eval_batch_size": 8,
        "gradient_accumulation_steps": options.gradient_accumulation_steps,
        "learning_rate": 5e-5,
        "lr_scheduler_type": options.lr_scheduler_type,
        "warmup_steps": 3,
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "label_smoothing_factor": options.label_smoothing_factor,
        "logging_steps": 1,
        "save_strategy": "no",
        "seed": 42,
        "train_sampling_strategy": "sequential",
    }


def by_transformers(options, start: Path, output: Path) -> tuple[list[dict], dict]:
    tokenizer = AutoTokenizer.from_pretrained(start)

    def rows(split: str, count: int) -> list[dict]:
        texts, labels = common.read_glue(options.data_dir, options.task_name, split, count)
        return [row | {"labels": label} for row, label in zip(common.tokenize(start, texts), labels)]

    trainer = Trainer(
        model=AutoModelForSequenceClassification.from_pretrained(start, dtype=torch.float32),
        args=TrainingArguments(output_dir=str(output), use_cpu=True, report_to="none", disable_tqdm=True,
                               **flags_of(options)),
        train_dataset=rows("train", options.samples),
        eval_dataset=rows("dev", options.samples),
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=lambda p: {"accuracy": float((p.predictions.argmax(-1) == p.label_ids).mean())},
    )
    trainer.remove_callback(PrinterCallback)
    train = trainer.train()
    trainer.save_metrics("train", train.metrics | {"train_samples": 0})
    metrics = trainer.evaluate()
    trainer.save_metrics("eval", metrics | {"eval_samples": 0}), trainer.save_state()
    return [row for row in trainer.state.log_history if "loss" in row], metrics


def by_transkimmer(options, start: Path, output: Path) -> tuple[list[dict], dict]:
    flags = flags_of(options) | {
        "task_name": options.task_name, "data_dir": options.data_dir, "model_name_or_path": start, "output_dir": output,
        "max_train_samples": options.samples, "max_eval_samples": options.samples, "device": "cpu", "report": "false",
        "progress": "off"
    }
    subprocess.run([options.program, "train", *(f"--{name}={value}" for name, value in flags.items())],
                   check=True,
                   stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    state = json.loads((output / "trainer_state.json").read_text())
    return [row for row in state["log_history"] if "loss" in row], json.loads((output / "eval_results.json").read_text())


def compare_steps(theirs: list[dict], ours: list[dict]) -> list[str]:
    problems = [] if len(theirs) == len(ours) else [f"{len(theirs)} steps were logged by one, {len(ours)} by the other"]
    print(f"{'step':>4}  {'loss':>10}{'theirs':>11}{'|g|':>10}{'theirs':>11}{'lr':>12}{'theirs':>12}")
    for their, our in zip(theirs, ours):
        print(f"{our['step']:>4}  {our['loss']:>10.6f}{their['loss']:>11.6f}{our['grad_norm']:>10.5f}"
              f"{their['grad_norm']:>11.5f}{our['learning_rate']:>12.4e}{their['learning_rate']:>12.4e}")
        for key, tolerance in TOLERANCE.items():
            if abs(our[key] - their[key]) > tolerance * max(1.0, abs(their[key])):
                problems.append(f"step {our['step']}: {key} {our[key]}, transformers' {their[key]}")
    return problems


def compare_files(theirs: Path, ours: Path) -> list[str]:
    problems = []
    for name in ("train_results.json", "eval_results.json", "all_results.json", "trainer_state.json"):
        missing = sorted(set(json.loads((theirs / name).read_text())) - set(json.loads((ours / name).read_text())))
        if missing:
            problems.append(f"{name}: lacks {', '.join(missing)}")
    return problems


def check(options) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        start, theirs, ours = (Path(folder) / name for name in ("start", "transformers", "transkimmer"))
        start_model(options.model_name_or_path, start)
        their_steps, their_scores = by_transformers(options, start, theirs)
        our_steps, our_scores = by_transkimmer(options, start, ours)
        problems = compare_steps(their_steps, our_steps) + compare_files(theirs, ours)
    for key in ("eval_loss", "eval_accuracy"):
        print(f"{key}: {our_scores[key]:.6f}, transformers' {their_scores[key]:.6f}")
        if abs(our_scores[key] - their_scores[key]) > 1e-3:
            problems.append(f"{key}: {our_scores[key]}, transformers' {their_scores[key]}")
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--model_name_or_path", type=Path, required=True)
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--task_name", choices=list(common.TASKS), default="mrpc")
    parser.add_argument("--samples", type=int, default=64, help="rows to train on, and dev rows")
    parser.add_argument("--max_steps", type=int, default=12)
    parser.add_argument("--gradient_accumulation_steps", type=int, default=1)
    parser.add_argument("--lr_scheduler_type", choices=SCHEDULES, default="linear")
    parser.add_argument("--label_smoothing_factor", type=float, default=0)
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    problems = check(options)
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
