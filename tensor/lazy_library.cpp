#include "tensor/lazy_library.h"

#include <dlfcn.h>

#include <utility>

#include "tensor/error.h"

namespace tk {
namespace {

std::string reason() {
  const char* text = ::dlerror();
  return text != nullptr ? text : "no reason is known";
}

}  // namespace

LazyLibrary::LazyLibrary(std::string name, Symbols symbols)
    : name_(std::move(name)),
      handle_(::dlopen(name_.c_str(), RTLD_NOW | (symbols == Symbols::kShared ? RTLD_GLOBAL : RTLD_LOCAL))) {
  if (handle_ == nullptr) throw Error("cannot load a library: " + reason());
}

void* LazyLibrary::symbol(const char* name) const {
  void* found = ::dlsym(handle_, name);
  TK_CHECK(found != nullptr, name_, ": has no ", name);
  return found;
}

}  // namespace tk
