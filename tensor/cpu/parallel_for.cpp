#include "tensor/parallel_for.h"

#include <omp.h>
#include <strings.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "tensor/error.h"
#include "tensor/threads.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// OpenMP gives the threads: those of one region, which lasts as long as the thread whose loops they share. How they
// wait is ours. In a loop of OpenMP's own each waits for all others at the end: asleep, and then it takes tens of
// microseconds to wake where processors are virtual, or looking, and then it takes the core of the one it waits for
// wherever another program computes too.
namespace tk {
namespace {

thread_local int index_in_loop = 0;
thread_local bool is_in_loop = false;

using Clock = std::chrono::steady_clock;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// How long a thread looks before it sleeps.
constexpr Clock::duration kPatience = std::chrono::microseconds(200);

// OMP_WAIT_POLICY=passive: no thread ever looks.
bool may_look() {
  static const bool chosen = [] {
    const char* const set = std::getenv("OMP_WAIT_POLICY");
    return set == nullptr || ::strcasecmp(set, "passive") != 0;
  }();
  return chosen;
}

// Whether others want the calling thread's core: it lost it lately though it had something to do. To look would cost it
// its turn when there is work.
class Rivals {
 public:
  bool seen(Clock::time_point now) {
    if (const auto since = now - looked_; since >= kOften) {
      looked_ = now;
      const std::int64_t lost = times_lost();
      if (lost - lost_ >= kMany * (since / kOften)) until_ = now + kLong;
      lost_ = lost;
    }
    return now < until_;
  }

 private:
  static constexpr Clock::duration kOften = std::chrono::milliseconds(20), kLong = std::chrono::milliseconds(100);
  static constexpr std::int64_t kMany = 3;  // in kOften; an idle system takes the core some times a second

  static std::int64_t times_lost() {
#ifdef RUSAGE_THREAD
    rusage usage;
    return ::getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
#else
    return 0;
#endif
  }

  Clock::time_point looked_, until_;
  std::int64_t lost_ = 0;
};

thread_local Rivals rivals;

// Returns what `word` has become where it was `old`.
int await_change(std::atomic<int>& word, int old) {
  constexpr int kLooks = 16;  // between two looks at the clock
  const auto begin = Clock::now();
  if (may_look() && !rivals.seen(begin)) {
    do {
      for (int i = 0; i < kLooks; ++i) {
        const int now = word.load(std::memory_order_acquire);
        if (now != old) return now;
        pause();
      }
    } while (Clock::now() - begin < kPatience);
  }
  word.wait(old);
  return word.load();
}

// A thread's own part of [0, n), from which others take when they have done theirs.
struct alignas(64) Share {
  std::atomic<std::int64_t> next = 0;
  std::int64_t end = 0;
};

struct InLoop {
  explicit InLoop(int index) : index_before(index_in_loop), was_in_loop(is_in_loop) {
    index_in_loop = index;
    is_in_loop = true;
  }
  ~InLoop() {
    index_in_loop = index_before;
    is_in_loop = was_in_loop;
  }
  InLoop(const InLoop&) = delete;
  InLoop& operator=(const InLoop&) = delete;

  int index_before;
  bool was_in_loop;
};

// The thread that owns it and those that help it.
class Team {
 public:
  explicit Team(int threads) : size_(threads), shares_(threads), region_([this] { keep_region(); }) {
    state_.wait(kBegins);
  }
  ~Team() {
    state_ = kEnds;
    state_.notify_one();
    announce();
    region_.join();
  }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return size_; }

  void run(std::int64_t n, int threads, const LoopBody& body) {
    loop_ = {&body, threads};
    for (int t = 0; t < threads; ++t) {
      shares_[t].next.store(n * t / threads, std::memory_order_relaxed);
      shares_[t].end = n * (t + 1) / threads;
    }
    joined_.store(kOpen, std::memory_order_release);
    announce();
    take_part(0);
    int left = joined_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
    while (left != 0) left = await_change(joined_, left);
    if (has_failed_.exchange(false)) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  static constexpr int kOpen = 1, kOne = 2;
  static constexpr int kBegins = 0, kLasts = 1, kEnds = 2;

  struct Loop {
    const LoopBody* body = nullptr;
    int threads = 0;
  };

  void announce() {
    announced_.fetch_add(1);
    announced_.notify_all();
  }

  // The region's first thread sleeps in the caller's place, so that OMP_PROC_BIND puts the others beside the caller.
  void keep_region() {
    omp_set_dynamic(0);
#pragma omp parallel num_threads(size_)
    omp_get_thread_num() == 0 ? keep_place() : help(omp_get_thread_num());
  }

  void keep_place() {
    state_ = kLasts;
    state_.notify_one();
    state_.wait(kLasts);
  }

  void help(int me) {
    for (int seen = 0; state_ != kEnds;) {
      seen = await_change(announced_, seen);
      if (join()) work(me);
    }
  }

  bool join() {
    int now = joined_.load(std::memory_order_relaxed);
    while ((now & kOpen) != 0) {
      if (!joined_.compare_exchange_weak(now, now + kOne, std::memory_order_acq_rel)) continue;
      return true;
    }
    return false;
  }

  void work(int me) {
    if (me < loop_.threads) take_part(me);
    if (joined_.fetch_sub(kOne, std::memory_order_acq_rel) == kOne) joined_.notify_one();
  }

  void take_part(int me) {
    const InLoop in_loop(me);
    try {
      for (int t = 0; t < loop_.threads; ++t) take((me + t) % loop_.threads);
    } catch (...) {
      if (!has_failed_.exchange(true)) failure_ = std::current_exception();
    }
  }

  void take(int whose) {
    Share& share = shares_[whose];
    for (;;) {
      const std::int64_t i = share.next.fetch_add(1, std::memory_order_relaxed);
      if (i >= share.end || has_failed_.load(std::memory_order_relaxed)) return;
      (*loop_.body)(i);
    }
  }

  int size_;
  std::vector<Share> shares_;
  Loop loop_;                                   // written while nobody has joined
  alignas(64) std::atomic<int> announced_ = 0;  // loops
  alignas(64) std::atomic<int> joined_ = 0;     // kOne for each helper in the loop, and kOpen while one may join
  std::atomic<bool> has_failed_ = false;
  std::exception_ptr failure_;
  std::atomic<int> state_ = kBegins;  // the region's
  std::thread region_;
};

Team& team(int threads) {
  thread_local std::unique_ptr<Team> mine;
  if (mine == nullptr || mine->size() != threads) {
    mine.reset();
    try {
      mine = std::make_unique<Team>(threads);
    } catch (const std::system_error& error) {
      throw Error(concat("parallel_for: the system gives no thread beside the calling one: ", error.what()));
    }
  }
  return *mine;
}

}  // namespace

int thread_index() { return index_in_loop; }
bool in_parallel_for() { return is_in_loop; }

void parallel_for(std::int64_t n, int threads, LoopBody body) {
  const int most = num_threads();
  if (std::min<std::int64_t>({n, threads, most}) > 1) return team(most).run(n, std::min(threads, most), body);
  const InLoop in_loop(0);
  for (std::int64_t i = 0; i < n; ++i) body(i);
}

}  // namespace tk
