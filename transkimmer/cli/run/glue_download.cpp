#include "transkimmer/cli/run/glue_download.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "data/text_file.h"
#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/in_quotes.h"
#include "transkimmer/cli/run/download.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/zip.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

std::vector<std::string> files_of(const GlueTask& task) {
  std::vector<std::string> files;
  for (const SplitInfo& split : task.splits) files.push_back(split.file);
  return files;
}

// Whether all files are there; throws where the folder has something else.
bool is_there(const GlueTask& task, const fs::path& folder) {
  if (!fs::exists(fs::symlink_status(folder))) return false;
  for (const std::string& file : files_of(task)) {
    TK_CHECK(fs::exists(folder / file), folder.string(), ": is there and has no ", file,
             "; move it away, or name another --data_dir");
  }
  return true;
}

// What came with another checksum may have gone on from another file's beginning: then it begins anew, once.
fs::path fetched(const GlueSource& source, const fs::path& data_dir, ProgressMode mode) {
  const fs::path part = data_dir / (source.name() + ".part");
  Progress progress(source.name(), source.bytes, mode);
  for (;;) {
    const std::int64_t before = fs::exists(part) ? static_cast<std::int64_t>(fs::file_size(part)) : 0;
    if (before < source.bytes) {
      if (before > 0) progress.line(concat(part.string(), ": going on after ", before, " bytes"));
      download(source.url, part, source.bytes, [&](std::int64_t bytes) { progress.update(bytes); });
    }
    const std::string sum = sha256(part);
    if (sum == source.sha256) return part;
    const auto size = fs::file_size(part);
    fs::remove(part);
    TK_CHECK(before > 0, printable(source.url), ": has SHA-256 ", sum, " and ", size, " bytes, expected ",
             source.sha256, " and ", source.bytes);
  }
}

void unpack(const GlueTask& task, const std::vector<fs::path>& parts, const fs::path& folder) {
  if (task.task.name == "mrpc") {
    const MrpcTexts texts = mrpc_texts(read_text(parts[0]), read_text(parts[1]), read_text(parts[2]));
    write_file_atomically(folder / "train.tsv", texts.train);
    write_file_atomically(folder / "dev.tsv", texts.dev);
    write_file_atomically(folder / "test.tsv", texts.test);
  } else if (parts.front().string().ends_with(".zip.part")) {
    unzip_files(parts.front(), task.folder, files_of(task), folder);
  } else {
    write_file_atomically(folder / task.splits.front().file, read_text(parts.front()));
  }
}

}  // namespace

bool download_task(const GlueTask& task, std::span<const GlueSource> sources, const fs::path& data_dir,
                   ProgressMode progress) {
  const fs::path folder = data_dir / task.folder;
  if (is_there(task, folder)) return false;
  fs::create_directories(data_dir);
  std::vector<fs::path> parts;
  for (const GlueSource& source : sources) {
    if (source.task == task.task.name) parts.push_back(fetched(source, data_dir, progress));
  }
  AtomicFolder complete(folder);
  unpack(task, parts, complete.path());
  complete.commit();
  for (const fs::path& part : parts) fs::remove(part);
  return true;
}

std::vector<GlueSource> sources_at(const std::string& url, std::vector<GlueSource> sources) {
  for (GlueSource& source : sources) source.url = url + (url.ends_with('/') ? "" : "/") + source.name();
  return sources;
}

}  // namespace tk
