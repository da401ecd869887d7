#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "tensor/error.h"
#include "tensor/threads.h"

namespace tk {

/// Items 0 to count - 1, each from make(i), in that order whoever makes them. With `ahead` one other thread does, at
/// most two items before they are asked for; else next() does. Another thread pays where the caller waits for a device;
/// beside kernels of the CPU it would take a core from them.
template <class T>
class Prefetch {
 public:
  /// What `make` refers to must outlive this. With `ahead` it must ask nothing of a device but the CPU: the device's
  /// work is in the order in which one thread asks for it.
  Prefetch(std::int64_t count, bool ahead, std::function<T(std::int64_t)> make)
      : count_(count), make_(std::move(make)) {
    if (ahead) thread_ = std::jthread([this](const std::stop_token& stop) { make_all(stop); });
  }
  /// Waits for the item that is being made; the others are not made.
  ~Prefetch() = default;
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;

  /// The next item, or throws what making it threw.
  T next() {
    TK_CHECK(given_ < count_, "prefetch: all ", count_, " items were given");
    const std::int64_t i = given_++;
    if (!thread_.joinable()) return make_(i);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return made_.has_value(); });
    std::future<T> item = std::move(*std::exchange(made_, std::nullopt));
    lock.unlock();
    changed_.notify_all();
    return item.get();
  }

 private:
  void make_all(const std::stop_token& stop) {
    set_own_num_threads(1);
    for (std::int64_t i = 0; i < count_ && !stop.stop_requested(); ++i) {
      std::future<T> item = make_one(i);
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [this] { return !made_.has_value(); })) return;
      made_ = std::move(item);
      lock.unlock();
      changed_.notify_all();
    }
  }

  // What get() returns or throws. Nothing of it stays with this thread.
  std::future<T> make_one(std::int64_t i) {
    std::packaged_task<T()> task([this, i] { return make_(i); });
    std::future<T> item = task.get_future();
    task();
    return item;
  }

  std::int64_t count_;
  std::function<T(std::int64_t)> make_;
  std::int64_t given_ = 0;
  std::mutex mutex_;  // of what follows
  std::condition_variable_any changed_;
  std::optional<std::future<T>> made_;
  std::jthread thread_;  // the last member: it ends before the others do
};

}  // namespace tk
