#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "data/glue_sources.h"
#include "data/glue_task.h"
#include "transkimmer/cli/run/progress.h"

namespace tk {

/// Makes `data_dir`/FOLDER of a task from its published files: downloads them as NAME.part beside it, where an earlier
/// start that did not come to its end is gone on with, checks their SHA-256, and puts the files that the task reads
/// into the folder, which appears whole; then the parts go. False where all of its files are there. Throws where some
/// are, and on a wrong checksum.
bool download_task(const GlueTask& task, std::span<const GlueSource> sources, const std::filesystem::path& data_dir,
                   ProgressMode progress);

/// The sources with what stands before their names replaced by another address: a mirror, or file://FOLDER.
std::vector<GlueSource> sources_at(const std::string& url, std::vector<GlueSource> sources);

}  // namespace tk
