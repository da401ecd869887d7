#include "transkimmer/cli/run/download.h"

#ifdef TK_HAS_CURL
#define CURL_DISABLE_TYPECHECK  // of calls that are none of a macro
#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <system_error>
#include <vector>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/input_file.h"
#include "tensor/lazy_library.h"
#include "transkimmer/cli/run/signals.h"

namespace tk {
namespace fs = std::filesystem;

#ifdef TK_HAS_CURL

namespace {

// The functions that are called here.
struct LibCurl {
  LazyLibrary library{"libcurl.so.4"};
  TK_LAZY_FUNCTION(curl_global_init);
  TK_LAZY_FUNCTION(curl_easy_init);
  TK_LAZY_FUNCTION(curl_easy_cleanup);
  TK_LAZY_FUNCTION(curl_easy_strerror);
  TK_LAZY_FUNCTION(curl_easy_setopt);
  TK_LAZY_FUNCTION(curl_easy_perform);
  TK_LAZY_FUNCTION(curl_easy_getinfo);
};
struct LibCrypto {
  LazyLibrary library{"libcrypto.so.3"};
  TK_LAZY_FUNCTION(EVP_MD_CTX_new);
  TK_LAZY_FUNCTION(EVP_MD_CTX_free);
  TK_LAZY_FUNCTION(EVP_sha256);
  TK_LAZY_FUNCTION(EVP_DigestInit_ex);
  TK_LAZY_FUNCTION(EVP_DigestUpdate);
  TK_LAZY_FUNCTION(EVP_DigestFinal_ex);
};

const LibCurl& curl() {
  static const LibCurl library;
  return library;
}

const LibCrypto& crypto() {
  static const LibCrypto library;
  return library;
}

std::string reason() { return std::generic_category().message(errno); }

// What came so far, which nobody else writes to meanwhile.
class Part {
 public:
  explicit Part(const fs::path& path) : path_(path.string()) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
    TK_CHECK(fd_ >= 0, path_, ": cannot create: ", reason());
    const bool is_taken = ::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (is_taken) ::close(fd_);
    TK_CHECK(!is_taken, path_, ": another process is downloading it now");
    size_ = std::max<std::int64_t>(0, ::lseek(fd_, 0, SEEK_END));
  }
  ~Part() {
    if (size_ == 0) ::unlink(path_.c_str());  // nothing to go on with
    ::close(fd_);
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  std::int64_t size() const { return size_; }

  // Whether all of it could be written; else problem() says why not.
  bool append(const char* bytes, std::size_t size) {
    while (size > 0) {
      const ssize_t written = ::write(fd_, bytes, size);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        problem_ = errno;
        return false;
      }
      bytes += written;
      size -= static_cast<std::size_t>(written);
      size_ += written;
    }
    return true;
  }
  int problem() const { return problem_; }

  void clear() {
    TK_CHECK(::ftruncate(fd_, 0) == 0, path_, ": cannot be written: ", reason());
    size_ = 0;
  }
  void sync() { TK_CHECK(::fsync(fd_) == 0, path_, ": cannot be written: ", reason()); }

