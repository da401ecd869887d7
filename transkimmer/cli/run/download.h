#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

// Files from the network, by libcurl, and their checksums, by OpenSSL, where the build has both.
namespace tk {

/// Why nothing can be had: the build knows no libcurl or OpenSSL, or the machine has none. Empty where it can; else the
/// functions below throw.
std::string download_problem();
inline bool can_download() { return download_problem().empty(); }

/// Brings `part` up to what `url` (http, https or file) gives: it goes on behind the bytes that `part` has, or begins
/// anew where the server cannot. `progress` is told how many bytes there are. Returns how many bytes came. Throws when
/// that fails, when there are more than `most_bytes`, when another process is at it, and Interrupted when a signal asks
/// to stop: what came by then stays.
std::int64_t download(const std::string& url, const std::filesystem::path& part, std::int64_t most_bytes,
                      const std::function<void(std::int64_t)>& progress = {});

/// SHA-256 of a file, in hexadecimal digits.
std::string sha256(const std::filesystem::path& file);

}  // namespace tk
