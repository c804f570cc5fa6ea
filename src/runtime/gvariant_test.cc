// GVariant's text, and the properties of a unit that annotations give in it.
#include "runtime/gvariant.h"

#include <gtest/gtest.h>

#include <bit>

#include "base/error.h"
#include "runtime/unit_properties.h"

namespace proa::runtime {
namespace {

GVariant number(char type, std::int64_t value) { return {type, false, {{static_cast<std::uint64_t>(value), {}}}}; }
GVariant real(double value) { return {'d', false, {{std::bit_cast<std::uint64_t>(value), {}}}}; }
GVariant text(std::string value) { return {'s', false, {{0, std::move(value)}}}; }

TEST(GVariant, ReadsBasicValues) {
  EXPECT_EQ(parse_gvariant("true"), number('b', 1));
  EXPECT_EQ(parse_gvariant(" boolean false\n"), number('b', 0));
  EXPECT_EQ(parse_gvariant("7"), number('i', 7)) << "int32, where no type is given";
  EXPECT_EQ(parse_gvariant("-0x10"), number('i', -16));
  EXPECT_EQ(parse_gvariant("010"), number('i', 8));
  EXPECT_EQ(parse_gvariant("byte 255"), number('y', 255));
  EXPECT_EQ(parse_gvariant("int16 -32768"), number('n', -32768));
  EXPECT_EQ(parse_gvariant("uint16 65535"), number('q', 65535));
  EXPECT_EQ(parse_gvariant("uint32 4294967295"), number('u', 4294967295));
  EXPECT_EQ(parse_gvariant("int64 -9223372036854775808"), number('x', INT64_MIN));
  EXPECT_EQ(parse_gvariant("uint64 18446744073709551615"), number('t', -1));
  EXPECT_EQ(parse_gvariant("@t 5"), number('t', 5));
  EXPECT_EQ(parse_gvariant("-1.5e3"), real(-1500));
  EXPECT_EQ(parse_gvariant("double 2"), real(2));
}

TEST(GVariant, ReadsStrings) {
  EXPECT_EQ(parse_gvariant("''"), text(""));
  EXPECT_EQ(parse_gvariant(R"("it's [a, 'b']")"), text("it's [a, 'b']"));
  EXPECT_EQ(parse_gvariant(R"('\'\"\\\n\t')"), text("'\"\\\n\t"));
  EXPECT_EQ(parse_gvariant("string '\xC3\xA4'"), text("\xC3\xA4"));
}

TEST(GVariant, ReadsArraysOfOneType) {
  EXPECT_EQ(parse_gvariant("['a', \"b\"]"), (GVariant{'s', true, {{0, "a"}, {0, "b"}}}));
  EXPECT_EQ(parse_gvariant("[1, uint64 2]"), (GVariant{'t', true, {{1, {}}, {2, {}}}}));
  EXPECT_EQ(parse_gvariant("@ay [ 1,2 ]"), (GVariant{'y', true, {{1, {}}, {2, {}}}}));
  EXPECT_EQ(parse_gvariant("@as []"), (GVariant{'s', true, {}}));
  EXPECT_EQ(parse_gvariant("[1, 0.5]").type, 'd');
  EXPECT_EQ(parse_gvariant("[0.5, 1]").type, 'd');
}

TEST(GVariant, RefusesEverythingElse) {
  for (const char* wrong : {"",
                            " ",
                            "word",
                            "truer",
                            "true false",
                            "7 8",
                            "7,",
                            "'a",
                            "\"a'",
                            "'a'b",
                            "'a' 'b'",
                            R"('\x41')",
                            "'\\",
                            "'\xFF'",
                            "+",
                            "-",
                            "+-1",
                            "+-1.5",
                            "0x",
                            "08",
                            "1x",
                            "1e",
                            "1.5.5",
                            "1e999",
                            "nan",
                            "inf",
                            "double 0x10",
                            "2147483648",
                            "-2147483649",
                            "byte 256",
                            "byte -1",
                            "uint64 -1",
                            "uint64 18446744073709551616",
                            "int64 9223372036854775808",
                            "uint64 1.5",
                            "uint64 true",
                            "uint64 '7'",
                            "uint64",
                            "uint64 uint64 7",
                            "boolean 1",
                            "string 7",
                            "[",
                            "]",
                            "[]",
                            "[1",
                            "[1,]",
                            "[,1]",
                            "[1 2]",
                            "[1]]",
                            "['a', 1]",
                            "[true, 1]",
                            "[uint64 1, int64 2]",
                            "[[1]]",
                            "@as 'a'",
                            "@s ['a']",
                            "@as [1]",
                            "@at [int64 1]",
                            "@",
                            "@a",
                            "@a []",
                            "@aas []",
                            "@a{sv} {}",
                            "@z 1",
                            "<7>",
                            "(1, 2)",
                            "{'a': 1}",
                            "b'bytes'",
                            "objectpath '/a'",
                            "nothing"}) {
    EXPECT_THROW(parse_gvariant(wrong), Error) << wrong;
  }
  EXPECT_THROW(parse_gvariant(std::string_view("'a\0b'", 5)), Error);
}

TEST(GVariant, IsWrittenAsDBusHasIt) {
  os::DBusBody ours, wanted;
  for (const char* one : {"byte 1", "uint16 2", "-1", "true", "1.5", "'a'", "@at [3]", "@ay []"})
    append_gvariant(ours, parse_gvariant(one));
  wanted.byte(1);
  wanted.u16(2);
  wanted.u32(UINT32_MAX);
  wanted.boolean(true);
  wanted.u64(std::bit_cast<std::uint64_t>(1.5));
  wanted.string("a");
  auto array = wanted.begin_array(8);
  wanted.u64(3);
  wanted.end_array(array);
  wanted.end_array(wanted.begin_array(1));
  EXPECT_EQ(ours.bytes(), wanted.bytes());
  EXPECT_EQ(signature_of(parse_gvariant("['a']")), "as");
  EXPECT_EQ(signature_of(parse_gvariant("uint64 1")), "t");
}

TEST(UnitProperties, AreTheAnnotationsOfThatPrefix) {
  auto found = annotated_properties(
      {{"org.systemd.property.CPUWeight", "uint64 7"}, {"org.systemd.propertyCPUWeight", "?"}, {"other", "?"}});
  EXPECT_EQ(found, (std::vector<UnitProperty>{{"CPUWeight", number('t', 7)}}));
}

TEST(UnitProperties, TakeSecondsForMicroseconds) {
  auto value = [](std::string name, std::string text) {
    return annotated_properties({{"org.systemd.property." + name, text}}).at(0);
  };
  EXPECT_EQ(value("TimeoutStopSec", "2"), (UnitProperty{"TimeoutStopUSec", number('t', 2'000'000)}));
  EXPECT_EQ(value("TimeoutStopSec", "0.5"), (UnitProperty{"TimeoutStopUSec", number('t', 500'000)}));
  EXPECT_EQ(value("TimeoutStopUSec", "uint64 2"), (UnitProperty{"TimeoutStopUSec", number('t', 2)}));
  EXPECT_EQ(value("CPUFOOSec", "'x'").name, "CPUFOOSec") << "no lower case before it: it is no unit";
  for (const char* wrong : {"'2'", "true", "[2]", "-1", "-0.5", "1e300", "uint64 18446744073710"})
    EXPECT_THROW(value("TimeoutStopSec", wrong), Error) << wrong;
}

TEST(UnitProperties, ErrorsNameTheAnnotation) {
  for (const char* name : {"", "Ab", "CPU-Weight", "CPU.Weight", "Slice", "PIDs", "Sec", "ExecStartPre", "Wants",
                           "DeviceAllow", "CPUWeight"}) {
    std::string key = std::string("org.systemd.property.") + name;
    try {
      annotated_properties({{key, "'?'x"}});
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
      EXPECT_TRUE(error.message().starts_with("annotation " + key + "=\"'?'x\": ")) << error.message();
    }
  }
}

}  // namespace
}  // namespace proa::runtime
