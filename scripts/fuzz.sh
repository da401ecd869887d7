#!/usr/bin/env bash
# Builds the fuzz targets with clang and runs each for some seconds, as many at once as there are cores:
# scripts/fuzz.sh [SECONDS [TARGET...]], by default 20 and all of them. What libFuzzer finds beyond the committed corpus
# stays in build/fuzz/corpus/ for the next run; an input that breaks a target, in build/fuzz/findings/.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-20}
targets=("${@:2}")
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(ls tests/fuzz/corpus)
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target "${targets[@]/%/_fuzz}"

[[ ! -w /dev/shm ]] || export TMPDIR=/dev/shm  # targets write each input to a file
run_target() {
  local target=$1 seconds=$2 log=build/fuzz/$1.log dictionary=()
  mkdir -p "build/fuzz/corpus/$target" build/fuzz/findings
  [[ ! -f tests/fuzz/$target.dict ]] || dictionary=("-dict=tests/fuzz/$target.dict")
  if "build/fuzz/tests/fuzz/${target}_fuzz" -max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 \
    -artifact_prefix="build/fuzz/findings/$target-" "${dictionary[@]}" \
    "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1; then
    echo "$target: $(tail -n 1 "$log"), $(grep -oE 'cov: [0-9]+' "$log" | tail -n 1)"
  else
    cat "$log"
    return 1
  fi
}
export -f run_target
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c "run_target {} $seconds"
