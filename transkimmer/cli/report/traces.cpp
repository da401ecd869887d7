#include "transkimmer/cli/report/traces.h"

#include <algorithm>
#include <array>

#include "autograd/grad_mode.h"
#include "data/batch.h"
#include "transkimmer/training/evaluation.h"

namespace tk {
namespace {

// For each token of a sentence: the layers that read it, and one more than the last layer that updated it.
struct TokenFate {
  std::int64_t layers_read = 0;
  std::int64_t layers_updated = 0;
};

void note_layer(std::vector<TokenFate>& fates, std::int64_t layer, const std::vector<std::int32_t>& read,
                const std::vector<std::int32_t>& updated) {
  for (const std::int32_t token : read) ++fates[static_cast<std::size_t>(token)].layers_read;
  for (const std::int32_t token : updated) fates[static_cast<std::size_t>(token)].layers_updated = layer + 1;
}

std::vector<TokenFate> token_fates(const RowSetTable& sets, const Packed& batch) {
  std::vector<TokenFate> fates(static_cast<std::size_t>(batch.tokens));
  std::int64_t layer = 0;
  for (const RowSetTable::Layer& rows : sets.layers) {
    note_layer(fates, layer++, positions(sets, rows.keys, batch), positions(sets, rows.updated, batch));
  }
  // The last layer updates [CLS] alone, whatever the gates say: that is no token's fate.
  for (TokenFate& fate : fates) {
    if (fate.layers_read == layer && fate.layers_updated + 1 >= layer) fate.layers_updated = layer;
  }
  return fates;
}

// A word goes as far as the last of its pieces.
void add_piece(ReportWord& word, const TokenFate& fate) {
  word.layers_read = std::max(word.layers_read, fate.layers_read);
  word.layers_updated = std::max(word.layers_updated, fate.layers_updated);
}

std::vector<ReportWord> words_of(const Tokenizer& tokenizer, const Example& example, const Encoding& encoding,
                                 const std::vector<TokenFate>& fates) {
  const std::array<std::string_view, 2> texts = {example.text_a, example.text_b};
  std::vector<ReportWord> words;
  std::int32_t end = -1;  // of the word's source so far
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    const std::string& piece = tokenizer.vocabulary().token(encoding.ids[i]);
    const ByteSpan source = encoding.sources[i];
    const bool is_special = source.begin == source.end;
    const std::string_view text = texts[static_cast<std::size_t>(encoding.token_types[i])];
    const auto part = [&](std::int32_t from) {
      return std::string(text.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(source.end - from)));
    };
    if (!is_special && piece.starts_with("##") && !words.empty() && end >= 0 && end <= source.end) {
      words.back().text += part(end);
    } else {
      words.push_back({.text = is_special ? piece : part(source.begin), .layers_updated = 0, .is_special = is_special});
    }
    end = is_special ? -1 : source.end;
    add_piece(words.back(), fates[i]);
  }
  return words;
}

}  // namespace

std::vector<Trace> trace_words(const BertClassifier& model, const Tokenizer& tokenizer, const Split& split,
                               const std::vector<std::int64_t>& indices) {
  const NoGrad no_grad;
  std::vector<Trace> traces;
  for (const std::int64_t index : indices) {
    const auto at = static_cast<std::size_t>(index);
    const Example& example = split.examples[at];
    // A split keeps no sources, of which a page shows a few: these examples are cut once more.
    const Encoding encoding =
        tokenizer.encode(example.text_a, example.has_b ? std::optional<std::string_view>(example.text_b) : std::nullopt,
                         std::ssize(split.tokenized[at].ids));
    const Batch batch = make_batch(split.tokenized, std::span(&index, 1), TaskKind::kClassification);
    const EncoderOutput out = model(to(batch, model.device()).tokens, Context()).encoder;
    Trace trace{.index = index};
    trace.words = words_of(tokenizer, example, encoding, token_fates(out.sets, batch.tokens.rows));
    trace.cost_share = counted_macs(model.config(), count_rows(out.sets, batch.tokens.rows), batch.tokens.rows) /
                       dense_macs(model.config(), batch.tokens.rows);
    traces.push_back(std::move(trace));
  }
  return traces;
}

std::vector<std::int64_t> readable_examples(const Split& split, std::int64_t count) {
  constexpr std::int64_t kLeastTokens = 7;
  constexpr std::int64_t kMostTokens = 64;
  std::vector<std::int64_t> readable;
  for (std::int64_t i = 0; i < split.size(); ++i) {
    const std::int64_t tokens = std::ssize(split.tokenized[static_cast<std::size_t>(i)].ids);
    if (tokens >= kLeastTokens && tokens <= kMostTokens) readable.push_back(i);
  }
  if (std::ssize(readable) <= count) return readable;
  std::vector<std::int64_t> taken;
  for (std::int64_t i = 0; i < count; ++i) {
    taken.push_back(readable[static_cast<std::size_t>(i * std::ssize(readable) / count)]);
  }
  return taken;
}

}  // namespace tk
