#!/usr/bin/env python3
"""Inference speed of four CPU runtimes on real dev sentences: transformers, ONNX Runtime, CTranslate2, OpenVINO.

    inference.py --runtime onnxruntime --model_name_or_path DIR --data_dir GLUE --task_name sst2 [--sorted] ...

A batch goes in as token ids and comes out as logits of a two-class head: the runtimes share the weights, the batches
and the answer, which is compared with that of transformers before anything is timed. Padding a batch is timed,
tokenising is not. --dtype int8 is what each runtime makes of it: dynamic quantization of ONNX Runtime (a scale for each
output, the program's own for activations), CTranslate2's own, OpenVINO by post-training quantization of NNCF with the
first batches for calibration. --sorted orders the sentences by length, so that batches need little padding. Prints one JSON object;
its peak memory includes PyTorch and the export.
"""

import argparse
import contextlib
import importlib.metadata
import logging
import sys
import tempfile
import warnings
from pathlib import Path

import numpy
import torch
import transformers
from transformers import BertForSequenceClassification

import common


def pad(batch: list[dict]) -> dict[str, torch.Tensor]:
    longest = max(len(row["input_ids"]) for row in batch)
    fill = lambda name: torch.tensor([row[name] + [0] * (longest - len(row[name])) for row in batch])
    return {name: fill(name) for name in ("input_ids", "attention_mask", "token_type_ids")}


def transformers_runtime(model: BertForSequenceClassification, options):
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=options.dtype == "bfloat16")

    def run(batch: list[dict]) -> numpy.ndarray:
        with torch.inference_mode(), autocast:
            return model(**pad(batch)).logits.float().numpy()

    return run


class Logits(torch.nn.Module):
    """The model with its logits alone for an answer."""

    def __init__(self, model: BertForSequenceClassification):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids, attention_mask, token_type_ids).logits


def onnx_runtime(model: BertForSequenceClassification, options):
    """The exported graph, after ONNX Runtime's own graph optimisations (all of them are on by default)."""
    import onnxruntime

    names = ["input_ids", "attention_mask", "token_type_ids"]
    shape = {0: torch.export.Dim("batch", min=1, max=1024), 1: torch.export.Dim("length", min=2, max=512)}
    # Two rows of different length: an example without padding would be exported without its mask.
    example = pad([{name: [1] * n for name in names} for n in (7, 9)])
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = str(Path(folder, "model.onnx"))
        torch.onnx.export(
            Logits(model).eval(), tuple(example.values()), path, input_names=names, output_names=["logits"], dynamo=True,
            dynamic_shapes=[shape] * 3, verbose=False,
        )  # fmt: skip
        if options.dtype == "int8":
            from onnxruntime.quantization import QuantType, quantize_dynamic

            quantized = str(Path(folder, "int8.onnx"))
            quantize_dynamic(path, quantized, per_channel=True, weight_type=QuantType.QInt8)
            path = quantized
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = options.threads, 1
        settings.log_severity_level = 3
        session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {k: t.numpy() for k, t in pad(batch).items()})[0]


def ctranslate2_runtime(model: BertForSequenceClassification, options):
    """The encoder by CTranslate2, which removes padding itself; pooler output to logits by one small product."""
    import ctranslate2
    from ctranslate2.converters import TransformersConverter

    with tempfile.TemporaryDirectory() as folder:
        source, converted = Path(folder, "source"), Path(folder, "converted")
        model.bert.save_pretrained(source)
        transformers.AutoTokenizer.from_pretrained(options.model_name_or_path).save_pretrained(source)
        TransformersConverter(str(source)).convert(str(converted))
        encoder = ctranslate2.Encoder(
            str(converted), device="cpu", compute_type=options.dtype, inter_threads=1, intra_threads=options.threads
        )
    weight, bias = (p.detach().numpy() for p in (model.classifier.weight, model.classifier.bias))

    def run(batch: list[dict]) -> numpy.ndarray:
        ids, types = ([row[name] for row in batch] for name in ("input_ids", "token_type_ids"))
        output = encoder.forward_batch(ids, token_type_ids=types)
        return numpy.array(output.pooler_output) @ weight.T + bias

    return run


