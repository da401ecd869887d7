#include "data/glue_reader.h"

#include <cstdlib>
#include <map>

#include "tensor/error.h"
#include "tests/data/write_file.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

GlueExamples read(const std::string& task_name, Part part, const std::string& content, std::int64_t limit = -1) {
  const TemporaryFolder folder;
  const GlueTask& task = find_glue_task(task_name);
  const SplitInfo& info = find_split(task, part);
  write_file(folder, task.folder + "/" + info.file, content);
  return read_examples(task, info, find_split_file(task, info, folder.path()), limit);
}

std::vector<float> labels(const GlueExamples& split) {
  std::vector<float> result;
  for (const Example& example : split.examples) result.push_back(example.label);
  return result;
}

}  // namespace

TEST_CASE("read_examples: CoLA's labelled files have no header and keep what is in the sentence") {
  const auto split = read("cola", Part::kDev, "gj04\t1\t\tOur friends won't.\ngj04\t0\t*\t a \"b \n");
  REQUIRE(split.examples.size() == 2);
  CHECK(split.examples[0].text_a == "Our friends won't.");
  CHECK(split.examples[1].text_a == " a \"b ");
  CHECK_FALSE(split.examples[0].has_b);
  CHECK(labels(split) == std::vector<float>{1, 0});
  CHECK(split.examples[1].id == 1);
  CHECK(split.rows == 2);
  CHECK(split.expected == 1043);
  CHECK_FALSE(split.complete());
}

TEST_CASE("read_examples: test files have no labels") {
  const auto split = read("sst2", Part::kTest, "index\tsentence\n0\tfine .\n1\tbad .\n");
  CHECK(labels(split) == std::vector<float>{-1, -1});
  CHECK(split.examples[1].text_a == "bad .");
}

TEST_CASE("read_examples: columns go by the header's names, and by index where there is none") {
  const auto swapped = read("sst2", Part::kDev, "label\tcomment\tsentence\n1\t-\tgood\n");
  CHECK(swapped.examples.at(0).text_a == "good");
  CHECK(swapped.examples.at(0).label == 1);
  const auto bare = read("sst2", Part::kDev, "good\t1\nbad\t0\n");
  CHECK(bare.examples.size() == 2);
  CHECK(labels(bare) == std::vector<float>{1, 0});
}

TEST_CASE("read_examples: a byte-order mark does not hide MRPC's first column") {
  const auto split =
      read("mrpc", Part::kDev, "\xEF\xBB\xBFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t5\t6\tA \" a\tB\r\n");
  REQUIRE(split.examples.size() == 1);
  CHECK(split.examples[0].text_a == "A \" a");
  CHECK(split.examples[0].text_b == "B");
  CHECK(split.examples[0].has_b);
  CHECK(split.examples[0].label == 1);
}

TEST_CASE("read_examples: named labels become their ids, also where the file has digits") {
  const auto rte =
      read("rte", Part::kDev, "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tnot_entailment\n1\ta\tb\tentailment\n");
  CHECK(labels(rte) == std::vector<float>{1, 0});
  const auto wnli =
      read("wnli", Part::kDev, "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tnot_entailment\n1\ta\tb\t1\n");
  CHECK(labels(wnli) == std::vector<float>{0, 1});
}

TEST_CASE("read_examples: STS-B's scores are numbers from 0 to 5") {
  const std::string header = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n";
  const std::string row = "0\t-\t-\t-\t-\t-\t-\ta\tb\t";
  CHECK(labels(read("stsb", Part::kDev, header + row + "3.800\n" + row + "0\n")) == std::vector<float>{3.8f, 0});
  for (const std::string bad : {"5.5", "-1", "nan", "inf", "1e99", "four", "3 ", "1,5"}) {
    CHECK_THROWS_WITH(read("stsb", Part::kDev, header + row + "1\n" + row + bad + "\n"),
                      ContainsSubstring("bad score \"" + bad + "\"") && ContainsSubstring("STS-B/dev.tsv, line 3"));
  }
}

