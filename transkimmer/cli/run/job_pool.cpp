#include "transkimmer/cli/run/job_pool.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <numeric>
#include <thread>
#include <utility>

#include "tensor/error.h"
#include "transkimmer/cli/run/signals.h"

namespace tk {
namespace {

constexpr std::chrono::milliseconds kBetweenLooks{20};
constexpr std::chrono::milliseconds kBetweenMeetings{100};  // of ranks, whose parts are a message each way

// A rank's answer: the signal that it got, and a job that has ended, if any.
constexpr std::int64_t kAnswer = 3, kNoJob = -1;

// What the first rank says to all: words, each with a zero behind it, which no argument and no path has.
class Words {
 public:
  Words() = default;
  explicit Words(std::string text) : text_(std::move(text)) {}

  Words& operator<<(const std::string& word) {
    text_.append(word).push_back('\0');
    return *this;
  }
  Words& operator<<(std::size_t number) { return *this << std::to_string(number); }
  Words& operator>>(std::string& word) {
    const std::size_t end = text_.find('\0', at_);
    word = text_.substr(at_, end - at_);
    at_ = end + 1;
    return *this;
  }
  Words& operator>>(std::size_t& number) {
    std::string word;
    *this >> word;
    number = std::stoull(word);
    return *this;
  }

  bool is_at_end() const { return at_ == text_.size(); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

Words& operator<<(Words& words, const JobStart& start) {
  words << start.job << start.log.string() << start.output.string() << start.arguments.size();
  for (const std::string& argument : start.arguments) words << argument;
  return words;
}

Words& operator>>(Words& words, JobStart& start) {
  std::string log, output;
  std::size_t arguments = 0;
  words >> start.job >> log >> output >> arguments;
  start.log = log;
  start.output = output;
  start.arguments.resize(arguments);
  for (std::string& argument : start.arguments) words >> argument;
  return words;
}

// The answers of all ranks, on all of them: each sees who does not answer.
std::vector<std::int64_t> gathered(Communicator& ranks, const std::array<std::int64_t, kAnswer>& answer) {
  std::vector<std::int64_t> answers(static_cast<std::size_t>(ranks.size() * kAnswer));
  std::ranges::copy(answer, answers.begin() + ranks.rank() * kAnswer);
  const Tensor whole = from_values(answers, {ranks.size(), kAnswer});
  ranks.all_gather(whole, even_bounds(ranks.size(), ranks.size()));
  return whole.to_vector<std::int64_t>();
}

}  // namespace

void RunningJobs::begin(const JobStart& start, const std::vector<std::string>& variables) {
  running_.push_back({start.job, Child(start.arguments, start.log, start.output, variables)});
}

std::vector<JobEnd> RunningJobs::ended() {
  std::vector<JobEnd> ended;
  for (auto at = running_.begin(); at != running_.end();) {
    const std::optional<int> code = at->child.ended();
    if (code) ended.push_back({at->job, *code});
    at = code ? running_.erase(at) : at + 1;
  }
  return ended;
}

void RunningJobs::send(int signal) const {
  for (const Running& running : running_) running.child.send(signal);
}

void RunningJobs::wait() {
  for (Running& running : running_) running.child.wait();
}

JobPool::JobPool(Communicator& ranks, std::int64_t jobs_of_place, std::vector<std::string> gpus)
    : ranks_(ranks),
      jobs_of_place_(jobs_of_place),
      gpus_(std::move(gpus)),
      counts_(ranks.size() > 1 ? static_cast<std::size_t>(ranks.size()) : std::max<std::size_t>(1, gpus_.size())) {}

std::int64_t JobPool::count() const { return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0}); }

int JobPool::stop_signal() const { return tk::stop_signal() != 0 ? tk::stop_signal() : signal_; }

std::string JobPool::begin(JobStart start) {
  const auto emptiest = std::ranges::min_element(counts_);
  const auto place = static_cast<std::size_t>(emptiest - counts_.begin());
  ++*emptiest;
  place_of_job_.resize(std::max(place_of_job_.size(), start.job + 1));
  place_of_job_[start.job] = place;
  if (!gpus_.empty()) {
    here_.begin(start, {"CUDA_VISIBLE_DEVICES=" + gpus_[place]});
    return concat(" on GPU ", place);
  }
  if (place == 0) {
    here_.begin(start);
  } else {
    orders_.push_back({place, std::move(start)});
  }
  return ranks_.size() > 1 ? concat(" on rank ", place) : "";
}

std::vector<JobEnd> JobPool::ended() {
  std::this_thread::sleep_for(ranks_.size() > 1 ? kBetweenMeetings : kBetweenLooks);
  std::vector<JobEnd> ended = here_.ended();
  std::ranges::copy(meet(0, false), std::back_inserter(ended));
  for (const JobEnd& end : ended) --counts_[place_of_job_[end.job]];
  return ended;
}

void JobPool::stop(int signal) {
  orders_.clear();
  here_.send(signal);
  meet(signal, false);
  here_.wait();
}

void JobPool::finish() { meet(0, true); }

// The others' answers, to what was ordered since the last time.
std::vector<JobEnd> JobPool::meet(int signal, bool is_last) {
  if (ranks_.size() == 1) return {};
  Words words;
  words << static_cast<std::size_t>(signal) << static_cast<std::size_t>(is_last);
  for (const Order& order : std::exchange(orders_, {})) words << order.place << order.start;
  broadcast(ranks_, words.text());
  const std::vector<std::int64_t> values = gathered(ranks_, {0, kNoJob, 0});
  std::vector<JobEnd> ended;
  for (auto at = values.begin() + kAnswer; at != values.end(); at += kAnswer) {
    if (at[0] != 0) signal_ = static_cast<int>(at[0]);
    if (at[1] != kNoJob) ended.push_back({static_cast<std::size_t>(at[1]), static_cast<int>(at[2])});
  }
  return ended;
}

void serve_jobs(Communicator& ranks) {
  RunningJobs jobs;
  std::vector<JobEnd> ended;  // and not told yet
  for (std::size_t is_last = 0; is_last == 0;) {
    Words orders(broadcast(ranks, ""));
    std::size_t signal = 0;
    orders >> signal >> is_last;
    while (!orders.is_at_end()) {
      std::size_t rank = 0;
      JobStart start;
      orders >> rank >> start;
      if (std::cmp_equal(rank, ranks.rank())) jobs.begin(start);
    }
    if (signal != 0) {
      jobs.send(static_cast<int>(signal));
      jobs.wait();
    }
    std::ranges::copy(jobs.ended(), std::back_inserter(ended));
    std::array<std::int64_t, kAnswer> answer = {stop_signal(), kNoJob, 0};
    if (!ended.empty()) {
      answer = {stop_signal(), static_cast<std::int64_t>(ended.front().job), ended.front().code};
      ended.erase(ended.begin());
    }
    gathered(ranks, answer);
    if (is_last == 0) std::this_thread::sleep_for(kBetweenMeetings);
  }
}

}  // namespace tk
