#!/usr/bin/env python3
"""Entities and their scores by seqeval: writes entities.json.

    python3 -m venv venv && venv/bin/pip install -r tests/golden/requirements.txt
    venv/bin/python tests/golden/make_entities_golden.py
"""

import json
import random
import warnings
from pathlib import Path

from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities

HERE = Path(__file__).resolve().parent
SCHEMES = {
    "BIO": ["O", "B-person", "I-person", "B-place", "I-place"],
    "BIOES": ["O", "B-a", "I-a", "E-a", "S-a", "B-b", "I-b", "E-b", "S-b"],
    "types with dashes": ["O", "B-creative-work", "I-creative-work", "I-creative", "B-work"],
    "no prefixes": ["O", "person", "place", "B", "I"],
}


def sentences(rng: random.Random, tags: list[str]) -> list[list[str]]:
    return [[rng.choice(tags) for _ in range(rng.randint(1, 9))] for _ in range(rng.randint(1, 4))]


def disturbed(rng: random.Random, truth: list[list[str]], tags: list[str], share: float) -> list[list[str]]:
    return [[rng.choice(tags) if rng.random() < share else tag for tag in sentence] for sentence in truth]


def case(name: str, predicted: list[list[str]], actual: list[list[str]]) -> dict:
    entities = [[{"type": kind, "begin": begin, "end": end + 1} for kind, begin, end in get_entities(sentence)]
                for sentence in actual]
    return {
        "name": name, "predicted": predicted, "actual": actual, "entities": entities,
        "precision": precision_score(actual, predicted), "recall": recall_score(actual, predicted),
        "f1": f1_score(actual, predicted), "accuracy": accuracy_score(actual, predicted)
    }


def main() -> None:
    warnings.simplefilter("ignore")  # of scores that have nothing to divide by, which are 0
    rng = random.Random(7)
    cases = [
        case("nothing there, nothing found", [["O", "O"]], [["O", "O"]]),
        case("nothing found", [["O", "O"]], [["B-a", "I-a"]]),
        case("nothing there", [["B-a", "I-a"]], [["O", "O"]]),
        case("wrong type", [["B-b", "I-b"]], [["B-a", "I-a"]]),
        case("an entity does not go on in the next sentence", [["O", "I-a"], ["I-a", "O"]], [["O", "B-a"], ["B-a", "O"]]),
    ]
    for name, tags in SCHEMES.items():
        for i in range(100):
            actual = sentences(rng, tags)
            cases.append(case(f"{name} {i}", disturbed(rng, actual, tags, rng.choice([0.0, 0.3, 1.0])), actual))
    path = HERE / "entities.json"
    path.write_text(json.dumps({"cases": cases}, separators=(",", ":")) + "\n")
    print(f"entities.json: {len(cases)} cases, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
