#include <nlohmann/json.hpp>

#include <filesystem>

#include "tests/support/catch.h"
#include "tests/transkimmer/cli/program.h"

// The built program on files of one's own.
namespace tk {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

// Reviews of the workplace's words: 40 rows to train on, 10 to score.
struct OwnData {
  OwnData() {
    std::string train = "number,review,stars\n", dev = train, test = "review\n", pairs = "sentence1,sentence2,label\n";
    for (int i = 0; i < 50; ++i) {
      const std::string review = std::string("the plot was ") + (i % 2 == 0 ? "fine" : "dull") + ", and long";
      (i < 40 ? train : dev) += std::to_string(i) + ",\"" + review + "\"," + (i % 2 == 0 ? "good" : "bad") + "\n";
      if (i >= 40) test += "\"" + review + "\"\n";
      pairs += "the cast," + std::string(i % 3 == 0 ? "fine" : "dull") + "," + std::to_string(0.5 * (i % 3)) + "\n";
    }
    write_bytes(place / "train.csv", train);
    write_bytes(place / "dev.csv", dev);
    write_bytes(place / "test.csv", test);
    write_bytes(place / "pairs.csv", pairs);
    std::string words;
    for (int i = 0; i < 30; ++i) words += "the O\nplot B-part\nwas O\nfine O\nand O\n\n";
    write_bytes(place / "words.conll", words);
  }

  Arguments columns() const { return {"--text_columns", "review", "--label_column", "stars"}; }
  Ran train(const std::string& output, const Arguments& files, const std::string& command = "train") const {
    const Arguments steps = command == "train" ? Arguments{"--max_steps", "6", "--save_strategy", "no"}
                                               : Arguments{"--dense_steps", "4", "--max_steps", "6"};
    return run_program(Arguments{command} + files + steps +
                       Arguments{"--model_name_or_path", place / "model", "--output_dir", place / output});
  }

  Workplace place;
};

}  // namespace

TEST_CASE("own data: a model is trained on a table, scored, and asked, with the columns of its run") {
  const OwnData own;
  const Workplace& place = own.place;
  const Ran train = own.train(
      "out", Arguments{"--train_file", place / "train.csv", "--validation_file", place / "dev.csv"} + own.columns());
  CAPTURE(train.err);
  REQUIRE(train.code == 0);
  CHECK_THAT(train.err, ContainsSubstring("texts in review, labels in stars"));
  CHECK_THAT(train.err, ContainsSubstring("2 classes: bad, good"));
  CHECK(json_of(place / "out/config.json")["label2id"] == json{{"bad", 0}, {"good", 1}});
  CHECK(json_of(place / "out/eval_results.json")["eval_samples"] == 10);
  CHECK(fs::exists(place / "out/report.html"));

  const Arguments model = {"--model_name_or_path", place / "out"};
  const Ran eval = run_program(Arguments{"eval", "--json", "--validation_file", place / "dev.csv"} + model);
  REQUIRE(eval.code == 0);
  CHECK(json::parse(eval.out)["eval_accuracy"] == json_of(place / "out/eval_results.json")["eval_accuracy"]);

  const Ran predict = run_program(
      Arguments{"predict", "--test_file", place / "test.csv", "--write_logits", "--output_dir", place / "p"} + model);
  REQUIRE(predict.code == 0);
  const std::vector<std::string> predictions = lines(read_bytes(place / "p/predict_results_own.txt"));
  REQUIRE(predictions.size() == 11);
  CHECK(lines(read_bytes(place / "p/logits_own.tsv")).size() == 11);

  const Ran answered = run_program(Arguments{"predict", "--test_file", place / "test.csv"} + model);
  REQUIRE(answered.code == 0);
  CHECK(lines(answered.out).size() == 11);
  const Ran misread = run_program(Arguments{"predict"} + model, read_bytes(place / "test.csv"));
  CHECK(misread.code == 1);
  CHECK_THAT(misread.err, ContainsSubstring("--input_format csv reads it"));

  const Ran streamed =
      run_program(Arguments{"predict", "--input_format", "csv"} + model, read_bytes(place / "test.csv"));
  REQUIRE(streamed.code == 0);
  const std::vector<std::string> answers = lines(streamed.out);
  REQUIRE(answers.size() == 11);
  CHECK(streamed.out == answered.out);
  CHECK(answers[0] == "index\tprediction\tprobability_bad\tprobability_good");
  for (std::size_t i = 1; i < answers.size(); ++i) CHECK(answers[i].starts_with(predictions[i] + "\t"));
}

TEST_CASE("own data: without a validation file training rows are held out, and what is not read is said") {
  const OwnData own;
  const Workplace& place = own.place;
  const Arguments file = {"--train_file", place / "train.csv", "--validation_split_percentage", "25"};
  const Ran train = own.train("out", file + own.columns());
  REQUIRE(train.code == 0);
  CHECK_THAT(train.err, ContainsSubstring("10 of 40 rows are held out to score"));
  CHECK(json_of(place / "out/train_results.json")["train_samples"] == 30);
  const Ran eval = run_program(Arguments{"eval", "--test_file", place / "dev.csv", "--model_name_or_path",
                                         place / "out", "--speed_samples", "0"} +
                               file);
  CHECK(eval.code == 0);
  CHECK_THAT(eval.err,
             ContainsSubstring("not read here, only in training: --train_file, --validation_split_percentage"));
}

