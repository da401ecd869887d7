#include "tests/transkimmer/cli/program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "tensor/error.h"

extern char** environ;  // NOLINT: POSIX

namespace tk {
namespace fs = std::filesystem;
namespace {

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(what);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// The child's environment: ours without the program's own variables, then `variables`.
std::vector<std::string> environment(const std::vector<std::string>& variables) {
  std::vector<std::string> result = {"OMP_NUM_THREADS=2"};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!text.starts_with("TRANSKIMMER_") && !text.starts_with("OMP_NUM_THREADS=")) result.emplace_back(text);
  }
  result.insert(result.end(), variables.begin(), variables.end());
  return result;
}

// Starts a command with its three streams in files, or the last one in `error_pipe` unless that is -1.
pid_t start(std::vector<std::string> command, const std::vector<std::string>& variables, const fs::path& in,
            const fs::path& out, const fs::path& err, int error_pipe) {
  std::vector<std::string> entries = environment(variables);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (error_pipe >= 0) {
    posix_spawn_file_actions_adddup2(&actions, error_pipe, 2);
  } else {
    posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  }
  pid_t pid = 0;
  const int failed =
      posix_spawnp(&pid, command[0].c_str(), &actions, nullptr, pointers(command).data(), pointers(entries).data());
  posix_spawn_file_actions_destroy(&actions);
  check(failed == 0, "cannot start the program");
  return pid;
}

const std::vector<std::string> program = {TK_PROGRAM};

int exit_code(pid_t pid) {
  int status = 0;
  check(waitpid(pid, &status, 0) == pid, "waitpid failed");
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

nlohmann::json json_of(const std::filesystem::path& path) { return nlohmann::json::parse(read_bytes(path)); }

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> result;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) result.push_back(line);
  return result;
}

Ran run_program(const std::vector<std::string>& arguments, const std::string& input,
                const std::vector<std::string>& variables) {
  const TemporaryFolder folder;
  write_bytes(folder / "in", input);
  const pid_t pid = start(program + arguments, variables, folder / "in", folder / "out", folder / "err", -1);
  const int code = exit_code(pid);
  return {code, read_bytes(folder / "out"), read_bytes(folder / "err")};
}

Ran run_under(const std::vector<std::string>& wrapper, const std::vector<std::string>& arguments) {
  const TemporaryFolder folder;
  const pid_t pid = start(wrapper + program + arguments, {}, "/dev/null", folder / "out", folder / "err", -1);
  const int code = exit_code(pid);
  return {code, read_bytes(folder / "out"), read_bytes(folder / "err")};
}

Running::Running(const std::vector<std::string>& arguments)
    : pid_(start(program + arguments, {}, "/dev/null", folder_ / "out", folder_ / "err", -1)) {}

Running::~Running() {
  if (waited_) return;
  send(SIGKILL);
  exit_code(pid_);
}

void Running::send(int signal) { kill(pid_, signal); }

bool Running::ended() const {
  siginfo_t info = {};
  check(waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0, "waitid failed");
  return info.si_pid == pid_;
}

Ran Running::wait() {
  const int code = exit_code(pid_);
  waited_ = true;
  return {code, read_bytes(folder_ / "out"), read_bytes(folder_ / "err")};
}

Ran run_until(const std::vector<std::string>& arguments, const std::string& text, int signal) {
  const TemporaryFolder folder;
  int ends[2] = {};
  check(pipe2(ends, O_CLOEXEC) == 0, "pipe failed");
  const pid_t pid = start(program + arguments, {}, "/dev/null", folder / "out", "", ends[1]);
  close(ends[1]);
  Ran ran;
  bool sent = false;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof(buffer))) > 0;) {
    ran.err.append(buffer, static_cast<std::size_t>(n));
    if (!sent && ran.err.find(text) != std::string::npos) {
      kill(pid, signal);
      sent = true;
    }
  }
  close(ends[0]);
  ran.code = exit_code(pid);
  ran.out = read_bytes(folder / "out");
  return ran;
}

