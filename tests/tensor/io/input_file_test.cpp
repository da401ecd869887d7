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
  CHECK_THROWS_WITH(InputFile(folder.path()), ContainsSubstring(": expected a file, got a folder"));
  CHECK_THROWS_WITH(InputFile(folder / "none"), ContainsSubstring("none: cannot open: No such file or directory"));
}

TEST_CASE("input file: what Git LFS leaves in a file's place is no file, and says how to fetch it") {
  const TemporaryFolder folder;
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, 'a');
  write_bytes(folder / "vocab.txt", pointer + "\nsize 231508\n");
  CHECK_THROWS_WITH(read_file(folder / "vocab.txt"),
                    (folder / "vocab.txt").string() +
                        ": is a pointer of Git LFS, not the file; git lfs pull, in its folder, fetches that");
  for (const std::string& text : {pointer.substr(0, 42), ' ' + pointer, pointer + std::string(1024, '\n')}) {
    write_bytes(folder / "text", text);
    CHECK(read_file(folder / "text") == text);
  }
}

TEST_CASE("input file: a named pipe is refused at once") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(read_file(folder / "pipe"), ContainsSubstring("pipe: not a regular file"));
}

TEST_CASE("input file: a device without an end is refused, by whatever name") {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("/dev/zero", folder / "rows.tsv");
  CHECK_THROWS_WITH(read_file(folder / "rows.tsv"), ContainsSubstring("rows.tsv: not a regular file"));
}

TEST_CASE("input file: more bytes than expected, or than any memory has, are refused before they are read") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "12345");
  CHECK(read_file(folder / "a", 5) == "12345");
  CHECK_THROWS_WITH(read_file(folder / "a", 4), ContainsSubstring("a: expected at most 4 bytes, got 5"));
  std::filesystem::resize_file(folder / "a", std::uintmax_t{1} << 39);  // without a byte on disk
  CHECK_THROWS_WITH(read_file(folder / "a", 1 << 20), ContainsSubstring("got 549755813888"));
}

TEST_CASE("input file: a path with a NUL character is refused, not cut off there") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "text");
  const std::string path = (folder / "a").string() + std::string("\0b", 2);
  CHECK_THROWS_WITH(read_file(path), ContainsSubstring("a path cannot hold a NUL character"));
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
