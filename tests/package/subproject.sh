#!/usr/bin/env bash
# subproject.sh BUILD WORK: a project that adds the repository gets the layers' targets, and neither program, tests nor install rules.
set -euo pipefail
work=$2 root=$(cd "$(dirname "$0")/../.." && pwd)

rm -rf "$work"
mkdir -p "$work"
cat >"$work/CMakeLists.txt" <<CMAKE
cmake_minimum_required(VERSION 3.25)
project(outer LANGUAGES CXX)
add_subdirectory($root transkimmer)
foreach(layer tensor autograd nn transkimmer data training)
  if(NOT TARGET tk::\${layer})
    message(FATAL_ERROR "no target tk::\${layer}")
  endif()
endforeach()
if(TARGET transkimmer OR TARGET tensor_test)
  message(FATAL_ERROR "program or tests were not asked for")
endif()
CMAKE
cmake -S "$work" -B "$work/build" -G Ninja
cmake --install "$work/build" --prefix "$work/installed" # there is nothing to install
[[ ! -e $work/installed ]]
