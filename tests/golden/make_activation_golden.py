#!/usr/bin/env python3
"""Writes activations.safetensors: the activations beside GELU, and the tiny model with each that transformers knows by
a name of ours. See README.md.

    python make_activation_golden.py
"""

import torch
from transformers import BertForSequenceClassification
from transformers.activations import ACT2FN

from common import Batch, random_batch, tiny_bert, write

FUNCTIONS = {"gelu_tanh": "gelu_new", "relu": "relu", "silu": "silu"}
NAMES = ["gelu", "gelu_python", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "relu", "silu", "swish"]


def function(activation: str, generator: torch.Generator) -> dict[str, torch.Tensor]:
    x = (2 * torch.randn(9, 17, generator=generator)).double().requires_grad_()
    dy = torch.randn(9, 17, generator=generator).double()
    y = ACT2FN[activation](x)
    (dx,) = torch.autograd.grad(y, x, dy)
    return {"x": x, "y": y, "dy": dy, "dx": dx}


def model(activation: str, batch: Batch) -> dict[str, torch.Tensor]:
    """bert_tiny_config's weights, with another activation."""
    like = tiny_bert()
    config = like.config
    config.hidden_act = activation
    bert = BertForSequenceClassification(config).double().eval()
    bert.load_state_dict(like.state_dict())
    output = bert(**batch.padded(), labels=batch.labels)
    output.loss.backward()
    weight = "bert.encoder.layer.0.intermediate.dense.weight"
    return {"logits": output.logits, "loss": output.loss, f"grad.{weight}": bert.get_parameter(weight).grad}


def main() -> None:
    generator = torch.Generator().manual_seed(21)
    batch = random_batch([3, 17, 8, 12, 5], generator)
    groups = {name: function(activation, generator) for name, activation in FUNCTIONS.items()}
    groups |= {f"bert_{name}": model(name, batch) for name in NAMES}
    logits = [groups[f"bert_{name}"]["logits"] for name in ("gelu", "gelu_new", "relu", "silu")]
    for i, mine in enumerate(logits):  # the models differ by more than any tolerance
        assert all((mine - other).abs().max() > 1e-4 for other in logits[:i])
    tensors = {f"{group}.{name}": t for group, of_group in groups.items() for name, t in of_group.items()}
    write("activations.safetensors", tensors | batch.tensors())


if __name__ == "__main__":
    main()
