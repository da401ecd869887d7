#include "data/glue_reader.h"
#include "data/tsv_reader.h"
#include "tensor/error.h"
#include "tests/fuzz/fuzz.h"

namespace tk::fuzz {
namespace {

void check_reader(const std::filesystem::path& path, std::size_t size) {
  TsvReader reader(path);
  std::vector<std::string_view> fields;
  std::size_t bytes = 0;
  for (std::int64_t line = 0; reader.next(fields); line = reader.line()) {
    require(reader.line() > line, "lines are counted");
    require(!fields.empty(), "a line has a field");
    for (const std::string_view field : fields) {
      require(field.find_first_of("\t\n\r") == field.npos, "fields hold no tab and no line end");
      bytes += field.size() + 1;
    }
  }
  require(bytes <= size + 1, "fields lie in the file");
}

void check_examples(const GlueTask& task, const SplitInfo& info, const std::filesystem::path& path) {
  const GlueExamples split = read_examples(task, info, {.path = path, .subset = false});
  require(split.rows == split.skipped + std::ssize(split.examples), "a row is skipped or an example");
  for (const Example& example : split.examples) {
    require(example.id >= 0 && example.id < split.rows, "ids count rows");
    require(example.has_b == (task.task.texts == 2), "pairs have two texts");
    require(!info.labelled() ||
                (example.label >= 0 && example.label <= (task.task.regression() ? 5 : task.task.outputs() - 1)),
            "labels are of the task");
  }
}

}  // namespace
}  // namespace tk::fuzz

// The first byte of an input chooses the task, the second one its split; the rest is the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tk;
  if (size < 2) return 0;
  const auto path = fuzz::folder() / "file.tsv";
  write_bytes(path, std::string(fuzz::text_of(data + 2, size - 2)));
  const GlueTask& task = glue_tasks()[data[0] % glue_tasks().size()];
  try {
    fuzz::check_reader(path, size);
    fuzz::check_examples(task, task.splits[data[1] % task.splits.size()], path);
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).find(path.string()) != std::string_view::npos, "errors name the file");
  }
  return 0;
}
