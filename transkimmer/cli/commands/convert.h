#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "tensor/choices.h"
#include "transkimmer/cli/run/task_flags.h"

namespace tk {

/// What a model folder's weights are stored in. int8: those of is_int8_weight, the others in float32.
enum class WeightStorage : std::uint8_t { kFloat32, kFloat16, kBFloat16, kInt8 };
inline constexpr Choice<WeightStorage> kWeightStorages[] = {{WeightStorage::kFloat32, "float32"},
                                                            {WeightStorage::kFloat16, "float16"},
                                                            {WeightStorage::kBFloat16, "bfloat16"},
                                                            {WeightStorage::kInt8, "int8"}};
inline Choices<WeightStorage> choices(WeightStorage) { return kWeightStorages; }

/// Writes the model folder `in` again as `out`, with its floating-point and int8 weights in `storage` and every weight
/// under its published name. `in` may also name the weights' file inside the folder. `out` must not exist or be an
/// empty folder. Throws tk::Error.
void convert(const std::filesystem::path& in, const std::filesystem::path& out, WeightStorage storage);

/// What that cost: a table of the scores of both folders on the dev set that `task` names, on the CPU, and of how many
/// answers differ. Throws as eval does.
std::string conversion_cost(const std::filesystem::path& in, const std::filesystem::path& out, TaskFlags task);

}  // namespace tk
