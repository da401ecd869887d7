#include "data/neighbours.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/error.h"
#include "tensor/ops/matmul.h"
#include "tensor/parallel_for.h"
#include "tensor/threads.h"

namespace tk {
namespace {

constexpr std::int64_t kBlock = 256;  // tokens at once: 31 MB of cosines for BERT's vocabulary

// The embeddings of these tokens, each of length 1; zeros stay zeros.
Tensor directions(const Tensor& embeddings, std::span<const std::int32_t> tokens) {
  const std::int64_t width = embeddings.size(1);
  Tensor rows = empty({std::ssize(tokens), width});
  for (std::int64_t i = 0; i < std::ssize(tokens); ++i) {
    const float* from = embeddings.data<float>() + tokens[i] * width;
    float* to = rows.data<float>() + i * width;
    const double squares =
        std::accumulate(from, from + width, 0.0, [](double sum, float x) { return sum + double{x} * x; });
    const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
    std::transform(from, from + width, to, [&](float x) { return static_cast<float>(scale * x); });
  }
  return rows;
}

void check_ids(std::span<const std::int32_t> ids, std::int64_t vocabulary) {
  for (const std::int32_t id : ids) {
    TK_CHECK(id >= 0 && id < vocabulary, "neighbours: id ", id, " is out of range for ", vocabulary, " embeddings");
  }
}

// The candidates of the largest cosines, best first, into `nearest`.
void choose(std::span<const float> cosines, std::span<const std::int32_t> candidates, std::int32_t token,
            std::span<std::int32_t> nearest) {
  std::vector<std::int32_t> order;
  order.reserve(candidates.size());
  for (std::int32_t i = 0; i < std::ssize(candidates); ++i) {
    if (candidates[i] != token) order.push_back(i);
  }
  const std::size_t count = std::min(nearest.size(), order.size());
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(order.begin(), end, order.end(), [&](std::int32_t a, std::int32_t b) {
    return cosines[a] > cosines[b] || (cosines[a] == cosines[b] && candidates[a] < candidates[b]);
  });
  std::transform(order.begin(), end, nearest.begin(), [&](std::int32_t i) { return candidates[i]; });
}

}  // namespace

Neighbours::Neighbours(const Tensor& embeddings, std::span<const std::int32_t> tokens,
                       std::span<const std::int32_t> candidates, std::int64_t count)
    : width_(count) {
  TK_CHECK(embeddings.rank() == 2 && embeddings.dtype() == DType::kFloat32 && embeddings.is_contiguous() &&
               embeddings.device() == Device::kCpu,
           "neighbours: expected contiguous float32 embeddings [vocabulary, width] on the CPU, got ",
           embeddings.shape());
  TK_CHECK(count >= 1, "neighbours: expected at least 1 for each token, got ", count);
  check_ids(tokens, embeddings.size(0));
  check_ids(candidates, embeddings.size(0));
  rows_.assign(static_cast<std::size_t>(embeddings.size(0)), -1);
  for (std::int32_t i = 0; i < std::ssize(tokens); ++i) rows_[tokens[i]] = i;
  nearest_.assign(tokens.size() * static_cast<std::size_t>(count), -1);
  if (candidates.empty()) return;
  const Tensor towards = directions(embeddings, candidates);
  const auto columns = candidates.size();
  for (std::int64_t begin = 0; begin < std::ssize(tokens); begin += kBlock) {
    const std::int64_t n = std::min(kBlock, std::ssize(tokens) - begin);
    const Tensor cosines = matmul(directions(embeddings, tokens.subspan(begin, n)), towards, false, true);
    parallel_for(n, num_threads(), [&](std::int64_t i) {
      choose({cosines.data<float>() + i * columns, columns}, candidates, tokens[begin + i],
             {nearest_.data() + (begin + i) * count, static_cast<std::size_t>(count)});
    });
  }
}

std::span<const std::int32_t> Neighbours::of(std::int32_t token) const {
  if (token < 0 || token >= std::ssize(rows_) || rows_[token] < 0) return {};
  const std::span<const std::int32_t> all(nearest_.data() + rows_[token] * width_, static_cast<std::size_t>(width_));
  return all.first(static_cast<std::size_t>(std::ranges::find(all, -1) - all.begin()));
}

}  // namespace tk
