#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/transkimmer/cli/program.h"

// Command lines as scripts for other programs have them, with the program's name changed and variables replaced.
namespace tk {
namespace {

using Arguments = std::vector<std::string>;

struct ScriptLine {
  const char* source;
  const char* line;
  Arguments refusals = {};  // what each begins with; none: it runs
};

// The data would be loaded from a hub.
const char* const kNoData =
    "--data_dir: expected the folder that holds CoLA/, SST-2/ ... as GLUE publishes them; nothing is downloaded";

const ScriptLine kLines[] = {
    // google-research/bert, run_classifier.py
    {"bert README, MRPC",
     "--task_name=MRPC --do_train=true --do_eval=true --data_dir=glue/MRPC --vocab_file=uncased/vocab.txt "
     "--bert_config_file=uncased/bert_config.json --init_checkpoint=uncased/bert_model.ckpt --max_seq_length=128 "
     "--train_batch_size=32 --learning_rate=2e-5 --num_train_epochs=3.0 --output_dir=/tmp/mrpc_output/",
     {"--vocab_file: vocab.txt of --model_name_or_path is read", "--bert_config_file: config.json of",
      "--init_checkpoint: TensorFlow's checkpoints are not read", "--model_name_or_path is required"}},
    {"bert README, prediction",
     "--task_name=MRPC --do_predict=true --data_dir=glue/MRPC --vocab_file=uncased/vocab.txt "
     "--bert_config_file=uncased/bert_config.json --init_checkpoint=tuned --max_seq_length=128 --predict_batch_size 8 "
     "--output_dir=/tmp/mrpc_output/",
     {"--vocab_file", "--bert_config_file", "--init_checkpoint", "--model_name_or_path is required"}},
    {"bert on a TPU, its folder already converted",
     "--task_name=CoLA --do_train=True --do_eval=True --data_dir=glue/CoLA --vocab_file=m/vocab.txt "
     "--bert_config_file=m/bert_config.json --model_name_or_path m --train_batch_size=32 --eval_batch_size=8 "
     "--learning_rate=3e-5 --num_train_epochs=3 --warmup_proportion=0.1 --save_checkpoints_steps=1000 "
     "--iterations_per_loop=1000 --output_dir=gs://out --use_tpu=True --tpu_name=t --num_tpu_cores=8 "
     "--do_lower_case=True"},
    // pytorch-pretrained-BERT, run_classifier.py
    {"pytorch-pretrained-BERT README, MRPC",
     "--task_name MRPC --do_train --do_eval --do_lower_case --data_dir glue/MRPC/ --bert_model bert-base-uncased "
     "--max_seq_length 128 --train_batch_size 32 --learning_rate 2e-5 --num_train_epochs 3.0 --output_dir /tmp/mrpc"},
    {"pytorch-pretrained-BERT, fp16",
     "--task_name MRPC --do_train --do_eval --do_lower_case --data_dir glue/MRPC/ --bert_model bert-base-uncased "
     "--max_seq_length 128 --train_batch_size 32 --learning_rate 2e-5 --num_train_epochs 3.0 --output_dir /tmp/mrpc "
     "--fp16 --loss_scale 128"},
    {"pytorch-pretrained-BERT, accumulated",
     "--bert_model bert-large-uncased --task_name RTE --do_train --data_dir glue/RTE --train_batch_size 32 "
     "--gradient_accumulation_steps 2 --output_dir o",
     {"--train_batch_size: beside --gradient_accumulation_steps"}},
    {"pytorch-pretrained-BERT, on the CPU",
     "--data_dir glue/CoLA --bert_model b --task_name cola --output_dir o --cache_dir c --do_train --no_cuda "
     "--local_rank "
     "-1 --seed 42 --server_ip 127.0.0.1 --server_port 80 --warmup_proportion 0.1"},
    // pytorch-transformers 1.x and transformers 2.x, run_glue.py
    {"pytorch-transformers README, BERT",
     "--model_type bert --model_name_or_path bert-base-uncased --task_name MRPC --do_train --do_eval --do_lower_case "
     "--data_dir glue/MRPC --max_seq_length 128 --per_gpu_eval_batch_size=8 --per_gpu_train_batch_size=8 "
     "--learning_rate 2e-5 --num_train_epochs 3.0 --output_dir /tmp/MRPC/"},
    {"pytorch-transformers README, XLNet",
     "--model_type xlnet --model_name_or_path xlnet-large-cased --do_train --do_eval --task_name=sts-b "
     "--data_dir=glue/STS-B --output_dir=./proc_data/sts-b-110 --max_seq_length=128 --per_gpu_eval_batch_size=8 "
     "--per_gpu_train_batch_size=8 --gradient_accumulation_steps=1 --max_steps=1200 --model_name=xlnet-large-cased "
     "--overwrite_output_dir --overwrite_cache --warmup_steps=120",
     {"--model_type: BERT's family alone"}},
    {"pytorch-transformers README, whole words, first of its processes",
     "--model_type bert --model_name_or_path bert-large-uncased-whole-word-masking --task_name MRPC --do_train "
     "--do_eval "
     "--do_lower_case --data_dir glue/MRPC/ --max_seq_length 128 --per_gpu_eval_batch_size=8 "
     "--per_gpu_train_batch_size=8 --learning_rate 2e-5 --num_train_epochs 3.0 --output_dir /tmp/mrpc_output/ "
     "--overwrite_output_dir --overwrite_cache --local_rank=0"},
    {"transformers 2, MNLI in fp16",
     "--model_type bert --model_name_or_path bert-base-cased --task_name mnli --do_train --do_eval --data_dir "
     "glue/MNLI "
     "--max_seq_length 128 --per_gpu_train_batch_size 64 --learning_rate 2e-5 --num_train_epochs 3.0 --output_dir o "
     "--fp16 --fp16_opt_level O1"},
    {"transformers 2, scores during training",
     "--model_type bert --model_name_or_path b --task_name SST-2 --do_train --do_eval --evaluate_during_training "
     "--logging_steps 100 --save_steps 1000 --data_dir glue/SST-2 --per_gpu_train_batch_size 32 --adam_epsilon 1e-6 "
     "--max_grad_norm 1.0 --weight_decay 0.01 --warmup_steps 320 --seed 1 --output_dir o"},
    {"transformers 2, every checkpoint",
     "--model_type bert --model_name_or_path b --task_name QNLI --do_eval --eval_all_checkpoints --data_dir glue/QNLI "
     "--output_dir o --do_train False",
     {"--eval_all_checkpoints: --eval_strategy steps scores"}},
    {"transformers 2, DistilBERT",
     "--model_type distilbert --model_name_or_path d --task_name RTE --do_train --data_dir "
     "glue/RTE --output_dir o",
     {"--model_type"}},
    {"transformers 2, other files",
     "--model_type bert --model_name_or_path b --config_name c --tokenizer_name b --task_name RTE --do_train "
     "--data_dir "
     "glue/RTE --output_dir o",
     {"--config_name: config.json of --model_name_or_path is read"}},
    {"transformers 2, on several GPUs",
     "--model_type bert --model_name_or_path b --task_name QQP --do_train --data_dir "
     "glue/QQP --output_dir o --local_rank 3",
     {"--local_rank: one process computes"}},
    {"transformers 2, lightning",
     "--gpus 1 --data_dir glue_data/MRPC/ --task mrpc --model_name_or_path bert-base-cased --output_dir mrpc-pl-bert "
     "--max_seq_length 128 --learning_rate 2e-5 --num_train_epochs 3 --train_batch_size 32 --seed 2 --do_train "
     "--do_predict --num_workers 4 --adam_epsilon 1e-8"},
    // transformers 3.x
    {"transformers 3 README",
     "--model_name_or_path bert-base-cased --task_name MRPC --do_train --do_eval --data_dir glue/MRPC --max_seq_length "
     "128 --per_device_train_batch_size 32 --learning_rate 2e-5 --num_train_epochs 3.0 --output_dir /tmp/MRPC/"},
    {"transformers 3, logged",
     "--model_name_or_path b --task_name CoLA --do_train --do_eval --do_predict --evaluate_during_training --data_dir "
     "glue/CoLA --logging_first_step --logging_dir ./logs --logging_steps 50 --save_total_limit 2 --run_name cola "
     "--output_dir o --tpu_num_cores 8",
     {"--tpu_num_cores: cpu and cuda compute"}},
    {"transformers 3, smoothed",
     "--model_name_or_path b --task_name MNLI --do_train --data_dir glue --label_smoothing 0.1 "
     "--lr_scheduler cosine --output_dir o --dataloader_drop_last False --past_index -1"},
    // transformers 4.x
    {"transformers 4 README",
     "--model_name_or_path google-bert/bert-base-cased --task_name MRPC --do_train --do_eval --max_seq_length 128 "
     "--per_device_train_batch_size 32 --learning_rate 2e-5 --num_train_epochs 3 --output_dir /tmp/MRPC/",
     {kNoData}},
    {"transformers 4 README, data beside it",
     "--model_name_or_path google-bert/bert-base-cased --task_name MRPC --do_train --do_eval --max_seq_length 128 "
     "--per_device_train_batch_size 32 --learning_rate 2e-5 --num_train_epochs 3 --output_dir /tmp/MRPC/ --data_dir "
     "glue "
     "--fp16"},
    {"transformers 4, a data set of the hub",
     "--model_name_or_path bert-base-cased --dataset_name imdb --do_train --do_predict --max_seq_length 128 "
     "--per_device_train_batch_size 32 --learning_rate 2e-5 --num_train_epochs 3 --output_dir /tmp/imdb/",
     {"--dataset_name: data is read from files", "--task_name: expected a task of GLUE, or files"}},
    {"transformers 4, best of the epochs",
     "--model_name_or_path b --task_name rte --data_dir glue --do_train --do_eval --evaluation_strategy epoch "
     "--save_strategy epoch --load_best_model_at_end True --metric_for_best_model accuracy --greater_is_better True "
     "--save_total_limit 1 --report_to none --overwrite_output_dir True --output_dir o --seed 42"},
    {"transformers 4, best without scores",
     "--model_name_or_path b --task_name rte --data_dir glue --do_train --do_eval --load_best_model_at_end "
     "--output_dir o",
     {"--load_best_model_at_end: needs scores during training"}},
    {"transformers 4, a cluster's",
     "--model_name_or_path b --task_name qqp --data_dir glue --do_train --do_eval --bf16 True --tf32 True "
     "--warmup_ratio "
     "0.1 --weight_decay 0.01 --dataloader_num_workers 4 --ddp_find_unused_parameters False --report_to wandb "
     "--run_name qqp --logging_strategy steps --logging_steps 10 --eval_steps 500 --evaluation_strategy steps "
     "--gradient_checkpointing True --optim adamw_torch_fused --torch_compile True --group_by_length --output_dir o"},
    {"transformers 4, DeepSpeed",
     "--deepspeed ds_config.json --model_name_or_path b --task_name MNLI --data_dir glue "
     "--do_train --output_dir o --fp16",
     {"--deepspeed: one process computes"}},
    {"transformers 4, sharded",
     "--model_name_or_path b --task_name MNLI --data_dir glue --do_train --output_dir o --fsdp "
     "full_shard auto_wrap --fsdp_transformer_layer_cls_to_wrap BertLayer",
     {"--fsdp: one process computes"}},
    {"transformers 4, Adafactor",
     "--model_name_or_path b --task_name STS-B --data_dir glue --do_train --output_dir o "
     "--adafactor --lr_scheduler_type constant --learning_rate 1e-3",
     {"--adafactor: the optimizer is AdamW"}},
    {"transformers 4, any batch",
     "--model_name_or_path b --task_name wnli --data_dir glue --do_train --output_dir o --auto_find_batch_size "
     "--optim adafactor --push_to_hub --hub_model_id me/wnli",
     {"--auto_find_batch_size", "--optim", "--push_to_hub: nothing is uploaded"}},
    {"transformers 4, from a checkpoint",
     "--model_name_or_path b --task_name cola --data_dir glue --do_train True --do_eval True --output_dir o "
     "--resume_from_checkpoint o/checkpoint-500 --ignore_data_skip False --save_steps 500 --disable_tqdm True "
     "--use_fast_tokenizer False --pad_to_max_length False --max_val_samples 100 --log_level info"},
    {"transformers 4, two seeds",
     "--model_name_or_path b --task_name cola --data_dir glue --do_train --output_dir o --seed "
     "1 --data_seed 2",
     {"--data_seed: --seed decides"}},
    {"transformers 4, only scores",
     "--model_name_or_path o/checkpoint-500 --task_name cola --data_dir glue --do_train False --do_eval True "
     "--per_device_eval_batch_size 64 --output_dir e --eval_accumulation_steps 10 --fp16_full_eval False"},
    {"transformers 4, several mistakes",
     "--model_name_or_path b --task_name colla --data_dir glue --do_train --output_dir o --num_train_epoch 3 "
     "--learning_rate 2e-5x --evaluation_strategy step --neftune_noise_alpha 5",
     {"unknown flag --num_train_epoch; did you mean --num_train_epochs?",
      "--neftune_noise_alpha: embeddings get no noise", "--eval_strategy: expected no|steps|epoch",
      "--learning_rate: expected a number", "--task_name: unknown task \"colla\"; did you mean \"cola\"?"}},
    {"transformers 4, files of one's own",
     "--model_name_or_path bert-base-uncased --train_file t.csv --validation_file v.csv --do_train --do_eval "
     "--max_seq_length 128 --per_device_train_batch_size 32 --num_train_epochs 3 --output_dir o"},
    // run_classification.py and run_ner.py
    {"run_classification README",
     "--model_name_or_path bert-base-uncased --train_file t.json --validation_file v.json --test_file x.json "
     "--shuffle_train_dataset --metric_name accuracy --text_column_name sentence --label_column_name label --do_train "
     "--do_eval --do_predict --max_seq_length 512 --per_device_train_batch_size 32 --learning_rate 2e-5 "
     "--num_train_epochs 1 --output_dir o"},
    {"run_classification, columns joined",
     "--model_name_or_path b --train_file t.csv --validation_file v.csv --text_column_names title,body "
     "--text_column_delimiter \\n --do_train --output_dir o",
     {"--text_column_delimiter: two columns are a pair"}},
    {"run_ner README",
     "--model_name_or_path bert-base-uncased --train_file t.json --validation_file v.json --output_dir o --do_train "
     "--do_eval --return_entity_level_metrics --label_all_tokens False"},
    // run_glue_no_trainer.py
    {"run_glue_no_trainer README",
     "--model_name_or_path bert-base-cased --task_name mrpc --max_length 128 "
     "--per_device_train_batch_size 32 --learning_rate 2e-5 --num_train_epochs 3 --output_dir /tmp/mrpc/",
     {kNoData}},
    {"run_glue_no_trainer, tracked",
     "--model_name_or_path bert-base-cased --task_name mrpc --data_dir glue --max_length 128 --pad_to_max_length "
     "--use_slow_tokenizer --max_train_steps 1000 --num_warmup_steps 100 --gradient_accumulation_steps 2 "
     "--lr_scheduler_type polynomial --with_tracking --report_to all --seed 1 --output_dir o "
     "--ignore_mismatched_sizes"},
    {"run_glue_no_trainer, checkpoints",
     "--model_name_or_path b --task_name mrpc --data_dir glue --output_dir o "
     "--checkpointing_steps epoch",
     {"--checkpointing_steps: say --save_strategy"}},
    // transformers 5.x
    {"transformers 5",
     "--model_name_or_path b --task_name sst2 --data_dir glue --do_train --do_eval --eval_strategy epoch "
     "--save_strategy "
     "best --metric_for_best_model eval_accuracy --warmup_steps 0.1 --report_to trackio --project glue --output_dir o "
     "--train_sampling_strategy group_by_length --lr_scheduler_type warmup_stable_decay --eval_on_start "
     "--early_stopping_patience 3 --enable_jit_checkpoint False"},
    {"transformers 5, on the CPU",
     "--model_name_or_path b --task_name sst2 --data_dir glue --do_train --do_eval --use_cpu --eval_strategy steps "
     "--eval_steps 100 --save_only_model --full_determinism --torch_empty_cache_steps 10 --output_dir o "
     "--average_tokens_across_devices True --trust_remote_code False --token x"},
    {"transformers 5, another schedule",
     "--model_name_or_path b --task_name sst2 --data_dir glue --do_train --output_dir o "
     "--lr_scheduler_type cosine_with_min_lr --lr_scheduler_kwargs {\"min_lr_rate\":0.1}",
     {"--lr_scheduler_kwargs: schedules have transformers' defaults", "--lr_scheduler_type: expected linear|cosine"}},
    {"transformers 5, from end to end",
     "--model_name_or_path b --task_name rte --data_dir glue/RTE --do_train --do_eval "
     "--do_predict --max_train_samples 50 --max_eval_samples 50 --max_predict_samples 50 --max_steps 10 --output_dir o "
     "--overwrite_output_dir --logging_nan_inf_filter --no_pad_to_max_length --hf_defaults"},
};

Arguments words(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

Arguments lines(const std::string& text) {
  Arguments all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

TEST_CASE("scripts: public command lines run with the program's name changed, or meet only refusals that are right") {
  int running = 0;
  for (const ScriptLine& script : kLines) {
    INFO(script.source);
    const Ran ran = run_program(Arguments{"train"} + words(script.line) + Arguments{"--dump_config"});
    INFO(ran.err);
    if (script.refusals.empty()) {
      ++running;
      CHECK(ran.code == 0);
      CHECK(nlohmann::json::accept(ran.out));
      continue;
    }
    CHECK(ran.code == 2);
    CHECK(ran.out.empty());
    const Arguments said = lines(ran.err);
    REQUIRE(said.size() == script.refusals.size());
    for (std::size_t i = 0; i < said.size(); ++i) CHECK(said[i].starts_with(script.refusals[i]));
  }
  CHECK(std::size(kLines) >= 40);
  CHECK(running >= 20);
}

}  // namespace
}  // namespace tk
