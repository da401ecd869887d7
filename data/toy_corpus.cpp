#include "data/toy_corpus.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string_view>

#include "data/sequences.h"
#include "tensor/error.h"
#include "tensor/random.h"

namespace tk {
namespace {

using Words = std::vector<std::string_view>;

// A sentence grows by clauses until it has as many words as were drawn from this range; the longest filler has 8 words
// and a link, so it has 8 to 24 in the end.
constexpr std::uint32_t kLeastWords = 8;
constexpr std::uint32_t kMostWords = 16;
constexpr float kNegatedOpinions = 0.35f;
constexpr float kNegatedFillers = 0.6f;          // of those with a place for a negation
constexpr std::int64_t kMostExamples = 100'000;  // far fewer than there are sentences, so that each can be a new one

// What the slots of a template may hold.
const std::map<std::string_view, Words>& slots() {
  static const std::map<std::string_view, Words> slots = {
      {"<praise>",
       {"brilliant", "charming", "moving", "funny", "clever", "gripping", "superb", "witty", "touching", "splendid",
        "lovely", "fresh"}},
      {"<blame>",
       {"dull", "awful", "clumsy", "stale", "tedious", "bland", "dreadful", "hollow", "lifeless", "silly", "boring",
        "weak"}},
      {"<negation>", {"not", "never"}},
      {"<aspect>", {"plot", "music", "acting", "script", "ending", "story", "dialogue", "cast", "humour", "camera"}},
      {"<verb>", {"was", "seemed", "felt"}},
      {"<link>", {"and", "while", "but", "because", ",", ";"}},
      {"<person>",
       {"brother", "sister", "teacher", "neighbour", "friend", "driver", "doctor", "cousin", "student", "singer",
        "waiter", "uncle"}},
      {"<place>",
       {"cinema", "garden", "station", "market", "kitchen", "library", "museum", "harbour", "village", "office",
        "hotel", "school"}},
      {"<state>", {"crowded", "open", "empty", "dark", "large", "closed", "new", "full", "quiet", "distant"}},
      {"<act>", {"leave", "eat", "sing", "wait", "talk", "sleep", "return", "pay", "drive", "read"}},
      {"<thing>", {"ticket", "coat", "umbrella", "letter", "sandwich", "newspaper", "bag", "lamp", "chair", "phone"}},
      {"<did>", {"bought", "found", "carried", "lost", "brought", "sold", "kept", "dropped"}},
      {"<done>", {"seen", "used", "wanted", "missed", "borrowed", "noticed"}},
      {"<day>", {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}},
      {"<number>", {"two", "three", "four", "five", "six", "seven", "eight", "nine"}},
      {"<unit>", {"hours", "days", "weeks", "months", "minutes"}},
  };
  return slots;
}

// The slot <negation> may stay empty.
constexpr std::string_view kFillers[] = {
    "the <place> <verb> <negation> <state>",
    "my <person> would <negation> <act>",
    "we had <negation> <done> the <thing>",
    "we saw it on a <day>",
    "one <person> <did> the <thing>",
    "it ran for <number> <unit> in the <place>",
    "somebody near the <place> <did> another <thing>",
    "the <person> left <number> <unit> later",
};

Words split_words(std::string_view text) {
  Words words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::string_view pick(std::span<const std::string_view> words, Generator& random) {
  return words[random.below(static_cast<std::uint32_t>(words.size()))];
}

Words fill(std::string_view clause, Generator& random) {
  Words words;
  for (const std::string_view word : split_words(clause)) {
    if (word == "<negation>" && random.uniform() >= kNegatedFillers) continue;
    const auto slot = slots().find(word);
    words.push_back(slot == slots().end() ? word : pick(slot->second, random));
  }
  return words;
}

Words make_opinion(bool praise, bool negated, Generator& random) {
  Words words = fill("the <aspect> <verb>", random);
  if (negated) words.push_back(pick(slots().at("<negation>"), random));
  words.push_back(pick(slots().at(praise != negated ? "<praise>" : "<blame>"), random));
  return words;
}

// Filler clauses that bring the sentence to its length: each costs a link too.
std::vector<Words> make_fillers(std::size_t words, Generator& random) {
  const std::size_t wanted = kLeastWords + random.below(kMostWords - kLeastWords + 1);
  std::vector<Words> fillers;
  while (words < wanted) {
    fillers.push_back(fill(pick(kFillers, random), random));
    words += fillers.back().size() + 1;
  }
  return fillers;
}

struct Sentence {
  std::string text;
  std::vector<std::int64_t> deciding;
};

Sentence make_sentence(bool praise, Generator& random) {
  const bool negated = random.uniform() < kNegatedOpinions;
  const Words opinion = make_opinion(praise, negated, random);
  std::vector<Words> clauses = make_fillers(opinion.size() + 1, random);
  const std::size_t place = random.below(static_cast<std::uint32_t>(clauses.size() + 1));
  clauses.insert(clauses.begin() + static_cast<std::ptrdiff_t>(place), opinion);

  Sentence sentence;
  std::int64_t words = 0;
  for (std::size_t i = 0; i < clauses.size(); ++i) {
    for (const std::string_view word : clauses[i]) sentence.text.append(word).append(" ");
    words += std::ssize(clauses[i]);
    if (i == place) {
      if (negated) sentence.deciding.push_back(words - 2);
      sentence.deciding.push_back(words - 1);
    }
    const bool last = i + 1 == clauses.size();
    sentence.text.append(last ? "." : pick(slots().at("<link>"), random)).append(last ? "" : " ");
    ++words;
  }
  return sentence;
}

ToySplit make_split(std::int64_t examples, std::set<std::string>& seen, Generator& random) {
  ToySplit split;
  while (std::ssize(split.examples) < examples) {
    const auto id = static_cast<std::int32_t>(split.examples.size());
    const bool praise = id % 2 == 1;
    Sentence sentence = make_sentence(praise, random);
    if (!seen.insert(sentence.text).second) continue;
    split.examples.push_back({id, std::move(sentence.text), "", false, praise ? 1.0f : 0.0f});
    split.deciding_words.push_back(std::move(sentence.deciding));
  }
  return split;
}

std::vector<std::string> make_vocabulary() {
  std::set<std::string_view> words = {"."};
  const auto add = [&](std::string_view word) {
    if (!word.starts_with('<')) words.insert(word);
  };
  for (const auto& [slot, choices] : slots()) std::for_each(choices.begin(), choices.end(), add);
  for (const std::string_view clause : kFillers) {
    const Words parts = split_words(clause);
    std::for_each(parts.begin(), parts.end(), add);
  }
  std::vector<std::string> vocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  vocabulary.insert(vocabulary.end(), words.begin(), words.end());
  return vocabulary;
}

}  // namespace

ToyCorpus make_toy_corpus(const ToyCorpusOptions& options) {
  for (const std::int64_t examples : {options.train, options.dev}) {
    TK_CHECK(0 <= examples && examples <= kMostExamples, "make_toy_corpus: expected 0 to ", kMostExamples,
             " examples, got ", examples);
  }
  Generator random(options.seed, Purpose::kData, kCorpusSequence);
  std::set<std::string> seen;
  ToyCorpus corpus;
  corpus.vocabulary = make_vocabulary();
  corpus.train = make_split(options.train, seen, random);
  corpus.dev = make_split(options.dev, seen, random);
  return corpus;
}

}  // namespace tk
