#include <algorithm>
#include <cstdlib>

#include "data/glue_submission.h"
#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/transkimmer/cli/program.h"
#include "transkimmer/cli/run/zip.h"

// `transkimmer glue submit`, and AX, which an MNLI model answers.
namespace tk {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

// Predictions for every test set, as `predict` writes them: labels in turn, rows from 0.
void write_predictions(const fs::path& folder) {
  fs::create_directories(folder);
  for (const GlueTask& task : glue_tasks()) {
    for (const SplitInfo& split : task.splits) {
      if (split.part != Part::kTest) continue;
      std::string text = "index\tprediction\n";
      for (std::int64_t row = 0; row < split.rows; ++row) {
        text += std::to_string(row) + '\t';
        text += task.task.regression() ? "2.125" : task.task.labels[std::size_t(row) % task.task.labels.size()];
        text += '\n';
      }
      write_bytes(folder / prediction_name(task, split), text);
    }
  }
}

Ran submit(const Arguments& more) { return run_program(Arguments{"glue", "submit"} + more); }

std::string text_in(const std::vector<ZipEntry>& entries, const std::string& name) {
  const auto found = std::ranges::find(entries, name, &ZipEntry::name);
  return found == entries.end() ? "none" : found->bytes;
}

TEST_CASE("submit: the zip has every test set's file, with a line a row in the server's spelling") {
  const TemporaryFolder place;
  write_predictions(place / "p");
  const Arguments command = {"--predictions", place / "p", "--output", place / "submission.zip"};
  const Ran ran = submit(command);
  INFO(ran.err);
  if (!can_zip()) {
    CHECK(ran.code == 1);
    CHECK_THAT(ran.err, ContainsSubstring("install libarchive-dev"));
    return;
  }
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.out, ContainsSubstring("QQP.tsv       390965        0\n"));
  const std::vector<ZipEntry> entries = unzipped(read_bytes(place / "submission.zip"), "zip");
  CHECK(entries.size() == 11);
  CHECK(text_in(entries, "CoLA.tsv").starts_with("index\tprediction\n0\t0\n1\t1\n2\t0\n"));
  CHECK(text_in(entries, "MNLI-mm.tsv").starts_with("index\tprediction\n0\tentailment\n1\tneutral\n"));
  CHECK(text_in(entries, "QNLI.tsv").starts_with("index\tprediction\n0\tentailment\n1\tnot_entailment\n"));
  CHECK(text_in(entries, "STS-B.tsv").ends_with("\n1378\t2.125\n"));
  CHECK(text_in(entries, "AX.tsv").ends_with("\n1103\tcontradiction\n"));

  // Others read it, too.
  const std::string check =
      "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; "
      "assert len(z.namelist()) == 11 and len(z.read('RTE.tsv').splitlines()) == 3001";
  if (std::system("command -v python3 >/dev/null") == 0) {
    CHECK(std::system(concat("python3 -c \"", check, "\" ", place / "submission.zip").c_str()) == 0);
  } else {
    WARN("python3 is not there: skipped");
  }
}

TEST_CASE("submit: what is missing or of another size is an error, and no zip is left") {
  if (!can_zip()) return;
  const TemporaryFolder place;
  write_predictions(place / "p");
  const fs::path zip = place / "s.zip";
  fs::create_directories(place / "more");
  fs::rename(place / "p/predict_results_ax.txt", place / "more/predict_results_ax.txt");
  fs::remove(place / "p/predict_results_wnli.txt");
  const auto fails = [&](const Arguments& more, const std::string& with) {
    const Ran ran = submit(more + Arguments{"--output", zip});
    CHECK(ran.code == 1);
    CHECK_THAT(ran.err, ContainsSubstring(with));
    CHECK_FALSE(fs::exists(zip));
  };
  fails({"--predictions", place / "p"}, "predict_results_wnli.txt");
  fails({"--predictions", place / "p"}, "--partial leaves these out");
  fails({"--predictions", place / "none", "--partial"}, "no such folder");
  fs::create_directories(place / "empty");
  fails({"--predictions", place / "empty", "--partial"}, "no predict_results_TASK.txt in");
  fs::copy(place / "p/predict_results_rte.txt", place / "more/predict_results_rte.txt");
  fails({"--predictions", place / "p", place / "more", "--partial"}, "predict_results_rte.txt is in");
  write_bytes(place / "more/predict_results_rte.txt", "index\tprediction\n0\tentailment\n");
  fails({"--predictions", place / "more", "--partial"}, "has 1 predictions, and the test set RTE has 3000 rows");
  fs::remove(place / "more/predict_results_rte.txt");

  const Ran ran = submit({"--predictions", place / "p", place / "more", "--partial", "--output", zip.string()});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  const std::vector<ZipEntry> entries = unzipped(read_bytes(zip), "zip");
  CHECK(entries.size() == 10);
  CHECK(text_in(entries, "WNLI.tsv") == "none");
  CHECK(text_in(entries, "AX.tsv") != "none");
}

TEST_CASE("submit: rows without a prediction are filled with a warning") {
  if (!can_zip()) return;
  const TemporaryFolder place;
  std::string text = "index\tprediction\n";
  for (int row = 0; row < 146; ++row) {
    if (row != 7) text += std::to_string(row) + "\tnot_entailment\n";
  }
  write_bytes(place / "predict_results_wnli.txt", text);
  const Ran ran = submit({"--predictions", place.path().string(), "--partial", "--output", place / "s.zip"});
  CHECK(ran.code == 0);
  CHECK_THAT(ran.err, ContainsSubstring("warning: ") && ContainsSubstring("1 of 146 rows have no prediction"));
  CHECK_THAT(ran.out, ContainsSubstring("WNLI.tsv         146        1\n"));
}

TEST_CASE("predict: an MNLI model answers AX, and nothing is amiss") {
  const Workplace place;
  REQUIRE(place.train("mnli", {"--report=false"}, "mnli").code == 0);
  std::string rows = "index\tsentence1\tsentence2\n";
  for (int row = 0; row < 1104; ++row) rows += std::to_string(row) + "\tthe plot was new\tthe cast was fine\n";
  fs::create_directories(place / "data/AX");
  write_bytes(place / "data/AX/diagnostic.tsv", rows);
  const Ran ran = run_program(Arguments{"predict"} + place.task("ax", "mnli") + Arguments{"--output_dir", place / "p"});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.err, !ContainsSubstring("fine-tuned for") && !ContainsSubstring("official file"));
  CHECK(lines(read_bytes(place / "p/predict_results_ax.txt")).size() == 1105);
  if (can_zip()) CHECK(submit({"--predictions", place / "p", "--partial", "--output", place / "s.zip"}).code == 0);
  REQUIRE(place.train("sst2", {"--report=false"}).code == 0);
  CHECK(run_program(Arguments{"predict"} + place.task("ax", "sst2") + Arguments{"--output_dir", place / "q"}).code ==
        1);
}

}  // namespace
}  // namespace tk
