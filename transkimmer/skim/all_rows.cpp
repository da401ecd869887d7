#include <utility>

#include "transkimmer/skim/row_sets.h"

namespace tk {
namespace {

class AllRows final : public RowSets {
 public:
  AllRows(const Variable& x, const PassInputs& in) : RowSets(in), x_(x) {}

  void attend(std::size_t layer) override {
    const Attention& attention = in_.layers[layer].attention;
    if (attends_from_tables(layer)) {
      x_ = attention.projected(x_, Variable(in_.options.projected), in_.rows, in_.context);
    } else if (only_first(layer) && attends_unprojected(layer, in_.rows, first_.packed)) {
      x_ = attention.unprojected(x_, in_.rows, first_, in_.context);
    } else {
      x_ = attention(x_, in_.rows, only_first(layer) ? &first_ : nullptr, Variable(), in_.context);
    }
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
