#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "tensor/dtype.h"
#include "tensor/tensor.h"

// Elements in files of weights: row-major, little-endian, their type by safetensors' name for it.
namespace tk {

class InputFile;

/// The name of a tensor's dtype in a file.
std::string_view stored_name(DType dtype);
/// The dtype of that name, which tensors must have.
DType stored_dtype(std::string_view name);

/// A new tensor of the file's elements from byte `begin` on. F32, F64, BF16, I32, I64 and BOOL keep their dtype; F16
/// becomes float32 and U8 int32. Throws for any other dtype, for more than Shape::kMaxRank dimensions, naming the
/// tensor, and where the file ends before.
Tensor read_elements(const InputFile& file, std::int64_t begin, std::span<const std::int64_t> shape,
                     std::string_view dtype, std::string_view tensor);

}  // namespace tk
