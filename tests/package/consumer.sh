#!/usr/bin/env bash
# consumer.sh BUILD WORK: installs BUILD, moves what was installed, and lets a project of its own find, link and run it.
set -euo pipefail
build=$1 work=$2 project=$(dirname "$0")/consumer

rm -rf "$work"
cmake --install "$build" --prefix "$work/installed" >/dev/null
mv "$work/installed" "$work/moved"
if (cd "$work/moved/include" && find .) | grep -E '/(cpu|cuda|cli)(/|$)'; then
  echo "these headers are nobody else's" >&2
  exit 1
fi
cmake -S "$project" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/moved" -DCMAKE_BUILD_TYPE=Debug
cmake --build "$work/build"
"$work/build/example"
"$work/build/everything"
"$work/build/toy_task" "$work/toy"
(cd "$work" && build/training toy toy/start)
