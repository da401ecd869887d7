#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

/// What a program of docs/examples asks in place of its loop's own condition, when benchmarks/CMakeLists.txt compiles
/// it: takes the time at the beginning of each step and ends the loop after as many as STEPS says. Then the median of
/// the steps but the first tenth is a line of JSON on standard error, as benchmarks/peers/examples.py prints it too.
inline bool next_step() {
  using Clock = std::chrono::steady_clock;
  static std::vector<Clock::time_point> begins;
  static const auto steps = static_cast<std::size_t>(std::atoi(std::getenv("STEPS")));
  if (begins.empty()) begins.reserve(steps + 1);
  begins.push_back(Clock::now());
  if (begins.size() <= steps) return true;
  std::vector<double> seconds;
  for (std::size_t i = steps / 10; i < steps; ++i) {
    seconds.push_back(std::chrono::duration<double>(begins[i + 1] - begins[i]).count());
  }
  std::ranges::sort(seconds);
  std::fprintf(stderr, "{\"step_seconds\": %.9f}\n", seconds[seconds.size() / 2]);
  return false;
}
