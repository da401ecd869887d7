#!/usr/bin/env python3
"""Entity F1 of transformers on files of words and tags, as its run_ner.py example trains and scores: Trainer, the first piece
of a word has the word's label, seqeval counts.

    ner.py --model_name_or_path DIR --train_file train.conll --validation_file dev.conll --test_file test.conll
           [--seeds 42,1,2] [--num_train_epochs 3] [--device cuda] [--dtype bfloat16] ...

The settings are those of `transkimmer train`: batch 32, linear schedule with a warm-up of 0.06, 128 tokens of a sentence
at most. Prints one JSON object a seed: scores on both files, seconds of training alone.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import transformers
from seqeval.metrics import f1_score, precision_score, recall_score
from transformers import (AutoModelForTokenClassification, AutoTokenizer, DataCollatorForTokenClassification, Trainer,
                          TrainingArguments)

import common

UNSCORED = -100  # later pieces of a word, [CLS] and [SEP]


def read_conll(path: Path) -> list[tuple[list[str], list[str]]]:
    """Sentences as (words, tags): one word a line, its tag after a tab, a line without a word between sentences."""
    sentences, words, tags = [], [], []
    for line in path.read_text(encoding="utf-8").split("\n") + [""]:
        if line.strip():
            word, tag = line.split("\t")
            words.append(word), tags.append(tag)
        elif words:
            sentences.append((words, tags))
            words, tags = [], []
    return sentences


def rows_of(sentences, labels: list[str], tokenizer) -> list[dict]:
    rows = []
    for words, tags in sentences:
        row = tokenizer(words, is_split_into_words=True, truncation=True, max_length=128)
        pieces = [None, *row.word_ids()]
        row["labels"] = [
            UNSCORED if word is None or word == before else labels.index(tags[word])
            for before, word in zip(pieces, pieces[1:])
        ]
        rows.append(dict(row))
    return rows


def scores(output, labels: list[str]) -> dict:
    """Entity scores over the words that the model saw."""
    predicted, true = [], []
    for row, expected in zip(output.predictions.argmax(-1), output.label_ids):
        scored = expected != UNSCORED
        predicted.append([labels[i] for i in row[scored]])
        true.append([labels[i] for i in expected[scored]])
    return {
        "f1": f1_score(true, predicted),
        "precision": precision_score(true, predicted),
        "recall": recall_score(true, predicted),
        "accuracy": float(np.mean([p == t for ps, ts in zip(predicted, true) for p, t in zip(ps, ts)])),
    }


def fine_tune(options, seed: int) -> dict:
    transformers.set_seed(seed)
    files = {"train": options.train_file, "dev": options.validation_file, "test": options.test_file}
    sentences = {part: read_conll(path) for part, path in files.items()}
    labels = sorted({tag for _, tags in sentences["train"] for tag in tags})
    tokenizer = AutoTokenizer.from_pretrained(options.model_name_or_path)
    rows = {part: rows_of(of_part, labels, tokenizer) for part, of_part in sentences.items()}
    model = AutoModelForTokenClassification.from_pretrained(
        options.model_name_or_path, num_labels=len(labels), dtype=torch.float32)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                seed=seed,
                num_train_epochs=options.num_train_epochs,
                learning_rate=options.learning_rate,
                per_device_train_batch_size=options.per_device_train_batch_size,
                per_device_eval_batch_size=128,
                warmup_steps=0.06,
                lr_scheduler_type="linear",
                bf16=options.dtype == "bfloat16",
                use_cpu=options.device == "cpu",
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                logging_strategy="no",
            ),
            train_dataset=rows["train"],
            data_collator=DataCollatorForTokenClassification(tokenizer),
        )
        start = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - start
        found = {part: scores(trainer.predict(rows[part]), labels) for part in ("dev", "test")}
    return {
        "runtime": f"transformers {transformers.__version__}, torch {torch.__version__}",
        "seed": seed,
        "epochs": options.num_train_epochs,
        "learning_rate": options.learning_rate,
        "batch_size": options.per_device_train_batch_size,
        "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
        "dtype": options.dtype,
        "train_seconds": seconds,
    } | found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_name_or_path", type=Path, required=True)
    parser.add_argument("--train_file", type=Path, required=True)
    parser.add_argument("--validation_file", type=Path, required=True)
    parser.add_argument("--test_file", type=Path, required=True)
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[42])
    parser.add_argument("--num_train_epochs", type=float, default=3)
    parser.add_argument("--learning_rate", type=float, default=5e-5)
    parser.add_argument("--per_device_train_batch_size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32", help="bfloat16: autocast")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    transformers.logging.set_verbosity_error()
    for seed in options.seeds:
        common.report(fine_tune(options, seed))


if __name__ == "__main__":
    main()
