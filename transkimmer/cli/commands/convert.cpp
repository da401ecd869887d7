#include "transkimmer/cli/commands/convert.h"

#include <vector>

#include "transkimmer/checkpoint.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/families/family.h"
#include "transkimmer/training/task_model.h"
#include "transkimmer/weight_files.h"

namespace tk {
namespace fs = std::filesystem;

void convert(const fs::path& in, const fs::path& out, FloatStorage storage) {
  const bool is_new = is_new_folder(out);
  const WeightFiles file = WeightFiles::open(in);
  const fs::path folder = fs::is_directory(in) ? in : fs::absolute(in).parent_path();
  const Config config = load_config(folder);
  const FolderTexts tokenizer = read_tokenizer_files(folder, config.family());
  if (!tokenizer.files.empty()) make_tokenizer(tokenizer, config.family());  // throws unless it is one
  std::vector<NamedTensor> weights;
  for (const SafetensorsEntry& entry : file.entries()) {
    throw_if_stopped();
    weights.push_back({config.family().published_name(entry.name), file.tensor(entry.name)});
  }
  const auto save = is_new ? save_new_model_folder : save_model_folder;
  save(out, config, weights, tokenizer, storage);
}

}  // namespace tk
