#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace tk {

/// How the program ended, and what it said.
struct Ran {
  int code = -1;  ///< or minus the signal that ended it
  std::string out;
  std::string err;
};

/// Runs the built `transkimmer` on two threads with the arguments, and with `variables` ("NAME=value") in its
/// environment.
Ran run_program(const std::vector<std::string>& arguments, const std::string& input = "",
                const std::vector<std::string>& variables = {});

/// The same with another program in front that changes the conditions: {"prlimit", "--fsize=4096"}.
Ran run_under(const std::vector<std::string>& wrapper, const std::vector<std::string>& arguments);

/// The built `transkimmer`, running.
class Running {
 public:
  explicit Running(const std::vector<std::string>& arguments);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void send(int signal);
  bool ended() const;
  /// Call once.
  Ran wait();

 private:
  TemporaryFolder folder_;
  int pid_;
  bool waited_ = false;
};

/// Starts the program, sends it `signal` once its standard error has `text`, and waits.
Ran run_until(const std::vector<std::string>& arguments, const std::string& text, int signal);

/// A folder with tiny SST-2, STS-B and MNLI data sets in data/, a vocabulary, and a model of random weights in model/.
class Workplace {
 public:
  Workplace();

  std::string operator/(const std::string& name) const { return (folder_ / name).string(); }
  /// The flags that name the task, the data and the model.
  std::vector<std::string> task(const std::string& task = "sst2", const std::string& model = "model") const;
  /// A short training run into `output`, with `more` flags.
  Ran train(const std::string& output, const std::vector<std::string>& more = {}, const std::string& task = "sst2",
            const std::string& model = "model") const;

 private:
  TemporaryFolder folder_;
};

/// What a file of JSON holds; an exception, which fails the test, where it does not parse.
nlohmann::json json_of(const std::filesystem::path& path);
/// Without their ends.
std::vector<std::string> lines(const std::string& text);

/// What blanks separate.
std::vector<std::string> words(const std::string& text);

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b);

}  // namespace tk
