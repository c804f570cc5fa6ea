#include "engine/config.h"

#include <gtest/gtest.h>

namespace proa::engine {
namespace {

std::string refusal(std::vector<std::string> arguments) {
  try {
    read_config(arguments);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    return error.message();
  }
  return "";
}

TEST(Config, TakesDockersFlagsInAllTheirForms) {
  Config config = read_config(std::vector<std::string>{"-H", "unix:///a", "-Htcp://127.0.0.1:1", "--data-root=/d",
                                                       "--exec-root", "/x", "-D", "--icc=false"});
  EXPECT_EQ(config.hosts, (std::vector<std::string>{"unix:///a", "tcp://127.0.0.1:1"}));
  EXPECT_EQ(config.data_root, "/d");
  EXPECT_EQ(config.exec_root, "/x");
  EXPECT_EQ(config.log_level, "debug");
  EXPECT_FALSE(config.icc);
}

TEST(Config, TakesTheFormOfLayers) {
  EXPECT_EQ(read_config(std::vector<std::string>{"--storage-opt", "proa.layers=directory"}).layers, "directory");
  Config config;
  apply_config_file(config, json::parse(R"({"storage-opts":["proa.layers=erofs"]})"), "/f", {});
  EXPECT_EQ(config.layers, "erofs");
  EXPECT_EQ(refusal({"--storage-opt", "proa.layers=zip"}), "invalid value for proa.layers: use directory or erofs");
  EXPECT_EQ(refusal({"--storage-opt", "overlay2.size=1G"}),
            "unknown storage option overlay2.size=1G: proad has proa.layers=directory|erofs");
}

TEST(Config, RefusesUnknownFlags) {
  EXPECT_EQ(refusal({"--nope"}), "unknown flag: --nope\nSee 'proad --help'.");
  EXPECT_EQ(refusal({"--data-root"}), "flag needs an argument: --data-root");
}

TEST(Config, RefusesUnknownKeysAsDockerdDoes) {
  Config config;
  try {
    apply_config_file(config, json::parse(R"({"debug":true,"nonsense":1})"), "/f", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(),
              "unable to configure the Docker daemon with file /f: the following directives don't match any "
              "configuration option: nonsense");
  }
}

TEST(Config, RefusesAKeyThatIsAlsoAFlag) {
  Config config;
  std::vector<std::string> flags = {"debug"};
  EXPECT_THROW(apply_config_file(config, json::parse(R"({"debug":true})"), "/f", flags), Error);
}

TEST(Config, ReadsListsMapsAndObjects) {
  Config config;
  apply_config_file(
      config,
      json::parse(
          R"({"dns":["192.0.2.1"],"log-opts":{"max-size":"1m"},"default-ulimits":{"nofile":{"Name":"nofile","Soft":1,"Hard":2}},
                                            "runtimes":{"crun":{"path":"/usr/bin/crun","runtimeArgs":["--debug"]}},
                                            "default-address-pools":[{"base":"10.1.0.0/16","size":24}],"insecure-registries":["r:5000"]})"),
      "/f", {});
  EXPECT_EQ(config.dns, std::vector<std::string>{"192.0.2.1"});
  EXPECT_EQ(config.log_options.at("max-size"), "1m");
  EXPECT_EQ(config.default_ulimits.at("nofile").hard, 2);
  EXPECT_EQ(config.runtimes.at("crun").arguments, std::vector<std::string>{"--debug"});
  EXPECT_EQ(config.default_address_pools, std::vector<std::string>{"10.1.0.0/16:24"});
  EXPECT_EQ(config.insecure_registries, std::vector<std::string>{"r:5000"});
}

TEST(Config, RefusesValuesOfTheWrongKind) {
  Config config;
  EXPECT_THROW(apply_config_file(config, json::parse(R"({"debug":"yes"})"), "/f", {}), Error);
  EXPECT_THROW(apply_config_file(config, json::parse(R"({"dns":"192.0.2.1"})"), "/f", {}), Error);
  EXPECT_EQ(refusal({"--dns", "x"}), "invalid IP address: x");
  EXPECT_EQ(refusal({"--label", "x"}), "bad attribute format: x");
  EXPECT_EQ(refusal({"--registry-mirror", "host"}),
            "invalid mirror: no scheme specified for \"host\": must use either 'https://' or 'http://'");
}

TEST(Config, ReloadsWhatDockerdReloads) {
  Config now, fresh;
  now.data_root = "/here";
  now.bip = "10.1.0.1/16";
  fresh.data_root = "/there";
  fresh.bip = "10.2.0.1/16";
  fresh.debug = true;
  fresh.labels = {"a=b"};
  fresh.registry_mirrors = {"http://m"};
  fresh.max_download_attempts = 2;
  fresh.runtimes["other"] = {"/bin/other", {}};
  Config after = reloaded(now, fresh);
  EXPECT_EQ(after.data_root, "/here") << "of what a running daemon stands on, nothing changes";
  EXPECT_EQ(after.bip, "10.1.0.1/16");
  EXPECT_EQ(after.labels, fresh.labels);
  EXPECT_EQ(after.max_download_attempts, 2);
  auto shown = reloadable_settings(after);
  EXPECT_EQ(shown.at("debug"), "true");
  EXPECT_EQ(shown.at("labels"), R"(["a=b"])");
  EXPECT_EQ(shown.at("runtimes"), "other:/bin/other");
}

TEST(Config, RefusesWhatProaCannotHonour) {
  EXPECT_NE(refusal({"--userns-remap", "default"}), "");
  EXPECT_NE(refusal({"--log-driver", "splunk"}), "");
  EXPECT_NE(refusal({"--selinux-enabled"}), "");
  EXPECT_EQ(refusal({"--selinux-enabled=false", "--userland-proxy=false", "--live-restore"}), "");
}

}  // namespace
}  // namespace proa::engine
