#pragma once

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "tensor/device.h"

namespace tk {

/// What made a run what it is, for its run.json: program, machine, flags, inputs, dates and durations.
class Manifest {
 public:
  Manifest(const std::string& command, const nlohmann::json& flags, std::uint64_t seed, Device device);

  /// Notes an input with its size, under `name`.
  void add_file(const std::filesystem::path& path, const std::filesystem::path& name);
  void set(const std::string& key, const nlohmann::json& value) { object_[key] = value; }
  /// Seconds that a part of the run took.
  void add_duration(const std::string& part, double seconds);

  const nlohmann::json& json() const { return object_; }
  /// Notes that the run is finished, and how long it took.
  void finish();
  void write(const std::filesystem::path& file) const;

 private:
  nlohmann::json object_ = nlohmann::json::object();
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The time as "2026-11-25T08:30:00Z".
std::string utc_now();

/// Rounded to `digits` decimals, as Hugging Face's result files are.
double rounded(double value, int digits);

}  // namespace tk
