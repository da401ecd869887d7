#include "data/example.h"

#include "data/tokenizer.h"
#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace tk {

using test::ThreadCount;

TEST_CASE("tokenize_examples: order, ids, types and labels stay, whatever the number of threads") {
  const Tokenizer tokenizer(Vocabulary({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "##b"}));
  std::vector<Example> examples;
  for (std::int32_t i = 0; i < 1000; ++i) {
    examples.push_back({i, std::string(static_cast<std::size_t>(i % 7), 'b'), "a a", i % 2 == 1, float(i % 3), {}});
  }
  const auto with_threads = [&](int n) {
    const ThreadCount threads(n);
    return tokenize_examples(tokenizer, examples, 6);
  };
  const auto one = with_threads(1), two = with_threads(2);
  REQUIRE(one.size() == 1000);
  CHECK(one[3].ids == std::vector<std::int32_t>{2, 5, 6, 3, 4, 3});  // bbb + a a, cut to 3 tokens
  CHECK(one[3].token_types == std::vector<std::int32_t>{0, 0, 0, 0, 1, 1});
  CHECK(one[2].ids == std::vector<std::int32_t>{2, 5, 6, 3});
  CHECK(one[2].label == 2);
  bool equal = true;
  for (std::size_t i = 0; i < one.size(); ++i) {
    equal = equal && one[i].id == static_cast<std::int32_t>(i) && one[i].ids == two[i].ids &&
            one[i].token_types == two[i].token_types && one[i].label == two[i].label;
  }
  CHECK(equal);
  CHECK(lengths_of(one).at(2) == 4);
  CHECK(labels_of(one, TaskKind::kClassification).at(2) == 2);
}

TEST_CASE("tokenize_examples: an error inside a thread arrives") {
  const Tokenizer tokenizer(Vocabulary({"[PAD]", "[UNK]", "[CLS]", "[SEP]"}));
  const ThreadCount threads(2);
  CHECK_THROWS_AS(tokenize_examples(tokenizer, std::vector<Example>(200), 1), Error);
}

TEST_CASE("tokenize_examples: the label of a word goes to the token that begins it") {
  const Tokenizer tokenizer(Vocabulary({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "##b", ","}));
  Example example{.id = 4, .text_a = "bb a,a \u200b b", .word_labels = {2, 0, 5, 1}};
  const std::vector<TokenizedExample> examples = tokenize_examples(tokenizer, std::span(&example, 1), 64);
  // [CLS] b ##b a , a b [SEP]; the third word holds nothing that a tokenizer keeps.
  REQUIRE(examples[0].ids == std::vector<std::int32_t>{2, 5, 6, 4, 7, 4, 5, 3});
  CHECK(examples[0].token_labels == std::vector<std::int32_t>{-1, 2, -1, 0, -1, -1, 1, -1});
  CHECK(labels_of(examples, TaskKind::kTokens) == std::vector<double>{-1, 2, -1, 0, -1, -1, 1, -1});
  CHECK(label_starts(examples, TaskKind::kTokens) == std::vector<std::int64_t>{0, 8});
  CHECK(label_starts(examples, TaskKind::kClassification) == std::vector<std::int64_t>{0, 1});
  CHECK(tokenize_examples(tokenizer, std::span(&example, 1), 5)[0].token_labels ==
        std::vector<std::int32_t>{-1, 2, -1, 0, -1});
}

TEST_CASE("tokenize_examples: an example has as many labels as words, which single spaces separate") {
  const Tokenizer tokenizer(Vocabulary({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b"}));
  Example example{.id = 7, .text_a = " a b", .word_labels = {5, 1, 2}};  // the first word is empty
  const auto labels = [&] { return tokenize_examples(tokenizer, std::span(&example, 1), 64)[0].token_labels; };
  CHECK(labels() == std::vector<std::int32_t>{-1, 1, 2, -1});
  example.text_a = "a  b";
  CHECK(labels() == std::vector<std::int32_t>{-1, 5, 2, -1});
  example.text_a = "a b";
  CHECK_THROWS_WITH(labels(), ContainsSubstring("example 7 has 2 words, which single spaces separate, and 3 labels"));
}

TEST_CASE("tokenize: an empty split is refused, and check_labelled finds the row without a label") {
  const Tokenizer tokenizer(Vocabulary({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"}));
  Split split{.path = "some.tsv"};
  CHECK_THROWS_WITH(tokenize(split, tokenizer, 8), ContainsSubstring("some.tsv: no examples are left"));
  split.examples = {{.id = 0, .text_a = "a", .label = 1}, {.id = 1, .text_a = "a"}};
  tokenize(split, tokenizer, 8);
  CHECK(split.tokenized.size() == 2);
  CHECK_THROWS_WITH(check_labelled(split), ContainsSubstring("some.tsv: row 1 has no label"));
}

}  // namespace tk
