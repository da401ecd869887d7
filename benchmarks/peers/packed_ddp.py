#!/usr/bin/env python3
"""Training steps of packed.py in PyTorch's DistributedDataParallel: one process a GPU, 32 sentences each, gradients in
float32, reduced in buckets while backward runs. Prints one JSON object.

    python -m torch.distributed.run --standalone --nproc_per_node=2 packed_ddp.py --model_name_or_path DIR --case 32x128

One CUDA graph for each bucket of shapes, if they can be recorded; `graphs` says how many there were.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0")  # it looks at events, which a recording may not have

import torch
import torch.distributed as dist
import transformers
from torch.nn.parallel import DistributedDataParallel
from transformers import BertForSequenceClassification

import common
import packed


WARM_UP = 11  # steps that DistributedDataParallel needs before one may be recorded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_name_or_path", type=Path, required=True)
    parser.add_argument("--data_dir", type=Path)
    parser.add_argument("--case", required=True)
    parser.add_argument("--max_samples", type=int, default=1280, help="of each process")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    options.train = True

    local = int(os.environ["LOCAL_RANK"])
    torch.cuda.set_device(local)
    dist.init_process_group("nccl")
    size = dist.get_world_size()
    torch.manual_seed(42 + dist.get_rank())
    transformers.logging.set_verbosity_error()
    bert = BertForSequenceClassification.from_pretrained(options.model_name_or_path, num_labels=2, dtype=torch.float32)
    rows = packed.rows_of(options.case, options, bert.config.vocab_size)
    # Batches of one shape at a time for all: ranks record and replay together.
    batches = [packed.pack(part) for part in common.batches(rows, 32)]
    # Parameters that no batch reads (the pooler's of other heads) do not exist here.
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        model = packed.Packed(bert).cuda().train()
        compiled = torch.compile(model, dynamic=packed.shape_of(options.case) is None)
        parallel = DistributedDataParallel(compiled, device_ids=[local], gradient_as_bucket_view=True)
    torch.cuda.current_stream().wait_stream(side)
    run = packed.training_step(model, parallel)
    graphs, records = {}, True

    def step(batch):
        nonlocal records
        key = (len(batch[0]), len(batch[3]), batch[4])
        if key not in graphs:
            static = tuple(part.cuda() if isinstance(part, torch.Tensor) else part for part in batch)
            try:
                graphs[key] = packed.Step(run, static, WARM_UP) if records else None
            except RuntimeError as error:
                records = False
                graphs.clear()
                graphs[key] = None
                print(f"not recorded: {error}", flush=True)
        if graphs[key] is not None:
            return graphs[key](batch)
        return run(tuple(part.cuda() if isinstance(part, torch.Tensor) else part for part in batch))

    rates = []
    for turn in range(2 + options.repeats):
        dist.barrier()
        torch.cuda.synchronize()
        start = time.perf_counter()
        for batch in batches:
            step(batch)
        torch.cuda.synchronize()
        dist.barrier()
        if turn >= 2:
            rates.append(size * len(rows) / (time.perf_counter() - start))
    if dist.get_rank() == 0:
        common.report({
            "case": options.case, "gpus": size, "sentences_per_second": statistics.median(rates), "repeats": rates,
            "graphs": len(graphs) if records else 0,
            "runtime": f"packed, varlen attention, compiled, DistributedDataParallel: torch {torch.__version__}",
            "device": torch.cuda.get_device_name(),
        })
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
