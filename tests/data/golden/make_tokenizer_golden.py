"""Writes tokenizer_vocab.txt, tokenizer_cases.json, tokenizer_code_points.json and tokenizer_glue.json.

They hold what Hugging Face's `tokenizers`, the code behind BertTokenizerFast, makes of texts chosen for their edges, of
every code point, and of the GLUE files:

    pip install tokenizers==0.23.3
    python make_tokenizer_golden.py                           # all but the GLUE hashes, which need data and vocabularies:
    python make_tokenizer_golden.py --glue GLUE_DIR --vocabs DIR_WITH_BERT_VOCABULARIES
"""

import argparse
import json
import pathlib

import tokenizers
from tokenizers import BertWordPieceTokenizer, normalizers, pre_tokenizers

HERE = pathlib.Path(__file__).parent
VOCABULARY = HERE / "tokenizer_vocab.txt"
NORMALIZERS = {
    "uncased": dict(lowercase=True, strip_accents=None),
    "cased": dict(lowercase=False, strip_accents=None),
    "uncased, accents kept": dict(lowercase=True, strip_accents=False),
    "cased, accents stripped": dict(lowercase=False, strip_accents=True),
}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def fnv1a(data, value=0xCBF29CE484222325):
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


# ---------------------------------------------------------------------------------------------------------------------
# Texts

STACKED = "Z" + "".join(chr(c) for c in range(0x300, 0x340))

