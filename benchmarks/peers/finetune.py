#!/usr/bin/env python3
"""Fine-tuning speed of transformers, on the CPU or a GPU: eager PyTorch, dynamic padding, AdamW, as its Trainer does by default.

    finetune.py --model_name_or_path DIR --data_dir GLUE --task_name cola [--max_train_samples 320] [--threads 2] ...
    finetune.py --model_name_or_path DIR --data_dir GLUE --task_name sst2 mrpc --device cuda --dtype bfloat16 ...

A step is what a Trainer's step is: pad the batch, forward with dropout, backward, clip to norm 1, AdamW (fused), linear
schedule, clear. Sentences are the first of the training set, in the orders that `transkimmer bench --train` takes them
in; tokenising is not timed. A repeat is one pass over them. Prints one JSON object a task.
"""

import argparse
from pathlib import Path

import torch
import transformers
from transformers import BertForSequenceClassification, DataCollatorWithPadding, get_linear_schedule_with_warmup

import common


def finetune(task: str, options) -> dict:
    """Passes over a task's first sentences with a model that is loaded anew."""
    cuda = options.device == "cuda"
    if cuda:
        common.clear_device()
    torch.manual_seed(42)
    texts, labels = common.read_glue(options.data_dir, task, "train", options.max_train_samples)
    rows = [row | {"labels": label} for row, label in zip(common.tokenize(options.model_name_or_path, texts), labels)]
    collate = DataCollatorWithPadding(transformers.AutoTokenizer.from_pretrained(options.model_name_or_path))
    model = BertForSequenceClassification.from_pretrained(
        options.model_name_or_path, num_labels=2, dtype=torch.float32, attn_implementation=options.attention
    ).train().to(options.device)
    steps = -(-len(rows) // options.batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=0.0, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, steps * (options.repeats + 1))
    autocast = torch.autocast(options.device, torch.bfloat16, enabled=options.dtype == "bfloat16")
    losses, padded_tokens = [], []  # of each step; of each pass

    def epoch() -> None:
        random = options.train_sampling_strategy == "random"
        order = common.random_order(len(rows), len(padded_tokens)) if random else range(len(rows))
        padded_tokens.append(0)
        for indices in common.batches(order, options.batch_size):
            batch = collate([rows[i] for i in indices]).to(options.device)
            padded_tokens[-1] += batch["input_ids"].numel()
            with autocast:
                loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step(), schedule.step(), optimizer.zero_grad()
            losses.append(loss.detach())
        if cuda:
            torch.cuda.synchronize()

    result = common.measure(epoch, len(rows), options.repeats)
    tokens = sum(len(row["input_ids"]) for row in rows)
    return (
        result
        | {
            "runtime": f"transformers {transformers.__version__}, torch {torch.__version__}",
            "task": task,
            "order": options.train_sampling_strategy,
            "sentences": len(rows),
            "tokens": tokens,
            "tokens_per_sentence": tokens / len(rows),
            "padded_tokens": sum(padded_tokens[1:]),  # without the warm-up: says whether the batches are transkimmer's
            "batch_size": options.batch_size,
            "device": torch.cuda.get_device_name() if cuda else "cpu",
            "threads": options.threads,
            "dtype": options.dtype,
            "attention": options.attention,
            "first_loss": losses[0].item(),
            "last_epoch_loss": torch.stack(losses[-steps:]).mean().item(),
        }
        | ({"peak_device_bytes": torch.cuda.max_memory_reserved()} if cuda else {})
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_name_or_path", type=Path, required=True)
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--task_name", nargs="+", choices=list(common.TASKS), required=True)
    parser.add_argument("--max_train_samples", type=int, default=320)
    parser.add_argument("--train_sampling_strategy", choices=["random", "sequential"], default="random")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32", help="bfloat16: autocast")
    parser.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa", help="transformers' default is sdpa")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for task in options.task_name:
        common.report(finetune(task, options))


if __name__ == "__main__":
    main()
