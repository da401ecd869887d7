#!/usr/bin/env python3
"""Checks that a saved model folder loads in transformers, and prints its logits.

    check_hf.py MODEL_DIR < IDS > LOGITS

IDS: one sentence a line, token ids with blanks between, as `transkimmer tokenize` prints them; what follows the first
[SEP] has token type 1. LOGITS: one line a sentence, 9 significant digits. Every sentence runs alone, so nothing is
padded. Skim predictors are the only weights that BertForSequenceClassification may not know; any other missing or
unexpected one, or a wrong shape, is an error. It computes dense logits: skimming is not transformers' business.
"""

import sys
from pathlib import Path

import torch
from transformers import BertForSequenceClassification, logging


def load(folder: Path) -> BertForSequenceClassification:
    model, info = BertForSequenceClassification.from_pretrained(
        folder, local_files_only=True, attn_implementation="eager", dtype=torch.float32, ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    unexpected = [k for k in info["unexpected_keys"] if not k.startswith("bert.encoder.skim_predictors.")]
    wrong = {"missing": info["missing_keys"], "unexpected": unexpected, "of another shape": info["mismatched_keys"]}
    problems = [f"{what}: {', '.join(map(str, sorted(keys)))}" for what, keys in wrong.items() if keys]
    if problems:
        sys.exit(f"{folder}: {'; '.join(problems)}")
    return model.eval()


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    folder = Path(sys.argv[1])
    model = load(folder)
    sep = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n").index("[SEP]")
    for line in sys.stdin:
        ids = torch.tensor([[int(word) for word in line.split()]])
        is_sep = (ids == sep).int()
        types = (is_sep.cumsum(1) - is_sep > 0).long()
        with torch.no_grad():
            logits = model(input_ids=ids, token_type_ids=types).logits[0]
        print(" ".join(f"{value:.9g}" for value in logits.tolist()))


if __name__ == "__main__":
    main()