TEXTS = [
    # nothing left
    "", " ", " \t \n \r\n  ", "\u0000\u0001\u001f\u007f\u0085\u009f", "\u200b\ufeff\u00ad", "\u0301\u0300",
    # deleted and white-space characters, and which of both joins
    "a\u0000b", "a\ufffdb", "a\tb\nc\r\nd", "a\u00a0b\u3000c\u2028d\u2029e\u1680f\u2003g\u202fh\u205fi",
    "a\u000bb", "a\u000cb", "a\u0085b", "a\u001cb\u001db\u001eb\u001fb", "\ufeffthe beginning", "the\u200bre the\u200cre the\u200dre",
    "co\u00adoperate", "word\u2060joiner", "a\u180eb", "a\ue000b\U000f0000b\U0010fffdb",
    # accents
    "caf\u00e9 r\u00e9sum\u00e9s", "cafe\u0301 re\u0301sume\u0301s", "e\u0301", "\u0301abc", "a\u0301 \u0301", STACKED,
    "Vi\u1ec7t Nam, ti\u1ebfng Vi\u1ec7t, \u0110\u1ea1i h\u1ecdc, Vie\u0323\u0302t Vie\u0302\u0323t",
    "\u0130stanbul I\u0131\u0130i", "\u039f\u0394\u039f\u03a3 \u03c3\u03c2\u03a3 \u03a3", "stra\u00dfe STRASSE \u1e9e", "\u00c6sir \u00e6on \u0152uvre", "S\u00f8ren \u0142\u00f3d\u017a \u0111\u00e0",
    "\u0149 \ufb01ne o\ufb03ce", "\uff21\uff22\uff23 \uff41\uff42\uff43", "\u212b \u212a \u2126", "\u01c4\u01c5\u01c6", "a\u0344b", "\u2260 \u226e \u2271",
    "\u1fef \u037e \u0387 \u00b4",
    # other scripts
    "\u0439\u043e\u0434 \u0401\u0436 \u0451\u043b\u043a\u0430 \u0418\u0306", "\u0939\u093f\u0928\u094d\u0926\u0940 \u0915\u094d\u0937 \u0915\u093c \u0958 \u0928\u0940", "\u0627\u0644\u0639\u064e\u0631\u064e\u0628\u0650\u064a\u064e\u0651\u0629 \u0622 \u0623",
    "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd \ufb2c", "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22 \u0e01\u0e33 \u0e17\u0e35\u0e48", "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd \u0b95\u0bca", "\u09ac\u09be\u0982\u09b2\u09be \u0995\u09cb",
    "\u4f60\u597d", "I \u2764 \u5317\u4eacBeijing2008\u5e74", "\u4f60\u0301\u597d", "\u304c\u304e\u3070\u3071 \u30ac\u30ae \u304b\u3099 \uff76\uff9e", "\ud55c\uad6d\uc5b4 \uac01\ud558 \u1112\u1161\u11ab",
    "a\U0002b820b", "a\U0002b91fb", "a\U0002b920b", "a\U0002ceafb", "a\U0002ceb0b", "a\uf900b", "a\U0002f800b", "a\u3400b\u4dbfc\u4dc0d\u9fffe\ua000f",
    "a\u3005b\u3007c\u30fcd",
    # marks that stay, because they are no Mn or newer than the tables: canonical order among themselves
    "a\u302e\u0334", "a\u08d4\u302e", "a\u08d4\u302e\u1dfb\u302f", "a\u302e\u0300\u08d3\u302f", "a\u08d4\u034f\u302e", "a\u08d4\u0000\u302e", "\u0391\u08d4\u302e\u0391",
    "a\u08d3\u08d4 b\u08d4\u08d3", "\U0001d15e\U0001d165 \U0001d15f\U0001d16d\U0001d165", "a\u1734b\u1885c\u1886d\ua9bde\U000111c9f\u166dg", "\U00011938\U00011935\U00011930",
    # emoji and unassigned
    "\U0001f971 ok\U0001f600ok \U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \u2764\ufe0f", "a\u0378b\u0530\U000e0080c", "a\U000e0001b\U000e0100c",
    # punctuation and symbols
    "don't won't it's", "...", "--", "wait...what?!", "\u201cso\u201d \u2018it\u2019s\u2019 \u2014 goes\u2026", "\u00bfqu\u00e9? \u00a1s\u00ed!", "a\u00b7b\u2022c", "$5 a+b=c <x> ^y `z` |u| ~v",
    "\u20ac5 \u00a35 5\u00b0 \u00a9 a\u2192b a\u00d7b", "100% @user #tag a_b", "http://www.example.com/a?b=c&d=e#f", "someone@example.com", "U.S.A. e.g. 3.14 1,000 3-4",
    "\u3001\u3002\u300c\u300d\uff01\uff1f", "\u061d \u2e43 \u0964 \u055a", "a\\b/c{d}[e](f)*g;h:i,j!k\"l",
    # word lengths
    "a" * 99 + " b", "a" * 100 + " b", "a" * 101 + " b", "a" * 300, "\U0001f600" * 100 + " b", "\U0001f600" * 101, "\u00e9" * 100, "\u00e9" * 101,
    "e\u0301" * 100, "e\u0301" * 101, "a" * 60 + "\u0301" * 60 + "b" * 40, "\ud55c" * 33, "\ud55c" * 34, "a" * 99 + "\u4f60" + "b" * 100, "a" * 100 + "\u0301", "a" * 99 + "\u08d4\u302e", "a" * 98 + "\u08d4\u302e",
    # pieces and what is unknown
    "unknowable unaffable affables", "unaffable\u0416x", "\u0416", "x\u0416 y", "##ing", "playing##ing", "#", "the the", "THE The tHE", "a", "zzz",
    # special tokens in the text
    "[CLS]", "[cls]", "[ CLS ]", "a [MASK].", "x[MASK]y", "[SEP][SEP]", "[PAD] [UNK] [unk]", "[unused1]", "[[CLS]]", "[CLS", "[MASK] [CLS][", "[MA\u0301SK] [MASK\u0301]", "e\u0301[MASK]e\u0301 x", "[CL\u0000S]",
    "the film is , by turns , `` gripping '' and -- well -- dull .", "The quick brown fox jumps over the lazy dog.",
]

# Where `tokenizers` gives a mark the place of the deleted mark that it was ordered behind, the sources are not compared.
MISPLACED = {"a\u302e\u0334"}

