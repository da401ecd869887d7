#!/usr/bin/env bash
# Installs what is missing and builds targets in build/release: scripts/build.sh [TARGET...]
# With CUDA where there is a GPU, for that one alone; CUDAARCHS=90 scripts/build.sh builds for GPUs that are elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh

# Architectures of the GPUs here that the kernels are written for, compute 8.0 and newer: "90", "80;90".
architectures() {
  command -v nvidia-smi >/dev/null || return 0
  nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | grep -xE '[0-9]+\.[0-9]' | tr -d . |
    awk '$1 >= 80' | sort -nu | paste -sd ';' || true
}
cuda=AUTO
if [[ -z ${CUDAARCHS-} ]]; then
  CUDAARCHS=$(architectures)
  if [[ -n $CUDAARCHS ]]; then
    export CUDAARCHS
  else
    unset CUDAARCHS
    cuda=OFF
    [[ ! -x $(command -v nvcc || echo /usr/local/cuda/bin/nvcc) ]] ||
      echo "No GPU is here: built without CUDA. For one that is elsewhere: CUDAARCHS=90 $0" >&2
  fi
fi
tests=OFF
[[ $* == transkimmer ]] || tests=ON
cmake --preset release -DTK_TESTS="$tests" -DTK_CUDA="$cuda" >build.log 2>&1 || { cat build.log >&2; exit 1; }
rm -f build.log
cmake --build --preset release --target "${@:-all}"
