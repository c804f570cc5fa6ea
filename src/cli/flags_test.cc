#include "cli/flags.h"

#include <gtest/gtest.h>

#include "cli/flag_tables.h"

namespace proa::cli {
namespace {

Flags run_flags(std::vector<std::string> words) { return Flags({create_flags(), run_only_flags()}, words, false); }

std::string mistake(std::vector<std::string> words) {
  try {
    run_flags(std::move(words));
    return "";
  } catch (const FlagError& error) {
    return error.message;
  }
}

TEST(Flags, TakesLettersInOneWord) {
  Flags flags = run_flags({"-itd", "busybox"});
  EXPECT_TRUE(flags.on("interactive") && flags.on("tty") && flags.on("detach"));
  EXPECT_EQ(flags.arguments(), std::vector<std::string>{"busybox"});
}

TEST(Flags, TakesTheValueOfALetterFromTheSameWord) {
  Flags flags = run_flags({"-p80:80", "-p=81:81", "-p", "82:82", "--publish=83:83", "x"});
  EXPECT_EQ(flags.list("publish"), (std::vector<std::string>{"80:80", "81:81", "82:82", "83:83"}));
}

TEST(Flags, StopsAtTheFirstArgumentForRun) {
  Flags flags = run_flags({"-i", "busybox", "ls", "-l", "--rm"});
  EXPECT_EQ(flags.arguments(), (std::vector<std::string>{"busybox", "ls", "-l", "--rm"}));
  EXPECT_FALSE(flags.on("rm"));
}

TEST(Flags, GoesOnAfterArgumentsElsewhere) {
  std::vector<std::string> words = {"a", "-f", "b", "--", "-x"};
  Flags flags({container_rm_flags()}, words, true);
  EXPECT_TRUE(flags.on("force"));
  EXPECT_EQ(flags.arguments(), (std::vector<std::string>{"a", "b", "-x"}));
}

TEST(Flags, ReadsBoolsWithAValue) {
  EXPECT_FALSE(run_flags({"--init=false", "x"}).on("init"));
  EXPECT_FALSE(run_flags({"--sig-proxy=0", "x"}).on("sig-proxy"));
  EXPECT_TRUE(run_flags({"x"}).on("sig-proxy"));
  EXPECT_EQ(mistake({"--init=x", "y"}),
            "invalid argument \"x\" for \"--init\" flag: strconv.ParseBool: parsing \"x\": invalid syntax");
}

// The texts below are what docker 28.2.2 prints.
TEST(Flags, ComplainsAsDockerDoes) {
  EXPECT_EQ(mistake({"--foo"}), "unknown flag: --foo");
  EXPECT_EQ(mistake({"-Z"}), "unknown shorthand flag: 'Z' in -Z");
  EXPECT_EQ(mistake({"-itz", "x"}), "unknown shorthand flag: 'z' in -z");
  EXPECT_EQ(mistake({"--name"}), "flag needs an argument: --name");
  EXPECT_EQ(mistake({"-m"}), "flag needs an argument: 'm' in -m");
  EXPECT_EQ(mistake({"--memory", "x", "y"}), "invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'");
  EXPECT_EQ(mistake({"--memory", "-1", "y"}), "invalid argument \"-1\" for \"-m, --memory\" flag: invalid size: '-1'");
  EXPECT_EQ(mistake({"--cpus", "x", "y"}),
            "invalid argument \"x\" for \"--cpus\" flag: failed to parse x as a rational number");
  EXPECT_EQ(mistake({"--pids-limit", "99999999999999999999", "y"}),
            "invalid argument \"99999999999999999999\" for \"--pids-limit\" flag: strconv.ParseInt: parsing "
            "\"99999999999999999999\": value out of range");
  EXPECT_EQ(mistake({"-a", "x", "y"}),
            "invalid argument \"x\" for \"-a, --attach\" flag: valid streams are STDIN, STDOUT and STDERR");
  EXPECT_EQ(mistake({"--health-timeout", "1y", "y"}),
            "invalid argument \"1y\" for \"--health-timeout\" flag: time: unknown unit \"y\" in duration \"1y\"");
}

TEST(Flags, LetsMemorySwapBeUnlimited) { EXPECT_EQ(run_flags({"--memory-swap", "-1", "x"}).number("memory-swap"), -1); }

TEST(Flags, KnowsOldNames) {
  EXPECT_EQ(run_flags({"--net", "host", "x"}).list("network"), std::vector<std::string>{"host"});
}

TEST(Flags, SplitsCsvOfStrings) {
  std::vector<std::string> words = {"--subnet", "10.0.0.0/24,10.1.0.0/24", "--subnet", "10.2.0.0/24", "n"};
  Flags flags({network_create_flags()}, words, true);
  EXPECT_EQ(flags.list("subnet"), (std::vector<std::string>{"10.0.0.0/24", "10.1.0.0/24", "10.2.0.0/24"}));
}

TEST(Flags, ReadsIntegersAsGoDoes) {
  std::int64_t value = 0;
  EXPECT_EQ(parse_go_int("0x10", value), IntError::None);
  EXPECT_EQ(value, 16);
  EXPECT_EQ(parse_go_int("-5", value), IntError::None);
  EXPECT_EQ(value, -5);
  EXPECT_EQ(parse_go_int("5 ", value), IntError::Syntax);
  EXPECT_EQ(parse_go_int("", value), IntError::Syntax);
}

}  // namespace
}  // namespace proa::cli
