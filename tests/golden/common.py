"""What the golden scripts share: the tiny model, packed batches and the writing of files."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification

HERE = Path(__file__).parent
PAD, UNK, CLS, SEP, MASK = range(5)
FIRST_WORD = 5


def tiny_config() -> BertConfig:
    return BertConfig(
        vocab_size=120, hidden_size=32, num_attention_heads=4, num_hidden_layers=3, intermediate_size=64,
        max_position_embeddings=64, type_vocab_size=2, num_labels=3, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, attn_implementation="eager",
    )  # fmt: skip


def tiny_vocabulary() -> list[str]:
    """120 WordPiece entries: the special ones, letters and digits (whole and continued), and a few words."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = (
        "the an of and in to it is was that on for with as at by he she they this from not are but have one all you "
        "were which their when who will more no if out so up said what about been than its into time new"
    )
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *"0123456789"]
    entries += [".", ",", "?", "!", *words.split()]
    assert len(entries) == len(set(entries)) == tiny_config().vocab_size, len(entries)
    return entries


def randomise(parameters: dict[str, Tensor], generator: torch.Generator) -> None:
    """Fills parameters so that every part matters: attention far from uniform, norms and biases away from 1 and 0.

    Values are float32 numbers, whatever the tensor's dtype, so that a file in float32 holds them exactly.
    """
    for name, parameter in sorted(parameters.items()):
        noise = torch.randn(parameter.shape, generator=generator)
        if name.endswith("embeddings.weight"):
            value = 0.6 * noise
        elif "LayerNorm" in name or ".predictor.0." in name or ".predictor.2." in name:
            value = 0.1 * noise + (1.0 if name.endswith("weight") else 0.0)
        elif name.endswith("weight"):
            value = noise * 1.4 / parameter.shape[1] ** 0.5
        else:
            value = 0.1 * noise
        parameter.data.copy_(value)


def tiny_bert(seed: int = 1) -> BertForSequenceClassification:
    """A random tiny classifier in float64 whose weights are float32 numbers."""
    model = BertForSequenceClassification(tiny_config()).double().eval()
    randomise(dict(model.named_parameters()), torch.Generator().manual_seed(seed))
    return model


@dataclass
class Batch:
    """Sentences packed one after the other, no padding: sentence b has the rows offsets[b] .. offsets[b + 1] - 1."""

    ids: Tensor
    types: Tensor
    offsets: Tensor
    labels: Tensor

    @property
    def slices(self) -> list[slice]:
        bounds = self.offsets.tolist()
        return [slice(a, b) for a, b in zip(bounds, bounds[1:])]

    @property
    def lengths(self) -> list[int]:
        return (self.offsets[1:] - self.offsets[:-1]).tolist()

    @property
    def positions(self) -> Tensor:
        return torch.cat([torch.arange(n) for n in self.lengths])

    def padded(self) -> dict[str, Tensor]:
        """The arguments of a Hugging Face model."""
        pad = lambda rows: torch.nn.utils.rnn.pad_sequence([rows[s] for s in self.slices], batch_first=True)
        mask = pad(torch.ones_like(self.ids))
        return {"input_ids": pad(self.ids), "token_type_ids": pad(self.types), "attention_mask": mask}

    def unpad(self, padded: Tensor) -> Tensor:
        return torch.cat([padded[b, :n] for b, n in enumerate(self.lengths)])

    def tensors(self, prefix: str = "") -> dict[str, Tensor]:
        named = {"ids": self.ids, "token_types": self.types, "positions": self.positions, "offsets": self.offsets}
        return {prefix + name: t.int() for name, t in {**named, "labels": self.labels}.items()}


def random_batch(lengths: list[int], generator: torch.Generator, pairs: bool = True) -> Batch:
    """[CLS] words [SEP], every second sentence of 5 or more tokens a pair [CLS] words [SEP] words [SEP]."""
    config = tiny_config()
    ids, types = [], []
    for b, n in enumerate(lengths):
        row = torch.randint(FIRST_WORD, config.vocab_size, (n,), generator=generator)
        kind = torch.zeros(n, dtype=torch.long)
        row[0], row[-1] = CLS, SEP
        if pairs and b % 2 == 1 and n >= 5:
            middle = n // 2
            row[middle] = SEP
            kind[middle + 1 :] = 1
        ids.append(row), types.append(kind)
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    labels = torch.randint(0, config.num_labels, (len(lengths),), generator=generator)
    return Batch(torch.cat(ids), torch.cat(types), offsets, labels)


def write(name: str, tensors: dict[str, Tensor], dtype: torch.dtype = torch.float32) -> None:
    """Writes tests/golden/NAME; floating-point tensors, computed in float64, are rounded to `dtype`."""
    tidy = {k: (t.detach().to(dtype) if t.is_floating_point() else t).contiguous() for k, t in tensors.items()}
    path = HERE / name
    path.parent.mkdir(exist_ok=True)
    save_file(tidy, path, metadata={"format": "pt"})
    print(f"{name}: {len(tidy)} tensors, {path.stat().st_size / 1000:.0f} kB")


def write_model(folder: str, parameters: dict[str, Tensor], extra_config: dict | None = None) -> None:
    """A Hugging Face folder: config.json, model.safetensors, vocab.txt."""
    write(f"{folder}/model.safetensors", parameters)
    config = tiny_config().to_diff_dict() | {
        "architectures": ["BertForSequenceClassification"],
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "type_vocab_size": 2,
        "initializer_range": 0.02,
        "pad_token_id": PAD,
    }
    config.pop("transformers_version", None)
    text = json.dumps(config | (extra_config or {}), indent=2, sort_keys=True)
    (HERE / folder / "config.json").write_text(text + "\n")
    (HERE / folder / "vocab.txt").write_text("\n".join(tiny_vocabulary()) + "\n")
