#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace tk::cpu {

/// A table's rows by the place of an int32 id that names one; -1 names none, which is null. Throws "<op>: ..." on an id
/// out of range.
template <class T>
class NamedRows {
 public:
  NamedRows(const char* op, const Tensor& table, const Tensor& ids)
      : rows_(table.data<T>()), ids_(ids.data<std::int32_t>()), cols_(table.shape()[1]) {
    for (std::int64_t i = 0; i < ids.numel(); ++i) {
      TK_CHECK(ids_[i] >= -1 && ids_[i] < table.shape()[0], op, ": id ", ids_[i], " is out of range for a table of ",
               table.shape()[0]);
    }
  }

  const T* operator[](std::int64_t i) const { return ids_[i] < 0 ? nullptr : rows_ + ids_[i] * cols_; }
  const T* get(std::int64_t i, const T* none) const { return ids_[i] < 0 ? none : (*this)[i]; }
  std::int64_t id(std::int64_t i) const { return ids_[i]; }

 private:
  const T* rows_;
  const std::int32_t* ids_;
  std::int64_t cols_;
};

}  // namespace tk::cpu
