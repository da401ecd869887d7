#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What TensorBoard reads: events, each a message of Protocol Buffers in a record of TFRecord.
namespace tk {

/// An event of a run. What is empty is not written.
struct Event {
  struct Scalar {
    std::string tag;  ///< "train/loss"; tags are shown in groups, by what is in front of the slash
    float value;
  };
  struct Histogram {
    std::string tag;
    double least, largest;
    double count, sum, sum_of_squares;
    std::vector<double> limits;  ///< of its buckets on the right; the first bucket lies left of all values
    std::vector<double> counts;  ///< in them
  };
  struct Text {
    std::string tag;
    std::string text;  ///< Markdown
  };

  double wall_time = 0;  ///< seconds since 1970
  std::int64_t step = 0;
  std::string file_version = {};  ///< of the first event of a file: kEventFileVersion
  std::vector<Scalar> scalars = {};
  std::vector<Histogram> histograms = {};
  std::vector<Text> texts = {};
  bool restarts = false;  ///< what earlier files of the folder say of this step and later ones no longer holds
};

inline constexpr const char* kEventFileVersion = "brain.Event:2";

/// The event as a record: its length as 8 bytes, little-endian, their masked CRC, its bytes, their masked CRC.
std::string event_record(const Event& event);

/// CRC-32C (Castagnoli): polynomial 0x1EDC6F41, reflected.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace tk
