#include "transkimmer/cli/run/zip.h"

#include "tensor/error.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

TEST_CASE("zip: an archive gives back its files, and is the same each time") {
  if (!can_zip()) {
    CHECK_THROWS_WITH(zipped({}), ContainsSubstring("this build has no libarchive"));
    return;
  }
  std::string large;
  for (int i = 0; i < 100000; ++i) large += std::to_string(i * 7919 % 1000) + '\n';
  const std::vector<ZipEntry> files = {{"CoLA.tsv", "index\tprediction\n0\t1\n"}, {"QQP.tsv", large}, {"empty", ""}};
  const std::string archive = zipped(files);
  CHECK(archive.starts_with("PK\x03\x04"));
  CHECK(archive.size() < large.size() / 2);
  CHECK(unzipped(archive, "a.zip") == files);
  CHECK(zipped(files) == archive);
}

TEST_CASE("zip: what is no archive, or a broken one, is said") {
  if (!can_zip()) return;
  std::string archive = zipped({{"file", std::string(2000, 'x') + "0123456789"}});
  CHECK_THROWS_WITH(unzipped("no archive at all", "a.zip"), ContainsSubstring("a.zip: "));
  CHECK_THROWS_WITH(unzipped(archive.substr(0, 40), "a.zip"), ContainsSubstring("a.zip: "));
  // A local header has 30 bytes, the last of which say how long name and extra field are; the packed bytes follow.
  const auto length = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(archive[at])); };
  const std::size_t packed = 30 + length(26) + length(28);
  archive[packed + 2] = static_cast<char>(archive[packed + 2] ^ 0x55);
  CHECK_THROWS_WITH(unzipped(archive, "a.zip"), ContainsSubstring("a.zip: file: "));
}

}  // namespace
}  // namespace tk
