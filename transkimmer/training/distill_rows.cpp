#include "transkimmer/training/distill_rows.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "data/corrupt.h"
#include "data/re_pair.h"
#include "data/sampling.h"
#include "data/sequences.h"
#include "tensor/random.h"
#include "transkimmer/families/family.h"

namespace tk {
namespace {

using Rows = std::vector<TokenizedExample>;

void append(Rows& rows, Rows more) {
  rows.insert(rows.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

// Without those that come again, among themselves or in `known`.
Rows without_known(const Rows& rows, const Rows& known) {
  const auto bytes = [](const TokenizedExample& row) {
    return std::string_view(reinterpret_cast<const char*>(row.ids.data()), row.ids.size() * sizeof(std::int32_t));
  };
  std::unordered_set<std::string_view> seen;  // of views into rows and known, which stay
  for (const TokenizedExample& row : known) seen.insert(bytes(row));
  Rows result;
  for (const TokenizedExample& row : rows) {
    if (seen.insert(bytes(row)).second) result.push_back(row);
  }
  return result;
}

Rows drawn_texts(const TaskModel& model, const Split& own, const DistillText& text, std::int64_t max_length) {
  Rows all = without_known(tokenize_examples(model.tokenizer, text.texts, max_length), own.tokenized);
  Rows drawn;
  for (const std::int64_t i : draw_by_length(lengths_of(all), lengths_of(own.tokenized), text.samples, text.seed)) {
    drawn.push_back(std::move(all[i]));
  }
  return drawn;
}

// Special and unused tokens are in brackets: "[CLS]", "[unused7]".
bool is_special(std::string_view token) {
  return token.empty() || (token.size() > 2 && token.starts_with('[') && token.ends_with(']'));
}

// What a text is about: no punctuation, and no single letters.
bool is_word(std::string_view token) {
  if (is_special(token)) return false;
  if (token.starts_with("##")) token.remove_prefix(2);
  const auto is_letter = [](unsigned char c) { return c >= 0x80 || std::isalnum(c) != 0; };
  return token.size() > 1 && std::ranges::any_of(token, is_letter);
}

std::vector<bool> words_of(const Vocabulary& vocabulary) {
  std::vector<bool> words;
  for (const std::string& token : vocabulary.tokens()) words.push_back(is_word(token));
  return words;
}

Rows new_pairs(const TaskModel& model, const Split& own, std::int64_t each, std::int64_t max_length) {
  TK_CHECK(each == 0 || model.task.texts == 2, "distill_rows: ", model.task.name, " has no pairs");
  std::vector<Example> pairs;
  if (each > 0) {
    for (const RePaired& pair : re_pair(own.tokenized, each, words_of(model.tokenizer.vocabulary()))) {
      pairs.push_back(
          {.text_a = own.examples[pair.first].text_a, .text_b = own.examples[pair.second].text_b, .has_b = true});
    }
  }
  return tokenize_examples(model.tokenizer, pairs, max_length);
}

Rows copies(const Rows& rows, std::int64_t times) {
  Rows result;
  for (std::int64_t i = 0; i < times; ++i) result.insert(result.end(), rows.begin(), rows.end());
  return result;
}

// The tokens of the rows, each once, in order.
std::vector<std::int32_t> tokens_of(const Rows& rows, std::int64_t vocabulary) {
  std::vector<bool> occurs(static_cast<std::size_t>(vocabulary));
  for (const TokenizedExample& row : rows) {
    for (const std::int32_t id : row.ids) occurs[id] = true;
  }
  std::vector<std::int32_t> tokens;
  for (std::int32_t id = 0; id < vocabulary; ++id) {
    if (occurs[id]) tokens.push_back(id);
  }
  return tokens;
}

Tensor word_embeddings(const BertClassifier& model) {
  const std::string name = concat(model.config().family().weights.word_embeddings, ".weight");
  for (const NamedTensor& weight : named_values(model.parameters())) {
    if (weight.name == name) return weight.tensor.to(Device::kCpu).contiguous();
  }
  throw Error(concat("distill_rows: the model has no weight ", name));
}

// Neighbours, in the checkpoint's word embeddings, of all tokens of these rows but special ones.
Neighbours neighbours_for(const Rows& rows, const TaskModel& model) {
  const Vocabulary& vocabulary = model.tokenizer.vocabulary();
  std::vector<std::int32_t> words;
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    if (!is_special(vocabulary.token(id))) words.push_back(id);
  }
  std::vector<std::int32_t> tokens = tokens_of(rows, vocabulary.size());
  std::erase_if(tokens, [&](std::int32_t id) { return is_special(vocabulary.token(id)); });
  return Neighbours(word_embeddings(*model.model), tokens, words);
}

// Every copy, and half of the other rows.
void corrupt_rows(DistillRows& result, const TaskModel& model, const DistillText& text, std::int64_t max_length) {
  const Neighbours neighbours = neighbours_for(result.rows, model);
  Generator random(text.seed, Purpose::kData, kWhichCorruptedSequence);
  const std::int64_t others = result.texts + result.pairs;
  for (std::int64_t i = 0; i < std::ssize(result.rows); ++i) {
    if (i < others && random.below(2) == 0) continue;
    result.rows[i] = corrupted(result.rows[i], neighbours, max_length, text.seed);
  }
}

}  // namespace

DistillRows distill_rows(const TaskModel& model, const Split& own, const DistillText& text, std::int64_t max_length) {
  DistillRows result{.rows = drawn_texts(model, own, text, max_length)};
  result.texts = std::ssize(result.rows);
  append(result.rows, new_pairs(model, own, text.pairs, max_length));
  result.pairs = std::ssize(result.rows) - result.texts;
  append(result.rows, copies(own.tokenized, text.corrupt));
  result.copies = std::ssize(result.rows) - result.texts - result.pairs;

  std::int32_t next_id = 0;
  for (const TokenizedExample& row : own.tokenized) next_id = std::max(next_id, row.id + 1);
  for (TokenizedExample& row : result.rows) {
    row.id = next_id++;
    row.label = -1;
    row.token_labels.clear();
    row.applies.clear();
  }
  if (text.corrupt > 0) corrupt_rows(result, model, text, max_length);
  for (TokenizedExample& row : result.rows) {
    if (model.task.kind == TaskKind::kTokens) row.token_labels.assign(row.ids.size(), -1);
    if (model.task.kind == TaskKind::kMultiLabel) row.applies.assign(model.task.labels.size(), -1);
  }
  return result;
}

}  // namespace tk