# Bytes that are no UTF-8: lone continuation, cut short, overlong, an encoded surrogate, beyond U+10FFFF, never valid
INVALID = [b"a\x80b", b"a\xc3", b"a\xe2\x82 b", b"a\xc0\xafb", b"a\xed\xa0\x80b", b"a\xf4\x90\x80\x80b", b"a\xff\xfeb", b"\x80", b"caf\xc3\xa9\xc3 the", b"\xf0\x9f\x98", b"a\xf0\x9f\x98\xc3\xa9"]

WORDS = "the a b c d e f g h i j k l m n o p r s t u v w x y".split()


def words(count):
    return " ".join(WORDS[i % len(WORDS)] for i in range(count))


# (words of A, words of B or None, max_length)
TRUNCATIONS = [
    (a, b, m)
    for m in (3, 4, 5, 6, 7, 8, 9, 16)
    for a, b in ((0, 0), (0, 9), (9, 0), (1, 9), (9, 1), (2, 3), (3, 2), (3, 3), (4, 4), (5, 4), (4, 5), (9, 9), (20, 20), (5, None), (2, None), (0, None), (30, None))
] + [(100, 100, 128), (62, 100, 128), (63, 100, 128), (100, 62, 128), (100, 63, 128), (70, 63, 128), (63, 62, 128), (63, 63, 128), (400, 400, 512), (200, None, 128), (600, 10, 512), (100, 100, 127)]


# ---------------------------------------------------------------------------------------------------------------------
# The vocabulary: every character of the texts, some words whole and some in pieces, and some things left out


def make_vocabulary():
    pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokens = dict.fromkeys(SPECIAL + [f"[unused{i}]" for i in range(3)])
    pieces = ["un", "aff", "##aff", "##able", "##s", "##know", "know", "play", "##ing", "##in", "##ingly", "##gly"]
    characters, whole, halves = {}, {}, {}
    for options in NORMALIZERS.values():
        normalizer = normalizers.BertNormalizer(**options)
        for text in TEXTS + WORDS:
            for word, _ in pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(text)):
                characters.update(dict.fromkeys(word))
                if 2 < len(word) < 30 and len(word) % 2 == 0:
                    whole[word] = None
                elif 2 < len(word) < 30:
                    halves[word[: len(word) // 2]] = halves["##" + word[len(word) // 2 :]] = None
    characters = [c for c in sorted(characters) if c not in "\u0416Q"]  # Ж and Q are unknown
    tokens.update(dict.fromkeys(characters + ["##" + c for c in characters if c not in "qz\u4f60"]))
    tokens.update(dict.fromkeys(pieces + list(halves) + list(whole)))
    VOCABULARY.write_bytes("".join(token + "\n" for token in tokens).encode())
    return len(tokens)


# ---------------------------------------------------------------------------------------------------------------------
# Cases


def tokenizer_for(vocabulary, options):
    return BertWordPieceTokenizer(str(vocabulary), lowercase=options["lowercase"], strip_accents=options["strip_accents"])


def byte_sources(encoding, a, b):
    """Character offsets as byte offsets into A or B."""
    rows = []
    for (begin, end), sequence in zip(encoding.offsets, encoding.sequence_ids):
        text = b if sequence == 1 else a
        rows.append([len(text[:begin].encode()), len(text[:end].encode())])
    return rows


def case(tokenizer, options, a, b=None, max_length=None, truncation="longest_first", split_special=False):
    tokenizer.no_truncation()
    if max_length is not None:
        tokenizer.enable_truncation(max_length, strategy=truncation)
    tokenizer._tokenizer.encode_special_tokens = split_special
    row = dict(normalizer=options, a=a)
    if b is not None:
        row["b"] = b
    if max_length is not None:
        row.update(max_length=max_length, truncation=truncation)
    if split_special:
        row["split_special_tokens"] = True
    try:
        encoding = tokenizer.encode(a, b)
    except Exception as error:  # the text that alone may be cut is too short
        assert "Truncation error" in str(error), error
        return {**row, "error": str(error)}
    row.update(ids=encoding.ids, types=encoding.type_ids)
    return row if a in MISPLACED else {**row, "sources": byte_sources(encoding, a, b)}


def make_cases():
    rows = []
    for name, options in NORMALIZERS.items():
        tokenizer = tokenizer_for(VOCABULARY, options)
        for text in TEXTS:
            rows.append(case(tokenizer, name, text))
            if "[" in text:
                rows.append(case(tokenizer, name, text, split_special=True))
        rows.append(case(tokenizer, name, "Caf\u00e9 [MASK]", "the [SEP] R\u00e9sum\u00e9s", None))
    tokenizer = tokenizer_for(VOCABULARY, NORMALIZERS["uncased"])
    for data in INVALID:  # every invalid byte is U+FFFD, which is deleted; offsets do not carry over
        row = case(tokenizer, "uncased", data.decode("utf-8", "replace"))
        del row["a"], row["sources"]
        rows.append({**row, "a_hex": data.hex()})
    for truncation in ("longest_first", "only_first", "only_second"):
        for a, b, max_length in TRUNCATIONS:
            b_words = None if b is None else words(b)
            row = case(tokenizer, "uncased", words(a), b_words, max_length, truncation)
            row.pop("sources", None)
            rows.append(row)
    lines = ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in rows)
    head = json.dumps(f"tokenizers {tokenizers.__version__}")
    (HERE / "tokenizer_cases.json").write_text(f'{{"made_with": {head}, "cases": [\n{lines}\n]}}\n')
    return len(rows)


# ---------------------------------------------------------------------------------------------------------------------
# Every code point c as "a" + c + "b": the words, each followed by a newline. One hash for each 256 code points; blocks
# where every code point stays as it is are left out.


def make_code_points():
    pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    result = {}
    for name, options in NORMALIZERS.items():
        normalizer = normalizers.BertNormalizer(**options)
        result[name] = {}
        for block in range(0, 0x110000, 256):
            texts = ["a" + chr(c) + "b" for c in range(block, block + 256) if not 0xD800 <= c < 0xE000]
            rows = ["".join(word + "\n" for word, _ in pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(text))) for text in texts]
            if rows != [text + "\n" for text in texts]:
                result[name][f"{block:X}"] = f"{fnv1a(''.join(rows).encode()):016x}"
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(blocks)}" for name, blocks in result.items())
    head = json.dumps(f"tokenizers {tokenizers.__version__}")
    (HERE / "tokenizer_code_points.json").write_text(f'{{"made_with": {head},\n{lines}\n}}\n')
    return {name: len(blocks) for name, blocks in result.items()}


