#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

// What the program says beside its log. A write that fails ends nothing: a lost line is no reason to lose a run, and a
// lost result is an error at the end.
namespace tk {

/// Opens standard input, output and error where they are closed, such that using them fails: else the next file that is
/// opened would have their place, and get what is said there. Call first.
void open_standard_streams();

/// From now on nothing is said but errors: by a process that is one of several, and not the first.
void be_quiet();
bool is_quiet();

/// An error, on standard error as it stands.
void error_text(std::string_view text);
/// A result, on standard output as it stands.
void print_text(std::string_view text);
/// On standard error as it stands: bars and tables. What cannot be written is lost.
void note_text(std::string_view text);

template <class... Args>
void print(fmt::format_string<Args...> format, Args&&... args) {
  print_text(fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void note(fmt::format_string<Args...> format, Args&&... args) {
  note_text(fmt::format(format, std::forward<Args>(args)...));
}

/// Throws tk::Error if something of what was written to standard output so far is lost.
void check_output();

}  // namespace tk