namespace {

std::string review(int i, bool good) {
  const char* nouns[] = {"plot", "music", "cast", "story"};
  return std::string("the ") + nouns[i % 4] + (good ? " was fine and" : " was dull and") +
         (i % 3 == 0 ? " long" : " new");
}

void write_sst2(const fs::path& folder) {
  fs::create_directories(folder);
  std::string train = "sentence\tlabel\n";
  std::string dev = train;
  std::string test = "index\tsentence\n";
  for (int i = 0; i < 32; ++i) train += review(i, i % 2 == 1) + "\t" + std::to_string(i % 2) + "\n";
  for (int i = 0; i < 10; ++i) dev += review(i, i % 2 == 1) + " film\t" + std::to_string(i % 2) + "\n";
  for (int i = 0; i < 5; ++i) test += std::to_string(i) + "\t" + review(i, i % 2 == 1) + "\n";
  write_bytes(folder / "train.tsv", train);
  write_bytes(folder / "dev.tsv", dev);
  write_bytes(folder / "test.tsv", test);
}

void write_stsb(const fs::path& folder) {
  fs::create_directories(folder);
  const std::string header = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2";
  const auto row = [](int i) {
    return std::to_string(i) + "\tg\tf\t1\t1\ts\ts\t" + review(i, true) + "\t" + review(i + 1, i % 2 == 0);
  };
  std::string train = header + "\tscore\n";
  std::string test = header + "\n";
  for (int i = 0; i < 16; ++i) train += row(i) + "\t" + std::to_string(i % 5) + ".5\n";
  for (int i = 0; i < 4; ++i) test += row(i) + "\n";
  write_bytes(folder / "train.tsv", train);
  write_bytes(folder / "dev.tsv", train);
  write_bytes(folder / "test.tsv", test);
}

void write_mnli(const fs::path& folder) {
  fs::create_directories(folder);
  const char* labels[] = {"entailment", "neutral", "contradiction"};
  for (const std::string name : {"train", "dev_matched", "dev_mismatched", "test_matched", "test_mismatched"}) {
    std::string text = "index\tsentence1\tsentence2\tgold_label\n";
    for (int i = 0; i < 9; ++i) {
      text += concat(i, '\t', review(i, true), '\t', review(i, i % 2 == 0), '\t', labels[i % 3], '\n');
    }
    write_bytes(folder / (name + ".tsv"), text);
  }
}

}  // namespace

Workplace::Workplace() {
  std::string vocabulary;
  for (const char* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "plot", "music", "cast", "story",
                            "was", "fine", "dull", "and", "long", "new", "fil", "##m"}) {
    vocabulary += std::string(token) + "\n";
  }
  write_bytes(folder_ / "vocab.txt", vocabulary);
  write_bytes(folder_ / "config.json",
              R"({"model_type": "bert", "vocab_size": 18, "hidden_size": 16, "num_hidden_layers": 3,
                  "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 40})");
  write_sst2(folder_ / "data/SST-2");
  write_stsb(folder_ / "data/STS-B");
  write_mnli(folder_ / "data/MNLI");
  const Ran made =
      run_program({"init", *this / "model", "--config", *this / "config.json", "--vocab", *this / "vocab.txt"});
  if (made.code != 0) throw std::runtime_error("transkimmer init: " + made.err);
}

std::vector<std::string> Workplace::task(const std::string& task, const std::string& model) const {
  return {"--task_name", task, "--data_dir", *this / "data", "--model_name_or_path", *this / model};
}

Ran Workplace::train(const std::string& output, const std::vector<std::string>& more, const std::string& task,
                     const std::string& model) const {
  return run_program(std::vector<std::string>{"train"} + this->task(task, model) +
                     std::vector<std::string>{"--output_dir", *this / output, "--max_steps", "6",
                                              "--per_device_train_batch_size", "8", "--logging_steps", "2"} +
                     more);
}

}  // namespace tk
