#!/usr/bin/env python3
"""Scores of tasks of several labels by scikit-learn and their loss by PyTorch: writes several_labels.json.

    python3 -m venv venv && venv/bin/pip install -r tests/golden/requirements.txt
    venv/bin/python tests/golden/make_several_labels_golden.py
"""

import json
import random
import warnings
from pathlib import Path

import torch
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

HERE = Path(__file__).resolve().parent


def case(name: str, predicted: list[list[int]], actual: list[list[int]]) -> dict:
    return {
        "name": name, "predicted": predicted, "actual": actual,
        "precision": precision_score(actual, predicted, average="micro"),
        "recall": recall_score(actual, predicted, average="micro"), "f1": f1_score(actual, predicted, average="micro"),
        "f1_macro": f1_score(actual, predicted, average="macro"), "accuracy": accuracy_score(actual, predicted)
    }


def random_case(rng: random.Random, i: int) -> dict:
    labels, share, noise = rng.randint(2, 6), rng.choice([0.05, 0.3, 0.7]), rng.choice([0.0, 0.2, 1.0])
    actual = [[int(rng.random() < share) for _ in range(labels)] for _ in range(rng.randint(1, 9))]
    predicted = [[rng.randint(0, 1) if rng.random() < noise else label for label in row] for row in actual]
    return case(f"random {i}", predicted, actual)


def loss(generator: torch.Generator, rows: int, labels: int) -> dict:
    logits = torch.randn(rows, labels, generator=generator, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        logits *= 4
    targets = torch.randint(0, 2, (rows, labels), generator=generator)
    value = torch.nn.BCEWithLogitsLoss()(logits, targets.double())
    value.backward()
    return {
        "logits": logits.detach().flatten().tolist(), "targets": targets.flatten().tolist(), "labels": labels,
        "loss": value.item(), "gradient": logits.grad.flatten().tolist()
    }


def main() -> None:
    warnings.simplefilter("ignore")  # of scores that have nothing to divide by, which are 0
    rng = random.Random(7)
    cases = [
        case("nothing applies, nothing is found", [[0, 0], [0, 0]], [[0, 0], [0, 0]]),
        case("nothing is found", [[0, 0], [0, 0]], [[1, 0], [1, 1]]),
        case("nothing applies", [[1, 0], [1, 1]], [[0, 0], [0, 0]]),
        case("all is right", [[1, 0], [0, 1]], [[1, 0], [0, 1]]),
        case("all is wrong", [[0, 1], [1, 0]], [[1, 0], [0, 1]]),
    ] + [random_case(rng, i) for i in range(200)]
    generator = torch.Generator().manual_seed(7)
    losses = [loss(generator, rows, labels) for rows, labels in ((1, 2), (3, 4), (5, 3))]
    path = HERE / "several_labels.json"
    path.write_text(json.dumps({"cases": cases, "losses": losses}, separators=(",", ":")) + "\n")
    print(f"several_labels.json: {len(cases)} cases, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
