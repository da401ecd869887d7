#include "tensor/io/safetensors.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>

#include "tensor/io/atomic_file.h"
#include "tensor/io/float16.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/input_file.h"
#include "tensor/io/stored_elements.h"

namespace tk {
namespace {

// A tensor to be written: the elements are converted only when their turn comes.
struct Output {
  const NamedTensor* source;
  std::string_view dtype;
  std::int64_t bytes;
};

Output plan(const NamedTensor& named, FloatStorage storage) {
  const Tensor& x = named.tensor;
  TK_CHECK(x.defined(), "save_safetensors: tensor ", in_quotes(named.name), " is undefined");
  TK_CHECK(named.name != "__metadata__", "save_safetensors: __metadata__ is no name for a tensor");
  if (storage == FloatStorage::kSame || !is_floating(x.dtype())) return {&named, stored_name(x.dtype()), x.bytes()};
  switch (storage) {
    case FloatStorage::kFloat16:
      return {&named, "F16", x.numel() * 2};
    case FloatStorage::kBFloat16:
      return {&named, "BF16", x.numel() * 2};
    default:
      return {&named, "F32", x.numel() * 4};
  }
}

std::vector<Output> plan(std::span<const NamedTensor> tensors, FloatStorage storage) {
  std::vector<Output> outputs;
  outputs.reserve(tensors.size());
  for (const NamedTensor& named : tensors) outputs.push_back(plan(named, storage));
  std::ranges::sort(outputs, {}, [](const Output& o) {
    return std::tuple(-safetensors_dtype_rank(o.dtype), std::string_view(o.source->name));
  });
  return outputs;
}

std::string header_text(const std::vector<Output>& outputs, const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  std::map<std::string_view, bool> seen;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::int64_t begin = 0;
  for (const Output& output : outputs) {
    const std::string& name = output.source->name;
    const Shape& shape = output.source->tensor.shape();
    TK_CHECK(seen.emplace(name, true).second, "save_safetensors: two tensors are called ", in_quotes(name));
    // push_back: ordered_json looks a key up by a linear search.
    header.get_ref<nlohmann::ordered_json::object_t&>().emplace_back(
        name, nlohmann::ordered_json{{"dtype", output.dtype},
                                     {"shape", std::vector<std::int64_t>(shape.begin(), shape.end())},
                                     {"data_offsets", {begin, begin + output.bytes}}});
    begin += output.bytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::type_error&) {
    throw Error("save_safetensors: a name or the metadata is not valid UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

std::vector<Float16> to_float16(const NamedTensor& named) {
  const Tensor x = named.tensor.to(Device::kCpu).to(DType::kFloat32).contiguous();
  const std::span values(x.data<float>(), static_cast<std::size_t>(x.numel()));
  std::vector<Float16> halves;
  halves.reserve(values.size());
  for (const float value : values) {
    const Float16& half = halves.emplace_back(value);
    TK_CHECK(!half.is_infinite() || std::isinf(value), "save_safetensors: tensor ", in_quotes(named.name), " holds ",
             value, ", beyond the range of float16 (65504)");
  }
  return halves;
}

void write_elements(AtomicFile& file, const Output& output) {
  if (output.dtype == "F16") {
    const std::vector<Float16> halves = to_float16(*output.source);
    return file.write(std::as_bytes(std::span(halves)));
  }
  const Tensor x = output.source->tensor.to(Device::kCpu).to(stored_dtype(output.dtype)).contiguous();
  file.write({static_cast<const std::byte*>(x.raw_data()), static_cast<std::size_t>(x.bytes())});
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  SafetensorsFile file;
  file.file_ = std::make_shared<const InputFile>(path);
  file.header_ = read_safetensors_header(*file.file_);
  for (const SafetensorsEntry& entry : file.header_.entries) file.index_.emplace(entry.name, &entry);
  return file;
}

const std::string& SafetensorsFile::path() const { return file_->path(); }

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : found->second;
}

Tensor SafetensorsFile::tensor(std::string_view name) const {
  const SafetensorsEntry* entry = find(name);
  TK_CHECK(entry != nullptr, path(), ": no tensor is called ", in_quotes(name));
  return tensor(*entry);
}

Tensor SafetensorsFile::tensor(const SafetensorsEntry& entry) const {
  return read_elements(*file_, header_.data_begin + entry.begin, entry.shape, entry.dtype, entry.name);
}

void save_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                      const std::map<std::string, std::string>& metadata, FloatStorage storage) {
  const std::vector<Output> outputs = plan(tensors, storage);
  const std::string header = header_text(outputs, metadata);
  const std::uint64_t length = header.size();
  TK_CHECK(length <= kMaxSafetensorsHeader, path.string(), ": the names make a header of ", length, " bytes, at most ",
           kMaxSafetensorsHeader, " are allowed");
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (const Output& output : outputs) write_elements(file, output);
  file.commit();
}

}  // namespace tk
