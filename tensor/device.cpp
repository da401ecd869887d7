#include "tensor/device.h"

#include <ostream>

namespace tk {

const char* name(Device device) {
  static constexpr PerDevice<const char*> kNames{"cpu", "cuda"};
  return kNames[device];
}

std::ostream& operator<<(std::ostream& out, Device device) { return out << name(device); }

}  // namespace tk
