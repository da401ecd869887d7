#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

/// What a program of docs/examples asks in place of its loop's own condition, when benchmarks/CMakeLists.txt compiles
/// it: takes the time at the beginning of each step and ends the loop after as many as STEPS says. Then the seconds of
/// all steps, and the median of those but the first tenth, are a line of JSON on standard error, as
/// benchmarks/peers/examples.py prints it too.
inline bool next_step() {
  using Clock = std::chrono::steady_clock;
  static std::vector<Clock::time_point> begins;
  static const auto steps = static_cast<std::size_t>(std::atoi(std::getenv("STEPS")));
  if (begins.empty()) begins.reserve(steps + 1);
  begins.push_back(Clock::now());
  if (begins.size() <= steps) return true;
  const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
  std::vector<double> each;
  for (std::size_t i = steps / 10; i < steps; ++i) each.push_back(seconds(begins[i + 1] - begins[i]));
  std::ranges::sort(each);
  std::fprintf(stderr, "{\"seconds\": %.9f, \"median_step\": %.9f}\n", seconds(begins.back() - begins.front()),
               each[each.size() / 2]);
  return false;
}
