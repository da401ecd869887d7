#!/usr/bin/env bash
# needed.sh BUILD WORK: what the installed program and its libraries need at run time is C, C++, OpenMP, OpenBLAS and ICU.
set -euo pipefail
build=$1 work=$2

rm -rf "$work"
cmake --install "$build" --prefix "$work" >/dev/null
"$work/bin/transkimmer" --version
for file in "$work/bin/transkimmer" $(find "$work/lib" -name 'libtk_*.so'); do
  others=$(objdump -p "$file" | awk '$1 == "NEEDED" { print $2 }' |
    grep -vE '^(libc|libm|libgcc_s|libstdc\+\+|libgomp|libopenblas|libicuuc|libtk_[a-z]+|ld-linux-[a-z0-9-]+)\.so(\.[0-9.]+)?$' || true)
  [[ -z $others ]] || { echo "${file#"$work"/} needs $others" >&2; exit 1; }
done