def openvino_runtime(model: BertForSequenceClassification, options):
    """The traced graph, compiled for the CPU; one request that uses all threads."""
    import openvino

    example = pad([{name: [1] * n for name in ("input_ids", "token_type_ids")} | {"attention_mask": [1] * n} for n in (7, 9)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = openvino.convert_model(Logits(model).eval(), example_input=example)
    if options.dtype == "int8":
        import nncf

        nncf.set_log_level(logging.ERROR)
        calibration = nncf.Dataset(options.first_batches, lambda batch: {k: t.numpy() for k, t in pad(batch).items()})
        with contextlib.redirect_stdout(sys.stderr):  # it shows how far it is
            graph = nncf.quantize(graph, calibration, model_type=nncf.ModelType.TRANSFORMER)
    settings = {
        "INFERENCE_NUM_THREADS": options.threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}[options.dtype],
    }
    compiled = openvino.Core().compile_model(graph, "CPU", settings)
    return lambda batch: compiled({name: t.numpy() for name, t in pad(batch).items()})[0]


RUNTIMES = {
    "transformers": (transformers_runtime, ["transformers", "torch"]),
    "onnxruntime": (onnx_runtime, ["onnxruntime"]),
    "ctranslate2": (ctranslate2_runtime, ["ctranslate2"]),
    "openvino": (openvino_runtime, ["openvino"]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", choices=list(RUNTIMES), required=True)
    parser.add_argument("--model_name_or_path", type=Path, required=True)
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--task_name", choices=list(common.TASKS), required=True)
    parser.add_argument("--max_eval_samples", type=int, default=512)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sorted", action="store_true", help="order the sentences by length")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "int8"], default="float32", help="bfloat16: transformers by autocast")
    options = parser.parse_args()
    if options.dtype == "bfloat16" and options.runtime not in ("transformers", "openvino"):
        parser.error("--dtype bfloat16 is measured with transformers and openvino only")
    if options.dtype == "int8" and options.runtime == "transformers":
        parser.error("--dtype int8 is not measured with transformers")

    torch.set_num_threads(options.threads)
    torch.manual_seed(42)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    texts, _ = common.read_glue(options.data_dir, options.task_name, "dev", options.max_eval_samples)
    rows = common.tokenize(options.model_name_or_path, texts)
    if options.sorted:
        rows.sort(key=lambda row: len(row["input_ids"]))
    model = BertForSequenceClassification.from_pretrained(options.model_name_or_path, num_labels=2, dtype=torch.float32)
    build, packages = RUNTIMES[options.runtime]
    work = common.batches(rows, options.batch_size)
    options.first_batches = work[:8]
    run = build(model.eval(), options)
    with torch.no_grad():
        difference = max(float(abs(run(batch) - model(**pad(batch)).logits.numpy()).max()) for batch in work[:2])
    limit = {"float32": 1e-3, "bfloat16": 0.1, "int8": 0.5}[options.dtype]
    if not difference < limit:
        raise SystemExit(f"{options.runtime}: logits differ from transformers' by {difference}")

    result = common.measure(lambda: [run(batch) for batch in work], len(rows), options.repeats)
    tokens = sum(len(row["input_ids"]) for row in rows)
    common.report(
        result
        | {
            "runtime": ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages),
            "task": options.task_name,
            "sentences": len(rows),
            "tokens_per_sentence": tokens / len(rows),
            "sorted": options.sorted,
            "batch_size": options.batch_size,
            "threads": options.threads,
            "dtype": options.dtype,
            "largest_logit_difference": difference,
        }
    )


if __name__ == "__main__":
    main()
