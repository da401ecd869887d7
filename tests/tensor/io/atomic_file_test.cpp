#include "tensor/io/atomic_file.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace fs = std::filesystem;
using namespace tk;

namespace {

std::ptrdiff_t entries(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

// A limit on file sizes, as a full disk would be: writes beyond it fail with EFBIG.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_ = {};
};

}  // namespace

TEST_CASE("atomic file: appears with a commit and replaces what was there") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("new ");
    file.write("text");
    CHECK(read_bytes(folder / "a") == "old");
    file.commit();
  }
  CHECK(read_bytes(folder / "a") == "new text");
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("atomic file: without a commit nothing changes and nothing stays") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "old");
  { AtomicFile(folder / "a").write("new"); }
  CHECK(read_bytes(folder / "a") == "old");
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("atomic file: a failed write names the file and leaves nothing behind") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "old");
  const std::string text(10000, 'x');
  {
    const FileSizeLimit limit(4096);
    CHECK_THROWS_WITH(write_file_atomically(folder / "a", text),
                      (folder / "a").string() + ": cannot write: File too large");
  }
  CHECK(read_bytes(folder / "a") == "old");
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("atomic file: what a killed process of the same number left is passed over") {
  const TemporaryFolder folder;
  constexpr int kLeft = 1000;
  for (int i = 1; i <= kLeft; ++i) {
    write_bytes(folder / ("a.tmp-transkimmer-" + std::to_string(::getpid()) + '-' + std::to_string(i)), "half");
    fs::create_directory(folder / ("sub.tmp-transkimmer-" + std::to_string(::getpid()) + '-' + std::to_string(i)));
  }
  write_file_atomically(folder / "a", "text");
  AtomicFolder(folder / "sub").commit();
  CHECK(read_bytes(folder / "a") == "text");
  CHECK(fs::is_empty(folder / "sub"));
  CHECK(entries(folder.path()) == kLeft + 2);  // of the folder that was made anew none is left
}

TEST_CASE("atomic file: a missing folder and a name that is a folder are errors") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(write_file_atomically(folder / "none/a", "x"), ContainsSubstring("none/a: cannot create"));
  fs::create_directory(folder / "sub");
  CHECK_THROWS_WITH(write_file_atomically(folder / "sub", "x"), ContainsSubstring("sub: cannot replace"));
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("atomic folder: appears complete, with the folders above it, or not at all") {
  const TemporaryFolder folder;
  {
    AtomicFolder lost(folder / "lost");
    write_bytes(lost.path() / "a", "text");
  }
  CHECK(fs::is_empty(folder.path()));

  AtomicFolder made(folder / "above/made/");
  write_bytes(made.path() / "a", "text");
  CHECK_FALSE(fs::exists(folder / "above/made"));
  made.commit();
  CHECK(read_bytes(folder / "above/made/a") == "text");
  CHECK(entries(folder / "above") == 1);
  CHECK_THROWS_WITH(AtomicFolder(folder / "above"), ContainsSubstring("above: exists already"));
}

TEST_CASE("atomic file: what a killed process left goes, what is being written and what others call so stays") {
  const TemporaryFolder folder;
  write_bytes(folder / "a.tmp-transkimmer-17-1", "half");
  fs::create_directories(folder / "b.tmp-transkimmer-17-2/inner");
  write_bytes(folder / "b.tmp-transkimmer-17-2/inner/file", "half");
  write_bytes(folder / "a.tmp-transkimmer-17-x", "somebody else's");
  write_bytes(folder / "a.tmp-17-1", "somebody else's");
  AtomicFile file(folder / "c");
  file.write("text");
  AtomicFolder inner(folder / "d");
  write_bytes(inner.path() / "file", "text");
  remove_leftovers(folder.path());
  CHECK_FALSE(fs::exists(folder / "a.tmp-transkimmer-17-1"));
  CHECK_FALSE(fs::exists(folder / "b.tmp-transkimmer-17-2"));
  CHECK(fs::exists(folder / "a.tmp-transkimmer-17-x"));
  CHECK(fs::exists(folder / "a.tmp-17-1"));
  file.commit();
  inner.commit();
  CHECK(read_bytes(folder / "c") == "text");
  CHECK(read_bytes(folder / "d/file") == "text");
}

TEST_CASE("atomic folder: is made though others remove leftovers all the time") {
  const TemporaryFolder folder;
  std::atomic<bool> lasts = true;
  const auto remove = [&] {
    while (lasts) remove_leftovers(folder.path());
  };
  std::thread one(remove), another(remove);
  CHECK_NOTHROW([&] {
    for (int i = 0; i < 2000; ++i) AtomicFolder(folder / "a");
  }());
  lasts = false;
  one.join();
  another.join();
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("atomic file: leftovers of one name go alone") {
  const TemporaryFolder folder;
  write_bytes(folder / "out.tmp-transkimmer-17-1", "half");
  write_bytes(folder / "outer.tmp-transkimmer-17-1", "half");
  remove_leftovers(folder.path(), "out");
  CHECK_FALSE(fs::exists(folder / "out.tmp-transkimmer-17-1"));
  CHECK(fs::exists(folder / "outer.tmp-transkimmer-17-1"));
}

TEST_CASE("atomic file: a folder loses its name before anything in it goes") {
  const TemporaryFolder folder;
  fs::create_directories(folder / "a/b");
  write_bytes(folder / "a/b/file", "text");
  remove_folder(folder / "a");
  CHECK(fs::is_empty(folder.path()));
  CHECK_THROWS_WITH(remove_folder(folder / "a"), ContainsSubstring("a: cannot remove: No such file or directory"));
}

TEST_CASE("atomic file: a path with a NUL character is refused") {
  const TemporaryFolder folder;
  const fs::path path = (folder / "a").string() + std::string("\0b", 2);
  CHECK_THROWS_WITH(AtomicFile(path), ContainsSubstring("a path cannot hold a NUL character"));
  CHECK_THROWS_WITH(AtomicFolder(path), ContainsSubstring("a path cannot hold a NUL character"));
  CHECK(fs::is_empty(folder.path()));
}
