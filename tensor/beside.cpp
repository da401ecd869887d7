#include "tensor/beside.h"

#include <array>
#include <deque>
#include <utility>
#include <vector>

#include "tensor/allocator.h"
#include "tensor/backend.h"
#include "tensor/profile.h"

namespace tk {
namespace {

// Work that may not be done yet: what it captured, what it freed, and how to come after it.
struct Pending {
  Device device;
  BesideNumber number;
  std::function<void()> work;
  std::vector<FreedBlock> freed = {};
  std::function<void()> wait = {};  // empty before it is asked for

  Pending(Device device, BesideNumber number, std::function<void()> work)
      : device(device), number(number), work(std::move(work)) {}
  Pending(Pending&&) = default;
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  ~Pending() {
    for (const FreedBlock& block : freed) deallocate(device, block.data, block.bytes);
  }

  void ask() {
    const Backend& its = backend(device);
    its.begin_beside();
    hold_freed(device, &freed);
    const auto end = [&] {
      hold_freed(device, nullptr);
      wait = its.end_beside();
    };
    try {
      work();
    } catch (...) {
      end();
      throw;
    }
    end();
  }
};

// A device's work, in its order.
class Work {
 public:
  BesideNumber add(Device device, std::function<void()> work, bool later) {
    constexpr std::size_t kMost = 8;
    while (pending_.size() >= kMost) finish_first();
    pending_.emplace_back(device, ++last_, std::move(work));
    if (!later) ask();
    return last_;
  }

  void join(BesideNumber last) {
    while (!pending_.empty() && pending_.front().number <= last) finish_first();
  }
  BesideNumber last() const { return last_; }
  /// Whether some is being asked for just now; what it asks for beside is a part of it.
  bool is_asking() const { return is_asking_; }

 private:
  void ask() {
    is_asking_ = true;
    try {
      for (Pending& work : pending_) {
        if (!work.wait) work.ask();
      }
    } catch (...) {
      is_asking_ = false;
      throw;
    }
    is_asking_ = false;
  }

  void finish_first() {
    if (!pending_.front().wait) ask();
    const Pending first = std::move(pending_.front());
    pending_.pop_front();
    first.wait();
  }

  std::deque<Pending> pending_;
  BesideNumber last_ = 0;
  bool is_asking_ = false;
};

Work& work_of(Device device) {
  static std::array<Work, kDevices> all;
  return all[static_cast<std::size_t>(device)];
}

BesideNumber run(Device device, std::function<void()> work, bool later) {
  Work& all = work_of(device);
  const bool has_room = backend(device).begin_beside != nullptr && !is_profiling() && !all.is_asking();
  if (has_room) return all.add(device, std::move(work), later);
  work();
  return all.last();
}

}  // namespace

BesideNumber run_beside(Device device, std::function<void()> work) { return run(device, std::move(work), false); }

BesideNumber run_beside_later(Device device, std::function<void()> work) { return run(device, std::move(work), true); }

void join_beside(Device device) { join_beside(device, work_of(device).last()); }

void join_beside(Device device, BesideNumber last) { work_of(device).join(last); }

}  // namespace tk
