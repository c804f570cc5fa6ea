#include "oci/config_changes.h"

#include <gtest/gtest.h>

namespace proa::oci {
namespace {

using Strings = std::vector<std::string>;

ImageDefaults changed(const Strings& changes, ImageDefaults config = {}) {
  apply_changes(config, changes);
  return config;
}

TEST(ConfigChanges, CommandsHaveAnExecAndAShellForm) {
  EXPECT_EQ(changed({R"(CMD ["a", "b c"])"}).cmd, (Strings{"a", "b c"}));
  EXPECT_EQ(changed({"ENTRYPOINT echo $HOME"}).entrypoint, (Strings{"/bin/sh", "-c", "echo $HOME"}));
}

TEST(ConfigChanges, EnvironmentIsReplacedByNameAndExpanded) {
  ImageDefaults config;
  config.env = {"A=1", "B=2"};
  EXPECT_EQ(changed({R"(ENV A=x C="y z" D=$B/${B})", "env E old way"}, config).env,
            (Strings{"A=x", "B=2", "C=y z", "D=2/2", "E=old way"}));
}

TEST(ConfigChanges, EveryOtherInstruction) {
  auto config = changed({"LABEL a=b \"c d\"=e", "EXPOSE 80 53/udp 8000-8001", "USER me", "VOLUME /a /b", "WORKDIR /w",
                         "workdir sub", "STOPSIGNAL SIGINT", "ONBUILD RUN x", "HEALTHCHECK NONE"});
  EXPECT_EQ(config.labels, (std::map<std::string, std::string>{{"a", "b"}, {"c d", "e"}}));
  EXPECT_EQ(config.exposed_ports.size(), 4u);
  EXPECT_TRUE(config.exposed_ports.contains("53/udp") && config.exposed_ports.contains("8001/tcp"));
  EXPECT_EQ(config.user, "me");
  EXPECT_EQ(config.volumes.size(), 2u);
  EXPECT_EQ(config.working_dir, "/w/sub");
  EXPECT_EQ(config.stop_signal, "SIGINT");
  EXPECT_EQ(config.on_build, (Strings{"RUN x"}));
  EXPECT_EQ(config.healthcheck->test, (Strings{"NONE"}));
}

TEST(ConfigChanges, OthersAreRefusedInDockersWords) {
  try {
    changed({"RUN true"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "run is not a valid change command");
  }
  EXPECT_THROW(changed({"EXPOSE nothing"}), Error);
  EXPECT_THROW(changed({"ENV"}), Error);
}

}  // namespace
}  // namespace proa::oci
