#include <sstream>

#include "tests/support/catch.h"
#include "tests/transkimmer/cli/program.h"
#include "transkimmer/cli/run/blas_core.h"

// The built program under limits and settings of its surroundings: the same bits, or one line. What hangs is ended by
// `timeout` and fails: by SIGKILL, since the program takes its time to stop.
namespace tk {
namespace {

using Arguments = std::vector<std::string>;

constexpr int kRunTimeError = 1;

Ran run_in(const Arguments& surroundings, const Arguments& arguments) {
  return run_under(Arguments{"timeout", "--signal=KILL", "60", "env", "-u", "OMP_WAIT_POLICY"} + surroundings,
                   arguments);
}

std::ptrdiff_t lines_but_warnings(const std::string& text) {
  std::istringstream in(text);
  std::ptrdiff_t count = 0;
  for (std::string line; std::getline(in, line);) count += line.starts_with("warning:") ? 0 : 1;
  return count;
}

void check_one_line(const Ran& ran, const std::string& text) {
  INFO(ran.err);
  CHECK(ran.code == kRunTimeError);
  CHECK(lines_but_warnings(ran.err) == 1);
  CHECK_THAT(ran.err, ContainsSubstring(text));
  CHECK(ran.err.size() < 400);
}

// A model whose products are large enough for BLAS to share out, if it were let.
void make_wide_model(const Workplace& place) {
  write_bytes(place / "wide.json",
              R"({"model_type": "bert", "vocab_size": 18, "hidden_size": 128, "num_hidden_layers": 1,
                  "num_attention_heads": 2, "intermediate_size": 512, "max_position_embeddings": 40})");
  REQUIRE(run_program({"init", place / "wide", "--config", place / "wide.json", "--vocab", place / "vocab.txt"}).code ==
          0);
}

TEST_CASE("surroundings: however many threads OpenMP grants, training ends with the same bits") {
  const Workplace place;
  make_wide_model(place);
  int run = 0;
  const auto trained = [&](const Arguments& variables, const std::string& threads) {
    const std::string output = place / ("out-" + std::to_string(++run));
    const Ran ran = run_in(Arguments{"OPENBLAS_CORETYPE=Prescott"} + variables,
                           Arguments{"train"} + place.task("sst2", "wide") +
                               Arguments{"--output_dir", output, "--max_steps", "2", "--report=false", "--threads",
                                         threads, "--per_device_train_batch_size", "16"});
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    const bool is_told = ran.err.find("OpenMP gives") != std::string::npos;
    return std::pair(read_bytes(output + "/model.safetensors"), is_told);
  };
  const std::string expected = trained({}, "2").first;
  CHECK(trained({"OMP_THREAD_LIMIT=1"}, "2") == std::pair(expected, true));
  CHECK(trained({"OMP_THREAD_LIMIT=1"}, "0") == std::pair(expected, false));
  CHECK(trained({"OMP_THREAD_LIMIT=3"}, "8") == std::pair(expected, true));
  CHECK(trained({"OMP_MAX_ACTIVE_LEVELS=0"}, "0") == std::pair(expected, false));
  CHECK(trained({"OMP_DYNAMIC=true"}, "0") == std::pair(expected, false));
  CHECK(trained({"OMP_NUM_THREADS=2,1"}, "0") == std::pair(expected, false));
}

TEST_CASE("surroundings: the machine's rates are measured also where OpenMP grants one thread") {
  const Workplace place;
  const Ran ran = run_in({"OMP_THREAD_LIMIT=1"},
                         Arguments{"bench"} + place.task() + Arguments{"--max_eval_samples", "4", "--repeats", "1"});
  INFO(ran.err);
  CHECK(ran.code == 0);
}

TEST_CASE("surroundings: kernels that this processor cannot run are refused") {
  int refused = 0;
  for (const std::string core : {"Opteron", "Bulldozer", "Excavator", "Haswell", "SkylakeX", "Cooperlake"}) {
    const std::string_view lacking = lacking_for_core(core, processor_features());
    if (lacking.empty()) continue;
    ++refused;
    const std::string text = ": the kernels of " + core + " need " + std::string(lacking);
    check_one_line(run_in({"OPENBLAS_CORETYPE=" + core}, {"selftest"}), "OPENBLAS_CORETYPE" + text);
    check_one_line(run_in({}, {"selftest", "--blas_coretype", core}), "--blas_coretype" + text);
  }
  CHECK(refused > 0);  // no processor has both 3DNow! and AVX-512
}

#ifndef __SANITIZE_ADDRESS__  // which takes terabytes of address space
TEST_CASE("surroundings: at any limit of memory a run ends, with its result or one line") {
  const Workplace place;
  make_wide_model(place);
  const Arguments predict = Arguments{"predict"} + place.task("sst2", "wide") + Arguments{"--output_dir"};
  for (const std::string kind : {"--as=", "--data="}) {
    int done = 0;
    for (const int mebibytes : {100, 200, 300, 350, 400, 450, 500, 600, 700, 800, 900, 1200, 1600, 2400, 4000}) {
      const std::string limit = kind + std::to_string(std::int64_t{mebibytes} << 20);
      const std::string output = "out" + limit;
      const Ran ran = run_in({"OPENBLAS_CORETYPE=Prescott", "prlimit", limit}, predict + Arguments{place / output});
      INFO(limit << ": " << ran.code << ' ' << ran.err);
      constexpr int kCannotLoad = 127;  // the system's loader, which says so itself
      CHECK((ran.code == 0 || ran.code == kRunTimeError || ran.code == kCannotLoad));
      if (ran.code != 0) CHECK(lines_but_warnings(ran.err) == 1);
      done += ran.code == 0;
    }
    CHECK(done > 0);
  }
}

TEST_CASE("surroundings: threads that the system does not give are an error with their number") {
  const std::string bytes = std::to_string(std::int64_t{8} << 30);
  const Ran ran = run_in({"prlimit", "--stack=" + bytes, "--as=" + bytes}, {"selftest"});
  if (ran.err.starts_with("prlimit")) return;  // the limits are lower already
  check_one_line(ran, "the system gives 1 of 2 threads");
}
#endif

}  // namespace
}  // namespace tk
