#include <utility>

#include "transkimmer/skim/row_sets.h"

namespace tk {
namespace {

class AllRows final : public RowSets {
 public:
  AllRows(const Variable& x, const PassInputs& in) : RowSets(in), x_(x) {}

  void attend(std::size_t layer) override {
    x_ = in_.layers[layer].attention(x_, in_.rows, only_first(layer) ? &first_ : nullptr, Variable(), in_.context);
  }
  void decide(std::size_t) override {}
  void feed(std::size_t layer) override {
    const Packed& rows = only_first(layer) ? first_.packed : in_.rows;
    x_ = in_.layers[layer].feed_forward(x_, rows, Variable(), in_.context);
  }
  EncoderOutput output() override {
    out_.x = x_;
    return std::move(out_);
  }

 private:
  Variable x_;
};

}  // namespace

std::unique_ptr<RowSets> all_rows(const Variable& x, const PassInputs& in) { return std::make_unique<AllRows>(x, in); }

}  // namespace tk
