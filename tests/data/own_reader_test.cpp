#include "data/own_reader.h"

#include <cmath>
#include <cstdlib>

#include "tensor/error.h"
#include "tests/data/write_file.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace tk {
namespace {

using Texts = std::vector<std::string>;

constexpr const char* kReviews = "text,label\ngood,pos\n\"bad, very\",neg\nfine,pos\n";

std::string problem(const std::filesystem::path& path, const std::function<void()>& call) {
  const std::string text = test::message_of(call);
  return text.starts_with(path.string()) ? text.substr(path.string().size()) : text;
}

std::vector<float> labels_of(const Split& split) {
  std::vector<float> labels;
  for (const Example& example : split.examples) labels.push_back(example.label);
  return labels;
}

}  // namespace

TEST_CASE("infer_task: names are classes in the order of their bytes, integers in that of their values") {
  const TemporaryFolder folder;
  const Task names = infer_task(write_file(folder, "a.csv", kReviews), {}, {}, "reviews");
  CHECK(names.name == "reviews");
  CHECK(names.kind == TaskKind::kClassification);
  CHECK(names.labels == Texts{"neg", "pos"});
  CHECK(names.texts == 1);
  CHECK(names.headline == "accuracy");
  const Task stars = infer_task(write_file(folder, "b.csv", "text,label\na,10\nb,-1\nc,2\n"));
  CHECK(stars.labels == Texts{"-1", "2", "10"});
}

TEST_CASE("infer_task: numbers with a fraction are a regression, and so are integers where that is asked for") {
  const TemporaryFolder folder;
  const auto scores =
      write_file(folder, "a.jsonl", "{\"text\": \"a\", \"label\": 1.5}\n{\"text\": \"b\", \"label\": 2}\n");
  CHECK(infer_task(scores).regression());
  CHECK(infer_task(scores).headline == "combined_score");
  CHECK(infer_task(scores, {}, TaskKind::kClassification).labels == Texts{"1.5", "2"});
  const auto stars = write_file(folder, "b.csv", "text,label\na,1\nb,2\n");
  CHECK(infer_task(stars, {}, TaskKind::kRegression).regression());
}

TEST_CASE("infer_task: words with tags are a task of tokens, scored by entities") {
  const TemporaryFolder folder;
  const Task conll = infer_task(write_file(folder, "a.conll", "Ada B-person\nwrote O\n\nLovelace I-person\n"));
  CHECK(conll.kind == TaskKind::kTokens);
  CHECK(conll.labels == Texts{"B-person", "I-person", "O"});
  CHECK(conll.headline == "f1");
  const Task json = infer_task(write_file(folder, "a.jsonl",
                                          R"({"tokens": ["Ada", "wrote"], "tags": ["B-p", "O"]})"
                                          "\n"),
                               {.label = "tags"});
  CHECK(json.kind == TaskKind::kTokens);
  CHECK(json.labels == Texts{"B-p", "O"});
}

TEST_CASE(
    "infer_task: arrays of labels beside a text say which apply, and a text with commas where that is asked for") {
  const TemporaryFolder folder;
  const auto rows = write_file(folder, "a.jsonl",
                               "{\"text\": \"a\", \"label\": []}\n{\"text\": \"b\", \"label\": [\"rude\", \"loud\"]}\n"
                               "{\"text\": \"c\", \"label\": \"loud\"}\n");
  const Task task = infer_task(rows);
  CHECK(task.kind == TaskKind::kMultiLabel);
  CHECK(task.labels == Texts{"loud", "rude"});
  CHECK(task.headline == "f1");
  CHECK(task.outputs() == 2);
  const OwnReader reader(task, {.train = rows, .dev = rows, .test = rows});
  const std::vector<Example> examples = reader.read(Part::kDev)[0].examples;
  CHECK(examples[0].applies == std::vector<std::int32_t>{0, 0});
  CHECK(examples[1].applies == std::vector<std::int32_t>{1, 1});
  CHECK(examples[2].applies == std::vector<std::int32_t>{1, 0});
  check_labelled(reader.read(Part::kDev)[0]);

  const auto table = write_file(folder, "b.csv", "text,label\na,\"rude, loud\"\nb,\nc,loud\n");
  CHECK(infer_task(table, {}, TaskKind::kMultiLabel).labels == Texts{"loud", "rude"});
  const OwnReader of_table(task, {.train = {}, .dev = table, .test = {}});
  CHECK(of_table.read(Part::kDev)[0].examples[0].applies == std::vector<std::int32_t>{1, 1});
  CHECK(of_table.read(Part::kDev)[0].examples[1].applies == std::vector<std::int32_t>{0, 0});

  const auto other = write_file(folder, "c.jsonl", "{\"text\": \"a\", \"label\": [\"odd\"]}\n{\"text\": \"b\"}\n");
  const OwnReader of_other(task, {.train = {}, .dev = other, .test = other});
  CHECK_THROWS_WITH(of_other.read(Part::kDev), ContainsSubstring("expected one of the labels loud, rude, got \"odd\""));
  CHECK(of_other.read(Part::kTest)[0].examples[0].applies == std::vector<std::int32_t>{0, 0});
  CHECK(of_other.read(Part::kTest)[0].examples[1].applies == std::vector<std::int32_t>{-1, -1});
  CHECK_THROWS_WITH(check_labelled(of_other.read(Part::kTest)[0]), ContainsSubstring("row 1 has no label"));
  CHECK_THROWS_WITH(infer_task(rows, {}, TaskKind::kClassification), ContainsSubstring("several labels of a row"));
  CHECK_THROWS_WITH(infer_task(write_file(folder, "d.jsonl", "{\"text\": \"a\", \"label\": []}\n")),
                    ContainsSubstring("no row has a label that applies"));
}

