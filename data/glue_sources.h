#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Where GLUE's files are published.
namespace tk {

/// A file that a task's folder is made of.
struct GlueSource {
  std::string task;  ///< its name: "sst2"
  std::string url;
  std::int64_t bytes = 0;
  std::string sha256;  ///< in hexadecimal digits

  /// "SST-2.zip"
  std::string name() const { return url.substr(url.rfind('/') + 1); }
  bool is_zip() const { return url.ends_with(".zip"); }
};

/// Those of all tasks: a zip with the task's folder, for MRPC three texts (training rows, test rows, the ids of the dev
/// set's rows), for AX its one file.
const std::vector<GlueSource>& glue_sources();

/// MRPC's files as the zips of other tasks have theirs.
struct MrpcTexts {
  std::string train, dev, test;
};

/// Of Microsoft's texts: the dev set's rows are those training rows whose two ids stand together in a line of
/// `dev_ids`. Throws on a row without five columns.
MrpcTexts mrpc_texts(std::string_view train, std::string_view test, std::string_view dev_ids);

}  // namespace tk
