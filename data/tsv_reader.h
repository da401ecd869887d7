#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tk {

/// Reads tab-separated UTF-8 text line by line. There is no quoting; "\n", "\r\n" and "\r" end a line; a byte-order
/// mark at the start and empty lines are passed over.
class TsvReader {
 public:
  /// Reads the whole file; throws when it cannot be read, and naming the line when it is not valid UTF-8.
  explicit TsvReader(const std::filesystem::path& path);

  /// The next line's fields, views that live as long as the reader; false at the end.
  bool next(std::vector<std::string_view>& fields);

  /// The line that next() gave last, counted from 1 as editors do.
  std::int64_t line() const { return line_; }

  /// "PATH, line N", for messages about that line.
  std::string where() const;

 private:
  std::string path_;
  std::string text_;
  std::size_t at_ = 0;
  std::int64_t line_ = 0;
};

}  // namespace tk