TEST_CASE(
    "own data: a few rows are passed over often enough, unless epochs are said, and a pair that is guessed is said") {
  const OwnData own;
  const Arguments run = {
      "train",         "--train_file", own.place / "pairs.csv", "--model_name_or_path", own.place / "model",
      "--dump_config", "--output_dir", own.place / "out"};
  const auto least = [&](const Arguments& more) {
    const json flags = json::parse(run_program(run + more).out);
    return flags.contains("min_steps") ? flags["min_steps"].get<int>() : 0;
  };
  CHECK(least({}) == 150);
  CHECK(least({"--min_steps", "7"}) == 7);
  CHECK(least({"--num_train_epochs", "3"}) == 0);
  CHECK(least({"--hf_defaults", "--do_train"}) == 0);
  const Arguments train = {"train",          "--train_file",         own.place / "train.csv", "--label_column",
                           "stars",          "--model_name_or_path", own.place / "model",     "--output_dir",
                           own.place / "out"};
  const Ran ran = run_program(train + Arguments{"--min_steps", "5", "--num_train_epochs", "1"});
  CAPTURE(ran.err);
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.err, ContainsSubstring("texts in number and review (a pair; --text_columns names one)"));
  CHECK(json_of(own.place / "out/trainer_state.json")["global_step"] == 5);
}

TEST_CASE("own data: pairs with numbers are a regression, answered by numbers") {
  const OwnData own;
  const Workplace& place = own.place;
  REQUIRE(own.train("out", {"--train_file", place / "pairs.csv", "--task_name", "likeness"}).code == 0);
  CHECK(json_of(place / "out/config.json")["problem_type"] == "regression");
  CHECK(json_of(place / "out/config.json")["finetuning_task"] == "likeness");
  const Ran answer = run_program({"predict", "--json", "--model_name_or_path", place / "out"}, "the cast\tfine\n\n");
  REQUIRE(answer.code == 0);
  REQUIRE(lines(answer.out).size() == 2);
  CHECK(json::parse(lines(answer.out)[0])["prediction"].is_number());
}

TEST_CASE("own data: words with tags are trained, scored by entities and tagged") {
  const OwnData own;
  const Workplace& place = own.place;
  const Arguments files = {"--train_file", place / "words.conll", "--validation_file", place / "words.conll"};
  const Ran train = own.train("out", files + Arguments{"--skim"});
  CAPTURE(train.err);
  REQUIRE(train.code == 0);
  for (const char* key : {"eval_precision", "eval_recall", "eval_f1", "eval_accuracy"}) {
    CHECK(json_of(place / "out/eval_results.json").contains(key));
  }
  const Arguments model = {"--model_name_or_path", place / "out"};
  REQUIRE(run_program(Arguments{"predict", "--test_file", place / "words.conll", "--output_dir", place / "p"} + model)
              .code == 0);
  const std::vector<std::string> tagged = lines(read_bytes(place / "p/predict_results_own.txt"));
  REQUIRE(tagged.size() == 180);
  CHECK(tagged[0].starts_with("the\t"));
  CHECK(tagged[5].empty());
  CHECK_THAT(read_bytes(place / "out/report.html"), ContainsSubstring("plot/B-part"));  // what is right
  CHECK_THAT(run_program(Arguments{"predict"} + model, "the plot\n").err, ContainsSubstring("come from a file"));
}

TEST_CASE("own data: several labels of a row are trained, skimmed, scored and predicted") {
  const OwnData own;
  const Workplace& place = own.place;
  std::string rows;
  for (int i = 0; i < 40; ++i) {
    rows += i % 2 == 0 ? R"({"text": "the plot was fine and long", "label": ["about plot", "kind"]})"
                       : R"({"text": "the cast was dull and long", "label": []})";
    rows += '\n';
  }
  write_bytes(place / "several.jsonl", rows);
  const Arguments files = {"--train_file", place / "several.jsonl", "--validation_file", place / "several.jsonl"};
  const Ran skim = own.train("out", files + Arguments{"--speedup", "2"}, "skim");
  CAPTURE(skim.err);
  REQUIRE(skim.code == 0);
  CHECK_THAT(skim.err, ContainsSubstring("2 labels, any number of which apply: about plot, kind"));
  CHECK(json_of(place / "out/config.json")["problem_type"] == "multi_label_classification");
  for (const char* key : {"eval_precision", "eval_recall", "eval_f1", "eval_f1_macro", "eval_accuracy"}) {
    CHECK(json_of(place / "out/eval_results.json").contains(key));
  }
  CHECK_THAT(read_bytes(place / "out/report.html"), ContainsSubstring("about plot, kind"));
  const Arguments model = {"--model_name_or_path", place / "out"};
  const Ran scored = run_program(Arguments{"eval", "--validation_file", place / "several.jsonl", "--json"} + model);
  REQUIRE(scored.code == 0);
  CHECK(json::parse(scored.out)["eval_f1"] == json_of(place / "out/eval_results.json")["eval_f1"]);
  REQUIRE(run_program(Arguments{"predict", "--test_file", place / "several.jsonl", "--output_dir", place / "p"} + model)
              .code == 0);
  CHECK(lines(read_bytes(place / "p/predict_results_own.txt")).size() == 41);
  const Ran answered = run_program(Arguments{"predict", "--json"} + model, "the plot\n");
  REQUIRE(answered.code == 0);
  CHECK(json::parse(answered.out)["prediction"].is_array());
  CHECK(json::parse(answered.out)["probabilities"].size() == 2);
  const Ran smoothed = own.train("s", files + Arguments{"--label_smoothing_factor", "0.1"});
  CHECK(smoothed.code != 0);
  CHECK_THAT(smoothed.err, ContainsSubstring("--label_smoothing_factor"));
}

