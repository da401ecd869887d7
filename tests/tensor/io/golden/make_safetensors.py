#!/usr/bin/env python3
"""Writes the small files that safetensors_test.cpp reads and writes again: Hugging Face's own writer, safetensors 0.8.0.

    python make_safetensors.py
"""

import ctypes
import struct
from pathlib import Path

from safetensors import TensorSpec, serialize_file

HERE = Path(__file__).parent


def tensor(dtype: str, shape: list[int], code: str, *values) -> tuple[str, list[int], bytes]:
    return dtype, shape, struct.pack(f"<{len(values)}{code}", *values)


def write(name: str, tensors: dict, metadata: dict | None = None) -> None:
    buffers = {key: ctypes.create_string_buffer(data, max(len(data), 1)) for key, (_, _, data) in tensors.items()}
    specs = {
        key: TensorSpec(dtype=dtype, shape=shape, data_ptr=ctypes.addressof(buffers[key]), data_len=len(data))
        for key, (dtype, shape, data) in tensors.items()
    }
    serialize_file(specs, HERE / name, metadata)


# Every dtype that a tensor can have; the names test the order and the escapes of JSON.
write(
    "all_dtypes.safetensors",
    {
        "b.f32": tensor("float32", [2, 3], "f", 0.5, -1.0, 2.0, 1e-40, float("inf"), -0.0),
        "a.f32": tensor("float32", [1, 1, 2], "f", 3.0, 4.0),
        "f64": tensor("float64", [2], "d", 0.1, -1e300),
        "i64": tensor("int64", [3], "q", 0, -(2**63), 2**63 - 1),
        "i32": tensor("int32", [2, 2], "i", 1, -2, 2**31 - 1, -(2**31)),
        "bf16": tensor("bfloat16", [3], "H", 0x3F80, 0xC000, 0x0001),
        "bool": tensor("bool", [3], "B", 1, 0, 1),
        "scalar": tensor("float32", [], "f", 7.0),
        "empty": tensor("float32", [0, 4], "f"),
        'größe "\\\n\x01\x7f/': tensor("float32", [1], "f", 9.0),
    },
    {"format": "pt"},
)

write(
    "float16.safetensors",
    {
        "half": tensor("float16", [2, 3], "e", 0.5, -1.0, 65504.0, 2.0**-24, float("-inf"), 0.0),
        "ids": tensor("int32", [1], "i", 5),
    },
)

# Dtypes that are read as another, and one that is only listed.
write(
    "foreign_dtypes.safetensors",
    {
        "u8": tensor("uint8", [4], "B", 0, 1, 128, 255),
        "u16": tensor("uint16", [2], "H", 1, 2),
    },
)