TEST_CASE("own_reader: texts and labels by Hugging Face's rule for columns, or by name") {
  const TemporaryFolder folder;
  const auto texts = [&](const std::string& content, const OwnColumns& columns = {}) {
    const auto path = write_file(folder, "a.csv", content);
    const Task task = infer_task(path, columns);
    const Split split = OwnReader(task, {.dev = path}, {.columns = columns}).read(Part::kDev).front();
    const Example& example = split.examples.front();
    return Texts{example.text_a, example.has_b ? example.text_b : "-", task.labels[std::size_t(example.label)]};
  };
  CHECK(texts("label,sentence2,x,sentence1\n0,second,y,first\n1,b,c,d\n") == Texts{"first", "second", "0"});
  CHECK(texts("idx,premise,label,hypothesis,more\n7,p,yes,h,m\n8,q,no,i,n\n") == Texts{"p", "h", "yes"});
  CHECK(texts("id,review,label\n7,r,yes\n8,s,no\n") == Texts{"r", "-", "yes"});
  CHECK(texts("review,stars,source\nr,5,web\ns,1,shop\n", {.texts = {"review"}, .label = "stars"}) ==
        Texts{"r", "-", "5"});
}

TEST_CASE("find_columns: says what stands for what") {
  const TemporaryFolder folder;
  const OwnColumns found = find_columns(write_file(folder, "a.csv", "id,review,label\n7,r,yes\n"));
  CHECK(found.texts == Texts{"review"});
  CHECK(found.label == "label");
  CHECK_FALSE(find_columns(write_file(folder, "b.csv", "review\nr\n")).label.has_value());
  CHECK(find_columns(write_file(folder, "c.conll", "a O\n")).texts.empty());
}

TEST_CASE("own_reader: without a dev file a share of the training rows is held out, the same ones each time") {
  const TemporaryFolder folder;
  std::string rows = "text,label\n";
  for (int i = 0; i < 50; ++i) rows += "row " + std::to_string(i) + (i % 2 == 0 ? ",even\n" : ",odd\n");
  const auto path = write_file(folder, "train.csv", rows);
  const OwnReader reader(infer_task(path), {.train = path}, {.seed = 3});
  const Split train = reader.read(Part::kTrain).front(), dev = reader.read(Part::kDev).front();
  CHECK(train.size() == 45);
  REQUIRE(dev.size() == 5);
  CHECK_THAT(dev.note, ContainsSubstring("5 of 50 rows are held out"));
  for (const Example& example : dev.examples) {
    CHECK(std::ranges::find(train.examples, example.text_a, &Example::text_a) == train.examples.end());
    CHECK(example.text_a == "row " + std::to_string(example.id));
  }
  CHECK(reader.read(Part::kDev, 2).front().size() == 2);
  CHECK(reader.read(Part::kTest).empty());
}

TEST_CASE("own_reader: a score of -1 is told from none") {
  const TemporaryFolder folder;
  const auto path = write_file(folder, "a.csv", "text,label\na,-1\nb,0.5\nc,\n");
  const OwnReader reader(own_task(TaskKind::kRegression, {}, "own"), {.test = path});
  const std::vector<float> labels = labels_of(reader.read(Part::kTest).front());
  CHECK(labels[0] == std::nextafter(-1.0F, 0.0F));
  CHECK(labels[1] == 0.5F);
  CHECK(labels[2] == -1.0F);
}

TEST_CASE("own_reader: test rows may lack labels or have others, training and dev rows may not") {
  const TemporaryFolder folder;
  const Task task = own_task(TaskKind::kClassification, {"neg", "pos"}, "own");
  const auto path = write_file(folder, "a.csv", "text,label\na,pos\nb,\nc,?\n");
  const auto bare = write_file(folder, "b.csv", "text\na\n");
  CHECK(labels_of(OwnReader(task, {.test = path}).read(Part::kTest).front()) == std::vector<float>{1, -1, -1});
  CHECK(labels_of(OwnReader(task, {.test = bare}).read(Part::kTest).front()) == std::vector<float>{-1});
  CHECK(problem(path, [&] { OwnReader(task, {.dev = path}).read(Part::kDev); }) == ", line 3: has no label");
  CHECK(problem(bare, [&] { OwnReader(task, {.dev = bare}).read(Part::kDev); }) ==
        ": has no column \"label\"; its header has text: name the one that holds the labels (--label_column)");
  const auto other = write_file(folder, "c.csv", "text,label\na,maybe\n");
  CHECK(problem(other, [&] { OwnReader(task, {.dev = other}).read(Part::kDev); }) ==
        ", line 2: expected one of the labels neg, pos, got \"maybe\"");
}

