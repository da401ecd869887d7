#include "transkimmer/cli/run/event_record.h"

#include "tests/support/catch.h"

namespace tk {
namespace {

std::string hex(const std::string& bytes) {
  std::string text;
  for (const unsigned char byte : bytes) {
    for (const int digit : {byte >> 4, byte & 15}) text += "0123456789abcdef"[digit];
  }
  return text;
}

TEST_CASE("event records: CRC-32C has its published values") {
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xe3069283u);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aau);  // RFC 3720, B.4
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43u);
}

TEST_CASE("event records: the first one of a file, and a scalar, are those of TensorBoard's own writer") {
  CHECK(hex(event_record({.wall_time = 1700000000.0, .file_version = kEventFileVersion})) ==
        "1800000000000000a37f4b220900000040fc54d9411a0d627261696e2e4576656e743a32eced8f9d");
  CHECK(hex(event_record({.wall_time = 1700000001.5, .step = 42, .scalars = {{"train/loss", 0.25f}}})) ==
        "200000000000000029eda9500900006040fc54d941102a2a130a110a0a747261696e2f6c6f7373150000803efb6cc75f");
}

// Written by protobuf 7 from the messages of tensorboard 2.21.
TEST_CASE("event records: several scalars, a text and a restart are as protobuf writes them") {
  CHECK(hex(event_record(
            {.wall_time = 1700000002.0, .step = 300, .scalars = {{"eval/loss", -1.5f}, {"train/epoch", 2.0f}}})) ==
        "34000000000000005e33175c0900008040fc54d94110ac022a260a100a096576616c2f6c6f7373150000c0bf0a120a0b747261696e2f65"
        "706f6368150000004065f8f542");
  CHECK(hex(event_record({.wall_time = 1700000003.0, .texts = {{"args/text_summary", std::string(200, 'x')}}})) ==
        "02010000000000007ed79b6a090000c040fc54d9412af6010af3010a11617267732f746578745f73756d6d61727942d301080712041202"
        "080142c801" +
            hex(std::string(200, 'x')) + "4a080a060a0474657874db721f32");
  CHECK(hex(event_record({.wall_time = 1700000004.0, .step = 7, .restarts = true})) ==
        "0f000000000000006d532b090900000041fc54d94110073a0208015f35ce2d");
}

// Written by tensorboard 2.21.
TEST_CASE("event records: a histogram is as protobuf writes it") {
  CHECK(hex(event_record({.wall_time = 1700000005.0,
                          .step = 9,
                          .histograms = {{.tag = "fed_probability/layer_0",
                                          .least = 0.25,
                                          .largest = 1,
                                          .count = 3,
                                          .sum = 1.75,
                                          .sum_of_squares = 1.3125,
                                          .limits = {0, 0.5, 1},
                                          .counts = {0, 2, 1}}}})) ==
        "8b00000000000000852d3df10900004041fc54d94110092a7e0a7c0a176665645f70726f626162696c6974792f6c617965725f302a6109"
        "000000000000d03f11000000000000f03f19000000000000084021000000000000fc3f29000000000000f53f32180000000000000000"
        "000000000000e03f000000000000f03f3a1800000000000000000000000000000040000000000000f03fd61a0b51");
}

}  // namespace
}  // namespace tk
