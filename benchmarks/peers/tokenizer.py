#!/usr/bin/env python3
"""Speed of Hugging Face's Rust tokenizer.

    tokenizer.py --vocab vocab.txt --texts FILE [--threads N] [--repeats N] [--offsets]

FILE has a text a line. They go in as batches, which `tokenizers` spreads over its threads; with --offsets it says where
each token came from, as ours always does. Prints one JSON object; tokens and the sum of their ids tell whether two
tokenizers did the same work.
"""

import argparse
import os
from pathlib import Path

import common

BATCH = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--offsets", action="store_true")
    options = parser.parse_args()
    os.environ |= {"RAYON_NUM_THREADS": str(options.threads), "TOKENIZERS_PARALLELISM": str(options.threads > 1).lower()}
    import tokenizers  # reads the environment

    tokenizer = tokenizers.BertWordPieceTokenizer(str(options.vocab))._tokenizer
    encode = tokenizer.encode_batch if options.offsets else tokenizer.encode_batch_fast
    texts = options.texts.read_text(encoding="utf-8").split("\n")[:-1]
    batches = common.batches(texts, BATCH)
    tokens = id_sum = 0
    for batch in batches:
        for encoding in encode(batch):
            tokens, id_sum = tokens + len(encoding), id_sum + sum(encoding.ids)

    def encode_all() -> None:
        for batch in batches:
            encode(batch)

    result = common.measure(encode_all, len(texts), options.repeats, warm_up=0)
    common.report(
        result
        | {
            "runtime": f"tokenizers {tokenizers.__version__}",
            "sentences": len(texts),
            "threads": options.threads,
            "tokens": tokens,
            "id_sum": id_sum,
        }
    )


if __name__ == "__main__":
    main()
