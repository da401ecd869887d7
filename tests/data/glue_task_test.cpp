#include "data/glue_task.h"

#include <set>

#include "tensor/error.h"
#include "tests/data/write_file.h"
#include "tests/support/catch.h"

namespace tk {

TEST_CASE("find_glue_task: Hugging Face's name and the folder's name are understood, whatever the case") {
  for (const GlueTask& task : glue_tasks()) {
    CHECK(&find_glue_task(task.task.name) == &task);
    CHECK(&find_glue_task(task.folder) == &task);
  }
  CHECK(find_glue_task("sst-2").folder == "SST-2");
  CHECK(find_glue_task("STSB").task.name == "stsb");
  CHECK(find_glue_task("MnLi").task.name == "mnli");
}

TEST_CASE("find_glue_task: an unknown name is answered with the nearest and the list") {
  CHECK_THROWS_WITH(find_glue_task("sst"),
                    ContainsSubstring("unknown task \"sst\"; did you mean \"sst2\"? known: cola, sst2"));
  CHECK_THROWS_WITH(find_glue_task("qnil"), ContainsSubstring("did you mean \"qnli\"?"));
  CHECK_THROWS_WITH(find_glue_task("summarization"),
                    !ContainsSubstring("did you mean") && ContainsSubstring("known: cola"));
  CHECK_THROWS_AS(find_glue_task(""), Error);
  CHECK_THROWS_AS(find_glue_task(std::string(100000, 'x')), Error);
}

TEST_CASE("glue_tasks: the table is consistent") {
  CHECK(glue_tasks().size() == 10);
  for (const GlueTask& task : glue_tasks()) {
    const Task& about = task.task;
    CAPTURE(about.name);
    CHECK(about.labels.size() == task.label_spellings.size());
    CHECK(about.regression() == (about.name == "stsb"));
    CHECK(about.regression() == (task.highest_score > 0));
    CHECK(about.outputs() == (about.regression() ? 1 : about.name == "mnli" || about.name == "ax" ? 3 : 2));
    CHECK((about.headline == "combined_score") == (about.metrics.size() > 1));
    CHECK(about.shown_name() == task.folder);
    std::set<std::string> files;
    for (const SplitInfo& split : task.splits) {
      CHECK(files.insert(split.file).second);
      CHECK((split.text_b >= 0) == (about.texts == 2));
      CHECK(split.labelled() == (split.part != Part::kTest));
      if (!split.mismatched) CHECK(&find_split(task, split.part) == &split);
      CHECK(&find_split(task, split.name) == &split);
    }
  }
}

TEST_CASE("find_split: dev and test mean the matched files of MNLI, validation means dev") {
  const GlueTask& mnli = find_glue_task("mnli");
  CHECK(find_split(mnli, "dev").file == "dev_matched.tsv");
  CHECK(find_split(mnli, "validation_mismatched").file == "dev_mismatched.tsv");
  CHECK(find_split(mnli, "test").file == "test_matched.tsv");
  CHECK(find_split(find_glue_task("rte"), "validation").file == "dev.tsv");
  CHECK_THROWS_WITH(find_split(find_glue_task("rte"), "dev_mismatched"),
                    ContainsSubstring("task rte has no split \"dev_mismatched\"; it has train, dev, test"));
  CHECK_THROWS_AS(find_split(find_glue_task("ax"), Part::kTrain), Error);
}

TEST_CASE("find_split_file: train-subset.tsv takes the place of a missing train.tsv, and that is said") {
  const TemporaryFolder folder;
  const GlueTask& qnli = find_glue_task("qnli");
  const SplitInfo& train = find_split(qnli, Part::kTrain);
  CHECK_THROWS_WITH(find_split_file(qnli, train, folder.path()),
                    ContainsSubstring("no such file") && ContainsSubstring("QNLI/train.tsv (nor train-subset.tsv"));
  CHECK_FALSE(look_for_split_file(qnli, train, folder.path()));

  write_file(folder, "QNLI/train-subset.tsv", "x\n");
  CHECK(find_split_file(qnli, train, folder.path()).subset);
  CHECK(find_split_file(qnli, train, folder.path()).path.filename() == "train-subset.tsv");

  write_file(folder, "QNLI/train.tsv", "x\n");
  CHECK_FALSE(find_split_file(qnli, train, folder.path()).subset);
  CHECK_FALSE(look_for_split_file(qnli, find_split(qnli, Part::kDev), folder.path()));
}

TEST_CASE("find_split_file: the data folder may be the task's own, and is no other task's") {
  const TemporaryFolder folder;
  const GlueTask& sst2 = find_glue_task("sst2");
  const SplitInfo& dev = find_split(sst2, Part::kDev);
  write_file(folder, "SST-2/dev.tsv", "x\n");
  for (const char* name : {"SST-2", "SST-2/"}) {
    CHECK(find_split_file(sst2, dev, folder.path() / name).path == folder.path() / "SST-2/dev.tsv");
    CHECK_FALSE(has_file(find_glue_task("cola"), Part::kDev, folder.path() / name));
  }
  CHECK_THROWS_WITH(find_split_file(sst2, find_split(sst2, Part::kTest), folder.path() / "SST-2"),
                    ContainsSubstring("SST-2/test.tsv"));
}

}  // namespace tk
