"""Writes tokenizer_folders.json: folders of tokenizer files, and the ids that transformers' AutoTokenizer, which reads
them, gives a few hundred texts.

    pip install transformers==5.24.0 tokenizers==0.23.3
    python make_tokenizer_folders.py
"""

import json
import pathlib
import random
import tempfile

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer

HERE = pathlib.Path(__file__).parent
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdeABCDEéÉ"
WORDS = ["new", "New", "token", "##s", "news", "中", "文", "##文", "[", "]", "<", ">", "e1", "E1", "@", "user", "_", ".", "1"]
VOCABULARY = [*SPECIAL, "[unused1]", *LETTERS, *("##" + c for c in LETTERS + "1"), *WORDS]
FRESH = len(VOCABULARY)  # the first id behind the vocabulary
CONFIG = {"model_type": "bert", "vocab_size": 100, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
          "intermediate_size": 8, "max_position_embeddings": 64}  # fmt: skip

PIECES = [
    "new", "New", "NEW", "news", "token", "a", "É", "éa", "Ae\u0301", "中文", "[E1]", "[e1]", "<e1>", "<E1>", "@user", "@USER",
    "[CLS]", "[MASK]", "[SEP]", "[unused1]", "_", ".", "1", "\t", "\u00a0", "\u3000", "\u200b", "x_y", "newÉ", "NewÉ", "É1",
]  # fmt: skip


def texts() -> list[str]:
    draw = random.Random(5)
    made = ["", " ", *PIECES]
    made += ["".join(draw.choice(PIECES) + draw.choice(["", "", " ", "  "]) for _ in range(draw.randint(2, 7))) for _ in range(270)]
    return made


