#include "tensor/io/torch_file.h"

#include <algorithm>
#include <utility>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/input_file.h"
#include "tensor/io/stored_elements.h"
#include "tensor/io/stored_zip.h"
#include "tensor/io/torch_pickle.h"

namespace tk {
namespace {

constexpr std::int64_t kMostPickle = 4 << 20;  // some 40,000 tensors
constexpr std::string_view kPickle = "/data.pkl";
// A pickle of protocol 2 that begins with the number 0x1950a86a20f9469cfc6c, of torch before 1.6.
constexpr std::string_view kLegacy = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

std::string read_bytes(const InputFile& file, const StoredEntry& entry) {
  std::string text(static_cast<std::size_t>(entry.size), '\0');
  file.read(entry.begin, std::as_writable_bytes(std::span(text)));
  return text;
}

void check_not_legacy(const InputFile& file) {
  const std::string head = read_bytes(file, {0, std::min<std::int64_t>(file.size(), std::ssize(kLegacy))});
  TK_CHECK(head != kLegacy, file.path(), ": of torch before 1.6, a pickle alone, which is not read",
           torch_conversion(file.path()));
}

// The folder of the archive that holds all: it is called as the file was when it was written.
std::string folder_of(const InputFile& file, const StoredEntries& entries) {
  for (const auto& [name, entry] : entries) {
    if (name.ends_with(kPickle) && name.find('/') == name.size() - kPickle.size()) {
      return name.substr(0, name.size() - kPickle.size() + 1);
    }
  }
  throw Error(concat(file.path(), ": not a file of torch.save: the zip archive has no data.pkl"));
}

void check_byte_order(const InputFile& file, const StoredEntries& entries, const std::string& folder) {
  const auto order = entries.find(folder + "byteorder");
  if (order == entries.end()) return;
  TK_CHECK(order->second.size == 6 && read_bytes(file, order->second) == "little", file.path(),
           ": its numbers are not little-endian");
}

std::string read_pickle(const InputFile& file, const StoredEntry& entry) {
  TK_CHECK(entry.size <= kMostPickle, file.path(), ": expected a data.pkl of at most ", kMostPickle, " bytes, got ",
           entry.size);
  return read_bytes(file, entry);
}

// The entry of a tensor's storage, which has the bytes that the pickle says.
const StoredEntry& storage_of(const PickledTensor& tensor, const InputFile& file, const StoredEntries& entries,
                              const std::string& folder) {
  const auto found = entries.find(concat(folder, "data/", tensor.storage));
  TK_CHECK(found != entries.end(), file.path(), ": tensor ", in_quotes(tensor.name), ": the archive has no storage ",
           in_quotes(tensor.storage));
  const std::int64_t bytes = tensor.storage_numel * torch_element_bytes(tensor.dtype);
  TK_CHECK(found->second.size == bytes, file.path(), ": tensor ", in_quotes(tensor.name), ": expected a storage of ",
           bytes, " bytes, got ", found->second.size);
  return found->second;
}

// Of elements with these places in `x`, one row.
Tensor strided(const Tensor& x, std::span<const std::int64_t> shape, std::span<const std::int64_t> strides) {
  auto storage = std::make_shared<Storage>(Device::kCpu, x.raw_data(), x.bytes(), std::make_shared<Tensor>(x));
  return Tensor(std::move(storage), x.dtype(), Shape(shape), Shape(strides), 0).contiguous();
}

}  // namespace

TorchFile TorchFile::open(const std::filesystem::path& path) {
  TorchFile torch;
  torch.file_ = std::make_shared<const InputFile>(path);
  const InputFile& file = *torch.file_;
  check_not_legacy(file);
  const StoredEntries entries = read_stored_zip(file);
  const std::string folder = folder_of(file, entries);
  check_byte_order(file, entries, folder);
  const std::string pickle = read_pickle(file, entries.at(folder + "data.pkl"));
  for (PickledTensor& tensor : read_state_dict(pickle, file.path())) {
    const std::int64_t bytes = torch_element_bytes(tensor.dtype);
    const std::int64_t begin = storage_of(tensor, file, entries, folder).begin + tensor.offset * bytes;
    torch.layouts_[tensor.name] = {torch.entries_.size(), tensor.span(), tensor.strides};
    torch.entries_.push_back(
        {tensor.name, std::string(tensor.dtype), tensor.shape, begin, begin + tensor.numel() * bytes});
  }
  return torch;
}

const std::string& TorchFile::path() const { return file_->path(); }

Tensor TorchFile::tensor(std::string_view name) const {
  const auto found = layouts_.find(name);
  TK_CHECK(found != layouts_.end(), path(), ": no tensor is called ", in_quotes(name));
  const Layout& layout = found->second;
  const SafetensorsEntry& entry = entries_[layout.entry];
  if (std::ssize(entry.shape) > Shape::kMaxRank ||
      std::ranges::equal(layout.strides, contiguous_strides(Shape(std::span(entry.shape))))) {
    return read_elements(*file_, entry.begin, entry.shape, entry.dtype, entry.name);
  }
  const std::int64_t span[] = {layout.span};
  return strided(read_elements(*file_, entry.begin, span, entry.dtype, entry.name), entry.shape, layout.strides);
}

}  // namespace tk
