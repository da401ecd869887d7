#include "tensor/io/torch_pickle.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <iomanip>
#include <memory>
#include <set>
#include <span>
#include <sstream>
#include <unordered_map>
#include <utility>
#include <variant>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/utf8.h"

namespace tk {
namespace {

struct StorageType {
  std::string_view global;
  std::string_view dtype;
  std::int64_t bytes;
};
constexpr StorageType kStorageTypes[] = {{"torch.FloatStorage", "F32", 4}, {"torch.DoubleStorage", "F64", 8},
                                         {"torch.HalfStorage", "F16", 2},  {"torch.BFloat16Storage", "BF16", 2},
                                         {"torch.LongStorage", "I64", 8},  {"torch.IntStorage", "I32", 4},
                                         {"torch.ShortStorage", "I16", 2}, {"torch.CharStorage", "I8", 1},
                                         {"torch.ByteStorage", "U8", 1},   {"torch.BoolStorage", "BOOL", 1}};

constexpr std::string_view kOrderedDict = "collections.OrderedDict", kTensor = "torch._utils._rebuild_tensor_v2",
                           kParameter = "torch._utils._rebuild_parameter";

// The opcodes of Python's pickletools of which a state dict is made.
enum Opcode : std::uint8_t {
  kProtocol = 0x80,
  kStop = '.',
  kMark = '(',
  kGlobal = 'c',
  kReduce = 'R',
  kBuild = 'b',
  kPersistentId = 'Q',
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kEmptyTuple = ')',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNone = 'N',
  kTrue = 0x88,
  kFalse = 0x89,
  kInt = 'J',
  kInt1 = 'K',
  kInt2 = 'M',
  kLong1 = 0x8a,
  kText = 'X',
  kPut = 'q',
  kLongPut = 'r',
  kGet = 'h',
  kLongGet = 'j',
};
constexpr int kProtocolNumber = 2;

// Values lie in one list and name each other by their places in it, so that none is ever copied and a cycle does no
// harm.
using Ref = std::uint32_t;
struct Nothing {};  // None, True, False: never of interest
struct Tuple {
  std::vector<Ref> items;
};
struct Dict {
  std::vector<std::pair<Ref, Ref>> items;
};
struct Global {
  std::string name;
};
struct StorageOf {
  const StorageType* type;
  std::string_view key;
  std::int64_t numel;
};
using TensorOf = std::shared_ptr<const PickledTensor>;
using Value = std::variant<Nothing, std::int64_t, std::string_view, Tuple, Dict, Global, StorageOf, TensorOf>;

constexpr const char* kKinds[] = {"nothing", "a number",   "text",      "a tuple",
                                  "a dict",  "a function", "a storage", "a tensor"};

template <class T, class... Kinds>
constexpr std::size_t index_of(const std::variant<Kinds...>*) {
  std::size_t index = 0;
  ((std::is_same_v<T, Kinds> || (++index, false)) || ...);
  return index;
}

class StateDictReader {
 public:
  StateDictReader(std::string_view pickle, const std::string& source) : pickle_(pickle), source_(source) {}

  std::vector<PickledTensor> read() {
    check(byte() == kProtocol && byte() == kProtocolNumber, "it is not of protocol ", kProtocolNumber);
    for (std::uint8_t opcode = byte(); opcode != kStop; opcode = byte()) run(opcode);
    check(stack_.size() == 1, "it ends with ", stack_.size(), " values");
    return tensors_of(get<Dict>(stack_.back()));
  }

 private:
  template <class... Parts>
  void check(bool holds, const Parts&... parts) const {
    if (!holds) fail(parts...);
  }
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    throw Error(concat(source_, ": its pickle is no state dict's: ", parts..., torch_conversion(source_)));
  }

  // The pickle's bytes, one after the other.
  std::string_view bytes(std::size_t count) {
    check(count <= pickle_.size() - at_, "it ends too early");
    const std::string_view taken = pickle_.substr(at_, count);
    at_ += count;
    return taken;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, bytes(sizeof value).data(), sizeof value);
    return value;
  }
  std::uint8_t byte() { return number<std::uint8_t>(); }
  std::string_view line() {
    const std::size_t end = pickle_.find('\n', at_);
    check(end != std::string_view::npos, "it ends too early");
    const std::string_view text = bytes(end - at_);
    bytes(1);
    return text;
  }

