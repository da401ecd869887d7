#include "tensor/ops/counted_rows.h"

#include "tensor/backend.h"
#include "tensor/kernels.h"
#include "tensor/ops/gate_scores.h"

namespace tk {
namespace {

constexpr std::int64_t kTileRows = 32;  // of a block of choose_rows

// That a tensor is what a kernel takes it for; `like` says where it lies.
void check(const char* op, const char* name, const Tensor& x, const Shape& shape, DType dtype, const Tensor& like) {
  TK_CHECK(x.defined() && x.shape() == shape && x.dtype() == dtype && x.is_contiguous() && x.device() == like.device(),
           op, ": expected ", name, " of ", dtype, ' ', shape, " on ", like.device(), ", got ", x.dtype(), ' ',
           x.shape(), " on ", x.device());
}

void check_if_given(const char* op, const char* name, const Tensor& x, const Shape& shape, DType dtype,
                    const Tensor& like) {
  if (x.defined()) check(op, name, x, shape, dtype, like);
}

void check_product(const Tensor& x, const Tensor& count, const Tensor& w, const Tensor& bias) {
  constexpr const char* kOp = "counted_linear";
  TK_CHECK(
      x.rank() == 2 && w.rank() == 2 && x.shape()[1] == w.shape()[1] && w.shape()[0] % 32 == 0 && w.shape()[1] % 8 == 0,
      kOp, ": expected x [rows, inner] and w [columns, inner], multiples of 8 and 32, got ", x.shape(), " and ",
      w.shape());
  check(kOp, "x", x, x.shape(), DType::kBFloat16, x);
  check(kOp, "w", w, w.shape(), DType::kBFloat16, x);
  check(kOp, "a count", count, {}, DType::kInt32, x);
  check_if_given(kOp, "a bias", bias, {w.shape()[0]}, DType::kFloat32, x);
}

void check_norm(const char* op, const Tensor& residual, const ResidualNorm& norm) {
  const Shape columns{residual.shape()[1]};
  check(op, "a bias", norm.bias, columns, DType::kFloat32, residual);
  check(op, "gamma", norm.gamma, columns, DType::kFloat32, residual);
  check(op, "beta", norm.beta, columns, DType::kFloat32, residual);
}

void check_room(const RowRoom& room, const Tensor& x, const Shape& offsets, bool has_positions) {
  constexpr const char* kOp = "choose_rows";
  if (!room.x.defined()) return;
  const Shape rows{x.shape()[0]};
  check(kOp, "room for rows", room.x, x.shape(), DType::kBFloat16, x);
  check_if_given(kOp, "offsets", room.offsets, offsets, DType::kInt32, x);
  check_if_given(kOp, "positions", room.position, rows, DType::kInt32, x);
  check_if_given(kOp, "places", room.place, rows, DType::kInt32, x);
  TK_CHECK(has_positions || !room.position.defined(), kOp, ": room for positions, and the rows have none");
}

}  // namespace

bool has_counted_rows(Device device, DType dtype, std::int64_t hidden, std::int64_t width) {
  if (!has_gate_scores(device, dtype, hidden, width)) return false;
  const auto has_products = backend(device).has_counted_products;
  return has_products != nullptr && has_products();
}

Tensor counted_linear(const Tensor& x, const Tensor& count, const Tensor& w, const Tensor& bias,
                      std::optional<Activation> activation) {
  check_product(x, count, w, bias);
  Tensor y = empty({x.shape()[0], w.shape()[0]}, x.dtype(), x.device()), none;
  counted_linear_kernel(x.device(), y, x, count, none, none, none, w, bias, activation);
  return y;
}

TwoProducts counted_linear(const Tensor& x, const Tensor& count, std::int64_t first, const Tensor& more_x,
                           const Tensor& more_count, const Tensor& w, const Tensor& bias) {
  check_product(x, count, w, bias);
  check_product(more_x, more_count, w, bias);
  TK_CHECK(first > 0 && first < w.shape()[0] && first % 32 == 0, "counted_linear: cannot take ", first, " rows of w ",
           w.shape());
  TwoProducts products{empty({x.shape()[0], first}, x.dtype(), x.device()),
                       empty({more_x.shape()[0], w.shape()[0] - first}, x.dtype(), x.device())};
  counted_linear_kernel(x.device(), products.y, x, count, products.more_y, more_x, more_count, w, bias, {});
  return products;
}

Tensor counted_residual_norm(const Tensor& residual, const Tensor& branch, const ResidualNorm& norm,
                             const Tensor& count) {
  const Tensor y = empty_like(residual);
  counted_residual_norm_into(y, Tensor(), residual, branch, norm, count, Tensor(), Tensor());
  return y;
}

void counted_residual_norm_into(const Tensor& y, const Tensor& copy, const Tensor& residual, const Tensor& branch,
                                const ResidualNorm& norm, const Tensor& count, const Tensor& place,
                                const Tensor& copy_place) {
  constexpr const char* kOp = "counted_residual_norm";
  TK_CHECK(residual.rank() == 2 && y.rank() == 2, kOp, ": expected rows, got ", residual.shape(), " and ", y.shape());
  const Shape columns{residual.shape()[1]};
  check(kOp, "a residual", residual, residual.shape(), DType::kBFloat16, residual);
  check(kOp, "a branch", branch, residual.shape(), DType::kBFloat16, residual);
  check(kOp, "y", y, {y.shape()[0], residual.shape()[1]}, DType::kBFloat16, residual);
  check(kOp, "a count", count, {}, DType::kInt32, residual);
  check_norm(kOp, residual, norm);
  check_if_given(kOp, "places", place, {residual.shape()[0]}, DType::kInt32, residual);
  TK_CHECK(copy.defined() == copy_place.defined(), kOp, ": expected a copy and its places, or neither");
  check_if_given(kOp, "a copy", copy, {copy.defined() ? copy.shape()[0] : 0, residual.shape()[1]}, DType::kBFloat16,
                 residual);
  check_if_given(kOp, "places of copies", copy_place, {y.shape()[0]}, DType::kInt32, residual);
  Tensor to = y, copies = copy;
  counted_residual_norm_kernel(residual.device(), to, copies, residual, branch, norm, count, place, copy_place);
}

std::int64_t choice_scan_size(std::int64_t rows) {
  return std::max<std::int64_t>(1, (rows + kTileRows - 1) / kTileRows);
}

void choose_rows(const ChosenRows& to, const RowChoice& from) {
  constexpr const char* kOp = "choose_rows";
  const Tensor& x = from.x;
  TK_CHECK(x.rank() == 2 && x.shape()[0] <= kMostCountedRows, kOp, ": expected at most ", kMostCountedRows,
           " rows, got ", x.shape());
  const Shape rows{x.shape()[0]}, columns{x.shape()[1]};
  check_predictor(kOp, x, from.predictor);
  check(kOp, "x", x, x.shape(), DType::kBFloat16, x);
  check_if_given(kOp, "a branch", from.branch, x.shape(), DType::kBFloat16, x);
  if (from.branch.defined()) {
    check_norm(kOp, x, from.norm);
    check(kOp, "room for states", to.state, x.shape(), DType::kBFloat16, x);
  }
  check_if_given(kOp, "places", from.place, rows, DType::kInt32, x);
  TK_CHECK(from.offsets.rank() == 1 && from.offsets.numel() >= 1, kOp, ": expected offsets, got ",
           from.offsets.shape());
  check(kOp, "offsets", from.offsets, from.offsets.shape(), DType::kInt32, x);
  if (from.forces_shares) check(kOp, "original offsets", from.original_offsets, from.offsets.shape(), DType::kInt32, x);
  check_if_given(kOp, "positions", from.position, rows, DType::kInt32, x);
  check_if_given(kOp, "gamma", from.unfed_gamma, columns, DType::kFloat32, x);
  check_if_given(kOp, "beta", from.unfed_beta, columns, DType::kFloat32, x);
  for (const RowRoom* room : {&to.keys, &to.asking, &to.fed}) {
    check_room(*room, x, from.offsets.shape(), from.position.defined());
  }
  const bool has_stages = from.predictor.output_w.shape()[0] == 3;
  TK_CHECK(to.keys.x.defined() && to.keys.offsets.defined(), kOp, ": expected room for keys");
  TK_CHECK(!to.asking.offsets.defined() || has_stages, kOp, ": a predictor of one gate chooses no rows that ask");
  TK_CHECK(to.fed.x.defined() == has_stages && to.fed.place.defined() == has_stages, kOp,
           ": a predictor of three gates, and no other, chooses rows that are fed, with their places");
  check(kOp, "a scan", to.scan, {choice_scan_size(x.shape()[0])}, DType::kInt64, x);
  choose_rows_kernel(x.device(), to, from);
}

}  // namespace tk
