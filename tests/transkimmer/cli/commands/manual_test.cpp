#include "transkimmer/cli/commands/manual.h"

#include <cstdlib>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/transkimmer/cli/program.h"

// `transkimmer manual`: the page is read by man, the completion by bash.
namespace tk {
namespace {

using Arguments = std::vector<std::string>;

bool has(const char* command) { return std::system(concat("command -v ", command, " >/dev/null").c_str()) == 0; }

// What bash offers for the last of these words.
std::string completions(const Workplace& place, const std::string& words, int word) {
  write_bytes(place / "ask.sh",
              "source " + (place / "completion") + "\nCOMP_WORDS=(" + words + ")\nCOMP_CWORD=" + std::to_string(word) +
                  "\n_transkimmer\nprintf '%s\\n' \"${COMPREPLY[@]}\" > " + (place / "answer") + "\n");
  CHECK(std::system(concat("bash ", place / "ask.sh").c_str()) == 0);
  return read_bytes(place / "answer");
}

TEST_CASE("manual: the page has every command with its flags") {
  const Ran ran = run_program({"manual"});
  REQUIRE(ran.code == 0);
  CHECK(ran.out.starts_with(".TH TRANSKIMMER 1"));
  for (const char* part : {".SH \"TRANSKIMMER train\"", ".SH \"TRANSKIMMER glue verify\"", ".SH \"TRANSKIMMER manual\"",
                           "\\fB\\-\\-skim_gate\\fR staged|layer", "peak of AdamW's learning rate"}) {
    CHECK_THAT(ran.out, ContainsSubstring(part));
  }
  CHECK_THAT(ran.out, ContainsSubstring("(default 32)"));
  if (!has("man")) {
    WARN("man is not there: skipped");
    return;
  }
  const Workplace place;
  write_bytes(place / "transkimmer.1", ran.out);
  const std::string command = concat("MANWIDTH=100 LC_ALL=C.UTF-8 man --warnings ", place / "transkimmer.1", " > ",
                                     place / "page", " 2> ", place / "warnings");
  CHECK(std::system(command.c_str()) == 0);
  CHECK(read_bytes(place / "warnings").empty());
  CHECK_THAT(read_bytes(place / "page"), ContainsSubstring("--per_device_train_batch_size N"));
}

TEST_CASE("manual: bash completes commands, flags and values") {
  const Workplace place;
  const Ran ran = run_program({"manual", "bash"});
  REQUIRE(ran.code == 0);
  write_bytes(place / "completion", ran.out);
  CHECK(completions(place, "transkimmer tr", 1) == "train\n");
  CHECK(completions(place, "transkimmer glue ver", 2) == "verify\n");
  CHECK(completions(place, "transkimmer glue verify --data", 3) == "--data_dir\n");
  CHECK(completions(place, "transkimmer skim --skim_g", 2) == "--skim_gate\n");
  CHECK(completions(place, "transkimmer skim --skim_gate la", 3) == "layer\n");
  CHECK(completions(place, "transkimmer skim --skim_gate =", 3) == "staged\nlayer\n");
  CHECK(completions(place, "transkimmer skim --skim_gate = st", 4) == "staged\n");
  CHECK(completions(place, "transkimmer eval --model_name_or_path " + (place / "mod"), 3) == (place / "model") + "\n");
  CHECK(run_program({"manual", "fish"}).code == 2);
}

}  // namespace
}  // namespace tk
