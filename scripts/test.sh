#!/usr/bin/env bash
# Builds everything and runs all tests. Enough by itself on a fresh machine. Tests on real data run where TK_GLUE_DIR
# (a folder with CoLA/, SST-2/ ...) and TK_MINILM_DIR (see scripts/fetch_minilm.sh) say where it is. Arguments go to ctest.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh all
# Several test programs share the cores, so their threads should sleep rather than spin.
OMP_WAIT_POLICY=passive ctest --test-dir build/release --output-on-failure -j "$(nproc)" "$@"
