// What README.md and docs/ promise: the example is the one that is compiled here and prints what they say, snippets are
// code of the project, links lead to files, and the program's flags exist.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace fs = std::filesystem;

namespace {

const fs::path kRoot = TK_SOURCE_DIR;

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> pages() {
  std::vector<fs::path> pages = {kRoot / "README.md", kRoot / "CONTRIBUTING.md", kRoot / "CHANGELOG.md"};
  for (const auto& entry : fs::directory_iterator(kRoot / "docs")) {
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  }
  return pages;
}

std::set<std::string> matches(const std::string& text, const std::regex& pattern) {
  std::set<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) found.insert((*it)[1]);
  return found;
}

// C++ without comments, includes and white space.
std::string code_of(std::string text) {
  text = std::regex_replace(text, std::regex(R"rx((//|#include)[^\n]*)rx"), "");
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
  return text;
}

// What the program writes to standard output; its exit code must be 0.
std::string output_of(const std::string& program) {
  FILE* pipe = ::popen(('"' + program + '"').c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  std::array<char, 256> buffer;
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) output += buffer.data();
  CHECK(::pclose(pipe) == 0);
  return output;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Lines that hold code: no comment, no include or import, and not empty.
std::int64_t count_code(const fs::path& path) {
  std::istringstream text(text_of(path));
  std::int64_t count = 0;
  for (std::string line; std::getline(text, line);) {
    count += !std::regex_search(line, std::regex(R"rx(^\s*($|//|#|import |from ))rx"));
  }
  return count;
}

}  // namespace

TEST_CASE("readme: the example is tests/readme_example.cpp, in under 30 lines") {
  const std::string example = text_of(kRoot / "tests/readme_example.cpp");
  CHECK(contains(text_of(kRoot / "README.md"), "\n```cpp\n" + example + "```\n"));
  CHECK(std::ranges::count(example, '\n') < 30);
}

TEST_CASE("readme: its other snippets are code of the package's test, which is under 40 lines") {
  const std::string training = text_of(kRoot / "tests/package/consumer/training.cpp");
  CHECK(std::ranges::count(training, '\n') < 40);
  const std::string readme = text_of(kRoot / "README.md");
  int snippets = 0;
  for (std::size_t end = 0, begin; (begin = readme.find("```cpp\n", end)) != std::string::npos; ++snippets) {
    begin += 7;
    end = readme.find("```", begin);
    const std::string snippet = readme.substr(begin, end - begin);
    if (snippet == text_of(kRoot / "tests/readme_example.cpp")) continue;
    if (!contains(code_of(training), code_of(snippet))) FAIL_CHECK("README.md: no such code:\n" << snippet);
  }
  CHECK(snippets == 2);
}

TEST_CASE("readme: the example prints what README.md says") {
  const std::string output = output_of(TK_README_EXAMPLE);
  CHECK(std::ranges::count(output, '\n') == 2);
  CHECK(contains(text_of(kRoot / "README.md"), "\n```\n" + output + "```\n"));
}

TEST_CASE("readme: the snippets of docs/ are in tests/docs_test.cpp or in the sources") {
  std::string code =
      code_of(text_of(kRoot / "tests/docs_test.cpp")) + code_of(text_of(kRoot / "tensor/kernel_list.inc"));
  for (const char* stem : {"matmul", "softmax", "layer_norm"})
    code += code_of(text_of(kRoot / "autograd/ops" / (std::string(stem) + ".cpp")));
  int snippets = 0;
  for (const fs::path& page : pages()) {
    if (page.parent_path().filename() != "docs") continue;
    const std::string text = text_of(page);
    for (std::size_t end = 0, begin; (begin = text.find("```cpp\n", end)) != std::string::npos; ++snippets) {
      begin += 7;
      end = text.find("```", begin);
      const std::string snippet = text.substr(begin, end - begin);
      if (!contains(code, code_of(snippet))) FAIL_CHECK(page.filename() << ": no such code:\n" << snippet);
    }
  }
  CHECK(snippets > 5);
}

TEST_CASE("readme: the table of examples names all of them with their lengths, PyTorch's beside") {
  const fs::path folder = kRoot / "docs/examples";
  const std::string table = text_of(folder / "README.md");
  int examples = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".cpp") continue;
    ++examples;
    const std::string name = entry.path().stem().string();
    const fs::path twin = folder / (name + ".py");
    std::string row = "| " + std::to_string(count_code(entry.path())) + " | ";
    row += fs::exists(twin) ? '[' + std::to_string(count_code(twin)) + "](" + name + ".py) |" : "\u2013 |";
    INFO(name << ": " << row);
    const std::size_t begin = table.find("\n| [" + name + ".cpp](" + name + ".cpp) |");
    REQUIRE(begin != std::string::npos);
    CHECK(contains(table.substr(begin, table.find('\n', begin + 1) - begin), row));
  }
  CHECK(examples == 10);
}

TEST_CASE("readme: links lead to files") {
  int links = 0;
  for (const fs::path& page : pages()) {
    for (const std::string& target : matches(text_of(page), std::regex(R"rx(\]\(([^)#\s]+)(?:#[^)\s]*)?\))rx"))) {
      if (target.starts_with("http")) continue;
      ++links;
      if (!fs::exists(page.parent_path() / target)) FAIL_CHECK(page.filename() << ": no file " << target);
    }
  }
  CHECK(links > 10);
}

TEST_CASE("readme: flags are the program's") {
  std::set<std::string> known = {"--help", "--version", "--build_info"};
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "transkimmer/cli")) {
    if (entry.path().extension() == ".cpp")
      known.merge(matches(text_of(entry.path()), std::regex(R"rx("(--[a-z0-9_]+)")rx")));
  }
  // Those of cmake, ctest, git, mpirun, srun and the benchmarks' scripts.
  const std::set<std::string> of_others = {
      "--build",  "--preset", "--target",          "--test_dir",      "--output_on_failure",
      "--rounds", "--venv",   "--sorted",          "--transkimmer",   "--install",
      "--prefix", "--strip",  "--bind_to",         "--map_by",        "--host",
      "--mca",    "--mpi",    "--ntasks_per_node", "--gpus_per_node", "--python",
      "--nccl",   "--vocab",  "--parts",           "--cases",         "--processor"};
  CHECK(known.size() > 40);
  std::set<std::string> used;
  for (const fs::path& page : pages()) {
    for (std::string flag : matches(text_of(page), std::regex(R"rx((--[a-z][a-z0-9_-]*))rx"))) {
      std::replace(flag.begin() + 2, flag.end(), '-', '_');
      used.insert(flag);
      if (!known.contains(flag) && !of_others.contains(flag)) FAIL_CHECK(page.filename() << ": no flag " << flag);
    }
  }
  CHECK(used.size() > 40);
}
