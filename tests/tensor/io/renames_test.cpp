#include "tensor/io/renames.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

using namespace tk;
namespace fs = std::filesystem;

TEST_CASE("renames: are undone in the reverse order, so that a chain comes back") {
  const TemporaryFolder folder;
  write_bytes(folder / "old", "1");
  write_bytes(folder / "new", "2");
  Renames renames;
  renames.add(folder / "old", folder / "away");
  renames.add(folder / "new", folder / "old");
  CHECK(read_bytes(folder / "old") == "1");
  renames.make();
  CHECK(read_bytes(folder / "old") == "2");
  renames.add(folder / "none", folder / "x");
  CHECK_THROWS_WITH(renames.make(),
                    ContainsSubstring("none: cannot rename to ") && ContainsSubstring("No such file or directory"));
  CHECK(renames.undo());
  CHECK(read_bytes(folder / "old") == "1");
  CHECK(read_bytes(folder / "new") == "2");
  CHECK_FALSE(fs::exists(folder / "away"));
}

TEST_CASE("renames: say when something could not be put back") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "1");
  Renames renames;
  renames.add(folder / "a", folder / "b");
  renames.make();
  fs::remove(folder / "b");
  CHECK_FALSE(renames.undo());
}
