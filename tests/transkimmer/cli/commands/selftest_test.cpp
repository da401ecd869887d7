#include "transkimmer/cli/commands/selftest.h"

#include <limits>
#include <regex>
#include <set>
#include <sstream>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/transkimmer/cli/program.h"

namespace tk {
namespace {

namespace fs = std::filesystem;

// The names by which ops are recorded: what follows `record("` in the sources of a folder.
std::set<std::string> recorded_ops(const fs::path& folder) {
  const std::regex pattern(R"rx(record(?:_node|_view)?\(\s*"([a-z_]+)")rx");
  std::set<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string text = read_bytes(entry.path());
    for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) names.insert((*it)[1]);
  }
  return names;
}

// Only `study` records these; autograd's tests hold them to closed forms, with samples.
const std::set<std::string> kOfStudy = {
    "double_control_variates", "gumbel_rao", "least_norm", "reinmax", "reinmax_cv", "reinmax_rao",
    "with_gradient",           "zgr"};

// No command records these; autograd's tests hold them to differences and to PyTorch.
const std::set<std::string> kOfLibrary = {"cumsum", "gather",      "index_add", "logsumexp", "max",
                                          "norm",   "on_gradient", "permute",   "select",    "squeeze",
                                          "tril",   "triu",        "unsqueeze", "where"};

TEST_CASE("selftest: passes here, and has a line for every op that training records") {
  const Ran ran = run_program({"selftest"});
  INFO(ran.out);
  CHECK(ran.code == 0);
  // On a processor that OpenBLAS does not know the program says that it starts again with better kernels.
  const bool restarted = ran.err.starts_with("warning: BLAS chose its ") && ran.err.find('\n') == ran.err.size() - 1;
  CHECK((ran.err.empty() || restarted));
  CHECK_THAT(ran.out, ContainsSubstring(" checks, 0 failed, "));
  const fs::path autograd = fs::path(TK_SOURCE_DIR) / "autograd";
  std::set<std::string> ops = recorded_ops(autograd / "ops");
  ops.merge(recorded_ops(autograd / "estimators"));
  CHECK(ops.size() >= 20);
  for (const std::string& op : kOfStudy) CHECK(ops.erase(op) == 1);
  for (const std::string& op : kOfLibrary) CHECK(ops.erase(op) == 1);
  for (const std::string& op : ops) {
    INFO(op);
    CHECK(
        (ran.out.find("\n  " + op + " ") != std::string::npos || ran.out.find("\n  " + op + ",") != std::string::npos));
  }
}

TEST_CASE("selftest: an error beyond the tolerance, a NaN and an exception fail and are counted") {
  const SelfCheckGroup group{"group",
                             {{"good", 0.5, [] { return 0.5; }},
                              {"far", 0.5, [] { return 0.6; }},
                              {"nan", 0.5, [] { return std::numeric_limits<double>::quiet_NaN(); }},
                              {"thrown", 0.5, []() -> double { throw Error("no such op"); }}}};
  std::ostringstream out;
  CHECK(run_checks(group, out) == 3);
  const std::regex table(
      "\ngroup +error +allowed *\n"
      "  good +5\\.0e-01 +5\\.0e-01  ok\n"
      "  far +6\\.0e-01 +5\\.0e-01  FAILED\n"
      "  nan +nan +5\\.0e-01  FAILED\n"
      "  thrown +- +5\\.0e-01  FAILED: no such op\n");
  INFO(out.str());
  CHECK(std::regex_match(out.str(), table));
}

}  // namespace
}  // namespace tk
