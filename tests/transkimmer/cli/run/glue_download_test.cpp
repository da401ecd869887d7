#include "transkimmer/cli/run/glue_download.h"

#include <algorithm>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"
#include "tests/transkimmer/cli/program.h"
#include "transkimmer/cli/run/download.h"
#include "transkimmer/cli/run/zip.h"

namespace tk {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

bool can_all() { return can_download() && can_zip(); }

// Small files under the published names, in a folder that is asked for them, with their checksums.
struct Mirror {
  Mirror() {
    const std::string rte = "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n";
    put("rte", "RTE.zip",
        zipped({{"RTE/train.tsv", rte},
                {"RTE/../../evil.tsv", "x"},
                {"/RTE/dev.tsv", "x"},
                {"RTE/dev.tsv", rte},
                {"RTE/original/train.jsonl", "{}"},
                {"RTE/test.tsv", "index\tsentence1\tsentence2\n0\ta\tb\n"}}));
    const std::string header = "\xef\xbb\xbfQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n";
    put("mrpc", "msr_paraphrase_train.txt", header + "1\t10\t11\ta\tb\r\n0\t12\t13\tc\td\r\n");
    put("mrpc", "msr_paraphrase_test.txt", header + "1\t20\t21\te\tf\r\n");
    put("mrpc", "mrpc_dev_ids.tsv", "12\t13\n");
    put("ax", "AX.tsv", "index\tsentence1\tsentence2\n0\ta\tb\n");
  }

  void put(const std::string& task, const std::string& name, const std::string& bytes) {
    write_bytes(folder / name, bytes);
    sources.push_back({task, "file://" + (folder / name).string(), std::int64_t(bytes.size()), sha256(folder / name)});
  }
  bool get(const std::string& task, const fs::path& data_dir) const {
    return download_task(find_glue_task(task), sources, data_dir, ProgressMode::kOff);
  }

  TemporaryFolder folder;
  std::vector<GlueSource> sources;
};

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

TEST_CASE("glue download: a task's folder has the files that it reads, and nothing else is written") {
  if (!can_all()) return;
  const Mirror mirror;
  const TemporaryFolder place;
  CHECK(mirror.get("rte", place / "glue"));
  CHECK(mirror.get("mrpc", place / "glue"));
  CHECK(mirror.get("ax", place / "glue"));
  CHECK(names_in(place / "glue") == Arguments{"AX", "MRPC", "RTE"});
  CHECK(names_in(place / "glue/RTE") == Arguments{"dev.tsv", "test.tsv", "train.tsv"});
  CHECK(names_in(place / "glue/MRPC") == Arguments{"dev.tsv", "test.tsv", "train.tsv"});
  CHECK(names_in(place / "glue/AX") == Arguments{"diagnostic.tsv"});
  CHECK(names_in(place.path()) == Arguments{"glue"});
  CHECK_THAT(read_bytes(place / "glue/RTE/dev.tsv"), ContainsSubstring("entailment"));
  CHECK_THAT(read_bytes(place / "glue/MRPC/dev.tsv"), ContainsSubstring("0\t12\t13\tc\td\n"));
  CHECK_FALSE(mirror.get("rte", place / "glue"));  // is there
  fs::remove(place / "glue/RTE/dev.tsv");
  CHECK_THROWS_WITH(mirror.get("rte", place / "glue"), ContainsSubstring("RTE: is there and has no dev.tsv"));
}

TEST_CASE("glue download: a wrong checksum is refused, and leaves nothing") {
  if (!can_all()) return;
  Mirror mirror;
  const TemporaryFolder place;
  mirror.sources[0].sha256[0] ^= 1;
  CHECK_THROWS_WITH(mirror.get("rte", place.path()), ContainsSubstring("RTE.zip: has SHA-256 ") &&
                                                         ContainsSubstring(", expected " + mirror.sources[0].sha256));
  CHECK(names_in(place.path()).empty());
}

TEST_CASE("glue download: what an earlier start left is gone on with, or begun anew where it is another file's") {
  if (!can_all()) return;
  const Mirror mirror;
  const std::string whole = read_bytes(mirror.folder / "RTE.zip");
  for (const std::string& left : {whole.substr(0, whole.size() / 2), whole, std::string(whole.size() / 2, '?'),
                                  std::string(whole.size() + 7, '?'), std::string()}) {
    const TemporaryFolder place;
    write_bytes(place / "RTE.zip.part", left);
    CHECK(mirror.get("rte", place.path()));
    CHECK(names_in(place.path()) == Arguments{"RTE"});
  }
}

TEST_CASE("glue download: an archive without a task's file is refused, and its folder does not appear") {
  if (!can_all()) return;
  Mirror mirror;
  const TemporaryFolder place;
  mirror.sources.clear();
  mirror.put("wnli", "WNLI.zip", zipped({{"WNLI/train.tsv", "x"}, {"WNLI/dev.tsv", "x"}}));
  CHECK_THROWS_WITH(mirror.get("wnli", place.path()), ContainsSubstring("has no WNLI/test.tsv"));
  CHECK(names_in(place.path()) == Arguments{"WNLI.zip.part"});
}

TEST_CASE("glue download: the program refuses another publisher's files, and says what it lacks") {
  const TemporaryFolder place;
  write_bytes(place / "RTE.zip", "no archive");
  const auto run = [&](const Arguments& more) {
    return run_program(Arguments{"glue", "download", "--data_dir", place / "glue", "--progress", "off"} + more);
  };
  CHECK(run({"--tasks", "rte", "colla"}).err ==
        "--tasks: unknown task \"colla\"; did you mean \"cola\"? known: cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte, "
        "wnli, ax\n");
  const Ran ran = run({"--tasks", "rte", "--url", "file://" + place.path().string()});
  CHECK(ran.code == 1);
  if (!can_all()) {
    CHECK_THAT(ran.err, ContainsSubstring("and build again"));
    return;
  }
  CHECK_THAT(ran.err, ContainsSubstring("/RTE.zip: has SHA-256 ") && ContainsSubstring("and 10 bytes, expected 6bf86"));
  CHECK_FALSE(fs::exists(place / "glue"));
}

}  // namespace
}  // namespace tk
