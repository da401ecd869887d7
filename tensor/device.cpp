#include "tensor/device.h"

#include <ostream>

namespace tk {

const char* name(Device device) { return device == Device::kCpu ? "cpu" : "cuda"; }

std::ostream& operator<<(std::ostream& out, Device device) { return out << name(device); }

}  // namespace tk