TEST_CASE("own data: a signal ends predict while it waits for rows") {
  const Workplace place;
  const Ran ran = run_under({"bash", "-c", "timeout --preserve-status -s TERM 2 \"$0\" \"$@\" < <(exec sleep 20)"},
                            {"predict", "--model_name_or_path", place / "model"});
  CHECK(ran.code == 143);
}

TEST_CASE("own data: skim makes a skimmed model of a table by the whole recipe") {
  const OwnData own;
  const Workplace& place = own.place;
  const Ran skim =
      own.train("out", Arguments{"--train_file", place / "train.csv", "--speedup", "2"} + own.columns(), "skim");
  CAPTURE(skim.err);
  REQUIRE(skim.code == 0);
  CHECK(json_of(place / "out/config.json")["skim_gate"] == "staged");
  CHECK(fs::exists(place / "out/dense/model.safetensors"));
  CHECK(run_program(Arguments{"bench", "--validation_file", place / "dev.csv", "--model_name_or_path", place / "out",
                              "--repeats", "1"})
            .code == 0);
}

TEST_CASE("own data: a sweep is one task, scored on dev and test rows, and wants the same dev rows for all") {
  const OwnData own;
  const Workplace& place = own.place;
  const Arguments sweep = {"sweep",
                           "--train_file",
                           place / "words.conll",
                           "--model_name_or_path",
                           place / "model",
                           "--output_dir",
                           place / "out",
                           "--speedups",
                           "2",
                           "--seeds",
                           "42,1",
                           "--dense_steps",
                           "4",
                           "--max_steps",
                           "6",
                           "--speed_samples",
                           "2",
                           "--task_name",
                           "parts",
                           "--test_file",
                           place / "words.conll"};
  const Ran refused = run_program(sweep + Arguments{"--tasks", "sst2"});
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, ContainsSubstring("--tasks: these are of GLUE"));
  CHECK_THAT(refused.err, ContainsSubstring("--validation_file: expected rows to score, the same for all"));
  const Ran ran = run_program(sweep + Arguments{"--validation_file", place / "words.conll"});
  CAPTURE(ran.err);
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.err, ContainsSubstring("2 labels of words: B-part, O"));
  CHECK_THAT(ran.err, ContainsSubstring("4 models to score on "));
  CHECK_THAT(ran.out, ContainsSubstring("\nparts "));
  const json runs = json_of(place / "out/sweep_results.json")["runs"];
  REQUIRE(runs.size() == 4);
  for (const json& run : runs) {
    CHECK(run["metrics"].size() == 4);
    CHECK(run["test_score"] == run["score"]);  // the same rows
    CHECK(run["test_metrics"] == run["metrics"]);
  }
  CHECK(runs[3]["folder"] == "parts-2x-1");
  CHECK(run_program(sweep + Arguments{"--validation_file", place / "words.conll", "--task_name", "a/b"}).code == 2);
}

TEST_CASE("own data: a task of GLUE or files, and no flag of one with the other") {
  const auto problem = [](const Arguments& arguments) {
    const Ran ran = run_program(arguments + Arguments{"--model_name_or_path", "m", "--output_dir", "o"});
    CHECK(ran.code == 2);
    return ran.err;
  };
  CHECK_THAT(problem({"train"}), ContainsSubstring("--task_name: expected a task of GLUE, or files of your own"));
  CHECK_THAT(problem({"train", "--task_name", "sst2"}), ContainsSubstring("--data_dir"));
  CHECK_THAT(problem({"train", "--task_name", "sst2", "--data_dir", "d", "--label_column", "stars"}),
             ContainsSubstring("--label_column: only together with files of your own"));
  CHECK_THAT(problem({"train", "--task_name", "sst2", "--train_file", "a.csv"}),
             ContainsSubstring("sst2 is a task of GLUE"));
  CHECK_THAT(problem({"train", "--validation_file", "a.csv", "--text_columns", "a,b,c"}),
             ContainsSubstring("--train_file: expected rows to train on") &&
                 ContainsSubstring("--text_columns: expected one column or two"));
  CHECK_THAT(problem({"predict", "--train_file", "a.csv"}), ContainsSubstring("--test_file: expected rows to predict"));
}

}  // namespace tk
