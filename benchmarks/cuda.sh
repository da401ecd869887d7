#!/usr/bin/env bash
# cuda.sh TRANSKIMMER GLUE MINILM VOCAB: speed on a GPU in bfloat16, one JSON object a line; see `transkimmer bench`. BERT-base has random weights, which
# cost what others cost.
set -eu
program=$1 glue=$2 minilm=$3 vocab=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
base=$folder/bert-base
"$program" init --config bert-base --vocab "$vocab" "$base"

bench() {  # MODEL FLAGS...
  "$program" bench --task_name sst2 --data_dir "$glue" --model_name_or_path "$1" --device cuda --dtype bfloat16 --progress off "${@:2}"
}

for model in "$base" "$minilm"; do
  for shape in "1 128 64" "32 128 256" "256 128 768" "256 32 768"; do
    read -r batch length sentences <<<"$shape"
    bench "$model" --batch_size "$batch" --length "$length" --max_eval_samples "$sentences"
  done
  bench "$model" --train --length 128 --max_train_samples 320
  bench "$model" --train --max_train_samples 1280
done

# 0.4 of the dense model's MACs.
keep=1,0.8,0.6,0.5,0.4,0.35,0.3,0.25,0.2,0.15,0.15,0.1
for gate in layer staged; do
  for shape in "32 256" "256 768"; do
    read -r batch sentences <<<"$shape"
    bench "$base" --skim --skim_gate "$gate" --skim_keep "$keep" --batch_size "$batch" --length 128 --max_eval_samples "$sentences"
  done
done
