#include "transkimmer/cli/commands/selftest.h"

#include <fmt/format.h>

#include <chrono>
#include <iostream>
#include <memory>

#include "tensor/cpu_isa.h"
#include "tensor/error.h"
#include "tensor/threads.h"
#include "transkimmer/cli/commands/commands.h"
#include "transkimmer/cli/run/build_info.h"
#include "transkimmer/cli/run/ranks.h"
#include "transkimmer/cli/run/runtime.h"
#include "transkimmer/cli/run/signals.h"

namespace tk {
namespace {

constexpr const char* kRow = "  {:<57} {:>9} {:>9}  {}\n";

std::string short_number(double value) { return value == 0 ? "0" : fmt::format("{:.1e}", value); }

// Writes the line of a check; whether it passed.
bool run_check(const SelfCheck& check, std::ostream& out) {
  std::string error = "-";
  std::string verdict = "FAILED";
  bool passed = false;
  try {
    const double value = check.error();
    passed = value <= check.tolerance;
    error = short_number(value);
    if (passed) verdict = "ok";
  } catch (const Error& problem) {
    verdict += fmt::format(": {}", problem.what());
  }
  out << fmt::format(kRow, check.what, error, short_number(check.tolerance), verdict) << std::flush;
  return passed;
}

struct SelftestCommand {
  explicit SelftestCommand(CLI::App& program)
      : flags(program, "selftest", "check gradients and results on this machine, in under a minute") {
    flags.group("Machine");
    flags.add("--threads", threads, "CPU threads; 0: the cores that the process may use").range(0, 4096);
    add_cpu_isa_flag(flags, cpu_isa);
    flags.add("--blas_coretype", blas_coretype,
              "processor core whose kernels OpenBLAS runs, such as Haswell or SkylakeX", "CORE");
    flags.footer(
        "A line for each check: what is compared, the largest difference found, the difference allowed, ok or FAILED.\n"
        "  gradients  every differentiable op: reverse mode beside central differences, in float64\n"
        "  values     kernels in float32 beside known values, and one thread beside several, bit by bit\n"
        "  model      a small BERT: logits and gradient beside those of transformers and PyTorch\n"
        "The exit code is 1 if any check failed. Then this processor, BLAS or compiler does not compute what the\n"
        "program relies on: no score from it can be trusted. Try another --cpu_isa or\n"
        "--blas_coretype, and report the output.");
  }

  Flags flags;
  std::int64_t threads = 0;
  std::string cpu_isa = "auto";
  std::string blas_coretype;
};

int run(const SelftestCommand& c, const Invocation& invocation) {
  check_is_alone("selftest");
  start_runtime({.threads = c.threads, .cpu_isa = c.cpu_isa, .blas_coretype = c.blas_coretype}, invocation.argv);
  const auto start = std::chrono::steady_clock::now();
  std::cout << fmt::format("transkimmer {}, {}, products on {}, BLAS core {}, {} threads\n", version(),
                           processor_name(), name(cpu_isa()), blas_core(), num_threads());
  std::int64_t checks = 0;
  std::int64_t failed = 0;
  for (const SelfCheckGroup& group : {value_checks(), gradient_checks(), model_checks()}) {
    failed += run_checks(group, std::cout);
    checks += std::ssize(group.checks);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::cout << fmt::format("\n{} checks, {} failed, {:.1f} s\n", checks, failed, seconds) << std::flush;
  return failed == 0 ? 0 : 1;
}

}  // namespace

std::int64_t run_checks(const SelfCheckGroup& group, std::ostream& out) {
  out << '\n' << fmt::format(kRow, group.title, "error", "allowed", "").substr(2);
  std::int64_t failed = 0;
  for (const SelfCheck& check : group.checks) {
    throw_if_stopped();
    if (!run_check(check, out)) ++failed;
  }
  return failed;
}

Command add_selftest(CLI::App& program, const Invocation& invocation) {
  auto command = std::make_shared<SelftestCommand>(program);
  return {&command->flags, [command, invocation] { return run(*command, invocation); }};
}

}  // namespace tk