 private:
  std::string path_;
  int fd_ = -1;
  std::int64_t size_ = 0;
  int problem_ = 0;
};

struct Transfer {
  Part& part;
  std::int64_t most;
  const std::function<void(std::int64_t)>& progress;
  bool is_too_long = false;
};

// Functions that libcurl calls, which no exception may leave.

std::size_t receive(const char* bytes, std::size_t one, std::size_t size, void* user) noexcept {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.is_too_long = transfer.part.size() + static_cast<std::int64_t>(one * size) > transfer.most;
  return !transfer.is_too_long && transfer.part.append(bytes, one * size) ? size : 0;
}

int watch(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept {
  const auto& transfer = *static_cast<Transfer*>(user);
  try {
    if (transfer.progress) transfer.progress(transfer.part.size());
  } catch (...) {  // a bar that cannot be drawn stops nothing
  }
  return stop_signal() != 0 ? 1 : 0;
}

using Handle = std::unique_ptr<CURL, decltype(&::curl_easy_cleanup)>;

Handle make_handle() {
  static const CURLcode ready = curl().curl_global_init(CURL_GLOBAL_DEFAULT);
  TK_CHECK(ready == CURLE_OK, "libcurl cannot begin: ", curl().curl_easy_strerror(ready));
  Handle handle(curl().curl_easy_init(), curl().curl_easy_cleanup);
  if (!handle) throw std::bad_alloc();
  return handle;
}

template <class Value>
void set(const Handle& handle, CURLoption option, Value value) {
  const CURLcode result = curl().curl_easy_setopt(handle.get(), option, value);
  TK_CHECK(result == CURLE_OK, "libcurl: option ", static_cast<int>(option), ": ", curl().curl_easy_strerror(result));
}

// How a transfer ended.
struct Ended {
  CURLcode result;
  long status;  // HTTP's

  // Whether it failed because of where it was to go on: the server knows no ranges, or has fewer bytes than there are.
  bool cannot_go_on() const {
    constexpr long kRangeNotSatisfiable = 416;
    return result == CURLE_RANGE_ERROR || result == CURLE_BAD_DOWNLOAD_RESUME ||
           (result == CURLE_HTTP_RETURNED_ERROR && status == kRangeNotSatisfiable);
  }
};

Ended transfer_rest(const std::string& url, Transfer& transfer) {
  const Handle handle = make_handle();
  set(handle, CURLOPT_URL, url.c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
  set(handle, CURLOPT_PROTOCOLS_STR, "http,https,file");
  set(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
  set(handle, CURLOPT_PROTOCOLS, long{CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FILE});
  set(handle, CURLOPT_REDIR_PROTOCOLS, long{CURLPROTO_HTTP | CURLPROTO_HTTPS});
#endif
  set(handle, CURLOPT_FOLLOWLOCATION, 1L);
  set(handle, CURLOPT_MAXREDIRS, 10L);
  set(handle, CURLOPT_FAILONERROR, 1L);
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_CONNECTTIMEOUT, 30L);
  set(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);  // nothing for a minute is the end
  set(handle, CURLOPT_LOW_SPEED_TIME, 60L);
  set(handle, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(transfer.part.size()));
  set(handle, CURLOPT_WRITEFUNCTION, &receive);
  set(handle, CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
  set(handle, CURLOPT_XFERINFOFUNCTION, &watch);
  set(handle, CURLOPT_XFERINFODATA, static_cast<void*>(&transfer));
  set(handle, CURLOPT_NOPROGRESS, 0L);
  Ended ended = {curl().curl_easy_perform(handle.get()), 0};
  curl().curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &ended.status);
  return ended;
}

}  // namespace

std::string download_problem() {
  try {
    curl();
    crypto();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

std::int64_t download(const std::string& url, const fs::path& path, std::int64_t most_bytes,
                      const std::function<void(std::int64_t)>& progress) {
  Part part(path);
  std::int64_t first = part.size();
  Transfer transfer{part, most_bytes, progress};
  Ended ended = transfer_rest(url, transfer);
  if (first > 0 && ended.cannot_go_on()) {
    part.clear();
    first = 0;
    ended = transfer_rest(url, transfer);
  }
  throw_if_stopped();
  TK_CHECK(!transfer.is_too_long, printable(url), ": gives more than the ", most_bytes, " bytes that the file has");
  TK_CHECK(part.problem() == 0, path.string(),
           ": cannot be written: ", std::generic_category().message(part.problem()));
  TK_CHECK(ended.result == CURLE_OK, printable(url), ": ", curl().curl_easy_strerror(ended.result),
           ended.status >= 400 ? concat(" (", ended.status, ')') : "",
           part.size() > 0 ? concat(" after ", part.size(), " bytes, which stay; the same command goes on") : "");
  part.sync();
  return part.size() - first;
}

std::string sha256(const fs::path& path) {
  const InputFile file(path);
  const std::unique_ptr<EVP_MD_CTX, decltype(&::EVP_MD_CTX_free)> context(crypto().EVP_MD_CTX_new(),
                                                                          crypto().EVP_MD_CTX_free);
  if (!context) throw std::bad_alloc();
  bool is_good = crypto().EVP_DigestInit_ex(context.get(), crypto().EVP_sha256(), nullptr) == 1;
  std::vector<std::byte> bytes(std::size_t{1} << 20);
  for (std::int64_t at = 0; at < file.size();) {
    const auto size = static_cast<std::size_t>(std::min<std::int64_t>(std::ssize(bytes), file.size() - at));
    file.read(at, {bytes.data(), size});
    is_good = is_good && crypto().EVP_DigestUpdate(context.get(), bytes.data(), size) == 1;
    at += static_cast<std::int64_t>(size);
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest = {};
  unsigned int size = 0;
  is_good = is_good && crypto().EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1;
  TK_CHECK(is_good, path.string(), ": OpenSSL computes no SHA-256 of it");
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    for (const int digit : {digest[i] >> 4, digest[i] & 15}) text += "0123456789abcdef"[digit];
  }
  return text;
}

#else

std::string download_problem() {
  return "this build has no libcurl; install libcurl4-openssl-dev and libssl-dev and build again";
}

std::int64_t download(const std::string& url, const fs::path&, std::int64_t, const std::function<void(std::int64_t)>&) {
  throw Error(printable(url) + ": this build has no libcurl");
}

std::string sha256(const fs::path& file) { throw Error(file.string() + ": this build has no OpenSSL"); }

#endif

}  // namespace tk
