#pragma once

#include <filesystem>

// How a finished run takes the place of an earlier one: by renaming alone, the weights first to go and last to come, so
// that at no moment one run's weights lie beside another one's configuration.
namespace tk {

/// Puts the finished run that lies in `staged`, a folder in `folder`, into the place of the run that lies in `folder`,
/// which goes, as do other unfinished runs there. Where that fails all is as it was before; throws tk::Error with the
/// path at fault.
void replace_run(const std::filesystem::path& folder, const std::filesystem::path& staged);

/// Completes what a process that was killed within replace_run left half done in `folder`, if there is such.
void complete_replacement(const std::filesystem::path& folder);

}  // namespace tk
