#!/usr/bin/env python3
"""Writes schedules.json: the factors of transformers' learning rate schedules, and PyTorch's smoothed cross-entropy.

    python make_schedules.py

Needs torch and transformers alone.
"""

import json
from pathlib import Path

import torch
from transformers import get_scheduler

KINDS = ["linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt"]


def factors(kind: str, warmup: int, total: int, peak: float, **more) -> dict:
    """The learning rate of the steps 0 to total and two behind, over its peak."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    scheduler = get_scheduler(kind, optimizer, warmup, total, more or None)
    values = []
    for _ in range(total + 3):
        values.append(scheduler.get_last_lr()[0] / peak)
        optimizer.step()
        scheduler.step()
    return {"kind": kind, "warmup": warmup, "total": total, "peak": peak, "factors": values}


def smoothing(share: float, rows: int, classes: int, seed: int) -> dict:
    generator = torch.Generator().manual_seed(seed)
    logits = (2 * torch.randn(rows, classes, generator=generator)).double().requires_grad_()
    labels = torch.randint(classes, (rows,), generator=generator)
    loss = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=share)
    loss.backward()
    return {"smoothing": share, "classes": classes, "logits": logits.flatten().tolist(), "labels": labels.tolist(),
            "loss": loss.item(), "gradient": logits.grad.flatten().tolist()}


def main() -> None:
    shapes = [(0, 7, 5e-5), (2, 10, 5e-5), (3, 40, 1e-3), (10, 10, 2e-5), (1, 2, 1e-4)]
    schedules = [factors(kind, *shape) for kind in KINDS for shape in shapes if kind != "polynomial" or shape[0] < shape[1]]
    for warmup, total in [(0, 20), (3, 40), (36, 40)]:
        decay = min(total // 10, total - warmup)
        schedules.append(factors("warmup_stable_decay", warmup, total, 5e-5, num_decay_steps=decay))
    losses = [smoothing(*case) for case in [(0.1, 5, 2, 1), (0.3, 4, 3, 2), (0.0, 3, 4, 3)]]
    path = Path(__file__).parent / "schedules.json"
    path.write_text(json.dumps({"schedules": schedules, "losses": losses}) + "\n")
    print(f"{path.name}: {len(schedules)} schedules, {len(losses)} losses, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