TEST_CASE("own_reader: rows without a text stay, and a note says which they are") {
  const TemporaryFolder folder;
  const Task task = own_task(TaskKind::kClassification, {"neg", "pos"}, "own");
  const auto path = write_file(folder, "a.csv", "text,label\na,pos\n,neg\nb,neg\n  ,pos\n");
  const Split split = OwnReader(task, {.train = path, .dev = path}).read(Part::kTrain).front();
  CHECK(split.size() == 4);
  CHECK(split.note == path.string() + ", line 3: has no text, nor has 1 more row: line 5; they stay as they are");
  CHECK(OwnReader(task, {.test = path}).read(Part::kTest).front().note.empty());
}

TEST_CASE("own_reader: sentences of words, from CoNLL's lines and from arrays, with and without labels") {
  const TemporaryFolder folder;
  const Task task = own_task(TaskKind::kTokens, {"O", "B-p"}, "own");
  const auto conll = write_file(folder, "a.conll", "Ada B-p\nwrote O\n\nhere\tO\n");
  const auto json = write_file(folder, "a.jsonl",
                               R"({"label": ["B-p", "O"], "words": ["Ada", "wrote"]})"
                               "\n");
  for (const auto& path : {conll, json}) {
    const Split split = OwnReader(task, {.dev = path}).read(Part::kDev).front();
    CHECK(split.examples[0].text_a == "Ada wrote");
    CHECK(split.examples[0].word_labels == std::vector<std::int32_t>{1, 0});
  }
  const auto bare = write_file(folder, "b.conll", "Ada\nwrote\n");
  CHECK(OwnReader(task, {.test = bare}).read(Part::kTest).front().examples[0].word_labels ==
        std::vector<std::int32_t>{-1, -1});
  CHECK(problem(bare, [&] { OwnReader(task, {.dev = bare}).read(Part::kDev); }) ==
        ", line 1: expected a label for each of the 2 words, got 0");
}

TEST_CASE("own_reader: what is no data set is refused with the file's name") {
  const TemporaryFolder folder;
  const auto infer = [&](const std::string& name, const std::string& content, const OwnColumns& columns = {}) {
    const auto path = write_file(folder, name, content);
    return problem(path, [&] { infer_task(path, columns); });
  };
  CHECK(infer("a.csv", "text,label\na,1\nb,1\n") == ": all labels are \"1\"; expected at least two classes");
  CHECK(infer("a.csv", "text,label\na,1\nb,\n") == ", line 3: has no label");
  CHECK(infer("a.csv", "text,label\na,1\nb,\nc,\n") == ", line 3: has no label, nor has 1 more row: line 4");
  CHECK(infer("a.csv", "text,label\na,1\nb,\nc,\nd,0\ne,\nf,\ng,\nh,\ni,\n") ==
        ", line 3: has no label, nor have 6 more rows: line 4, line 6, line 7, line 8, line 9 ...");
  CHECK(infer("a.csv", "text,label\na,\"b\nc\"\nd,e\n") == ": the label \"b?c\" holds a control character");
  CHECK(infer("a.csv", "text,label\n") == ": no rows");
  CHECK(infer("a.csv", "text,stars\na,1\n") ==
        ": has no column \"label\"; its header has text, stars: name the one that holds the labels (--label_column)");
  CHECK(infer("a.csv", "Text, stars\na,1\n", {.texts = {"text"}, .label = " stars"}) ==
        ": has no column \"text\"; its header has Text,  stars; did you mean \"Text\"?");
  CHECK(infer("a.csv", "Text, stars\na,1\n", {.label = "stars"}) ==
        ": has no column \"stars\"; its header has Text,  stars; did you mean \" stars\"?");
  CHECK(infer("a.csv", "text,stars\na,1\nb,2\n", {.texts = {"text", "stars"}, .label = "stars"}) ==
        ": the column \"stars\" is named for texts and labels");
  CHECK(infer("a.csv", "label\n1\n") == ": no column holds a text; it has label");
  CHECK(infer("a.csv", "a,b,c,label\n1,2,3,4\n", {.texts = {"a", "b", "c"}}) ==
        ": expected one column of texts or two, got 3");
  CHECK_THAT(infer("a.txt", "a\n"), ContainsSubstring("expected a table that ends in .csv"));
  CHECK_THAT(infer("a.xlsx", "PK\x03\x04"), ContainsSubstring("saves a sheet as CSV"));
  std::string many = "text,label\n";
  for (int i = 0; i < 1001; ++i) many += "a,label " + std::to_string(i) + "\n";
  CHECK_THAT(infer("a.csv", many), ContainsSubstring("1001 different labels in 1001 rows"));
}

}  // namespace tk
