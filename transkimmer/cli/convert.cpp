#include "transkimmer/cli/convert.h"

#include <vector>

#include "tensor/error.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/cli/signals.h"

namespace tk {
namespace fs = std::filesystem;

void convert(const fs::path& in, const fs::path& out, FloatStorage storage) {
  TK_CHECK(!fs::exists(out) || (fs::is_directory(out) && fs::is_empty(out)), out.string(),
           ": exists and is not an empty folder");
  const SafetensorsFile file = SafetensorsFile::open(weights_file(in));
  const fs::path folder = fs::is_directory(in) ? in : fs::absolute(in).parent_path();
  std::vector<NamedTensor> weights;
  for (const SafetensorsEntry& entry : file.entries()) {
    throw_if_stopped();
    weights.push_back({published_name(entry.name), file.tensor(entry)});
  }
  save_model_folder(out, load_config(folder), weights, {.copy_from = folder}, storage);
}

}  // namespace tk
