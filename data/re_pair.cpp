#include "data/re_pair.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "tensor/error.h"
#include "tensor/parallel_for.h"
#include "tensor/threads.h"

namespace tk {
namespace {

using Words = std::vector<std::int32_t>;

constexpr std::size_t kMostTexts = 2000;  // that a word may be looked up in: bounds the time on large tasks

// The words of a pair's text; [CLS] and [SEP] are none.
Words words_of(const TokenizedExample& pair, bool second, const std::vector<bool>& is_word) {
  const auto begin = pair.ids.begin();
  const auto split = std::ranges::find(pair.token_types, 1) - pair.token_types.begin();
  TK_CHECK(split >= 2 && split < std::ssize(pair.ids), "re_pair: example ", pair.id, " is no [CLS] A [SEP] B [SEP]");
  Words words = second ? Words(begin + split, pair.ids.end() - 1) : Words(begin + 1, begin + split - 1);
  if (!is_word.empty()) {
    std::erase_if(words, [&](std::int32_t id) { return !is_word.at(static_cast<std::size_t>(id)); });
  }
  return words;
}

std::map<std::int32_t, double> counts_of(const Words& words) {
  std::map<std::int32_t, double> counts;
  for (const std::int32_t word : words) ++counts[word];
  return counts;
}

// All different second texts, and in which of them each word stands.
class SecondTexts {
 public:
  SecondTexts(std::span<const TokenizedExample> pairs, const std::vector<bool>& is_word) {
    std::map<Words, std::int64_t> known;
    for (std::int64_t i = 0; i < std::ssize(pairs); ++i) {
      Words words = words_of(pairs[i], true, is_word);
      const auto [text, is_new] = known.try_emplace(std::move(words), std::ssize(rows_));
      of_row_.push_back(text->second);
      if (!is_new) continue;
      rows_.push_back(i);
      for (const auto& [word, count] : counts_of(text->first)) places_[word].push_back({text->second, count});
    }
    weigh();
  }

  std::int64_t size() const { return std::ssize(rows_); }
  std::int64_t of_row(std::int64_t row) const { return of_row_[row]; }
  std::int64_t row(std::int64_t text) const { return rows_[text]; }

  /// Adds to scores[text] the text's cosine with `words` but for their norm; `found` gets the texts that share one.
  void score(const Words& words, std::vector<double>& scores, std::vector<std::int64_t>& found) const {
    for (const auto& [word, count] : counts_of(words)) {
      const auto places = places_.find(word);
      if (places == places_.end() || places->second.size() > kMostTexts) continue;
      const double weight = count * idf(places->second.size());
      for (const Place& place : places->second) {
        if (scores[place.text] == 0) found.push_back(place.text);
        scores[place.text] += weight * place.weight;
      }
    }
  }

 private:
  struct Place {
    std::int64_t text;
    double weight;  // at first the word's count; then tf-idf over the text's norm
  };

  // One more than usual, so that a word of all texts still counts where there is no other.
  double idf(std::size_t texts) const {
    return std::log((1 + static_cast<double>(rows_.size())) / static_cast<double>(texts));
  }

  void weigh() {
    std::vector<double> squares(rows_.size());
    for (auto& [word, places] : places_) {
      for (Place& place : places) {
        place.weight *= idf(places.size());
        squares[place.text] += place.weight * place.weight;
      }
    }
    for (auto& [word, places] : places_) {
      for (Place& place : places) place.weight /= std::sqrt(squares[place.text]);
    }
  }

  std::vector<std::int64_t> of_row_;  // of each row its text
  std::vector<std::int64_t> rows_;    // of each text its first row
  std::map<std::int32_t, std::vector<Place>> places_;
};

}  // namespace

std::vector<RePaired> re_pair(std::span<const TokenizedExample> pairs, std::int64_t each,
                              const std::vector<bool>& is_word) {
  TK_CHECK(each >= 0, "re_pair: expected a number of second texts for each row, got ", each);
  const SecondTexts texts(pairs, is_word);
  std::vector<std::vector<std::int64_t>> chosen(pairs.size());
  std::vector<Words> firsts;
  for (const TokenizedExample& pair : pairs) firsts.push_back(words_of(pair, false, is_word));
  struct Work {
    std::vector<double> scores;
    std::vector<std::int64_t> found;
  };
  const int threads = num_threads();
  std::vector<Work> work(static_cast<std::size_t>(threads),
                         {std::vector<double>(static_cast<std::size_t>(texts.size())), {}});
  parallel_for(std::ssize(pairs), threads, [&](std::int64_t i) {
    auto& [scores, found] = work[thread_index()];
    found.clear();
    texts.score(firsts[i], scores, found);
    const auto better = [&scores = scores](std::int64_t a, std::int64_t b) {
      return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
    };
    std::vector<std::int64_t> others = found;
    std::erase(others, texts.of_row(i));
    const auto n = std::min<std::ptrdiff_t>(each, std::ssize(others));
    std::partial_sort(others.begin(), others.begin() + n, others.end(), better);
    chosen[i].assign(others.begin(), others.begin() + n);
    for (const std::int64_t text : found) scores[text] = 0;
  });
  std::vector<RePaired> result;
  for (std::int64_t i = 0; i < std::ssize(pairs); ++i) {
    for (const std::int64_t text : chosen[i]) result.push_back({i, texts.row(text)});
  }
  return result;
}

}  // namespace tk
