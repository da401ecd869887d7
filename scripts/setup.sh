#!/usr/bin/env bash
# Installs what the build needs, or the packages named (libopenmpi-dev openmpi-bin: ranks by MPI), from Debian's or Ubuntu's: as root or with sudo; else prints the one
# line to run: scripts/setup.sh [PACKAGE...]
set -euo pipefail

packages=(g++ cmake ninja-build libopenblas-openmp-dev nlohmann-json3-dev catch2 libcli11-dev
          libspdlog-dev libfmt-dev libicu-dev
          libarchive-dev libcurl4-openssl-dev libssl-dev)  # the last three for glue submit and glue download
[[ $# -eq 0 ]] || packages=("$@")

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

if [[ $(id -u) -eq 0 ]]; then
  as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo)
else
  echo "Some packages are missing. Run this once, then start again:" >&2
  echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
echo "Installing ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
