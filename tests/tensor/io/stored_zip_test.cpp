#include "tensor/io/stored_zip.h"

#include "tensor/error.h"
#include "tensor/io/input_file.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tensors.h"
#include "tests/support/torch_archive.h"

using namespace tk;
using namespace tk::test;

namespace {

const Archive kTwo = {{"a/one", "first"}, {"a/two", ""}};

StoredEntries entries_of(const std::string& file) {
  const TemporaryFolder folder;
  write_bytes(folder / "F", file);
  return read_stored_zip(InputFile(folder / "F"));
}

std::string problem(const std::string& file) {
  return message_of([&] { entries_of(file); });
}

// The archive of kTwo with other bytes `at` behind the first header of that kind.
std::string changed(const std::string& header, std::size_t at, const std::string& bytes, bool in_64 = false) {
  std::string file = stored_zip(kTwo, in_64);
  return file.replace(file.find(header) + at, bytes.size(), bytes);
}

}  // namespace

TEST_CASE("stored_zip: entries lie where the directory says, in 32 and in 64 bits, and with a comment") {
  for (const bool in_64 : {false, true}) {
    const std::string file = stored_zip(kTwo, in_64);
    const StoredEntries entries = entries_of(file);
    REQUIRE(entries.size() == 2);
    const StoredEntry one = entries.at("a/one");
    CHECK(file.substr(static_cast<std::size_t>(one.begin), static_cast<std::size_t>(one.size)) == "first");
    CHECK(entries.at("a/two").size == 0);
  }
  std::string file = stored_zip(kTwo);
  file.replace(file.size() - 2, 2, little_endian(7, 2));
  CHECK(entries_of(file + "comment").size() == 2);
  CHECK(entries_of(stored_zip({})).empty());
}

TEST_CASE("stored_zip: what is no archive, or damaged, or not stored, is refused") {
  const std::string directory = "PK\1\2", local = "PK\3\4", end = "PK\5\6", end_64 = "PK\6\6", locator_64 = "PK\6\7";
  CHECK_THAT(problem(""), ContainsSubstring("F: not a zip archive as torch.save writes it: it has no directory"));
  CHECK_THAT(problem(std::string(100, 'P')), ContainsSubstring("it has no directory"));
  CHECK_THAT(problem(stored_zip(kTwo) + "x"), ContainsSubstring("it has no directory"));
  CHECK_THAT(problem(changed(directory, 10, little_endian(8, 2))),
             ContainsSubstring("\"a/one\" is compressed or encrypted"));
  CHECK_THAT(problem(changed(directory, 8, little_endian(1, 2))), ContainsSubstring("is compressed or encrypted"));
  CHECK_THAT(problem(changed(directory, 20, little_endian(4, 4))), ContainsSubstring("is compressed or encrypted"));
  CHECK_THAT(problem(changed(directory, 20, little_endian(0x70000000'70000000, 8))),
             ContainsSubstring("\"a/one\" lies outside the file"));
  CHECK_THAT(problem(changed(directory, 42, little_endian(0xfffffffe, 4))), ContainsSubstring("lies outside the file"));
  CHECK_THAT(problem(changed(directory, 42, little_endian(1, 4))),
             ContainsSubstring("does not lie where the directory says"));
  CHECK_THAT(problem(changed(directory, 28, little_endian(60000, 2))), ContainsSubstring("its directory is damaged"));
  CHECK_THAT(problem(changed(directory, 42, std::string(4, '\xff'))), ContainsSubstring("its directory is damaged"));
  CHECK_THAT(problem(changed(directory, 0, "XX")), ContainsSubstring("its directory is damaged"));
  CHECK_THAT(problem(changed(local, 26, little_endian(60000, 2))), ContainsSubstring("lies outside the file"));
  CHECK_THAT(problem(changed(end, 12, std::string(4, '\x7f'))),
             ContainsSubstring("its directory lies outside the file"));
  CHECK_THAT(problem(changed(end, 16, std::string(4, '\x7f'))),
             ContainsSubstring("its directory lies outside the file"));
  CHECK_THAT(problem(changed(locator_64, 8, std::string(8, '\xff'), true)),
             ContainsSubstring("its directory lies outside the file"));
  CHECK_THAT(problem(changed(locator_64, 8, std::string(8, '\0'), true)),
             ContainsSubstring("it has no directory where it says"));
  CHECK_THAT(problem(changed(end_64, 40, std::string(16, '\xff'), true)),
             ContainsSubstring("its directory lies outside the file"));
  CHECK_THAT(problem(stored_zip({{"a", "1"}, {"a", "2"}})), ContainsSubstring("\"a\" comes twice"));
}
