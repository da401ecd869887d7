#include "tensor/io/input_file.h"

#include <sys/stat.h>

#include <array>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

using namespace tk;

TEST_CASE("input file: gives the bytes of a file, also of an empty one, and refuses what is none") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "text");
  write_bytes(folder / "empty", "");
  const InputFile file(folder / "a");
  CHECK(file.size() == 4);
  std::array<std::byte, 2> middle = {};
  file.read(1, middle);
  CHECK(middle == std::array{std::byte{'e'}, std::byte{'x'}});
  CHECK(read_file(folder / "a") == "text");
  CHECK(read_file(folder / "empty").empty());
  CHECK_THROWS_WITH(InputFile(folder.path()), ContainsSubstring(": not a regular file"));
  CHECK_THROWS_WITH(InputFile(folder / "none"), ContainsSubstring("none: cannot open: No such file or directory"));
}

TEST_CASE("input file: a named pipe is refused at once") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(read_file(folder / "pipe"), ContainsSubstring("pipe: not a regular file"));
}

TEST_CASE("input file: what another process cut off is an error that names the file") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", std::string(10000, 'x'));
  const InputFile file(folder / "a");
  std::filesystem::resize_file(folder / "a", 5000);
  std::array<std::byte, 100> bytes = {};
  CHECK_NOTHROW(file.read(4900, bytes));
  CHECK_THROWS_WITH(file.read(4901, bytes),
                    (folder / "a").string() + ": ends at byte 5000 of 10000: it was shortened while being read");
}
