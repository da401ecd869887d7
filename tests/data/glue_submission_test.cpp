#include "data/glue_submission.h"

#include <functional>

#include "tensor/error.h"
#include "tests/data/write_file.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

using Predict = std::function<std::string(int row)>;

const SplitInfo& test_set(const std::string& task, bool mismatched = false) {
  for (const SplitInfo& split : find_glue_task(task).splits) {
    if (split.part == Part::kTest && split.mismatched == mismatched) return split;
  }
  throw Error("no test set");
}

// What `predict` writes; rows for which `predict` has nothing are not there.
SubmissionFile made(const std::string& task, const Predict& predict, bool mismatched = false) {
  const TemporaryFolder folder;
  std::string text = "index\tprediction\n";
  for (int row = 0; row < test_set(task, mismatched).rows; ++row) {
    const std::string label = predict(row);
    if (!label.empty()) text += concat(row, '\t', label, '\n');
  }
  write_file(folder, "p.txt", text);
  return submission_file(find_glue_task(task), test_set(task, mismatched), folder.path() / "p.txt");
}

SubmissionFile from_text(const std::string& task, const std::string& text) {
  const TemporaryFolder folder;
  write_file(folder, "p.txt", text);
  return submission_file(find_glue_task(task), test_set(task), folder.path() / "p.txt");
}

std::string first_lines(const SubmissionFile& file, int n) {
  std::size_t end = 0;
  for (int i = 0; i < n; ++i) end = file.text.find('\n', end) + 1;
  return file.text.substr(0, end);
}

TEST_CASE("submission: files have the server's names, and predict's are those that predict writes") {
  std::string names, files;
  for (const GlueTask& task : glue_tasks()) {
    for (const SplitInfo& split : task.splits) {
      if (split.part != Part::kTest) continue;
      names += submission_name(task, split) + ' ';
      files += prediction_name(task, split) + ' ';
    }
  }
  CHECK(names ==
        "CoLA.tsv SST-2.tsv MRPC.tsv STS-B.tsv QQP.tsv MNLI-m.tsv MNLI-mm.tsv QNLI.tsv RTE.tsv WNLI.tsv AX.tsv ");
  CHECK_THAT(files, ContainsSubstring("predict_results_mnli.txt predict_results_mnli-mm.txt") &&
                        ContainsSubstring("predict_results_sst2.txt") && ContainsSubstring("predict_results_ax.txt"));
}

TEST_CASE("submission: labels are spelled as the server wants them") {
  const auto either = [](const char* even, const char* odd) {
    return [=](int row) { return std::string(row % 2 == 0 ? even : odd); };
  };
  const auto first = [](const SubmissionFile& file) { return first_lines(file, 3); };
  const std::string digits = "index\tprediction\n0\t0\n1\t1\n";
  CHECK(first(made("cola", either("unacceptable", "acceptable"))) == digits);
  CHECK(first(made("sst2", either("negative", "positive"))) == digits);
  CHECK(first(made("mrpc", either("not_equivalent", "equivalent"))) == digits);
  CHECK(first(made("wnli", either("not_entailment", "entailment"))) == digits);
  CHECK(first(made("wnli", either("0", "1"))) == digits);  // already spelled so
  CHECK(first(made("rte", either("not_entailment", "entailment"))) ==
        "index\tprediction\n0\tnot_entailment\n1\tentailment\n");
  CHECK(first(made("qnli", either("entailment", "not_entailment"))) ==
        "index\tprediction\n0\tentailment\n1\tnot_entailment\n");
  for (const bool mismatched : {false, true}) {
    CHECK(first(made("mnli", either("neutral", "contradiction"), mismatched)) ==
          "index\tprediction\n0\tneutral\n1\tcontradiction\n");
  }
  CHECK(first(made("ax", either("contradiction", "entailment"))) ==
        "index\tprediction\n0\tcontradiction\n1\tentailment\n");
}

TEST_CASE("submission: scores lie between 0 and 5, have three decimals and no minus") {
  const char* scores[] = {"-0.0001", "5.25", "2.5", "-3", "-0.0", "4.9996", "1e-9"};
  const SubmissionFile file = made("stsb", [&](int row) { return std::string(scores[row % 7]); });
  CHECK(first_lines(file, 8) ==
        "index\tprediction\n0\t0.000\n1\t5.000\n2\t2.500\n3\t0.000\n4\t0.000\n5\t5.000\n6\t0.000\n");
  CHECK(file.rows == 1379);
}

TEST_CASE("submission: a few rows that were lost get what is predicted most, and that is said") {
  const SubmissionFile file = made("wnli", [](int row) {
    return std::string(row == 17 ? "" : row % 3 == 0 ? "entailment" : "not_entailment");
  });
  CHECK(file.filled == 1);
  CHECK_THAT(file.text, ContainsSubstring("\n16\t0\n17\t0\n18\t1\n"));
  CHECK_THAT(file.note, ContainsSubstring("1 of 146 rows have no prediction, the first 17; they get 0, which most"));
  CHECK_THAT(made("stsb", [](int row) { return std::string(row == 3  ? ""
                                                           : row < 3 ? "1"
                                                                     : "4"); }).text,
             ContainsSubstring("\n3\t3.993\n"));
  CHECK(made("wnli", [](int) { return std::string("entailment"); }).note.empty());
}

TEST_CASE("submission: another number of rows is refused, and so is what is no prediction") {
  CHECK_THROWS_WITH(made("wnli", [](int row) { return std::string(row < 144 ? "entailment" : ""); }),
                    ContainsSubstring("p.txt: has 144 predictions, and the test set WNLI has 146 rows"));
  CHECK_THROWS_WITH(from_text("wnli", "index\tprediction\n"), ContainsSubstring("has 0 predictions"));
  const auto problem = [](const std::string& rows) { return from_text("wnli", "index\tprediction\n" + rows); };
  CHECK_THROWS_WITH(problem("146\tentailment\n"), ContainsSubstring("line 2: row 146 is beyond the 146 rows"));
  CHECK_THROWS_WITH(problem("0\tentailment\n0\tentailment\n"),
                    ContainsSubstring("line 3: row 0 has a prediction already"));
  CHECK_THROWS_WITH(problem("0\tneutral\n"), ContainsSubstring("line 2: unknown label \"neutral\""));
  CHECK_THROWS_WITH(problem("-1\tentailment\n"), ContainsSubstring("expected a row's index, got \"-1\""));
  CHECK_THROWS_WITH(problem("0\n"), ContainsSubstring("expected 2 columns, got 1"));
  CHECK_THROWS_WITH(from_text("stsb", "index\tprediction\n0\tnan\n"), ContainsSubstring("expected a number"));
  CHECK_THROWS_WITH(from_text("wnli", "0\tentailment\n"), ContainsSubstring("expected a header"));
  CHECK_THROWS_WITH(from_text("wnli", ""), ContainsSubstring("expected a header"));
}

}  // namespace
}  // namespace tk
