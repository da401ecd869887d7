#include "transkimmer/cli/run/download.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace tk {
namespace {

namespace fs = std::filesystem;

std::string sample(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i * 7919);
  return text.substr(0, size);
}

std::string url_of(const fs::path& file) { return "file://" + file.string(); }

// A server that breaks the connection after `cut` bytes of a file that is asked for from its beginning.
class RangeServer {
 public:
  RangeServer(const fs::path& folder, int requests, std::size_t cut, const char* mode = "")
      : pipe_(::popen(concat("python3 ", TK_SOURCE_DIR, "/tests/transkimmer/cli/run/range_server.py ", folder.string(),
                             ' ', requests, ' ', cut, ' ', mode)
                          .c_str(),
                      "r")) {
    if (pipe_ == nullptr || std::fscanf(pipe_, "%d", &port_) != 1) throw std::runtime_error("no server");
  }
  ~RangeServer() { ::pclose(pipe_); }
  RangeServer(const RangeServer&) = delete;
  RangeServer& operator=(const RangeServer&) = delete;

  std::string url(const std::string& file) const { return concat("http://127.0.0.1:", port_, '/', file); }

 private:
  std::FILE* pipe_;
  int port_ = 0;
};

bool has_python() { return std::system("command -v python3 >/dev/null") == 0; }

TEST_CASE("download: SHA-256 has its published values") {
  if (!can_download()) return;
  const TemporaryFolder folder;
  write_bytes(folder / "abc", "abc");
  CHECK(sha256(folder / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  write_bytes(folder / "none", "");
  CHECK(sha256(folder / "none") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  write_bytes(folder / "million", std::string(1000000, 'a'));  // FIPS 180-2
  CHECK(sha256(folder / "million") == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("download: a file comes whole, and goes on behind what is there") {
  const TemporaryFolder folder;
  const std::string bytes = sample(300000);
  write_bytes(folder / "file", bytes);
  if (!can_download()) {
    CHECK_THROWS_WITH(download(url_of(folder / "file"), folder / "part", 1), ContainsSubstring("has no libcurl"));
    return;
  }
  std::vector<std::int64_t> told;
  CHECK(download(url_of(folder / "file"), folder / "part", 300000, [&](std::int64_t n) { told.push_back(n); }) ==
        300000);
  CHECK(read_bytes(folder / "part") == bytes);
  CHECK_FALSE(told.empty());
  write_bytes(folder / "half", bytes.substr(0, 120000));
  CHECK(download(url_of(folder / "file"), folder / "half", 300000) == 180000);
  CHECK(read_bytes(folder / "half") == bytes);
}

TEST_CASE("download: what cannot be had is said, and no more is taken than there should be") {
  if (!can_download()) return;
  const TemporaryFolder folder;
  write_bytes(folder / "file", sample(300000));
  CHECK_THROWS_WITH(download(url_of(folder / "none"), folder / "a", 10), ContainsSubstring("none: "));
  CHECK_FALSE(fs::exists(folder / "a"));
  CHECK_THROWS_WITH(download("gopher://127.0.0.1/x", folder / "b", 10), ContainsSubstring("gopher://127.0.0.1/x: "));
  CHECK_THROWS_WITH(download(url_of(folder / "file"), folder / "c", 1000),
                    ContainsSubstring("gives more than the 1000 bytes"));
  CHECK((!fs::exists(folder / "c") || fs::file_size(folder / "c") <= 1000));
  fs::create_symlink(folder / "file", folder / "link");
  CHECK_THROWS_WITH(download(url_of(folder / "file"), folder / "link", 300000),
                    ContainsSubstring("link: cannot create"));
}

TEST_CASE("download: after a broken connection what came stays, and the rest alone is asked for") {
  if (!can_download()) return;
  if (!has_python()) {
    WARN("python3 is not there: skipped");
    return;
  }
  const TemporaryFolder folder;
  const std::string bytes = sample(200000);
  write_bytes(folder / "file", bytes);
  {
    const RangeServer server(folder.path(), 3, 70000);
    CHECK_THROWS_WITH(download(server.url("file"), folder / "part", 200000),
                      ContainsSubstring("after 70000 bytes, which stay; the same command goes on"));
    CHECK(read_bytes(folder / "part") == bytes.substr(0, 70000));
    CHECK(download(server.url("file"), folder / "part", 200000) == 130000);
    CHECK(read_bytes(folder / "part") == bytes);
    CHECK_THROWS_WITH(download(server.url("none"), folder / "part", 300000), ContainsSubstring("(404)"));
    CHECK(read_bytes(folder / "part") == bytes);
  }
  write_bytes(folder / "again", bytes.substr(0, 50000));
  const RangeServer plain(folder.path(), 2, 200000, "plain");  // begins anew
  CHECK(download(plain.url("file"), folder / "again", 200000) == 200000);
  CHECK(read_bytes(folder / "again") == bytes);
}

}  // namespace
}  // namespace tk
