#include "transkimmer/families/family.h"

#include "transkimmer/families/bert.h"

namespace tk {
namespace {

constexpr const Family* kFamilies[] = {&kBert};

}  // namespace

std::span<const Family* const> families() { return kFamilies; }

const Family* find_family(std::string_view model_type) {
  for (const Family* family : kFamilies) {
    if (model_type == family->model_type) return family;
  }
  return nullptr;
}

}  // namespace tk
