// Expectations are RFC 9110 (Accept), RFC 7464 (json-seq) and engine-api.md 5.4.
#include "server/json_stream.h"

#include <gtest/gtest.h>

namespace proa::server {
namespace {

std::string_view chosen(std::initializer_list<std::string_view> accepted) {
  http::Headers headers;
  for (std::string_view one : accepted) headers.add("Accept", one);
  return chosen_json_stream(headers);
}

TEST(JsonStream, IsWhatTheClientLikesBest) {
  EXPECT_EQ(chosen({}), "");
  EXPECT_EQ(chosen({"application/json, */*"}), "");
  EXPECT_EQ(chosen({"application/x-ndjson"}), "application/x-ndjson");
  EXPECT_EQ(chosen({"application/json-seq;q=0.5, application/x-ndjson;q=0.4"}), "application/json-seq");
  EXPECT_EQ(chosen({"application/json-seq", "Application/JSONL"}), "application/jsonl");
  EXPECT_EQ(chosen({"application/jsonl; q=0, application/json-seq"}), "application/json-seq");
  EXPECT_EQ(chosen({"application/jsonl; q=much"}), "");
}

TEST(JsonStream, SequencesHaveARecordSeparator) {
  Json document = json::parse(R"({"a":1})");
  EXPECT_EQ(json_stream_item("application/jsonl", document), "{\"a\":1}\n");
  EXPECT_EQ(json_stream_item("application/json-seq", document), "\x1e{\"a\":1}\n");
}

}  // namespace
}  // namespace proa::server
