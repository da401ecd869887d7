#include "data/glue_task.h"

#include <set>

#include "tensor/error.h"
#include "tests/data/write_file.h"
#include "tests/support/catch.h"

namespace tk {

TEST_CASE("find_task: Hugging Face's name and the folder's name are understood, whatever the case") {
  for (const GlueTask& task : glue_tasks()) {
    CHECK(&find_task(task.name) == &task);
    CHECK(&find_task(task.folder) == &task);
  }
  CHECK(find_task("sst-2").folder == "SST-2");
  CHECK(find_task("STSB").name == "stsb");
  CHECK(find_task("MnLi").name == "mnli");
}

TEST_CASE("find_task: an unknown name is answered with the nearest and the list") {
  CHECK_THROWS_WITH(find_task("sst"),
                    ContainsSubstring("unknown task \"sst\"; did you mean \"sst2\"? known: cola, sst2"));
  CHECK_THROWS_WITH(find_task("qnil"), ContainsSubstring("did you mean \"qnli\"?"));
  CHECK_THROWS_WITH(find_task("summarization"), !ContainsSubstring("did you mean") && ContainsSubstring("known: cola"));
  CHECK_THROWS_AS(find_task(""), Error);
  CHECK_THROWS_AS(find_task(std::string(100000, 'x')), Error);
}

TEST_CASE("glue_tasks: the table is consistent") {
  CHECK(glue_tasks().size() == 10);
  for (const GlueTask& task : glue_tasks()) {
    CAPTURE(task.name);
    CHECK(task.label_names.size() == task.label_spellings.size());
    CHECK(task.regression() == (task.name == "stsb"));
    CHECK(task.outputs() == (task.regression() ? 1 : task.name == "mnli" || task.name == "ax" ? 3 : 2));
    CHECK((task.headline == "combined_score") == (task.metrics.size() > 1));
    std::set<std::string> files;
    for (const SplitInfo& split : task.splits) {
      CHECK(files.insert(split.file).second);
      CHECK((split.text_b >= 0) == task.pair());
      const bool test = split.split == Split::kTest || split.split == Split::kTestMismatched;
      CHECK(split.labelled() == !test);
      CHECK(&find_split(task, split.split) == &split);
      CHECK(&find_split(task, split.name) == &split);
    }
  }
}

TEST_CASE("find_split: dev and test mean the matched files of MNLI, validation means dev") {
  const GlueTask& mnli = find_task("mnli");
  CHECK(find_split(mnli, "dev").file == "dev_matched.tsv");
  CHECK(find_split(mnli, "validation_mismatched").file == "dev_mismatched.tsv");
  CHECK(find_split(mnli, "test").file == "test_matched.tsv");
  CHECK(find_split(find_task("rte"), "validation").file == "dev.tsv");
  CHECK_THROWS_WITH(find_split(find_task("rte"), "dev_mismatched"),
                    ContainsSubstring("task rte has no split \"dev_mismatched\"; it has train, dev, test"));
  CHECK_THROWS_AS(find_split(find_task("ax"), Split::kTrain), Error);
}

TEST_CASE("find_split_file: train-subset.tsv takes the place of a missing train.tsv, and that is said") {
  const TemporaryFolder folder;
  const GlueTask& qnli = find_task("qnli");
  const SplitInfo& train = find_split(qnli, Split::kTrain);
  CHECK_THROWS_WITH(find_split_file(qnli, train, folder.path()),
                    ContainsSubstring("no such file") && ContainsSubstring("QNLI/train.tsv (nor train-subset.tsv"));
  CHECK_FALSE(look_for_split_file(qnli, train, folder.path()));

  write_file(folder, "QNLI/train-subset.tsv", "x\n");
  CHECK(find_split_file(qnli, train, folder.path()).subset);
  CHECK(find_split_file(qnli, train, folder.path()).path.filename() == "train-subset.tsv");

  write_file(folder, "QNLI/train.tsv", "x\n");
  CHECK_FALSE(find_split_file(qnli, train, folder.path()).subset);
  CHECK_FALSE(look_for_split_file(qnli, find_split(qnli, Split::kDev), folder.path()));
}

}  // namespace tk