TEST_CASE("read_examples: an unknown label is refused with file, line and the known ones") {
  CHECK_THROWS_WITH(
      read("rte", Part::kTrain, "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n1\ta\tb\tmaybe\n"),
      ContainsSubstring("unknown label \"maybe\" in ") && ContainsSubstring("RTE/train.tsv, line 3") &&
          ContainsSubstring("\"entailment\", \"not_entailment\""));
  CHECK_THROWS_WITH(read("cola", Part::kTrain, "a\t1\t\tx\nb\t2\t\ty\n"), ContainsSubstring("CoLA/train.tsv, line 2"));
  CHECK_THROWS_AS(read("rte", Part::kTrain, "0\ta\tb\t1\n"), Error);
}

TEST_CASE("read_examples: a row with too few columns is refused with file and line") {
  CHECK_THROWS_WITH(read("rte", Part::kTrain, "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n1\ta\n"),
                    ContainsSubstring("malformed row in ") && ContainsSubstring("RTE/train.tsv, line 3") &&
                        ContainsSubstring("expected at least 4 columns, got 2"));
  CHECK_THROWS_WITH(read("rte", Part::kTrain, "index\tsentence1\tsentence2\tlabel\n0\ta\tb\t\n"),
                    ContainsSubstring("the label is empty"));
  CHECK_THROWS_WITH(read("sst2", Part::kTrain, "sentence\tlabel\ngood\t1\nbad\t\n", 1), ContainsSubstring("line 3"));
}

TEST_CASE("read_examples: invalid UTF-8 is refused with file and line") {
  CHECK_THROWS_WITH(read("sst2", Part::kTrain,
                         "sentence\tlabel\ngood\t1\nb\xE4"
                         "d\t0\n"),
                    ContainsSubstring("SST-2/train.tsv, line 3: invalid UTF-8"));
}

TEST_CASE("read_examples: a file without rows is refused") {
  for (const std::string content : {"", "\n\n", "sentence\tlabel\n", "\xEF\xBB\xBF"}) {
    CHECK_THROWS_WITH(read("sst2", Part::kDev, content),
                      ContainsSubstring("no rows in ") && ContainsSubstring("SST-2/dev.tsv"));
  }
}

TEST_CASE("read_examples: a limit takes the first examples and leaves the counts") {
  const auto split = read("sst2", Part::kTrain, "sentence\tlabel\na\t1\nb\t0\nc\t1\n", 2);
  CHECK(split.examples.size() == 2);
  CHECK(split.rows == 3);
  CHECK(incomplete_note(split).find("train.tsv has 3 rows, the official file 67349") != std::string::npos);
}

TEST_CASE("read_examples: QQP's malformed rows are skipped, but keep their number, if the official count is left") {
  const GlueTask& qqp = find_glue_task("qqp");
  const SplitInfo three{Part::kDev, false, "dev", "dev.tsv", 3, 3, 4, 5};
  const TemporaryFolder folder;
  const std::string rows =
      "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n9\t1\t2\ta\tb\t0\n8\t1\n7\t1\t2\tc\td\t1\n";
  const auto good = write_file(folder, "good.tsv", rows + "6\t1\t2\te\tf\t\n5\t1\t2\tg\th\t1\n");
  const auto split = read_examples(qqp, three, {good, false});
  REQUIRE(split.examples.size() == 3);
  CHECK(split.skipped == 2);
  CHECK(split.rows == 5);
  CHECK(split.complete());
  CHECK(split.examples[1].id == 2);
  CHECK(split.examples[2].id == 4);
  CHECK(incomplete_note(split).empty());

  const auto bad = write_file(folder, "bad.tsv", rows);
  CHECK_THROWS_WITH(read_examples(qqp, three, {bad, false}),
                    ContainsSubstring("malformed row in ") && ContainsSubstring("bad.tsv, line 3"));
}

