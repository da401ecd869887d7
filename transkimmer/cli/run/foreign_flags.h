#pragma once

#include <string_view>

namespace tk {

/// A flag of other programs' scripts that this one does not have, and what becomes of it: Hugging Face's run_glue.py in
/// every generation, run_glue_no_trainer.py, the Trainer's arguments, and run_classifier.py of pytorch-pretrained-BERT
/// and of Google.
struct ForeignFlag {
  const char* name;
  const char* same = nullptr;      ///< our flag that takes the same values
  const char* means = nullptr;     ///< our flag and value where this one is true: "--device=cpu"
  const char* harmless = nullptr;  ///< the values, with commas between, that change nothing here; kAnyValue: all
  const char* why = nullptr;       ///< why they do not; where it means another flag, what that does otherwise
  const char* instead = nullptr;   ///< what to do in place of its other values
};

inline constexpr const char* kAnyValue = "*";
// Harmless values that other flags say.
inline constexpr const char* kModelFolder = "@model";        ///< the model folder
inline constexpr const char* kInModelFolder = "@in_model";   ///< a file in it
inline constexpr const char* kSeedValue = "@seed";           ///< the seed
inline constexpr const char* kModelsLowerCase = "@uncased";  ///< whether the model's tokenizer lower-cases

/// The foreign flag of that name, with dashes in front, or nothing.
const ForeignFlag* find_foreign_flag(std::string_view name);

}  // namespace tk
