// The layers as docs and CMake describe them, read off the includes: tensor <- autograd <- nn <- transkimmer; data on
// tensor alone; transkimmer/training joins transkimmer and data; transkimmer/cli stands on all.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace fs = std::filesystem;

namespace {

const fs::path kRoot = TK_SOURCE_DIR;

// What a layer may include beside itself.
const std::map<std::string, std::set<std::string>> kBelow = {
    {"tensor", {}},
    {"autograd", {"tensor"}},
    {"nn", {"tensor", "autograd"}},
    {"transkimmer", {"tensor", "autograd", "nn"}},
    {"data", {"tensor"}},
    {"transkimmer/training", {"tensor", "autograd", "nn", "transkimmer", "data"}},
    {"transkimmer/cli", {"tensor", "autograd", "nn", "transkimmer", "data", "transkimmer/training"}},
};

// The layer of a path from the root, such as "transkimmer/cli"; empty for a file of none.
std::string layer_of(const std::string& path) {
  for (const char* inner : {"transkimmer/cli", "transkimmer/training"}) {
    if (path.starts_with(std::string(inner) + '/')) return inner;
  }
  const std::size_t slash = path.find('/');
  if (slash == std::string::npos) return "";
  const std::string first = path.substr(0, slash);
  return kBelow.contains(first) ? first : "";
}

struct Include {
  std::string file;  // from the root
  int line;
  std::string target;
  bool quoted;
};

struct Source {
  std::string file;
  std::vector<std::string> lines;
};

std::vector<Source> sources() {
  std::vector<Source> all;
  for (const auto& [layer, below] : kBelow) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / layer)) {
      const std::string extension = entry.path().extension();
      if (!std::set<std::string>{".h", ".cpp", ".cu", ".cuh"}.contains(extension)) continue;
      Source source{fs::relative(entry.path(), kRoot).string(), {}};
      if (layer_of(source.file) != layer) continue;  // transkimmer's walk also meets the layers inside it
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) source.lines.push_back(line);
      all.push_back(std::move(source));
    }
  }
  return all;
}

std::vector<Include> includes(const std::vector<Source>& sources) {
  const std::regex pattern(R"rx(^\s*#\s*include\s*(["<])([^">]+)[">])rx");
  std::vector<Include> all;
  for (const Source& source : sources) {
    int number = 0;
    for (const std::string& line : source.lines) {
      std::smatch match;
      ++number;
      if (std::regex_search(line, match, pattern)) all.push_back({source.file, number, match[2], match[1] == "\""});
    }
  }
  return all;
}

// Why an include is not allowed; empty if it is.
std::string problem(const Include& include) {
  const std::string from = layer_of(include.file);
  const bool cuda = include.target.starts_with("cuda") || include.target.starts_with("cublas") ||
                    include.target.starts_with("nccl") || include.target.ends_with(".cuh") ||
                    include.target.starts_with("cub/") || include.target.starts_with("thrust/");
  if (cuda && !include.file.starts_with("tensor/cuda/")) return "CUDA headers belong to tensor/cuda";
  if (!include.quoted) return "";
  const std::string to = layer_of(include.target);
  if (to.empty()) return "includes are written from the root, of files in a layer";
  if (to != from && !kBelow.at(from).contains(to)) return from + " must not include " + to;
  return "";
}

}  // namespace

TEST_CASE("layers: no file includes a layer above it, and CUDA stays in tensor/cuda") {
  const std::vector<Include> all = includes(sources());
  CHECK(all.size() > 300);
  for (const Include& include : all) {
    const std::string text = problem(include);
    if (!text.empty()) FAIL_CHECK(include.file << ':' << include.line << ": " << include.target << ": " << text);
  }
}

