#include "data/glue_sources.h"

#include <set>

#include "data/text_file.h"
#include "tensor/error.h"

namespace tk {
namespace {

using Fields = std::vector<std::string_view>;

Fields split_at_tabs(std::string_view line) {
  Fields fields;
  for (std::size_t tab = line.find('\t'); tab != std::string_view::npos; tab = line.find('\t')) {
    fields.push_back(line.substr(0, tab));
    line.remove_prefix(tab + 1);
  }
  fields.push_back(line);
  return fields;
}

// Quality, two ids, two texts.
Fields mrpc_row(std::string_view line, std::int64_t number, const char* file) {
  Fields fields = split_at_tabs(line);
  TK_CHECK(fields.size() == 5, "MRPC, ", file, ", line ", number, ": expected 5 columns, got ", fields.size());
  return fields;
}

std::string pair_key(std::string_view a, std::string_view b) { return concat(a, '\t', b); }

void skip_byte_order_mark(std::string_view& text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
}

}  // namespace

const std::vector<GlueSource>& glue_sources() {
  static const std::vector<GlueSource> sources = [] {
    const std::string glue = "https://dl.fbaipublicfiles.com/glue/data/";
    const std::string senteval = "https://dl.fbaipublicfiles.com/senteval/senteval_data/";
    // clang-format off
    return std::vector<GlueSource>{
        {"cola", glue + "CoLA.zip", 376971, "f212fcd832b8f7b435fb991f101abf89f96b933ab400603bf198960dfc32cbff"},
        {"sst2", glue + "SST-2.zip", 7439277, "d67e16fb55739c1b32cdce9877596db1c127dc322d93c082281f64057c16deaa"},
        {"mrpc", senteval + "msr_paraphrase_train.txt", 1047044, "60a9b09084528f0673eedee2b69cb941920f0b8cd0eeccefc464a98768457f89"},
        {"mrpc", senteval + "msr_paraphrase_test.txt", 441275, "a04e271090879aaba6423d65b94950c089298587d9c084bf9cd7439bd785f784"},
        {"mrpc", glue + "mrpc_dev_ids.tsv", 6222, "971d7767d81b997fd9060ade0ec23c4fc31cbb226a55d1bd4a1bac474eb81dc7"},
        {"stsb", glue + "STS-B.zip", 802872, "e60a6393de5a8b5b9bac5020a1554b54e3691f9d600b775bd131e613ac179c85"},
        {"qqp", glue + "QQP-clean.zip", 41696084, "40e7c862c04eb26ee04b67fd900e76c45c6ba8e6d8fab4f8f1f8072a1a3fbae0"},
        {"mnli", glue + "MNLI.zip", 312783507, "e7c1d896d26ed6caf700110645df426cc2d8ebf02a5ab743d5a5c68ac1c83633"},
        {"qnli", glue + "QNLIv2.zip", 10627589, "e634e78627a29adaecd4f955359b22bf5e70f2cbd93b493f2d624138a0c0e5f5"},
        {"rte", glue + "RTE.zip", 697150, "6bf86de103ecd335f3441bd43574d23fef87ecc695977a63b82d5efb206556ee"},
        {"wnli", glue + "WNLI.zip", 28999, "ae0e8e4d16f4d46d4a0a566ec7ecceccfd3fbfaa4a7a4b4e02848c0f2561ac46"},
        {"ax", glue + "AX.tsv", 222257, "0e13510b1bb14436ff7e2ee82338f0efb0133ecf2e73507a697dc210db3f05fd"},
    };
    // clang-format on
  }();
  return sources;
}

MrpcTexts mrpc_texts(std::string_view train, std::string_view test, std::string_view dev_ids) {
  constexpr const char* kLabelled = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n";
  MrpcTexts texts{kLabelled, kLabelled, "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n"};
  std::set<std::string> dev;
  while (!dev_ids.empty()) {
    const Fields ids = split_at_tabs(take_line(dev_ids));
    if (ids.size() == 2) dev.insert(pair_key(ids[0], ids[1]));
  }
  for (std::string_view* text : {&train, &test}) {
    skip_byte_order_mark(*text);
    take_line(*text);  // the header
  }
  std::int64_t line = 1;
  while (!train.empty()) {
    const std::string_view row = take_line(train);
    const Fields fields = mrpc_row(row, ++line, "training rows");
    (dev.contains(pair_key(fields[1], fields[2])) ? texts.dev : texts.train) += concat(row, '\n');
  }
  std::int64_t index = 0;
  for (line = 1; !test.empty(); ++index) {
    const std::string_view row = take_line(test);
    const Fields fields = mrpc_row(row, ++line, "test rows");
    texts.test += concat(index, row.substr(fields[0].size()), '\n');  // in place of the label
  }
  return texts;
}

}  // namespace tk