TEST_CASE("label_counts: classes are counted by id and unlabelled examples left out") {
  const Task& task = find_glue_task("mnli").task;
  std::vector<Example> examples(5);
  examples[1].label = 2;
  examples[2].label = 0;
  examples[4].label = 2;
  CHECK(label_counts(task, examples) == std::vector<std::int64_t>{1, 0, 2});
}

TEST_CASE("GlueReader: a part is its files, of which MNLI's dev has two, and there is none that the task lacks") {
  const TemporaryFolder folder;
  const std::string row = "0\t1\t2\t3\t4\t5\t6\t7\ta\tb\tc\td\te\tf\tg\tneutral\n";
  write_file(folder, "MNLI/dev_matched.tsv", row);
  write_file(folder, "MNLI/dev_mismatched.tsv", row + row);
  const GlueReader reader("mnli", folder.path());
  const std::vector<Split> dev = reader.read(Part::kDev);
  REQUIRE(dev.size() == 2);
  CHECK(dev[0].suffix.empty());
  CHECK(dev[0].size() == 1);
  CHECK(dev[1].suffix == "_mm");
  CHECK(dev[1].size() == 2);
  CHECK_THAT(dev[1].note, ContainsSubstring("dev_mismatched.tsv has 2 rows, the official file 9832"));
  CHECK(reader.read(Part::kDev, 1)[1].size() == 1);
  CHECK(reader.task().labels == std::vector<std::string>{"entailment", "neutral", "contradiction"});
  CHECK_THROWS_WITH(reader.read(Part::kTrain), ContainsSubstring("no such file"));
  CHECK(GlueReader("ax", folder.path()).read(Part::kTrain).empty());
}

// Label counts of the published files and of the subsets, by class id.
TEST_CASE("read_examples: every GLUE file has the known rows and labels", "[realdata]") {
  const char* folder = std::getenv("TK_GLUE_DIR");
  if (!folder) {
    WARN("TK_GLUE_DIR is not set: skipped");
    return;
  }
  using Counts = std::vector<std::int64_t>;
  const std::map<std::string, Counts> counts = {
      {"cola train", {2528, 6023}},
      {"cola dev", {322, 721}},
      {"sst2 train", {29780, 37569}},
      {"sst2 dev", {428, 444}},
      {"mrpc train", {1194, 2474}},
      {"mrpc dev", {129, 279}},
      {"rte train", {1249, 1241}},
      {"rte dev", {146, 131}},
      {"wnli train", {323, 312}},
      {"wnli dev", {40, 31}},
      {"qnli dev", {2702, 2761}},
      {"qnli train-subset", {10306, 10228}},
      {"qqp dev", {25545, 14885}},
      {"qqp train-subset", {26457, 17377}},
      {"mnli dev_matched", {3479, 3123, 3213}},
      {"mnli dev_mismatched", {3463, 3129, 3240}},
      {"mnli train-subset", {13358, 13187, 13131}},
  };
  const std::map<std::string, std::int64_t> subsets = {{"qnli", 20534}, {"qqp", 43834}, {"mnli", 39676}};
  for (const GlueTask& task : glue_tasks()) {
    for (const SplitInfo& split : task.splits) {
      CAPTURE(task.task.name, split.name);
      const auto file = look_for_split_file(task, split, folder);
      if (!file) {
        WARN(task.folder << "/" << split.file << " is not there: skipped");
        continue;
      }
      const GlueExamples read = read_examples(task, split, *file);
      CHECK(read.skipped == 0);
      CHECK(std::ssize(read.examples) == (file->subset ? subsets.at(task.task.name) : split.rows));
      if (split.labelled() && !task.task.regression()) {
        CHECK(label_counts(task.task, read.examples) == counts.at(task.task.name + " " + file->path.stem().string()));
      }
    }
  }
}

}  // namespace tk
