#!/usr/bin/env bash
# Everything that takes several GPUs, on one host, in less than eight minutes; writes benchmarks/results/scale_cuda.json:
#   benchmarks/scale.sh --transkimmer BIN --vocab VOCAB --data_dir GLUE [--gpus N] [--python PYTHON_WITH_TORCH] ...
# NVLink multicast stays off. Where libnccl.so.2 is not where libraries are looked for, --nccl says which folder it is in.
set -euo pipefail
export NCCL_NVLS_ENABLE=0
exec python3 "$(dirname "$0")/peers/scale.py" "$@"
