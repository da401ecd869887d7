#include "tensor/io/folder_texts.h"

#include <array>

#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

using namespace tk;

TEST_CASE("folder texts: what is there is read, and stays when the folder goes") {
  FolderTexts texts;
  {
    const TemporaryFolder folder;
    write_bytes(folder / "a.json", "{}");
    write_bytes(folder / "b.txt", "gr\xc3\xbc\xc3\x9f");
    texts = read_texts(folder.path(), std::array{"a.json", "b.txt", "c.txt"});
  }
  REQUIRE(texts.find("b.txt") != nullptr);
  CHECK(*texts.find("a.json") == "{}");
  CHECK(*texts.find("b.txt") == "gr\xc3\xbc\xc3\x9f");
  CHECK(texts.find("c.txt") == nullptr);
}

TEST_CASE("folder texts: a file that is not what its name says is refused") {
  const TemporaryFolder folder;
  write_bytes(folder / "list.json", "[]");
  write_bytes(folder / "bytes.txt", "\x80");
  CHECK_THROWS_WITH(read_texts(folder.path(), std::array{"list.json"}),
                    (folder / "list.json").string() + ": expected a JSON object");
  CHECK_THROWS_WITH(read_texts(folder.path(), std::array{"bytes.txt"}),
                    (folder / "bytes.txt").string() + ": is not valid UTF-8");
}
