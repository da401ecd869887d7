#include "data/glue_sources.h"

#include <algorithm>

#include "data/glue_reader.h"
#include "data/glue_task.h"
#include "tensor/error.h"
#include "tests/data/write_file.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

TEST_CASE("glue sources: each task has its files, and MRPC three texts") {
  for (const GlueTask& about : glue_tasks()) {
    const auto is_its = [&](const GlueSource& source) { return source.task == about.task.name; };
    CHECK(std::ranges::count_if(glue_sources(), is_its) == (about.task.name == "mrpc" ? 3 : 1));
  }
  for (const GlueSource& source : glue_sources()) {
    INFO(source.url);
    CHECK(source.sha256.size() == 64);
    CHECK(source.sha256.find_first_not_of("0123456789abcdef") == std::string::npos);
    CHECK(source.bytes > 6000);
    CHECK(source.is_zip() == (source.task != "mrpc" && source.task != "ax"));
  }
  CHECK(glue_sources()[1].name() == "SST-2.zip");
}

TEST_CASE("glue sources: MRPC's dev set is the training rows whose ids are listed, as pairs") {
  const std::string header = "\xef\xbb\xbfQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n";
  const MrpcTexts texts = mrpc_texts(header + "1\t10\t11\t\"a\tb\r\n0\t12\t13\tc\td\r\n1\t10\t13\te\tf\r\n",
                                     header + "1\t20\t21\tg\th\r\n0\t22\t23\ti\tj\r\n", "12\t13\n11\t10\n");
  CHECK(texts.train == "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t10\t11\t\"a\tb\n1\t10\t13\te\tf\n");
  CHECK(texts.dev == "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t12\t13\tc\td\n");
  CHECK(texts.test == "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t20\t21\tg\th\n1\t22\t23\ti\tj\n");
  CHECK_THROWS_WITH(mrpc_texts(header + "1\t10\t11\ta\n", header, ""),
                    ContainsSubstring("MRPC, training rows, line 2: expected 5 columns, got 4"));

  const TemporaryFolder folder;
  write_file(folder, "MRPC/train.tsv", texts.train);
  write_file(folder, "MRPC/dev.tsv", texts.dev);
  write_file(folder, "MRPC/test.tsv", texts.test);
  const GlueReader reader("mrpc", folder.path());
  CHECK(reader.read(Part::kTrain)[0].examples[0].text_a == "\"a");
  CHECK(reader.read(Part::kDev)[0].examples[0].text_b == "d");
  CHECK(reader.read(Part::kTest)[0].examples.size() == 2);
}

}  // namespace
}  // namespace tk
