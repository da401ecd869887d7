#include "tensor/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <tuple>

#include "tensor/io/atomic_file.h"
#include "tensor/io/float16.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/input_file.h"

namespace tk {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is used as it lies in the file");

struct StoredType {
  std::string_view name;
  DType dtype;
};

// The dtypes of files that are dtypes of tensors too.
constexpr StoredType kStoredTypes[] = {{"BOOL", DType::kBool},     {"I32", DType::kInt32},   {"I64", DType::kInt64},
                                       {"BF16", DType::kBFloat16}, {"F32", DType::kFloat32}, {"F64", DType::kFloat64}};

std::string_view stored_name(DType dtype) { return std::ranges::find(kStoredTypes, dtype, &StoredType::dtype)->name; }

// A new tensor with the bytes of the file from `begin` on.
Tensor stored(const InputFile& file, std::int64_t begin, const Shape& shape, DType dtype) {
  const Tensor x = empty(shape, dtype);
  file.read(begin, {static_cast<std::byte*>(x.raw_data()), static_cast<std::size_t>(x.bytes())});
  return x;
}

// A new tensor with each element of type `From` in the file turned into a `To`.
template <class To, class From, class F>
Tensor converted(const InputFile& file, std::int64_t begin, const Shape& shape, F&& convert) {
  const Tensor x = empty(shape, dtype_of<To>);
  std::vector<From> elements(static_cast<std::size_t>(x.numel()));
  file.read(begin, std::as_writable_bytes(std::span(elements)));
  std::ranges::transform(elements, x.data<To>(), convert);
  return x;
}

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
  const DType dtype = std::ranges::find(kStoredTypes, output.dtype, &StoredType::name)->dtype;
  const Tensor x = output.source->tensor.to(Device::kCpu).to(dtype).contiguous();
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
  TK_CHECK(std::ssize(entry.shape) <= Shape::kMaxRank, path(), ": tensor ", in_quotes(entry.name), " has ",
           entry.shape.size(), " dimensions, at most ", Shape::kMaxRank, " are supported");
  const Shape shape{std::span(entry.shape)};
  const std::int64_t begin = header_.data_begin + entry.begin;
  if (entry.dtype == "F16") return converted<float, Float16>(*file_, begin, shape, [](Float16 x) { return float(x); });
  if (entry.dtype == "U8") return converted<std::int32_t, std::uint8_t>(*file_, begin, shape, std::identity());
  if (entry.dtype == "BOOL") return converted<bool, std::uint8_t>(*file_, begin, shape, [](auto x) { return x != 0; });
  const auto* found = std::ranges::find(kStoredTypes, entry.dtype, &StoredType::name);
  TK_CHECK(found != std::end(kStoredTypes), path(), ": tensor ", in_quotes(entry.name), " has dtype ", entry.dtype,
           ", which cannot be loaded; supported: F64, F32, F16, BF16, I64, I32, U8, BOOL");
  return stored(*file_, begin, shape, found->dtype);
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