  void push(Value value) {
    stack_.push_back(static_cast<Ref>(values_.size()));
    values_.push_back(std::move(value));
  }
  Ref pop() {
    check(!stack_.empty() && (marks_.empty() || stack_.size() > marks_.back()), "it takes a value where there is none");
    const Ref top = stack_.back();
    stack_.pop_back();
    return top;
  }
  // The last `count` values in their order.
  std::vector<Ref> pop_last(std::size_t count) {
    std::vector<Ref> items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    return items;
  }
  std::vector<Ref> pop_to_mark() {
    check(!marks_.empty(), "it takes values from a mark where there is none");
    std::vector<Ref> items = pop_last(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }
  template <class T>
  T& get(Ref ref) {
    T* value = std::get_if<T>(&values_[ref]);
    check(value != nullptr, "expected ", kKinds[index_of<T>(&values_[ref])], ", got ", kKinds[values_[ref].index()]);
    return *value;
  }

  void run(std::uint8_t opcode) {
    switch (opcode) {
      case kMark:
        return marks_.push_back(stack_.size());
      case kGlobal:
        return push(global());
      case kReduce:
        return call();
      case kBuild:  // an OrderedDict's attributes, `_metadata`
        pop();
        return check(!stack_.empty() && std::holds_alternative<Dict>(values_[stack_.back()]),
                     "it gives attributes to what is no dict");
      case kPersistentId:
        return push(storage(get<Tuple>(pop())));
      case kEmptyDict:
        return push(Dict{});
      case kSetItem:
        return set_items(pop_last(2));
      case kSetItems:
        return set_items(pop_to_mark());
      case kEmptyTuple:
        return push(Tuple{});
      case kTuple:
        return push(Tuple{pop_to_mark()});
      case kTuple1:
      case kTuple2:
      case kTuple3:
        return push(Tuple{pop_last(opcode - kTuple1 + 1u)});
      case kNone:
      case kTrue:
      case kFalse:
        return push(Nothing{});
      case kInt:
        return push(std::int64_t{number<std::int32_t>()});
      case kInt1:
        return push(std::int64_t{byte()});
      case kInt2:
        return push(std::int64_t{number<std::uint16_t>()});
      case kLong1:
        return push(long_number());
      case kText:
        return push(text());
      case kPut:
        return put(byte());
      case kLongPut:
        return put(number<std::uint32_t>());
      case kGet:
        return stack_.push_back(memo(byte()));
      case kLongGet:
        return stack_.push_back(memo(number<std::uint32_t>()));
      default:
        std::ostringstream hexadecimal;
        hexadecimal << "0x" << std::hex << std::setw(2) << std::setfill('0') << int{opcode};
        fail("it has the opcode ", hexadecimal.str(), " at byte ", at_ - 1);
    }
  }

  void put(std::uint32_t place) {
    check(!stack_.empty(), "it keeps a value where there is none");
    memo_[place] = stack_.back();
  }
  Ref memo(std::uint32_t place) const {
    const auto found = memo_.find(place);
    check(found != memo_.end(), "it asks for a value that it has not kept");
    return found->second;
  }

  // Two's complement of at most 8 bytes.
  std::int64_t long_number() {
    const std::string_view digits = bytes(byte());
    check(digits.size() <= sizeof(std::int64_t), "it has a number of ", digits.size(), " bytes");
    std::int64_t value = !digits.empty() && (digits.back() & 0x80) != 0 ? -1 : 0;
    std::memcpy(&value, digits.data(), digits.size());
    return value;
  }

  std::string_view text() {
    const std::string_view text = bytes(number<std::uint32_t>());
    check(!find_invalid_utf8(text), "it has text that is not UTF-8");
    return text;
  }

  Global global() {
    const std::string module(line());
    Global global{concat(module, '.', line())};
    const bool is_known = global.name == kOrderedDict || global.name == kTensor || global.name == kParameter ||
                          std::ranges::count(kStorageTypes, global.name, &StorageType::global) > 0;
    check(is_known, "it asks for ", in_quotes(global.name), ", which is not run");
    return global;
  }

  void set_items(const std::vector<Ref>& items) {
    check(items.size() % 2 == 0 && !stack_.empty(), "it has a key without a value");
    Dict& dict = get<Dict>(stack_.back());
    for (std::size_t i = 0; i < items.size(); i += 2) dict.items.emplace_back(items[i], items[i + 1]);
  }

  void call() {
    const std::vector<Ref> arguments = get<Tuple>(pop()).items;
    const std::string name = get<Global>(pop()).name;
    if (name == kOrderedDict && arguments.empty()) return push(Dict{});
    if (name == kParameter && arguments.size() == 3) return push(get<TensorOf>(arguments[0]));
    if (name == kTensor && (arguments.size() == 6 || arguments.size() == 7)) return push(tensor(arguments));
    fail("it calls ", in_quotes(name), " with ", arguments.size(), " arguments");
  }

  // ("storage", torch.FloatStorage, "0", "cpu", 24)
  StorageOf storage(const Tuple& id) {
    check(id.items.size() == 5 && get<std::string_view>(id.items[0]) == "storage",
          "it names something else than a storage");
    const auto* type = std::ranges::find(kStorageTypes, get<Global>(id.items[1]).name, &StorageType::global);
    check(type != std::end(kStorageTypes), "it names a storage of no type");
    const StorageOf storage{type, get<std::string_view>(id.items[2]), get<std::int64_t>(id.items[4])};
    check(storage.numel >= 0 && storage.numel <= INT64_MAX / type->bytes, "a storage has ", storage.numel, " elements");
    return storage;
  }

  // (storage, offset, shape, strides, requires_grad, hooks)
  TensorOf tensor(const std::vector<Ref>& arguments) {
    const StorageOf& storage = get<StorageOf>(arguments[0]);
    auto tensor = std::make_shared<PickledTensor>();
    tensor->storage = storage.key;
    tensor->dtype = storage.type->dtype;
    tensor->storage_numel = storage.numel;
    tensor->offset = get<std::int64_t>(arguments[1]);
    tensor->shape = sizes(get<Tuple>(arguments[2]));
    tensor->strides = sizes(get<Tuple>(arguments[3]));
    check_place(*tensor);
    return tensor;
  }

  std::vector<std::int64_t> sizes(const Tuple& tuple) {
    std::vector<std::int64_t> sizes;
    for (const Ref item : tuple.items) {
      sizes.push_back(get<std::int64_t>(item));
      check(sizes.back() >= 0, "a tensor has a size or stride of ", sizes.back());
    }
    return sizes;
  }

  // Its elements lie in the storage, which has no fewer than it: one repeated any number of times would cost memory
  // that no file has.
  void check_place(const PickledTensor& tensor) const {
    check(tensor.shape.size() == tensor.strides.size(), "a tensor has ", tensor.shape.size(), " sizes and ",
          tensor.strides.size(), " strides");
    std::int64_t numel = 1, last = tensor.offset;
    bool overflows = tensor.offset < 0, is_empty = false;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      const std::int64_t extent = tensor.shape[i];
      is_empty |= extent == 0;
      std::int64_t reach = 0;
      overflows |= __builtin_mul_overflow(numel, std::max<std::int64_t>(extent, 1), &numel);
      overflows |= __builtin_mul_overflow(std::max<std::int64_t>(extent - 1, 0), tensor.strides[i], &reach);
      overflows |= __builtin_add_overflow(last, reach, &last);
    }
    check(!overflows && (is_empty ? tensor.offset <= tensor.storage_numel
                                  : last < tensor.storage_numel && numel <= tensor.storage_numel),
          "a tensor has elements outside its storage, or some more than once");
  }

