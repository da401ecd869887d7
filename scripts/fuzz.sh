#!/usr/bin/env bash
# Builds the fuzz targets with clang and runs each for some seconds: scripts/fuzz.sh [SECONDS [TARGET...]], by default 20
# and all of them. What libFuzzer finds beyond the committed corpus stays in build/fuzz/corpus/ for the next run.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-20}
targets=("${@:2}")
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(ls tests/fuzz/corpus)
cmake --preset fuzz
cmake --build --preset fuzz --target "${targets[@]/%/_fuzz}"
for target in "${targets[@]}"; do
  echo "== $target"
  mkdir -p "build/fuzz/corpus/$target" build/fuzz/findings
  dictionary=()
  [[ ! -f tests/fuzz/$target.dict ]] || dictionary=("-dict=tests/fuzz/$target.dict")
  "build/fuzz/tests/fuzz/${target}_fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="build/fuzz/findings/$target-" -print_final_stats=1 "${dictionary[@]}" \
    "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target" 2>&1 | grep -vE '^#[0-9]+\s+(NEW|REDUCE|pulse|RELOAD)' | tail -n 200
done