TEST_CASE("layers: the rules catch what they are for") {
  const auto allowed = [](const std::string& file, const std::string& target, bool quoted = true) {
    return problem({file, 1, target, quoted}).empty();
  };
  CHECK(allowed("autograd/node.h", "tensor/tensor.h"));
  CHECK(allowed("transkimmer/cli/main.cpp", "data/batch.h"));
  CHECK(allowed("tensor/cuda/softmax.cu", "cuda_runtime.h", false));
  CHECK(allowed("tensor/cpu/matmul.cpp", "cblas.h", false));
  CHECK_FALSE(allowed("tensor/tensor.cpp", "autograd/variable.h"));
  CHECK_FALSE(allowed("autograd/node.cpp", "nn/linear.h"));
  CHECK_FALSE(allowed("data/batch.cpp", "autograd/variable.h"));
  CHECK_FALSE(allowed("transkimmer/classifier.cpp", "data/batch.h"));
  CHECK(allowed("transkimmer/training/trainer.cpp", "data/batch.h"));
  CHECK_FALSE(allowed("transkimmer/training/trainer.cpp", "transkimmer/cli/run/log.h"));
  CHECK_FALSE(allowed("transkimmer/classifier.cpp", "transkimmer/training/trainer.h"));
  CHECK_FALSE(allowed("transkimmer/classifier.cpp", "transkimmer/cli/run/options.h"));
  CHECK_FALSE(allowed("tensor/tensor.cpp", "shape.h"));
  CHECK_FALSE(allowed("tensor/tensor.h", "cuda_runtime.h", false));
  CHECK_FALSE(allowed("nn/linear.cpp", "cublasLt.h", false));
}

TEST_CASE("layers: in the program commands stand on reports, and both on runs") {
  const std::map<std::string, std::set<std::string>> below = {
      {"run", {}}, {"report", {"run"}}, {"commands", {"run", "report"}}};
  const std::regex pattern("^transkimmer/cli/([a-z]+)/.*");
  for (const Include& include : includes(sources())) {
    std::smatch from, to;
    if (!std::regex_match(include.file, from, pattern) || !std::regex_match(include.target, to, pattern)) continue;
    INFO(include.file << ':' << include.line << ": " << include.target);
    CHECK((from[1] == to[1] || below.at(from[1]).contains(to[1])));
  }
}

TEST_CASE("layers: headers ask for no device, but for tensor/device.h") {
  const std::regex pattern(R"(^\s*#\s*(if|ifdef|ifndef|elif)\b.*(CUDA|NVCC|TK_HIP))");
  for (const Source& source : sources()) {
    if (!source.file.ends_with(".h") || source.file.starts_with("tensor/cuda/") || source.file == "tensor/device.h")
      continue;
    int found = 0;
    for (const std::string& line : source.lines) found += std::regex_search(line, pattern);
    INFO(source.file);
    CHECK(found == 0);
  }
}

TEST_CASE("layers: a source includes its own header first, and headers are included once") {
  for (const Source& source : sources()) {
    const bool header = source.file.ends_with(".h") || source.file.ends_with(".cuh");
    const std::string own = source.file.substr(0, source.file.rfind('.')) + ".h";
    const auto first = std::ranges::find_if(source.lines, [](const std::string& line) {
      return line.starts_with("#include") || line.starts_with("#pragma once");
    });
    if (header && (first == source.lines.end() || *first != "#pragma once"))
      FAIL_CHECK(source.file << ": no #pragma once");
    if (header || !fs::exists(kRoot / own)) continue;
    if (first == source.lines.end() || *first != "#include \"" + own + '"') {
      FAIL_CHECK(source.file << ": " << own << " does not come first");
    }
  }
}

TEST_CASE("layers: each CMake target links what lies below it") {
  for (const auto& [layer, below] : kBelow) {
    std::ifstream in(kRoot / layer / "CMakeLists.txt");
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const std::regex linked(R"(tk::([a-z]+))");
    for (std::sregex_iterator it(text.begin(), text.end(), linked), end; it != end; ++it) {
      const std::string inner = "transkimmer/" + (*it)[1].str();
      const std::string to = kBelow.contains(inner) ? inner : (*it)[1].str();
      if (to != layer && kBelow.contains(to) && !below.contains(to)) {
        FAIL_CHECK(layer << "/CMakeLists.txt links tk::" << (*it)[1]);
      }
    }
  }
}

// A list of CMake's is cut at semicolons: ctest would ask for two cases that there are not, and both would pass.
TEST_CASE("tests: no case has a semicolon in its name") {
  const std::regex pattern(R"rx(TEST_CASE\(\s*"[^"]*;)rx");
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "tests")) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream in(entry.path());
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    ++files;
    if (std::regex_search(text, pattern)) FAIL_CHECK(entry.path().string());
  }
  CHECK(files > 100);
}
