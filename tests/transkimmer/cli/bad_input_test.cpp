#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include <algorithm>

#include "tensor/backend.h"
#include "tests/support/catch.h"
#include "tests/transkimmer/cli/program.h"

// What a user can get wrong: one clear line, the right exit code, and nothing lost or half written.
namespace tk {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

constexpr int kRunTimeError = 1;
constexpr int kWrongCommandLine = 2;

// The run failed with `code`, said nothing on standard output, and its last line names `text`.
void check_failed(const Ran& ran, int code, const std::string& text) {
  INFO(ran.err);
  CHECK(ran.code == code);
  CHECK(ran.out.empty());
  REQUIRE(ran.err.ends_with('\n'));
  const std::string said = ran.err.substr(0, ran.err.size() - 1);
  const std::string last = said.substr(said.rfind('\n') + 1);
  CHECK_THAT(last, ContainsSubstring(text));
  CHECK(last.size() < 400);
}

// Every command that reads the broken thing fails, and training leaves no folder behind.
void check_all_fail(const Workplace& place, const std::string& text, const std::string& model = "model") {
  check_failed(place.train("out", {}, "sst2", model), kRunTimeError, text);
  CHECK_FALSE(fs::exists(place / "out"));
  check_failed(run_program(Arguments{"eval"} + place.task("sst2", model)), kRunTimeError, text);
  check_failed(run_program(Arguments{"bench"} + place.task("sst2", model)), kRunTimeError, text);
}

void edit_config(const Workplace& place, const std::string& key, const json& value) {
  json config = json::parse(read_bytes(place / "model/config.json"));
  config[key] = value;
  if (value.is_null()) config.erase(key);
  write_bytes(place / "model/config.json", config.dump());
}

TEST_CASE("command line: each thing that is wrong is a line, with exit code 2") {
  const Workplace place;
  const auto fails = [&](const Arguments& arguments, const std::string& text, int lines = 1) {
    const Ran ran = run_program(arguments);
    INFO(ran.err);
    CHECK(ran.code == kWrongCommandLine);
    CHECK(ran.out.empty());
    CHECK_THAT(ran.err, ContainsSubstring(text));
    CHECK(std::ranges::count(ran.err, '\n') == lines);
  };
  const Arguments train = Arguments{"train"} + place.task() + Arguments{"--output_dir", place / "out"};
  fails({"trian"}, "did you mean train?");
  fails({"train"},
        "--model_name_or_path is required\n--output_dir is required\n--task_name: expected a task of GLUE, or files of "
        "your own",
        3);
  fails(train + Arguments{"--learning_rat", "1"}, "unknown flag --learning_rat; did you mean --learning_rate?");
  fails(train + Arguments{"surplus"}, "surplus");
  fails(train + Arguments{"--learning_rate", "fast"}, "--learning_rate");
  fails(train + Arguments{"--learning_rate", "nan"}, "--learning_rate");
  fails(train + Arguments{"--learning_rate", "-1"}, "--learning_rate");
  fails(train + Arguments{"--seed", "-3"}, "--seed");
  fails(train + Arguments{"--seed", "0x10"}, "--seed: expected an integer");
  fails(train + Arguments{"--max_train_samples", "-5"}, "--max_train_samples");
  fails(train + Arguments{"--max_eval_samples", "-2"}, "--max_eval_samples");
  fails(train + Arguments{"--max_steps", "-7"}, "--max_steps");
  fails(train + Arguments{"--learning_rate", "0x1p-3"}, "--learning_rate: expected a number");
  fails(train + Arguments{"--seed", "99999999999999999999999"}, "--seed");
  fails(train + Arguments{"--per_device_train_batch_size", "0"}, "--per_device_train_batch_size");
  fails(train + Arguments{"--max_seq_length", "1"}, "--max_seq_length");
  fails(train + Arguments{"--logging_steps"}, "--logging_steps");
  fails(train + Arguments{"--eval_strategy", "step"}, "did you mean steps?");
  fails(train + Arguments{"--overwrite_output_dir=maybe"}, "--overwrite_output_dir");
  fails(train + Arguments{"--do_train=False", "--no_do_eval"}, "--do_train, --do_eval and --do_predict are all off");
  fails(train + Arguments{"--skim_target", "0.4"}, "--skim_target: only together with --skim");
  fails(train + Arguments{"--skim", "--skim_target", "0"}, "--skim_target");
  fails(train + Arguments{"--skim_cls", "free"}, "--skim_cls: only together with --skim");
  fails(train + Arguments{"--skim", "--skim_cls", "fre"}, "did you mean free?");
  fails(train + Arguments{"--skim", "--skim_gate", "layer", "--skim_cls", "free"},
        "--skim_cls: gate layer has no free, only kept");
  fails(train + Arguments{"--skim", "--skim_target", "0.4", "--skim_coefficient", "0.5"}, "--skim_coefficient");
  fails(train + Arguments{"--distill_pairs", "2", "--distill_tasks", "sst2,cula,ax,mnli", "--skim_ramp", "0.1"},
        "--skim_ramp: only together with --skim\n--distill_tasks: sst2 is the task itself\n--distill_tasks: unknown "
        "task \"cula\"; did you mean \"cola\"?",
        6);
  fails(train + Arguments{"--distill_pairs", "2"}, "--distill_pairs: sst2 has no pairs\nrows without labels need", 2);
  fails(train + Arguments{"--distill_own_share", "0.5"}, "--distill_own_share: there are no rows but the task's own");
  fails(train + Arguments{"--distill_samples", "5"}, "--distill_samples: only together with --distill_tasks or");
  fails(train + Arguments{"--corrupt", "1", "--skim", "--distill_weight", "0"}, "--distill_weight: of rows without");
  fails(Arguments{"train", "--output_dir", place / "out", "--skim", "--distill_tasks", "sst2"} + place.task("stsb"),
        "--distill_tasks: sst2 has sentences, and stsb needs pairs");
  fails({"eval", "--task_name", "ssst2", "--data_dir", "d", "--model_name_or_path", "m"}, "did you mean \"sst2\"?");
  fails({"eval", "--task_name", "sentiment", "--data_dir", "d", "--model_name_or_path", "m"}, "known: cola, sst2");
  fails({"glue"}, "a command is missing");
  fails({"glue", "verfiy"}, "did you mean verify?");
  fails({"init", "--config", "tiny"}, "DIR");
  fails(Arguments{"bench", "--dtype", "float16"} + place.task(), "--dtype");
  fails(Arguments{"bench", "--train", "--queues", "2"} + place.task(), "--queues: of inference, not with --train");
  fails(Arguments{"bench", "--train", "--batch_tokens", "100"} + place.task(),
        "--batch_tokens: of inference, not with --train");
  fails(Arguments{"eval", "--per_device_eval_batch_tokens", "-1"} + place.task(), "--per_device_eval_batch_tokens");
  fails(Arguments{"eval", "--queues", "17"} + place.task(), "--queues");
  CHECK(run_program({}).code == kWrongCommandLine);
  CHECK(run_program(train, "", {"TRANSKIMMER_SEED=many"}).code == kWrongCommandLine);
  CHECK_FALSE(fs::exists(place / "out"));
}

TEST_CASE("command line: numbers are decimal") {
  const Workplace place;
  const Ran ran = run_program(Arguments{"train", "--dump_config", "--output_dir", "o", "--seed", "010", "--max_steps",
                                        "0100", "--learning_rate", "+1e-3", "--skim", "--skim_target", "00.5"} +
                              place.task());
  INFO(ran.err);
  const json flags = json::parse(ran.out);
  CHECK(flags["seed"] == 10);
  CHECK(flags["max_steps"] == 100);
  CHECK(flags["learning_rate"] == 1e-3);
  CHECK(flags["skim_target"] == 0.5);
}

TEST_CASE("train: more steps than can be counted are an error") {
  const Workplace place;
  const Ran ran = place.train("out", {"--max_steps", "-1", "--num_train_epochs", "1e300"});
  check_failed(ran, kRunTimeError, "--num_train_epochs: expected at most 1e+15 steps");
  check_failed(place.train("out", {"--warmup_steps", "1e300"}), kRunTimeError, "--warmup_steps: expected");
  CHECK_FALSE(fs::exists(place / "out"));
}

TEST_CASE("train: a flags' file that is nested deeply, or holds a NUL character, is refused") {
  const Workplace place;
  write_bytes(place / "deep.json", std::string(100'000, '['));
  check_failed(run_program({"train", place / "deep.json"}), kWrongCommandLine, "nested more than 32 levels deep");
  write_bytes(place / "nul.json", R"({"output_dir": "a\u0000b", "task_name": "sst2"})");
  check_failed(run_program({"train", place / "nul.json"}), kWrongCommandLine, "holds a NUL character");
}

TEST_CASE("tokenizer files: deep nesting and files that have no end are refused at once") {
  const Workplace place;
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  const Arguments eval = Arguments{"eval"} + place.task();
  write_bytes(place / "model/tokenizer_config.json", "{\"a\": " + deep + "}");
  check_failed(run_program(eval), kRunTimeError, "tokenizer_config.json: nested more than 32 levels deep");
  fs::remove(place / "model/tokenizer_config.json");
  REQUIRE(::mkfifo((place / "model/tokenizer_config.json").c_str(), 0600) == 0);
  check_failed(run_program(eval), kRunTimeError, "tokenizer_config.json: not a regular file");
  fs::remove(place / "model/tokenizer_config.json");

  fs::rename(place / "model/vocab.txt", place / "vocabulary");
  REQUIRE(::mkfifo((place / "model/vocab.txt").c_str(), 0600) == 0);
  check_failed(run_program(eval), kRunTimeError, "vocab.txt: not a regular file");
  check_failed(run_program({"tokenize", "--vocab", place / "model/vocab.txt"}), kRunTimeError, "not a regular file");
  fs::remove(place / "model/vocab.txt");
  for (const std::string& json :
       {std::string(R"({"model": {"type": )") + deep + "}}", std::string(R"({"added_tokens": )") + deep + "}"}) {
    write_bytes(place / "model/tokenizer.json", json);
    check_failed(run_program(eval), kRunTimeError, "tokenizer.json: nested more than 32 levels deep");
  }
  fs::remove(place / "model/tokenizer.json");
  fs::rename(place / "vocabulary", place / "model/vocab.txt");

  fs::remove(place / "data/SST-2/dev.tsv");
  REQUIRE(::mkfifo((place / "data/SST-2/dev.tsv").c_str(), 0600) == 0);
  check_failed(run_program(eval), kRunTimeError, "dev.tsv: not a regular file");
  fs::remove(place / "data/SST-2/dev.tsv");
  fs::create_symlink("/dev/zero", place / "data/SST-2/dev.tsv");
  check_failed(run_program(eval), kRunTimeError, "dev.tsv: not a regular file");
}

TEST_CASE("weights: a value that is not finite is neither read nor left behind") {
  const Workplace place;
  const std::string path = place / "model/model.safetensors";
  const std::string good = read_bytes(path);
  const std::string nan = "\xff\xff\xff\xff";
  write_bytes(path, good.substr(0, good.size() - 4) + nan);
  check_failed(run_program(Arguments{"eval"} + place.task()), kRunTimeError, "holds a value that is not finite");
  check_failed(run_program(Arguments{"predict", "--output_dir", place / "out"} + place.task()), kRunTimeError,
               "holds a value that is not finite");
  check_failed(place.train("out"), kRunTimeError, "holds a value that is not finite");
  write_bytes(path, good);
  // The only update overflows: loss and gradient are of before.
  const Ran ran = place.train("out", {"--max_steps", "1", "--learning_rate", "1e39", "--warmup_ratio", "0"});
  check_failed(ran, kRunTimeError, "holds a value that is not finite");
  CHECK_FALSE(fs::exists(place / "out/model.safetensors"));
}

TEST_CASE("messages: text from files cannot steer the terminal, and is short") {
  const Workplace place;
  const std::string evil =
      "\x1b[2J\xc2\x9b"
      "31m\xe2\x80\xae" +
      std::string(1'000'000, 'x');
  const std::string good = read_bytes(place / "model/config.json");
  json config = json::parse(good);
  config["id2label"] = {{"0", evil}, {"1", "b" + evil}};
  config["label2id"] = {{evil, 0}, {"b" + evil, 1}};
  write_bytes(place / "model/config.json", config.dump());
  const auto check_tame = [](const Ran& ran) {
    CHECK(ran.err.find('\x1b') == std::string::npos);
    CHECK(ran.err.find("\xc2\x9b") == std::string::npos);
    CHECK(ran.err.find("\xe2\x80\xae") == std::string::npos);
    CHECK(ran.err.size() < 10'000);
    CHECK(ran.out.find('\x1b') == std::string::npos);
  };
  check_tame(run_program(Arguments{"eval"} + place.task()));
  check_tame(place.train("out"));
  write_bytes(place / "model/config.json", good);
  check_tame(run_program({"eval", "--task_name", "sst2", "--data_dir", place / "data", "--model_name_or_path",
                          "\x1b[2J\xc2\x9b"
                          "31m\xe2\x80\xae"}));
  write_bytes(place / "data/SST-2/dev.tsv", "sentence\tlabel\na film\t" + evil + "\n");
  check_tame(run_program(Arguments{"eval"} + place.task()));
  check_tame(run_program({"glue", "verify", "--data_dir", place / "data"}));
}

TEST_CASE("glue: a header without the columns that a task needs is refused, not guessed at") {
  const Workplace place;
  const Arguments eval = Arguments{"eval"} + place.task();
  const std::string path = place / "data/SST-2/dev.tsv";
  write_bytes(path, "id\tlabel\tsentence\n1\t0\ta dull film\n2\t1\ta fine film\n");
  CHECK(run_program(eval).code == 0);
  write_bytes(path, "id\ttext\tlabel\n1\ta dull film\t0\n2\ta fine film\t1\n");
  check_failed(run_program(eval), kRunTimeError, "the header has no column \"sentence\"; it has id, text, label");
  const Arguments predict = Arguments{"predict", "--output_dir", place / "out"} + place.task();
  write_bytes(place / "data/SST-2/test.tsv", "id\ttext\n0\ta film\n");
  check_failed(run_program(predict), kRunTimeError, "the header has no column \"sentence\"; it has id, text");
}

TEST_CASE("glue verify: what is wrong is said on standard error, too") {
  const Workplace place;
  const Ran ran = run_program({"glue", "verify", "--data_dir", place / "data"});
  CHECK(ran.code == kRunTimeError);
  CHECK_THAT(ran.out, ContainsSubstring("wrong count"));
  CHECK_THAT(ran.err, ContainsSubstring("SST-2/train.tsv: expected 67349 rows, got 32 (and "));
}

TEST_CASE("config.json: missing, negative, huge and contradicting numbers") {
  const Workplace place;
  const std::string good = read_bytes(place / "model/config.json");
  const auto fails = [&](const std::string& key, const json& value, const std::string& text) {
    write_bytes(place / "model/config.json", good);
    edit_config(place, key, value);
    check_failed(run_program(Arguments{"eval"} + place.task()), kRunTimeError, text);
  };
  fails("hidden_size", json(), "hidden_size");
  fails("hidden_size", -16, "hidden_size");
  fails("hidden_size", 1LL << 40, "hidden_size");
  fails("hidden_size", 17, "num_attention_heads");
  fails("hidden_size", 32, "shapes differ");
  fails("num_hidden_layers", 0, "num_hidden_layers");
  fails("num_hidden_layers", 5, "lacks weights");
  fails("vocab_size", 1e300, "vocab_size");
  fails("hidden_act", "mish", "hidden_act");
  fails("id2label", {{"0", "negative"}, {"2", "positive"}}, "id2label");
  fails("skim_gate", "sometimes", "skim_gate");
  fails("skim_cls", "free", "skim_cls: expected \"kept\"");
  write_bytes(place / "model/config.json", "{\"hidden_size\": ");
  check_all_fail(place, "not valid JSON");
  fs::remove(place / "model/config.json");
  check_all_fail(place, "config.json");
}

TEST_CASE("model folders: what is none, or another library's, says what it is and what to do") {
  const Workplace place;
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, 'a') + "\nsize 9\n";
  const std::string weights = place / "model/model.safetensors", vocabulary = place / "model/vocab.txt";
  const std::string good_vocabulary = read_bytes(vocabulary);
  write_bytes(vocabulary, pointer);
  check_all_fail(place, "vocab.txt: is a pointer of Git LFS, not the file; git lfs pull");
  write_bytes(vocabulary, good_vocabulary);
  write_bytes(weights, pointer);
  check_all_fail(place, "model.safetensors: is a pointer of Git LFS, not the file; git lfs pull");
  fs::remove(weights);
  write_bytes(place / "model/tf_model.h5", "");
  check_all_fail(place, "has only tf_model.h5, TensorFlow's weights, not read here; transformers 4 beside TensorFlow");
  const fs::path golden = fs::path(TK_SOURCE_DIR) / "tests/tensor/io/golden";
  for (const auto& [file, text] :
       {std::pair("legacy.bin", "of torch before 1.6"), std::pair("module.bin", "is not run")}) {
    fs::copy_file(golden / file, place / "model/pytorch_model.bin", fs::copy_options::overwrite_existing);
    check_all_fail(place, text);
    check_all_fail(place, "'cpu',weights_only=True).items()},'model.safetensors')\"");
  }
  for (const char* name : {"bert-base-uncased", "org/name"}) {
    const Ran ran = run_program(Arguments{"eval"} + place.task() + Arguments{"--model_name_or_path", name});
    check_failed(ran, kRunTimeError, std::string(name) + ": no such file or folder; if it is a model's name on a hub");
  }
}

TEST_CASE("model.safetensors: truncated and hostile files") {
  const Workplace place;
  const std::string path = place / "model/model.safetensors";
  const std::string good = read_bytes(path);
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}, std::size_t{200}, good.size() / 2, good.size() - 1}) {
    write_bytes(path, good.substr(0, size));
    check_failed(run_program(Arguments{"eval"} + place.task()), kRunTimeError, "model.safetensors");
  }
  std::string hostile = good;
  for (int i = 0; i < 8; ++i) hostile[static_cast<std::size_t>(i)] = '\x7f';  // a header of 2^63 bytes
  write_bytes(path, hostile);
  check_all_fail(place, "model.safetensors");
  const std::string header =
      R"({"classifier.weight":{"dtype":"F32","shape":[2,4611686018427387904],"data_offsets":[0,8]}})";
  std::string length(8, '\0');
  length[0] = static_cast<char>(header.size());
  write_bytes(path, length + header + "12345678");
  check_all_fail(place, "model.safetensors");
  fs::remove(path);
  check_all_fail(place, "model.safetensors");
}

TEST_CASE("vocabulary: one without [UNK], one that is not UTF-8, one larger than the embeddings") {
  const Workplace place;
  const std::string good = read_bytes(place / "model/vocab.txt");
  write_bytes(place / "model/vocab.txt", "[PAD]\n[CLS]\n[SEP]\nthe\n");
  check_all_fail(place, "[UNK]");
  check_failed(run_program({"tokenize", "--vocab", place / "model/vocab.txt"}), kRunTimeError, "[UNK]");
  write_bytes(place / "model/vocab.txt", good + "caf\xe9\n");
  check_all_fail(place, "vocab.txt");
  write_bytes(place / "model/vocab.txt", good + "more\n");
  check_all_fail(place, "the vocabulary has 19 tokens, the model embeds 18");
  fs::remove(place / "model/vocab.txt");
  check_all_fail(place, "vocab.txt");
}

TEST_CASE("data: rows and files that cannot be used are named") {
  const Workplace place;
  const std::string header = "sentence\tlabel\n";
  for (const auto& [rows, text] : {std::pair<std::string, std::string>{"good film\t1\nno label\n", "line 3"},
                                   {"good film\t2\n", "line 2"},
                                   {"good film\tyes\n", "line 2"},
                                   {"good caf\xe9\t1\n", "line 2"},
                                   {"", "train.tsv"}}) {
    write_bytes(place / "data/SST-2/train.tsv", header + rows);
    write_bytes(place / "data/SST-2/dev.tsv", header + rows);
    check_failed(place.train("out"), kRunTimeError, text);
    CHECK_FALSE(fs::exists(place / "out"));
    if (!rows.empty()) check_failed(run_program(Arguments{"eval"} + place.task()), kRunTimeError, text);
  }
  fs::remove(place / "data/SST-2/train.tsv");
  check_failed(place.train("out"), kRunTimeError, "train.tsv");
  const Arguments nowhere = {"--task_name",          "sst2",         "--data_dir", place / "none",
                             "--model_name_or_path", place / "model"};
  check_failed(run_program(Arguments{"eval"} + nowhere), kRunTimeError, "none");
  check_failed(run_program({"glue", "verify", "--data_dir", place / "none"}), kRunTimeError, "none");
  check_failed(run_program(Arguments{"eval"} + place.task("cola")), kRunTimeError, "CoLA");
}

TEST_CASE("output folder: another run is not touched, and overwriting leaves nothing of it") {
  const Workplace place;
  REQUIRE(place.train("out", {"--report=false", "--save_steps", "2"}).code == 0);
  const std::string weights = read_bytes(place / "out/model.safetensors");
  write_bytes(place / "out/notes.txt", "mine");
  check_failed(place.train("out"), kRunTimeError, "--output_dir");
  check_failed(place.train("out"), kRunTimeError, "--overwrite_output_dir");
  CHECK(read_bytes(place / "out/model.safetensors") == weights);
  CHECK(fs::exists(place / "out/checkpoint-4"));

  // Bad input found after the folder was accepted leaves the old run alone, too.
  check_failed(place.train("out", {"--overwrite_output_dir"}, "cola"), kRunTimeError, "CoLA");
  CHECK(fs::exists(place / "out/checkpoint-4"));

  REQUIRE(
      place.train("out", {"--overwrite_output_dir", "--seed", "3", "--report=false", "--save_strategy", "no"}).code ==
      0);
  CHECK(read_bytes(place / "out/model.safetensors") != weights);
  CHECK_FALSE(fs::exists(place / "out/checkpoint-4"));
  CHECK(read_bytes(place / "out/notes.txt") == "mine");

  write_bytes(place / "file", "");
  check_failed(place.train("file"), kRunTimeError, "not a folder");
  check_failed(place.train("file/below"), kRunTimeError, "file");
  check_failed(run_program({"demo", "--output_dir", place / "out"}), kRunTimeError, "finished run");
}

TEST_CASE("model: what is not there, and what does not fit, is said") {
  const Workplace place;
  check_all_fail(place, "bert-base-uncased", "bert-base-uncased");
  if (const std::string reason = unavailable(Device::kCuda); !reason.empty()) {
    check_failed(run_program(Arguments{"eval", "--device", "cuda"} + place.task()), kRunTimeError, "device cuda: ");
  }
  check_failed(run_program(Arguments{"eval"} + place.task("mnli")), kRunTimeError, "labels");
  check_failed(run_program({"inspect", place / "none"}), kRunTimeError, "none");
  check_failed(run_program({"convert", place / "model", place / "model"}), kRunTimeError, "not an empty folder");
  const Ran cut =
      run_program(Arguments{"eval"} + place.task() + Arguments{"--max_seq_length", "64", "--speed_samples", "0"});
  CHECK(cut.code == 0);
  CHECK_THAT(cut.err, ContainsSubstring("40 positions"));
}

TEST_CASE("standard output: a result that could not be written is an error") {
  if (!fs::exists("/dev/full")) {
    WARN("there is no /dev/full here");
    return;
  }
  const Workplace place;
  for (const std::string what : {"glue info", "--help", "train --help", "--version", "--build_info"}) {
    INFO(what);
    const std::string command = "'" TK_PROGRAM "' " + what + " > /dev/full 2>'" + place / "err" + "'";
    CHECK(WEXITSTATUS(std::system(command.c_str())) == kRunTimeError);
    CHECK_THAT(read_bytes(place / "err"), ContainsSubstring("standard output: No space left"));
  }
  CHECK(WEXITSTATUS(std::system("'" TK_PROGRAM "' eval > /dev/full 2>/dev/full")) == kWrongCommandLine);
}

}  // namespace
}  // namespace tk
