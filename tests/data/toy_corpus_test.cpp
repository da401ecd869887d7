#include "data/toy_corpus.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "data/tokenizer.h"
#include "tensor/error.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

bool is_negation(const std::string& word) { return word == "not" || word == "never"; }

}  // namespace

TEST_CASE("toy_corpus: the same seed gives the same corpus, another seed another") {
  const ToyCorpus a = make_toy_corpus({5, 100, 20});
  const ToyCorpus b = make_toy_corpus({5, 100, 20});
  const ToyCorpus c = make_toy_corpus({6, 100, 20});
  REQUIRE(a.train.examples.size() == 100);
  REQUIRE(a.dev.examples.size() == 20);
  bool equal = a.vocabulary == b.vocabulary;
  for (std::size_t i = 0; i < 100; ++i) equal = equal && a.train.examples[i].text_a == b.train.examples[i].text_a;
  CHECK(equal);
  CHECK(a.train.examples[0].text_a != c.train.examples[0].text_a);
}

TEST_CASE("toy_corpus: these sentences stay what they are") {
  const ToyCorpus corpus = make_toy_corpus({1, 3, 1});
  CHECK(corpus.train.examples[0].text_a == "the brother left eight months later ; the script felt not witty .");
  CHECK(corpus.train.examples[1].text_a ==
        "the cast seemed fresh and the brother left seven weeks later and one waiter dropped the bag .");
}

TEST_CASE("toy_corpus: sentences have 8 to 24 words, all in the vocabulary, classes in balance, none twice") {
  const ToyCorpus corpus = make_toy_corpus();
  const std::set<std::string> vocabulary(corpus.vocabulary.begin(), corpus.vocabulary.end());
  CHECK(vocabulary.size() == corpus.vocabulary.size());
  std::set<std::string> seen;
  for (const ToySplit* split : {&corpus.train, &corpus.dev}) {
    double positive = 0;
    std::size_t shortest = 99, longest = 0;
    bool known = true;
    for (const Example& example : split->examples) {
      const auto words = words_of(example.text_a);
      shortest = std::min(shortest, words.size());
      longest = std::max(longest, words.size());
      for (const auto& word : words) known = known && vocabulary.count(word);
      positive += example.label;
      CHECK(seen.insert(example.text_a).second);
    }
    CHECK(shortest >= 8);
    CHECK(longest <= 24);
    CHECK(known);
    CHECK(positive * 2 == static_cast<double>(split->examples.size()));
  }
}

TEST_CASE("toy_corpus: the deciding words alone give the class") {
  const ToyCorpus corpus = make_toy_corpus();
  // The class that an opinion word has without a negation, found from the plain sentences, must explain all others.
  std::map<std::string, float> polarity;
  std::int64_t negated = 0;
  std::int64_t elsewhere = 0;
  const ToySplit& train = corpus.train;
  for (std::size_t i = 0; i < train.examples.size(); ++i) {
    const auto words = words_of(train.examples[i].text_a);
    const auto& deciding = train.deciding_words[i];
    REQUIRE((deciding.size() == 1 || deciding.size() == 2));
    const bool flip = deciding.size() == 2;
    if (flip) CHECK(is_negation(words[deciding[0]]));
    if (flip) CHECK(deciding[0] + 1 == deciding[1]);
    CHECK_FALSE((!flip && is_negation(words[deciding[0] - 1])));
    const float plain = flip ? 1 - train.examples[i].label : train.examples[i].label;
    CHECK(polarity.emplace(words[deciding.back()], plain).first->second == plain);
    negated += flip;
    elsewhere += std::any_of(words.begin(), words.end(), is_negation) && !flip;
  }
  CHECK(polarity.size() == 24);
  const auto n = static_cast<double>(train.examples.size());
  CHECK(static_cast<double>(negated) / n > 0.25);    // a bag of opinion words is not enough,
  CHECK(static_cast<double>(elsewhere) / n > 0.10);  // nor is knowing that there is a negation
}

TEST_CASE("toy_corpus: in BERT's input the word at place i is token i + 1") {
  const ToyCorpus corpus = make_toy_corpus({1, 50, 0});
  const Tokenizer tokenizer{Vocabulary(corpus.vocabulary)};
  for (std::size_t i = 0; i < corpus.train.examples.size(); ++i) {
    const auto words = words_of(corpus.train.examples[i].text_a);
    const auto ids = tokenizer.encode(corpus.train.examples[i].text_a).ids;
    REQUIRE(ids.size() == words.size() + 2);
    for (const auto place : corpus.train.deciding_words[i]) CHECK(corpus.vocabulary[ids[place + 1]] == words[place]);
  }
}

TEST_CASE("toy_corpus: refuses more sentences than it can tell apart") {
  CHECK_THROWS_AS(make_toy_corpus({1, 1'000'000, 0}), Error);
  CHECK_THROWS_AS(make_toy_corpus({1, -1, 0}), Error);
}

}  // namespace tk
