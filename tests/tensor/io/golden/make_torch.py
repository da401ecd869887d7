#!/usr/bin/env python3
"""Writes the small files that torch_file_test.cpp reads: torch.save's own, torch 2.15.0. state_dict.bin's tensors are
in state_dict.safetensors again, whole and contiguous, by Hugging Face's writer, safetensors 0.8.0.

    python make_torch.py
"""

from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent

base = torch.arange(24.0).reshape(4, 6) / 7
linear = torch.nn.Linear(2, 3)
with torch.no_grad():
    linear.weight.copy_(torch.arange(6.0).reshape(3, 2) - 2.5)
    linear.bias.copy_(torch.tensor([0.1, -1e-3, 3.0]))

# Of one storage: all of it, transposed, some from its middle, every other number.
tensors = OrderedDict(
    whole=base, transposed=base.t(), middle=base[1:3, 2:5], strided=base.flatten()[1::2], column=base[:, 3],
    scalar=torch.tensor(2.5), empty=torch.zeros(0, 3), half=torch.tensor([1.0, -2.5, 6e-8, 65504.0]).half(),
    bfloat16=torch.tensor([1.0, -2.0, 3e38]).bfloat16(), double=torch.tensor([0.1, -1e300], dtype=torch.float64),
    ids=torch.arange(5).expand((1, -1)), int32=torch.tensor([1, -2], dtype=torch.int32),
    half_transposed=torch.arange(6.0).reshape(2, 3).half().t(), byte=torch.tensor([0, 255], dtype=torch.uint8),
    bool=torch.tensor([True, False, True]), parameter=torch.nn.Parameter(torch.tensor([4.0, 5.0])),
)  # fmt: skip
tensors._metadata = linear.state_dict()._metadata
torch.save(tensors, HERE / "state_dict.bin")
save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, HERE / "state_dict.safetensors")

torch.save(linear.state_dict(), HERE / "legacy.bin", _use_new_zipfile_serialization=False)
torch.save(linear, HERE / "module.bin")  # names a class
torch.save({"epoch": 3, "weight": torch.ones(2)}, HERE / "epoch.bin")