  std::vector<PickledTensor> tensors_of(const Dict& dict) {
    std::vector<PickledTensor> tensors;
    std::set<std::string_view> names;
    for (const auto& [key, value] : dict.items) {
      const std::string_view name = get<std::string_view>(key);
      check(std::holds_alternative<TensorOf>(values_[value]), in_quotes(name), " is ", kKinds[values_[value].index()],
            ", not a tensor");
      check(names.insert(name).second, "two tensors are called ", in_quotes(name));
      tensors.push_back(*std::get<TensorOf>(values_[value]));
      tensors.back().name = name;
    }
    return tensors;
  }

  std::string_view pickle_;
  const std::string& source_;
  std::size_t at_ = 0;
  std::vector<Value> values_;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<std::uint32_t, Ref> memo_;
};

}  // namespace

std::int64_t PickledTensor::numel() const {
  std::int64_t numel = 1;
  for (const std::int64_t extent : shape) numel *= extent;
  return numel;
}

std::int64_t PickledTensor::span() const {
  if (numel() == 0) return 0;
  std::int64_t last = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) last += (shape[i] - 1) * strides[i];
  return last + 1;
}

std::int64_t torch_element_bytes(std::string_view dtype) {
  return std::ranges::find(kStorageTypes, dtype, &StorageType::dtype)->bytes;
}

std::vector<PickledTensor> read_state_dict(std::string_view pickle, const std::string& source) {
  return StateDictReader(pickle, source).read();
}

std::string torch_conversion(const std::string& path) {
  const std::filesystem::path file = std::filesystem::path(path).filename();
  std::string stem = file.stem().string();
  if (stem.starts_with("pytorch_model")) stem.erase(0, std::string_view("pytorch_").size());
  return concat("; to convert it, in its folder: python -c \"import torch,safetensors.torch as s;s.save_file({k:",
                "v.contiguous().clone() for k,v in torch.load('", printable(file.string()),
                "','cpu',weights_only=True).items()},'", printable(stem), ".safetensors')\"");
}

}  // namespace tk
