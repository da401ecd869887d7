#pragma once

#include <string>

namespace tk {

/// A shared library that is loaded when it is first needed: what a few uses need costs the others neither time nor a
/// dependency. It stays loaded.
class LazyLibrary {
 public:
  enum class Symbols : bool {
    kOwn,    ///< seen by the library alone
    kShared  ///< seen by what the library loads itself
  };

  /// By its file's name: "libcurl.so.4". Throws where it cannot be loaded.
  explicit LazyLibrary(std::string name, Symbols symbols = Symbols::kOwn);

  /// The function of that name and type. Throws where there is none.
  template <class Function>
  Function* function(const char* name) const {
    return reinterpret_cast<Function*>(symbol(name));
  }
  /// The address of what has that name. Throws where nothing has.
  void* symbol(const char* name) const;

 private:
  std::string name_;
  void* handle_;
};

}  // namespace tk

/// A member that calls the library's function of that name; the class has a LazyLibrary `library` before it.
#define TK_LAZY_FUNCTION(name) decltype(::name)* name = library.function<decltype(::name)>(#name)
