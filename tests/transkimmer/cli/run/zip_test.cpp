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

TEST_CASE("gunzipped: what gzip made smaller, up to as much as is asked for") {
  // printf 'kept and dropped\n' | gzip -n -9
  static constexpr unsigned char kZipped[] = {
      0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x4e, 0x2d, 0x28, 0x51, 0x48, 0xcc, 0x4b, 0x51,
      0x48, 0x29, 0xca, 0x2f, 0x28, 0x48, 0x4d, 0xe1, 0x02, 0x00, 0x26, 0x28, 0x90, 0x0a, 0x11, 0x00, 0x00, 0x00};
  const std::string bytes(reinterpret_cast<const char*>(kZipped), sizeof(kZipped));
  if (!can_zip()) {
    CHECK_THROWS_WITH(gunzipped(bytes, "a.gz", 100), ContainsSubstring("this build has no libarchive"));
    return;
  }
  CHECK(gunzipped(bytes, "a.gz", 17) == "kept and dropped\n");
  CHECK_THROWS_WITH(gunzipped(bytes, "a.gz", 16), ContainsSubstring("a.gz: unfolds to more than 16 bytes"));
  CHECK_THROWS_WITH(gunzipped("kept and dropped\n", "a.gz", 100), ContainsSubstring("a.gz: is no gzip file"));
  CHECK_THROWS_WITH(gunzipped(bytes.substr(0, 20), "a.gz", 100), ContainsSubstring("a.gz: "));
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
