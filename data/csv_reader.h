#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tk {

/// Comma-separated values as RFC 4180 has them: a field in double quotes may hold separators, line ends and, doubled,
/// quotes; "\n", "\r\n" or "\r" end a record. A quote inside a field without quotes is an ordinary character.
///
/// The fields of the record that `text` begins with, and how many bytes it takes. Nothing where it does not end in
/// `text`; with `is_all` the end of the text ends it, too. Throws tk::Error, without a place, for characters between a
/// closing quote and the next separator, and for a quote that is never closed.
std::optional<std::size_t> parse_csv_record(std::string_view text, char separator, bool is_all,
                                            std::vector<std::string>& fields);

/// The separator of a file whose first line that is: a comma, or where it has none a semicolon, or a tab.
char csv_separator(std::string_view header);

/// What to say of a record of another number of fields than the header's; `quotes`: they may stand in quotes.
std::string fields_problem(std::size_t expected, std::size_t got, bool quotes);

/// Reads a UTF-8 file record by record; a byte-order mark at its start and empty lines are passed over.
class CsvReader {
 public:
  /// Reads the whole file; throws as read_text does.
  explicit CsvReader(const std::filesystem::path& path);

  /// The next record's fields; false at the end. Throws tk::Error that names file and line.
  bool next(std::vector<std::string>& fields);

  /// "PATH, line N" of the line on which the record began that next() gave last.
  std::string where() const;

 private:
  std::string path_;
  std::string text_;
  char separator_ = ',';
  std::size_t at_ = 0;
  std::int64_t line_ = 1;  // at at_
  std::int64_t began_ = 0;
};

}  // namespace tk
