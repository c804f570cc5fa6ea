#include "base/json.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "base/json_codec.h"

namespace proa {

struct Inner {
  std::string ip;
  int port = 0;
};
struct Outer {
  std::string name;
  bool on = false;
  std::optional<std::int64_t> limit;
  std::vector<Inner> list;
  std::vector<std::string> nullable;
  std::map<std::string, std::string> labels;
};
template <>
struct json::Fields<Inner> {
  static constexpr auto list = std::tuple{json::always("IP", &Inner::ip), json::optional("Port", &Inner::port)};
};
template <>
struct json::Fields<Outer> {
  static constexpr auto list =
      std::tuple{json::always("Name", &Outer::name),           json::optional("On", &Outer::on),
                 json::always("Limit", &Outer::limit),         json::always("List", &Outer::list),
                 json::nullable("Nullable", &Outer::nullable), json::optional("Labels", &Outer::labels)};
};

namespace {

TEST(Json, IsWrittenAsGoWritesIt) {
  Json value = json::parse(R"({"b":"<&>\u0001\n","a":[1,2.5,1e100,null,true],"e":{}})");
  EXPECT_EQ(json::text(value), R"({"b":"<&>\u0001\n","a":[1,2.5,1e+100,null,true],"e":{}})");
  EXPECT_EQ(json::text(value, json::Escape::Html).substr(0, 30), R"({"b":"\u003c\u0026\u003e\u0001)");
  EXPECT_EQ(json::pretty(json::parse(R"({"a":[1],"b":[]})"), "  "), "{\n  \"a\": [\n    1\n  ],\n  \"b\": []\n}");
}

// proves: R7 R8
TEST(Json, RefusesWhatIsNoDocument) {
  for (auto* text : {"", "{", "{} {}", "[1,]", "nul", "{\"a\":NaN}"}) EXPECT_THROW(json::parse(text), Error) << text;
  EXPECT_THROW(json::parse(std::string(100000, '[')), Error);
}

TEST(JsonCodec, WritesEmptyMembersAsTheirFieldSays) {
  EXPECT_EQ(json::text(json::encode(Outer{})), R"({"Name":"","Limit":null,"List":[],"Nullable":null})");
}

TEST(JsonCodec, MatchesNamesWithoutCaseAndIgnoresUnknownOnes) {
  auto outer = json::decode<Outer>(
      json::parse(R"({"NAME":"x","limit":5,"list":[{"ip":"i","Port":3}],"other":1,"labels":null})"));
  EXPECT_EQ(outer.name, "x");
  EXPECT_EQ(outer.limit, 5);
  ASSERT_EQ(outer.list.size(), 1U);
  EXPECT_EQ(outer.list[0].port, 3);
}

TEST(JsonCodec, NamesTheMemberOfAWrongType) {
  try {
    json::decode<Outer>(json::parse(R"({"List":[{"Port":"eighty"}]})"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    EXPECT_NE(error.message().find("List.Port"), std::string::npos);
  }
  EXPECT_THROW(json::decode<Outer>(json::parse(R"({"List":[{"Port":99999999999}]})")), Error);
}

TEST(Error, TravelsAsALine) {
  Error there = error_from_line(error_to_line(Error(ErrorKind::Conflict, "name \"x\"\nin use", 17)));
  EXPECT_EQ(there.kind(), ErrorKind::Conflict);
  EXPECT_EQ(there.message(), "name \"x\"\nin use");
  EXPECT_EQ(there.errno_code(), 17);
}

}  // namespace
}  // namespace proa
