#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace tk {

/// A value of a table.
struct Cell {
  bool is_list = false;                  ///< an array of JSON
  std::vector<std::string> values = {};  ///< one, or those of the array; none where the row has no value

  bool is_missing() const { return !is_list && values.empty(); }
};

/// Rows with named columns from a file, by its ending: .csv (see csv_reader.h), .tsv (a header line, no quoting),
/// .jsonl or .json (objects, one a line; or one array of them, or an object with such an array under "data").
///
/// JSON's columns are the keys of the first object, in its order; numbers and booleans are taken as they are spelled,
/// null and an absent key as no value.
class TableReader {
 public:
  /// Reads the whole file. Throws tk::Error for another ending, a file without rows, and two columns of one name.
  explicit TableReader(const std::filesystem::path& path);
  ~TableReader();
  TableReader(TableReader&&) noexcept;
  TableReader& operator=(TableReader&&) noexcept;

  const std::vector<std::string>& columns() const;
  /// The next row, a cell a column; false at the end. Throws, naming file and line, for a row of another number of
  /// fields, and for what is not JSON.
  bool next(std::vector<Cell>& row);
  /// "PATH, line N" or "PATH, row N", for messages about the row that next() gave last.
  std::string where() const;

  /// What its formats are called, for messages: ".csv, .tsv, .jsonl or .json".
  static const char* endings();
  static bool reads(const std::filesystem::path& path);

  class Rows;  ///< of one format

 private:
  std::unique_ptr<Rows> rows_;
};

}  // namespace tk
