#include "transkimmer/cli/run/manifest.h"

#include <fmt/chrono.h>

#include <cmath>
#include <ctime>
#include <utility>

#include "tensor/backend.h"
#include "tensor/io/atomic_file.h"
#include "tensor/threads.h"
#include "transkimmer/cli/run/build_info.h"

namespace tk {

Manifest::Manifest(const std::string& command, const nlohmann::json& flags, std::uint64_t seed, Device device) {
  object_["command"] = command;
  object_["flags"] = flags;
  object_["seed"] = seed;
  object_["started"] = utc_now();
  object_["threads"] = num_threads();
  object_["device"] = backend(device).describe();
  object_["processor"] = processor_name();
  nlohmann::json build = nlohmann::json::object();
  for (const auto& [key, value] : build_info()) build[key] = value;
  object_["build"] = std::move(build);
  object_["seconds"] = nlohmann::json::object();
  object_["files"] = nlohmann::json::array();
}

void Manifest::add_file(const std::filesystem::path& path, const std::filesystem::path& name) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  object_["files"].push_back({{"path", name.string()}, {"bytes", error ? nlohmann::json() : nlohmann::json(bytes)}});
}

void Manifest::add_duration(const std::string& part, double seconds) { object_["seconds"][part] = rounded(seconds, 3); }

void Manifest::finish() {
  add_duration("all", std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count());
  object_["finished"] = utc_now();
}

void Manifest::write(const std::filesystem::path& file) const {
  const auto replace = nlohmann::json::error_handler_t::replace;
  write_file_atomically(file, object_.dump(2, ' ', false, replace) + '\n');
}

std::string utc_now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

double rounded(double value, int digits) {
  const double scale = std::pow(10.0, digits);
  return std::round(value * scale) / scale;
}

}  // namespace tk
