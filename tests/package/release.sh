#!/usr/bin/env bash
# release.sh BUILD WORK: the binary archive's program runs where it is unpacked; the source archive is what git has, and configures.
set -euo pipefail
build=$1 work=$2 root=$(cd "$(dirname "$0")/../.." && pwd)

rm -rf "$work"
mkdir -p "$work"/{binary,source}
cd "$work"
if ! cpack --config "$build/CPackConfig.cmake" -G TGZ -B "$work" >/dev/null 2>messages || [[ -s messages ]]; then
  cat messages >&2
  exit 1
fi
tar -xzf transkimmer-*-linux-*.tar.gz -C binary --strip-components 1
binary/bin/transkimmer --version
test -f binary/lib/cmake/transkimmer/transkimmer-config.cmake

cpack --config "$build/CPackSourceConfig.cmake" -G TGZ -B "$work/sources" >/dev/null
tar -xzf sources/transkimmer-*.tar.gz -C source --strip-components 1
if git -C "$root" rev-parse --git-dir >/dev/null 2>&1; then
  diff <(git -C "$root" ls-files --cached --others --exclude-standard | LC_ALL=C sort) \
    <(cd source && find . -type f -printf '%P\n' | LC_ALL=C sort)
fi
cmake -S source -B configured -G Ninja >/dev/null
