#!/usr/bin/env bash
# Installs what is missing and builds targets in build/release: scripts/build.sh [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
tests=OFF
[[ $* == transkimmer ]] || tests=ON
cmake --preset release -DTK_TESTS="$tests" >build.log 2>&1 || { cat build.log >&2; exit 1; }
rm -f build.log
cmake --build --preset release --target "${@:-all}"