# ---------------------------------------------------------------------------------------------------------------------
# GLUE: each line of a file by itself, then each line paired with the next in at most 128 tokens; hashes over the decimal
# ids, each followed by a blank, and a newline after each text.


def hash_of_ids(encodings, value):
    return fnv1a("".join("".join(f"{i} " for i in encoding.ids) + "\n" for encoding in encodings).encode(), value)


def make_glue(glue, vocabularies):
    files = [path for path in sorted(glue.rglob("*.tsv")) if not path.name.startswith("train")]
    result = {}
    for name in ("uncased", "cased"):
        tokenizer = tokenizer_for(vocabularies / f"bert-base-{name}-vocab.txt", NORMALIZERS[name])
        result[name] = {}
        for path in files:
            lines = path.read_bytes().decode().split("\n")
            tokenizer.no_truncation()
            value = hash_of_ids(tokenizer.encode_batch(lines), fnv1a(b""))
            tokenizer.enable_truncation(128)
            value = hash_of_ids(tokenizer.encode_batch(list(zip(lines, lines[1:]))), value)
            result[name][path.relative_to(glue).as_posix()] = f"{value:016x}"
            print(name, path, result[name][path.relative_to(glue).as_posix()])
    (HERE / "tokenizer_glue.json").write_text(json.dumps({"made_with": f"tokenizers {tokenizers.__version__}", **result}, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--glue", type=pathlib.Path)
    parser.add_argument("--vocabs", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.glue:
        make_glue(arguments.glue, arguments.vocabs)
    else:
        print(make_vocabulary(), "tokens;", make_cases(), "cases; blocks:", make_code_points())