def tokenizer_json(vocabulary=VOCABULARY, added=(), **normalizer) -> dict:
    tokenizer = Tokenizer(models.WordPiece({token: i for i, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    settings = dict(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True) | normalizer
    tokenizer.normalizer = normalizers.BertNormalizer(**settings)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ids = [(token, vocabulary.index(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=ids
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    for token in added:
        tokenizer.add_tokens([token])
    return json.loads(tokenizer.to_str())


def token(content: str, **flags) -> dict:
    return dict(content=content, special=False, normalized=True, single_word=False, lstrip=False, rstrip=False) | flags


VOCAB_TXT = "".join(entry + "\n" for entry in VOCABULARY)
SPECIAL_DECODER = {str(i): token(text, special=True, normalized=False) for i, text in enumerate(SPECIAL)}
REVERSED = SPECIAL + VOCABULARY[:4:-1]

FOLDERS = {
    "vocab.txt alone": {"vocab.txt": VOCAB_TXT},
    "cased": {"vocab.txt": VOCAB_TXT, "tokenizer_config.json": {"do_lower_case": False}},
    "accents kept": {"vocab.txt": VOCAB_TXT, "tokenizer_config.json": {"strip_accents": False}},
    "cased, accents stripped": {
        "vocab.txt": VOCAB_TXT,
        "tokenizer_config.json": {"do_lower_case": False, "strip_accents": True},
    },
    "Han characters in words": {"vocab.txt": VOCAB_TXT, "tokenizer_config.json": {"tokenize_chinese_chars": False}},
    "tokenizer.json alone": {"tokenizer.json": tokenizer_json()},
    "tokenizer.json of a generic class, cased": {
        "tokenizer.json": tokenizer_json(lowercase=False),
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": True},
    },
    "tokenizer.json of a generic class, Han characters in words": {
        "tokenizer.json": tokenizer_json(handle_chinese_chars=False, strip_accents=False),
        "tokenizer_config.json": {"tokenizer_class": "TokenizersBackend"},
    },
    "settings beside a cased tokenizer.json": {
        "tokenizer.json": tokenizer_json(lowercase=False),
        "tokenizer_config.json": {"tokenizer_class": "BertTokenizer"},
    },
    "cased settings beside an uncased tokenizer.json": {
        "tokenizer.json": tokenizer_json(),
        "tokenizer_config.json": {"do_lower_case": False, "tokenizer_class": "BertTokenizerFast"},
    },
    "vocab.txt beside another tokenizer.json": {
        "vocab.txt": VOCAB_TXT,
        "tokenizer.json": tokenizer_json(REVERSED),
        "tokenizer_config.json": {},
    },
    "added in tokenizer.json": {
        "tokenizer.json": tokenizer_json(
            added=[AddedToken("[E1]", special=True), AddedToken("New"), AddedToken("@user", normalized=False)]
        ),
        "tokenizer_config.json": {},
    },
    "added in tokenizer.json, a generic class": {
        "tokenizer.json": tokenizer_json(lowercase=False, added=[AddedToken("<e1>"), AddedToken("É1")]),
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"},
    },
    "added by their spelling": {
        "vocab.txt": VOCAB_TXT,
        "tokenizer_config.json": {
            "added_tokens_decoder": SPECIAL_DECODER
            | {
                str(FRESH): token("[E1]", special=True, normalized=False),
                str(FRESH + 1): token("<e1>", normalized=False),
                str(VOCABULARY.index("new")): token("new", normalized=False),
                str(VOCABULARY.index("[unused1]")): token("[unused1]", special=True, normalized=False),
            }
        },
    },
    "added by their normalised spelling": {
        "vocab.txt": VOCAB_TXT,
        "tokenizer_config.json": {
            "added_tokens_decoder": SPECIAL_DECODER
            | {str(FRESH): token("NewÉ"), str(FRESH + 1): token("x_y"), str(FRESH + 2): token("<e1>")}
        },
    },
    "added, cased, by their normalised spelling": {
        "vocab.txt": VOCAB_TXT,
        "tokenizer_config.json": {
            "do_lower_case": False,
            "added_tokens_decoder": SPECIAL_DECODER | {str(FRESH): token("NewÉ"), str(FRESH + 1): token("<e1>")},
        },
    },
    "added as whole words, with the white space beside them": {
        "vocab.txt": VOCAB_TXT,
        "tokenizer_config.json": {
            "added_tokens_decoder": SPECIAL_DECODER
            | {
                str(VOCABULARY.index("new")): token("new", single_word=True, normalized=False),
                str(FRESH): token("[E1]", lstrip=True, normalized=False, special=True),
                str(FRESH + 1): token("<e1>", rstrip=True, normalized=False),
                str(FRESH + 2): token("@user", lstrip=True, rstrip=True),
            }
        },
    },
    "the longer one of two": {
        "vocab.txt": VOCAB_TXT,
        "tokenizer_config.json": {
            "added_tokens_decoder": SPECIAL_DECODER
            | {
                str(VOCABULARY.index("new")): token("new", normalized=False),
                str(VOCABULARY.index("news")): token("news", normalized=False),
            }
        },
    },
    "added_tokens.json": {"vocab.txt": VOCAB_TXT, "added_tokens.json": {"[E1]": FRESH, "NewÉ": FRESH + 1}},
    "special_tokens_map.json": {
        "vocab.txt": VOCAB_TXT,
        "tokenizer_config.json": {"do_lower_case": False},
        "special_tokens_map.json": {"cls_token": "[CLS]", "additional_special_tokens": ["[E1]", "@user"]},
    },
    "additional_special_tokens in the settings": {
        "vocab.txt": VOCAB_TXT,
        "tokenizer_config.json": {"additional_special_tokens": ["<e1>"], "mask_token": "[MASK]"},
    },
}


def encode(files: dict, lines: list[str]) -> list[list[int]]:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in ({"config.json": CONFIG} | files).items():
            text = content if isinstance(content, str) else json.dumps(content)
            (pathlib.Path(folder) / name).write_text(text)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        return [tokenizer(line)["input_ids"] for line in lines]


def main() -> None:
    lines = texts()
    folders = [{"name": name, "files": files, "ids": encode(files, lines)} for name, files in FOLDERS.items()]
    for folder in folders:
        assert folder["name"] == folders[0]["name"] or folder["name"].startswith(("tokenizer.json alone", "settings")) or (
            folder["ids"] != folders[0]["ids"]
        ), folder["name"]  # what the files say can be seen
    text = json.dumps({"texts": lines, "folders": folders}, ensure_ascii=False, separators=(",", ":"))
    (HERE / "tokenizer_folders.json").write_text(text.replace('{"name"', '\n{"name"') + "\n")


if __name__ == "__main__":
    main()
