#!/usr/bin/env bash
# Builds the program and lets it train a small skimmed model on a corpus that it generates. Enough by itself on a fresh
# machine. Arguments go to `transkimmer demo`, e.g. scripts/demo.sh --output_dir somewhere
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh transkimmer
exec build/release/transkimmer/cli/transkimmer demo "$@"
