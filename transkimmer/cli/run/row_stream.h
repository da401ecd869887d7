#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/own_reader.h"
#include "tensor/choices.h"

namespace tk {

/// How rows are written that come one after the other.
enum class StreamFormat { kLines, kCsv, kTsv, kJsonl };

inline constexpr Choice<StreamFormat> kStreamFormats[] = {{StreamFormat::kLines, "lines"},
                                                          {StreamFormat::kCsv, "csv"},
                                                          {StreamFormat::kTsv, "tsv"},
                                                          {StreamFormat::kJsonl, "jsonl"}};
inline Choices<StreamFormat> choices(StreamFormat) { return kStreamFormats; }

/// Rows from a descriptor, in memory that does not grow with their number.
///
/// Lines hold a text, or two with a tab between them, and each line is a row, empty ones, too. CSV and TSV begin with a
/// header; JSON lines have the columns of the first one. Texts are found as in files of one's own (data/own_reader.h).
///
/// Where no format is said they are lines, and a first one that is a table's header with all of the named columns is an
/// error: the rest of that table would be taken for texts, too.
class RowStream {
 public:
  RowStream(int fd, std::optional<StreamFormat> format, OwnColumns columns = {});

  /// The rows that have come by now, at most `most`; waits for one where there is none. Empty at the end. Ids count
  /// rows. Throws Interrupted when a signal asks to stop, and tk::Error, naming the line, for what is not of the
  /// format, and for a line of more than 64 MiB.
  std::vector<Example> next(std::int64_t most);

 private:
  bool fill();
  std::optional<Example> take_row();
  std::optional<std::string_view> take_line();
  std::optional<Example> row_of_line(std::string_view line);
  Example row_of_fields(const std::vector<std::string>& fields);
  bool take_fields(std::vector<std::string>& fields);
  std::string where() const;

  int fd_;
  StreamFormat format_;
  bool may_be_table_;  // until the first line, where no format was said
  OwnColumns columns_;
  std::vector<std::string> names_ = {};  // of the columns, once the header came
  ColumnPlaces places_ = {};
  char separator_ = ',';
  std::string buffer_ = {};
  std::size_t at_ = 0;  // in the buffer: what lies before is taken
  bool is_at_end_ = false;
  std::int64_t line_ = 0;
  std::int64_t rows_ = 0;
};

}  // namespace tk
