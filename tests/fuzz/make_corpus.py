#!/usr/bin/env python3
"""Writes the cases of corpus/ that were thought of; files named by 40 hex digits were found by libFuzzer."""

import json
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def write(target, cases):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in cases.items():
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def header(entries, data_bytes):
    """The form of safetensors_fuzz.cpp whose length is computed."""
    text = entries if isinstance(entries, str) else json.dumps(entries)
    return b"J" + bytes([data_bytes]) + text.encode()


def whole(text, data):
    return len(text).to_bytes(8, "little") + text + data


def safetensors():
    dtypes = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1, "I8": 1, "F8_E4M3": 1}
    every, end = {}, 0
    for dtype, size in dtypes.items():
        every[dtype] = entry(dtype, [2], end, end + 2 * size)
        end += 2 * size
    good = json.dumps({"t": entry("I32", [2, 2], 0, 16)}).encode()
    return {
        "empty": b"",
        "seven_bytes": b"\0" * 7,
        "whole_file": whole(good, bytes(range(16))),
        "one_byte_more": whole(good, bytes(17)),
        "one_byte_less": whole(good, bytes(15)),
        "length_huge": b"\xff" * 8 + good,
        "length_of_the_file": (len(good) + 24).to_bytes(8, "little") + good + bytes(16),
        "length_zero": bytes(8),
        "every_dtype": header(every, end),
        "misaligned": header({"b": entry("BOOL", [3], 0, 3), "f": entry("F32", [2], 3, 11)}, 11),
        "scalar": header({"s": entry("F32", [], 0, 4)}, 4),
        "no_elements": header({"a": entry("F32", [3, 0, 2], 0, 0), "b": entry("F16", [0], 0, 0)}, 0),
        "metadata": header({"__metadata__": {"format": "pt", "é": ""}, "t": entry("U8", [1], 0, 1)}, 1),
        "metadata_number": header({"__metadata__": {"a": 1}}, 0),
        "many_dimensions": header({"t": entry("F32", [1] * 7, 0, 4)}, 4),
        "overflow_of_extents": header({"t": entry("F32", [2, 9223372036854775807], 0, 8)}, 8),
        "overflow_with_zero": header({"t": entry("F32", [0, 9223372036854775807, 4], 0, 0)}, 0),
        "extent_beyond_int64": header({"t": entry("U8", [2, 18446744073709551614], 0, 8)}, 8),
        "half_a_byte": header({"t": entry("F4", [3], 0, 2)}, 2),
        "hole": header({"a": entry("U8", [1], 0, 1), "b": entry("U8", [1], 2, 3)}, 3),
        "overlap": header({"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 1, 3)}, 3),
        "end_before_begin": header({"t": entry("U8", [1], 1, 0)}, 1),
        "name_twice": header('{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
                             '"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1),
        "field_twice": header('{"t":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1),
        "field_missing": header('{"t":{"dtype":"U8","shape":[1]}}', 0),
        "negative": header('{"t":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}', 1),
        "fraction": header('{"t":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', 1),
        "deep": header("[" * 3000, 0),
        "deep_objects": header('{"a":' * 1000, 0),
        "not_utf8": b'J\0{"\xff\xfe":1}',
        "zero_byte": b"J\0{}\0",
        "byte_order_mark": b"J\0\xef\xbb\xbf{}",
        "blanks": header(" \t{}\r\n ", 0),
        "long_name": header({"x" * 300 + "\n": entry("U8", [1], 0, 1)}, 1),
    }


def pickled(value):
    if isinstance(value, str):
        return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()
    if isinstance(value, tuple):
        return b"(" + b"".join(map(pickled, value)) + b"t"
    return b"\x8a\x08" + value.to_bytes(8, "little", signed=True)


def torch():
    golden = CORPUS.parent.parent / "tensor/io/golden"

    def tensor(offset=0, shape=(2, 3), strides=(3, 1), kind="FloatStorage", numel=6, key="0"):
        storage = b"(" + pickled("storage") + f"ctorch\n{kind}\n".encode() + pickled(key) + pickled("cpu") + pickled(numel)
        return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"tQ" + pickled(offset) + pickled(shape)
                + pickled(strides) + b"\x89ccollections\nOrderedDict\n)RtR")

    def case(pickle, data_bytes=24):
        """The form of torch_fuzz.cpp whose archive is computed."""
        return b"P" + bytes([data_bytes]) + b"\x80\x02" + pickle

    def one(**changes):
        return case(b"}" + pickled("x") + tensor(**changes) + b"s.")

    return {
        "empty": b"",
        "saved": (golden / "state_dict.bin").read_bytes(),
        "legacy": (golden / "legacy.bin").read_bytes(),
        "module": (golden / "module.bin").read_bytes(),
        "contiguous": one(),
        "transposed": one(shape=(3, 2), strides=(1, 3)),
        "middle": one(offset=1, shape=(2, 2)),
        "scalar": one(offset=5, shape=(), strides=()),
        "no_elements": one(offset=6, shape=(0,), strides=(1,)),
        "half": case(b"}" + pickled("x") + tensor(kind="HalfStorage") + b"s.", 12),
        "short": case(b"}" + pickled("x") + tensor(kind="ShortStorage") + b"s.", 12),
        "outside": one(offset=1),
        "repeated": one(shape=(1 << 40,), strides=(0,)),
        "overflow": one(shape=(2**63 - 1, 3), strides=(2**63 - 1, 1)),
        "negative": one(shape=(-2, -3)),
        "storage_missing": one(key="1"),
        "storage_short": case(b"}" + pickled("x") + tensor() + b"s.", 23),
        "seven_dimensions": one(shape=(1,) * 7, strides=(1,) * 7),
        "memo": case(b"}q\1(" + pickled("x") + tensor() + b"q\2" + pickled("y") + b"h\2u."),
        "attributes": case(b"ccollections\nOrderedDict\n)R(" + pickled("x") + tensor() + b"u}" + pickled("_metadata") + b"}sb."),
        "parameter": case(b"}" + pickled("x") + b"ctorch._utils\n_rebuild_parameter\n" + tensor() + b"\x88N\x87Rs."),
        "holds_itself": case(b"}q\1" + pickled("x") + b"h\1s."),
        "tuples_of_tuples": case(b")q\0" + b"h\0h\0\x86q\0" * 60 + b"."),
        "call": case(b"cposix\nsystem\n" + pickled("true") + b"\x85R."),
        "instance": case(b"(iposix\nsystem\n."),
        "marks": case(b"(" * 200 + b"t" * 200 + b"."),
        "stack_empty": case(b"0R."),
        "cut": case(b"X\xff\xff\xff\xff"),
    }


def texts_of_json():
    return {
        "object": '{"a": [1, -2.5e3, true, null, "text"]}',
        "empty": "",
        "blank": " \n",
        "cut": '{"a": "',
        "comma": "[1,]",
        "two": "1 2",
        "number_huge": "1e999",
        "number_long": "1" * 400,
        "not_utf8": b'"\xff"',
        "overlong": b'"\xc0\xaf"',
        "surrogate": '"\\ud800"',
        "escapes": '"\\u0000\\u001b[2J\\u009b31m\\u202e"',
        "characters_that_steer": "\x1b[2J\u009b31m\u202e\u2066\u2028\ufeff",
        "byte_order_mark": "\ufeff{}",
        "key_twice": '{"a": 1, "a": 2}',
        "deepest": "[" * 32 + "]" * 32,
        "too_deep": "[" * 33 + "]" * 33,
        "very_deep": b"N\xff1",
        "deep_and_wrong": b"N\x01}",
        "nested_once": b"N\x00[]",
        "long_list": json.dumps(list(range(200))),
    }


def config():
    tiny = {"model_type": "bert", "vocab_size": 18, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2,
            "intermediate_size": 32, "max_position_embeddings": 40}

    def given(predictor="-", **changes):
        values = {key: value for key, value in {**tiny, **changes}.items() if value != "absent"}
        return predictor + json.dumps(values)

    return {
        "tiny": given(),
        "full": given(type_vocab_size=2, layer_norm_eps=1e-12, hidden_dropout_prob=0.1, initializer_range=0.02,
                      attention_probs_dropout_prob=0.1, classifier_dropout=None, problem_type="regression",
                      finetuning_task="stsb", architectures=["BertModel"], torch_dtype="float16", num_labels=1),
        "labels": given(id2label={"0": "no", "1": "yes"}, label2id={"no": 0, "yes": 1}),
        "labels_one_way": given(label2id={"b": 1, "a": 0, "c": 2}),
        "labels_contradict": given(id2label={"0": "no", "1": "yes"}, label2id={"no": 1, "yes": 0}),
        "labels_with_a_gap": given(id2label={"0": "no", "2": "yes"}),
        "labels_twice": given(label2id={"a": 0, "b": 0}),
        "labels_many": given(num_labels=16384),
        "labels_too_many": given(num_labels=16385),
        "staged": given(skim_gate="staged", skim_width=4, skim_attention="paper"),
        "published_predictor": given("2"),
        "staged_predictor": given("3"),
        "gate_unknown": given(skim_gate="often"),
        "cls_free": given(skim_gate="staged", skim_width=4, skim_cls="free"),
        "cls_free_of_layer": given(skim_gate="layer", skim_cls="free"),
        "missing": given(hidden_size="absent"),
        "zero": given(num_hidden_layers=0),
        "negative": given(hidden_size=-16),
        "heads_do_not_divide": given(hidden_size=17),
        "too_many_weights": given(hidden_size=1 << 20, intermediate_size=1 << 20, num_hidden_layers=1024),
        "beyond_int64": given(vocab_size=18446744073709551615),
        "float_for_integer": given(vocab_size=1e300),
        "string_for_number": given(layer_norm_eps="small"),
        "null_for_all": "-" + json.dumps({key: None for key in tiny}),
        "other_keys": given(transformers_version="4.1", pruned_heads={}, nested={"a": [{"b": [1, 2.5, None]}]}),
        "activation": given(hidden_act="relu"),
        "activation_unknown": given(hidden_act="mish"),
        "key_twice": '-{"vocab_size": 1, "vocab_size": 2}',
        "list": "-[1, 2]",
        "deep": '-{"a":' + "[" * 200,
        "deep_closed": '-{"a":' + "[" * 31 + "]" * 31 + "}",
        "huge_number": '-{"a": 1e999999}',
        "not_utf8": b'-{"a": "\xff", "vocab_size": "\xfe"}',
        "surrogate": '-{"a": "\\ud800"}',
        "cut": '-{"vocab_size": ',
        "empty": "-",
    }


def vocabulary():
    vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nfilm\n##s\n##m\nfil\ncafe\n\u4f60\n!\na\n"
    tokens = {token: i for i, token in enumerate(vocab.split())}
    fast = {"model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100, "vocab": tokens},
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "lowercase": True, "strip_accents": None,
                           "handle_chinese_chars": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "added_tokens": [{"id": 0, "content": "[PAD]"}, {"id": 1, "content": "[UNK]"}]}

    def case(*files):
        return "\0".join(file if isinstance(file, str) else json.dumps(file) for file in files)

    def changed(**parts):
        return case({**fast, **parts})

    def with_vocab(tokens):
        return changed(model={**fast["model"], "vocab": tokens})

    return {
        "plain": case(vocab),
        "settings": case(vocab, {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False}),
        "settings_wrong": case(vocab, {"do_lower_case": "yes"}),
        "settings_null": case(vocab, {"do_lower_case": None}),
        "settings_list": case(vocab, [1]),
        "settings_deep": case(vocab, '{"a":' + "[" * 5000),
        "empty_lines": case("[UNK]\n\n[CLS]\n[SEP]\n##\n \n\n"),
        "crlf": case(vocab.replace("\n", "\r\n")),
        "token_twice": case(vocab + "the\n"),
        "long_token": case(vocab + "x" * 700 + "\n##" + "y" * 700),
        "no_unk": case("[CLS]\n[SEP]\n"),
        "not_utf8": b"[UNK]\n[CLS]\n[SEP]\n\xff\n",
        "blanks": case("[UNK]\u00a0\u3000\n[CLS]\t\n[SEP]\n"),
        "fast": case(fast),
        "fast_id_huge": with_vocab({"[UNK]": 1 << 40}),
        "fast_id_high": with_vocab({"[UNK]": 0, "[CLS]": 1, "[SEP]": 70000}),
        "fast_id_negative": with_vocab({"[UNK]": -1}),
        "fast_ids_shared": with_vocab({"[UNK]": 0, "[CLS]": 0}),
        "fast_other_model": changed(model={"type": "BPE"}),
        "fast_added": changed(added_tokens=[{"content": "<s>"}, 5]),
        "fast_added_flags": changed(added_tokens=[
            {"id": len(fast["model"]["vocab"]), "content": "<e1>", "special": True, "normalized": False, "lstrip": True},
            {"id": len(fast["model"]["vocab"]) + 1, "content": "The Film", "normalized": True, "rstrip": True}]),
        "added": case(vocab, {"added_tokens_decoder": {"5": {"content": "the", "single_word": True, "normalized": True}}},
                      "", {"additional_special_tokens": ["<e1>", {"content": "@", "lstrip": True}]}),
        "added_ids": case(vocab, "", {"<e1>": vocab.count("\n")}, {"additional_special_tokens": ["<e1>"]}),
        "added_id_wrong": case(vocab, "", {"<e1>": 7000}),
        "added_empty": case(vocab, "", {"": 7}),
        "special_other": case(vocab, "", "", {"cls_token": "<s>"}),
        "fast_no_object": "{}",
        "fast_not_utf8": b'{"model": {"vocab": {"\xff": 1}}}',
        "empty": "",
    }


def tokenizer():
    def case(*texts, options=0, length=0):
        return bytes([options, length]) + b"\0".join(
            text if isinstance(text, bytes) else text.encode() for text in texts)

    return {
        "text": case("The films, café!"),
        "pair": case("the film the film", "films", length=8),
        "pair_empty": case("", "", length=3),
        "pair_second_cut": case("the film", "the film the film", options=32, length=6),
        "pair_no_room": case("the film", "the film", options=32, length=4),
        "cut_to_nothing": case("the film", length=2),
        "cut_below": case("the film", length=1),
        "cased": case("The CAFÉ", options=1),
        "cased_stripped": case("The CAFÉ", options=7),
        "lower_not_stripped": case("CAFÉ E\u0301\u0323", options=2),
        "no_cjk": case("a\u4f60a", options=8),
        "cjk": case("a\u4f60a \U00020000\u4f60"),
        "special": case("[CLS][MASK]the[SEP] [sep] [UNK"),
        "special_split": case("[CLS][MASK]the[SEP]", options=16),
        "long_word": case("a" * 101 + " " + "film" * 25),
        "marks": case("e\u0301\u0323\u0301 \u0130 \ufb01lm \u1e9e \uac00 \u0344"),
        "many_marks": case("a" + "\u0301\u0323" * 150, options=2),
        "controls": case("fi\x01lm\u200b\ufffd\u00ad \r\n\t\x7f"),
        "not_utf8": case(b"the \xff\xc0\x80 \xed\xa0\x80 \xf4\x90\x80\x80 fil\xc3"),
        "punctuation": case("it's $5.00 (really)—\u201cno\u201d…"),
    }


def tsv():
    # The tasks by the first byte, in the order of glue_tasks(); the splits by the second one: train, dev, test.
    cola, sst2, mrpc, stsb, qqp, mnli = (bytes([i]) for i in range(6))
    train, dev, test = (bytes([i]) for i in range(3))
    return {
        "header": sst2 + train + b"sentence\tlabel\ngood film\t1\ndull\t0\n",
        "no_header": cola + train + b"gj04\t1\t\tOur friends.\ngj04\t0\t*\tThem likes.\n",
        "columns_swapped": sst2 + dev + b"label\tsentence\n1\tgood\n",
        "test": sst2 + test + b"index\tsentence\n0\tgood\n1\tdull\n",
        "line_ends": sst2 + train + b"\xef\xbb\xbfsentence\tlabel\r\na\t1\rb\t0\r\n\r\n\nc\t1",
        "quotes": sst2 + train + b"sentence\tlabel\n\"a\tb\t1\n",
        "empty_label": sst2 + train + b"sentence\tlabel\na\t\n",
        "unknown_label": sst2 + train + b"sentence\tlabel\na\t2\n",
        "score": stsb + train + b"sentence1\tsentence2\tscore\na\tb\t4.500\nc\td\t0\ne\tf\t5\n",
        "score_wrong": stsb + train + b"sentence1\tsentence2\tscore\na\tb\t5.01\n",
        "score_nan": stsb + train + b"sentence1\tsentence2\tscore\na\tb\tnan\n",
        "score_hex": stsb + train + b"sentence1\tsentence2\tscore\na\tb\t0x1p1\n",
        "short_row": mrpc + train + b"Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t2\t3\ta\n",
        "short_rows_skipped": qqp + train + b"id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\n1\t2\t3\ta\tb\t1\n",
        "names_for_labels": mnli + train + b"sentence1\tsentence2\tgold_label\na\tb\tneutral\nc\td\tcontradiction\n",
        "tabs_only": sst2 + train + b"\t\t\t\n\t\n",
        "header_only": sst2 + train + b"sentence\tlabel\n",
        "not_utf8": sst2 + train + b"sentence\tlabel\ngood\t1\ncaf\xe9\t1\n",
        "surrogate": sst2 + train + b"sentence\tlabel\n\xed\xa0\x80\t1\n",
        "cut_character": sst2 + train + b"sentence\tlabel\ngood\t1\n\xe2\x82",
        "zero_bytes": sst2 + train + b"sentence\tlabel\ngo\0od\t1\n",
        "empty": sst2 + train,
    }


def table():
    """The first byte chooses .csv, .tsv, .jsonl, .json or .conll."""
    csv, tsv, lines, whole, conll = ("\0", "\1", "\2", "\3", "\4")
    return {
        "csv": csv + 'id,text,label\n1,"a, ""b""\nc",yes\n2,d,no\n',
        "csv_semicolons": csv + "text;label\r\na;1.5\r\nb;2\r\n",
        "csv_pairs": csv + "sentence2,label,sentence1\na,0,b\nc,1,d\n",
        "csv_open_quote": csv + 'text,label\n"a,1\n',
        "csv_closed_quote": csv + 'text,label\n"a"b,1\n',
        "csv_short_row": csv + "text,label\na\n",
        "csv_same_names": csv + "text,text\n",
        "tsv": tsv + "text\tlabel\na\t0\nb\t1\n",
        "lines": lines + '{"text": "a", "label": 1}\n\n{"label": 2, "text": null}\n',
        "lines_of_words": lines + '{"tokens": ["a", "b"], "label": ["O", "B-x"]}\n',
        "lines_not_objects": lines + "[1]\n",
        "array": whole + '[{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]',
        "data": whole + '{"data": [{"text": "a", "label": 0.5}]}',
        "array_of_numbers": whole + "[1, 2]",
        "deep": whole + "[" * 1000,
        "conll": conll + "-DOCSTART- O\n\nEU B-org\nrejects O\n\t\nPeter\tB-person\n",
        "conll_mixed": conll + "EU B-org\nrejects\n",
        "conll_words": conll + "EU\nrejects\n",
        "bad_utf8": b"\0text,label\n\xff,1\n",
        "empty": b"\0",
    }


def command_line():
    def case(*arguments):
        return "\0".join(argument if isinstance(argument, str) else json.dumps(argument) for argument in arguments)

    task = ["--task_name", "sst2", "--data_dir", "d", "--model_name_or_path", "m"]
    return {
        "nothing": "",
        "help": "--help",
        "version": "--version",
        "train": case("train", *task, "--output_dir", "o"),
        "train_help": case("train", "--help"),
        "skim": case("train", *task, "--output_dir=o", "--skim", "--skim-target", "0.4", "--skim_gate", "layer"),
        "numbers": case("train", *task, "--output_dir=o", "--max_steps=-1", "--learning_rate", "5e-5", "--seed",
                        "18446744073709551615", "--warmup_steps", ".1"),
        "not_numbers": case("train", *task, "--learning_rate", "nan", "--seed", "-3", "--adam_beta1", "0x1p-1"),
        "number_huge": case("train", *task, "--learning_rate", "1e999", "--max_steps", "9" * 40),
        "switches": case("train", *task, "--skim=false", "--report", "no", "--do_eval=maybe"),
        "foreign": case("train", *task, "--output_dir=o", "--per_gpu_train_batch_size", "8", "--fp16", "--no_cuda=False",
                        "--report_to", "wandb", "none", "--data_seed", "3", "--vocab_file", "m/vocab.txt", "--no_report"),
        "unread": case("predict", *task, "--output_dir=o", "--lr", "x", "--adafactor", "maybe", "--no_skim", "--optim"),
        "last_counts": case("train", *task, "--seed", "1", "--seed", "2"),
        "list": case("bench", *task, "--skim", "--skim_keep", "1,0.5,,x"),
        "task_misspelt": case("eval", "--task_name", "ssst2"),
        "flag_misspelt": case("eval", *task, "--batch-siez", "3"),
        "command_misspelt": case("trian", *task),
        "commands_of_a_command": case("glue", "verify", "--data_dir", "d"),
        "command_missing": case("glue"),
        "positional": case("convert", "a", "b", "--dtype", "float16"),
        "positional_surplus": case("inspect", "a", "b"),
        "end_of_flags": case("inspect", "--", "--data-dir"),
        "dashes": case("train", "---", "--", "-", "--=", "-x", "--=5"),
        "equals": case("train", "--task_name==", "--data_dir=", "--=x"),
        "file": case("train", {"task_name": "sst2", "data_dir": "d", "model_name_or_path": "m", "output_dir": "o",
                               "skim": True, "seed": 3, "learning_rate": 1e-4}),
        "file_manifest": case("train", {"flags": {"task_name": "sst2", "skim_keep": [1, 0.5], "teacher": None}}),
        "file_wrong": case("train", '{"a": '),
        "file_nested": case("train", {"a": {"b": [[{}]]}, "": 1, "=": 2, "-": "--"}),
        "file_deep": case("train", '{"a":' + "[" * 5000),
        "line_end": case("train", "--task_name", "a\nb", "x\ny"),
        "not_utf8": b"train\0--task_name\0\xff\xfe\0--data_d\xefr\0x",
        "long": case("x" * 5000, "--" + "y" * 5000),
        "quotes": case("train", '"--task_name"', "'a b'", "[1,2]", "[", "]", "%%", "#"),
    }


def idx():
    def file(magic, *sizes, pixels):
        return b"".join(word.to_bytes(4, "big") for word in (magic, *sizes)) + bytes(pixels)

    return {
        "empty": b"",
        "header": file(0x803, 1, 1, 1, pixels=0),
        "images": file(0x803, 2, 3, 2, pixels=12),
        "labels": file(0x801, 12, pixels=12),
        "one_less": file(0x803, 2, 3, 2, pixels=11),
        "one_more": file(0x803, 2, 3, 2, pixels=13),
        "no_images": file(0x803, 0, 3, 2, pixels=0),
        "no_width": file(0x803, 2, 3, 0, pixels=0),
        "overflow": file(0x803, 1 << 31, 1 << 31, 4, pixels=0),
        "overflow_of_two": file(0x803, 1, 0xFFFFFFFF, 0xFFFFFFFF, pixels=1),
    }


for target in (safetensors, torch, config, vocabulary, tokenizer, tsv, table, command_line, idx):
    write(target.__name__, target())
write("json", texts_of_json())
