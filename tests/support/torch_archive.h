#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tensor/named_tensor.h"

// Files as torch.save writes them, made here.
namespace tk::test {

/// The lowest bytes of a number, little-endian.
inline std::string little_endian(std::uint64_t number, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(number >> (8 * i));
  return text;
}

using Archive = std::vector<std::pair<std::string, std::string>>;  // names and bytes

/// A zip archive of these entries, stored; with `in_64`, all sizes and places are written as 64-bit numbers.
inline std::string stored_zip(const Archive& entries, bool in_64 = false) {
  std::string file, directory;
  for (const auto& [name, bytes] : entries) {
    const std::string place = little_endian(file.size(), 8), size = little_endian(bytes.size(), 8);
    const std::string narrow_size = in_64 ? std::string(4, '\xff') : size.substr(0, 4);
    const std::string extra = in_64 ? little_endian(1, 2) + little_endian(24, 2) + size + size + place : "";
    const std::string before = std::string(10, '\0'), sizes = std::string(4, '\0') + narrow_size + narrow_size;
    file += "PK\3\4" + before + sizes + little_endian(name.size(), 2) + little_endian(3, 2) + name + "pad" + bytes;
    directory += std::string("PK\1\2") + std::string(12, '\0') + sizes + little_endian(name.size(), 2) +
                 little_endian(extra.size(), 2) + std::string(10, '\0') +
                 (in_64 ? std::string(4, '\xff') : place.substr(0, 4)) + name + extra;
  }
  const std::string begin = little_endian(file.size(), 8), size = little_endian(directory.size(), 8);
  const std::string count = little_endian(entries.size(), 8);
  std::string end;
  if (in_64) {
    end += "PK\6\6" + std::string(20, '\0') + count + count + size + begin;
    end += "PK\6\7" + std::string(4, '\0') + little_endian(file.size() + directory.size(), 8) + std::string(4, '\0');
  }
  const auto narrow = [&](const std::string& number, std::size_t bytes) {
    return in_64 ? std::string(bytes, '\xff') : number.substr(0, bytes);
  };
  end += "PK\5\6" + std::string(4, '\0') + narrow(count, 2) + narrow(count, 2) + narrow(size, 4) + narrow(begin, 4) +
         std::string(2, '\0');
  return file + directory + end;
}

/// Parts of a pickle of protocol 2.
inline std::string pickled(std::string_view text) { return 'X' + little_endian(text.size(), 4) + std::string(text); }
inline std::string pickled(std::int64_t number) {
  return "\x8a\x08" + little_endian(static_cast<std::uint64_t>(number), 8);
}
inline std::string pickled(std::span<const std::int64_t> numbers) {
  std::string text = "(";
  for (const std::int64_t number : numbers) text += pickled(number);
  return text + 't';
}

/// A tensor that lies in storage `key`, of `numel` elements of `type`.
inline std::string pickled_tensor(const std::string& type, const std::string& key, std::int64_t numel,
                                  std::int64_t offset, std::span<const std::int64_t> shape,
                                  std::span<const std::int64_t> strides) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + pickled("storage") + "ctorch\n" + type + "\n" + pickled(key) +
         pickled("cpu") + pickled(numel) + "tQ" + pickled(offset) + pickled(shape) + pickled(strides) +
         "\x89"
         "ccollections\nOrderedDict\n)RtR";
}

/// The pickle of a dict that has such values by these names.
inline std::string pickled_dict(const Archive& items) {
  std::string text = "\x80\x02}(";
  for (const auto& [name, value] : items) text += pickled(name) + value;
  return text + "u.";
}

/// The file of a state dict of float32 tensors.
inline std::string torch_archive(std::span<const NamedTensor> tensors) {
  Archive items, entries = {{"archive/data.pkl", ""}, {"archive/byteorder", "little"}};
  for (const NamedTensor& named : tensors) {
    const Tensor x = named.tensor.contiguous();
    const std::string key = std::to_string(items.size());
    const std::span<const std::int64_t> shape(x.shape().begin(), x.shape().end());
    const std::span<const std::int64_t> strides(x.strides().begin(), x.strides().end());
    items.emplace_back(named.name, pickled_tensor("FloatStorage", key, x.numel(), 0, shape, strides));
    entries.emplace_back("archive/data/" + key, std::string(reinterpret_cast<const char*>(x.data<float>()),
                                                            static_cast<std::size_t>(x.bytes())));
  }
  entries.front().second = pickled_dict(items);
  return stored_zip(entries);
}

}  // namespace tk::test
