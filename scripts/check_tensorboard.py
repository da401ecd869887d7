#!/usr/bin/env python3
"""Checks that TensorBoard reads what a run wrote for it.

    check_tensorboard.py RUN_DIR [LOGGING_DIR]

RUN_DIR is the output folder of a run with --report_to tensorboard; LOGGING_DIR where its events are, if not in
RUN_DIR/runs/TIME_HOST. Every number of every row of metrics.jsonl must be a point of the scalar that transformers would
have made of it, and there must be no other points of these; the texts `args` and `model_config` must parse. Of a model
that skims every gate has a histogram of probabilities for each evaluation. Needs the
package tensorboard, whose reader checks the records' checksums.
"""

import json
import struct
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def tag(key: str) -> str:
    return "eval/" + key[5:] if key.startswith("eval_") else "train/" + key


def single(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


def expected_points(run: Path) -> dict:
    points = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        for key, value in row.items():
            if key != "step" and isinstance(value, (int, float)):
                points.setdefault(tag(key), []).append((row["step"], single(value)))
    return points


def gates_of(config: dict) -> list[str]:
    """The histograms that a model's gates have."""
    layers = config["num_hidden_layers"]
    gate = config.get("skim_gate", "none")
    if gate == "layer":
        return [f"keys_probability/layer_{i}" for i in range(layers)]
    if gate == "staged":
        return [
            f"{rows}_probability/layer_{i}" for rows, first, last in (("keys", 1, layers), ("updated", 1, layers),
                                                                      ("fed", 0, layers - 1))
            for i in range(first, last)
        ]
    return []


def problems_of_histograms(events: EventAccumulator, run: Path) -> list[str]:
    gates = gates_of(json.loads((run / "config.json").read_text()))
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = sorted(row["step"] for row in rows if "eval_loss" in row)
    found = events.Tags()["histograms"]
    problems = [f"{name}: a histogram of no gate" for name in found if name not in gates]
    for name in gates:
        histograms = events.Histograms(name) if name in found else []
        if sorted(event.step for event in histograms) != steps:
            problems.append(f"{name}: expected histograms at steps {steps}, got {[e.step for e in histograms]}")
        for event in histograms:
            h = event.histogram_value
            whole = sum(h.bucket) == h.num and len(h.bucket) == len(h.bucket_limit)
            mean = h.sum / h.num if h.num else 0
            if not (whole and 0 <= h.min <= mean <= h.max <= 1 and h.sum_squares <= h.sum):
                problems.append(f"{name}: at step {event.step} its numbers do not fit: {h}"[:200])
        if histograms:
            h = histograms[-1].histogram_value
            print(f"{name:<32} {len(histograms):>6} histograms, the last of {h.num:.0f} values, mean "
                  f"{h.sum / max(h.num, 1):.3f}")
    return problems


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    run = Path(sys.argv[1])
    logs = Path(sys.argv[2]) if len(sys.argv) == 3 else next((run / "runs").iterdir())
    events = EventAccumulator(str(logs), size_guidance={"scalars": 0, "tensors": 0, "histograms": 0})
    events.Reload()
    problems = []
    scalars = {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}
    for name, points in expected_points(run).items():
        found = scalars.get(name, [])
        last = [(found[-1])] if name == "train/epoch" and found else []  # of the end of training, which is no row
        if sorted(found) not in (sorted(points), sorted(points + last)):
            problems.append(f"{name}: expected {len(points)} points {points[:3]} ..., got {len(found)} {found[:3]} ...")
    for name in ("args", "model_config"):
        text = events.Tensors(f"{name}/text_summary")[-1].tensor_proto.string_val[0]
        json.loads(text)
    for name, points in sorted(scalars.items()):
        print(f"{name:<32} {len(points):>6} points, the last {points[-1][1]:.6g} at step {points[-1][0]}")
    problems += problems_of_histograms(events, run)
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(scalars)} scalars agree with {run / 'metrics.jsonl'}")


if __name__ == "__main__":
    main()
