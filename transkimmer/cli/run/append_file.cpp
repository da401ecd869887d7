#include "transkimmer/cli/run/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "tensor/error.h"

namespace tk {
namespace {

std::string reason() { return std::generic_category().message(errno); }

}  // namespace

AppendFile::AppendFile(const std::filesystem::path& path) : path_(path.string()) {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  TK_CHECK(fd_ >= 0, path_, ": cannot create: ", reason());
}

AppendFile::~AppendFile() { ::close(fd_); }

void AppendFile::append(std::string_view bytes) {
  for (std::string_view rest = bytes; !rest.empty();) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const std::string why = reason();
      [[maybe_unused]] const int cut = ::ftruncate(fd_, bytes_);  // without the half of a line
      throw Error(concat(path_, ": cannot be written: ", why));
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  bytes_ += static_cast<std::int64_t>(bytes.size());
}

}  // namespace tk
