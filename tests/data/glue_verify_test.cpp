#include "data/glue_verify.h"

#include <algorithm>
#include <cstdlib>

#include "tensor/error.h"
#include "tests/data/write_file.h"
#include "tests/support/catch.h"

namespace tk {

TEST_CASE("verify_task: says what is missing, short, broken and a subset") {
  const TemporaryFolder folder;
  write_file(folder, "QNLI/train-subset.tsv",
             "index\tquestion\tsentence\tlabel\n0\ta\tb\tentailment\n1\ta\tb\tentailment\n");
  write_file(folder, "QNLI/dev.tsv", "index\tquestion\tsentence\tlabel\n0\ta\tb\tmaybe\n");
  const auto reports = verify_task(find_glue_task("qnli"), folder.path());
  REQUIRE(reports.size() == 3);
  CHECK(reports[0].status == GlueFileStatus::kSubset);
  CHECK(reports[0].file.filename() == "train-subset.tsv");
  CHECK(reports[0].rows == 2);
  CHECK(reports[0].expected == 104743);
  CHECK(reports[0].label_counts == std::vector<std::int64_t>{2, 0});
  CHECK(reports[1].status == GlueFileStatus::kBroken);
  CHECK_THAT(reports[1].problem, ContainsSubstring("unknown label \"maybe\"") && ContainsSubstring("line 2"));
  CHECK(reports[2].status == GlueFileStatus::kMissing);
  CHECK(reports[2].rows == 0);
}

TEST_CASE("verify_task: a complete file is ok and one with a row less is not") {
  const TemporaryFolder folder;
  std::string rows = "index\tsentence1\tsentence2\n";
  for (int i = 0; i < 146; ++i) rows += std::to_string(i) + "\ta\tb\n";
  write_file(folder, "WNLI/test.tsv", rows);
  CHECK(verify_task(find_glue_task("wnli"), folder.path())[2].status == GlueFileStatus::kOk);
  write_file(folder, "WNLI/test.tsv", rows.substr(0, rows.rfind("145")));
  const auto report = verify_task(find_glue_task("wnli"), folder.path())[2];
  CHECK(report.status == GlueFileStatus::kWrongCount);
  CHECK(report.rows == 145);
}

TEST_CASE("verify_glue: lists every file of every task, and needs a folder") {
  const TemporaryFolder folder;
  CHECK(verify_glue(folder.path()).size() == 30);
  CHECK_THROWS_WITH(verify_glue(folder.path() / "none"), ContainsSubstring("no such folder"));
}

TEST_CASE("verify_glue: the data sets at hand are sound", "[realdata]") {
  const char* folder = std::getenv("TK_GLUE_DIR");
  if (!folder) {
    WARN("TK_GLUE_DIR is not set: skipped");
    return;
  }
  for (const GlueFileReport& report : verify_glue(folder)) {
    CAPTURE(report.file.string(), report.problem);
    CHECK(report.status != GlueFileStatus::kBroken);
    CHECK(report.status != GlueFileStatus::kWrongCount);
  }
}

}  // namespace tk
