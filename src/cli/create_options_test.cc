#include "cli/create_options.h"

#include <gtest/gtest.h>

#include "cli/explain.h"
#include "cli/flag_tables.h"
#include "cli/grammars.h"

namespace proa::cli {
namespace {

CreateOptions plan(std::vector<std::string> words) {
  Flags flags({create_flags(), run_only_flags()}, words, false);
  Surroundings around;
  around.variable = [](const std::string& name) -> std::optional<std::string> {
    return name == "HOME" ? std::optional<std::string>("/root") : std::nullopt;
  };
  around.read_file = [](const std::string& path) -> std::string {
    if (path == "/env") return "# comment\nA=1\n\n  B=2\nHOME\nUNSET\n";
    throw Error(ErrorKind::NotFound, "no", 2);
  };
  around.directory = "/work";
  return plan_create(flags, around);
}

std::string mistake(std::vector<std::string> words) {
  try {
    plan(std::move(words));
    return "";
  } catch (const FlagError& error) {
    return error.message;
  }
}

TEST(Create, AttachesToWhatIsAskedFor) {
  api::ContainerConfig config = plan({"-i", "x"}).request.config;
  EXPECT_TRUE(config.attach_stdin && config.attach_stdout && config.attach_stderr && config.stdin_once &&
              config.open_stdin);
  config = plan({"-a", "STDERR", "x"}).request.config;
  EXPECT_TRUE(!config.attach_stdin && !config.attach_stdout && config.attach_stderr);
}

TEST(Create, ReadsPorts) {
  CreateOptions options =
      plan({"-p", "127.0.0.1:53:53/udp", "-p", "[::1]:1000-1001:2000-2001", "-p", "80", "-p", "5000-5010:90", "x"});
  const api::PortMap& ports = options.request.host_config.port_bindings;
  EXPECT_EQ(ports.at("53/udp")->at(0).host_ip, "127.0.0.1");
  EXPECT_EQ(ports.at("2001/tcp")->at(0).host_ip, "::1");
  EXPECT_EQ(ports.at("2001/tcp")->at(0).host_port, "1001");
  EXPECT_EQ(ports.at("80/tcp")->at(0).host_port, "");
  EXPECT_EQ(ports.at("90/tcp")->at(0).host_port, "5000-5010");
  EXPECT_TRUE(options.request.config.exposed_ports.contains("53/udp"));
}

TEST(Create, ReadsVolumesAndMounts) {
  CreateOptions options =
      plan({"-v", "./x:/y:ro", "-v", "/anon", "--mount", "type=bind,src=./a,dst=/b,readonly,bind-recursive=disabled",
            "--tmpfs", "/t:size=1m", "x"});
  EXPECT_EQ(options.request.host_config.binds, std::vector<std::string>{"/work/x:/y:ro"});
  EXPECT_TRUE(options.request.config.volumes.contains("/anon"));
  EXPECT_EQ(options.request.host_config.tmpfs.at("/t"), "size=1m");
  const api::Mount& mount = options.request.host_config.mounts.at(0);
  EXPECT_EQ(mount.source, "/work/a");
  EXPECT_TRUE(mount.read_only && mount.bind_options->non_recursive);
}

TEST(Create, TakesEnvironmentFromFilesAndTheCaller) {
  EXPECT_EQ(plan({"--env-file", "/env", "-e", "C=3", "-e", "HOME", "-e", "UNSET", "x"}).request.config.env,
            (std::vector<std::string>{"A=1", "B=2", "HOME=/root", "C=3", "HOME=/root", "UNSET"}));
}

TEST(Create, ReadsLimits) {
  api::HostConfig host = plan({"-m", "512m", "--cpus", "1.5", "--pids-limit", "50", "--ulimit", "nofile=10:20",
                               "--memory-swap", "-1", "x"})
                             .request.host_config;
  EXPECT_EQ(host.memory, 512 << 20);
  EXPECT_EQ(host.nano_cpus, 1'500'000'000);
  EXPECT_EQ(host.pids_limit, 50);
  EXPECT_EQ(host.memory_swap, -1);
  EXPECT_EQ(host.ulimits.at(0).hard, 20);
}

TEST(Create, NormalizesCapabilities) {
  EXPECT_EQ(
      plan({"--cap-add", "net_admin", "--cap-add", "CAP_CHOWN", "--cap-drop", "all", "x"}).request.host_config.cap_add,
      (std::vector<std::string>{"CAP_CHOWN", "CAP_NET_ADMIN"}));
}

TEST(Create, ReadsTheLongFormOfNetworks) {
  CreateOptions options = plan({"--network", "name=n1,alias=a,ip=10.0.0.5", "--network", "n2", "x"});
  EXPECT_EQ(options.request.host_config.network_mode, "n1");
  EXPECT_EQ(options.request.networking.endpoints_config.at("n1")->ipam_config->ipv4_address, "10.0.0.5");
  EXPECT_TRUE(options.request.networking.endpoints_config.contains("n2"));
}

// The texts are those of docker 28.2.2.
TEST(Create, ComplainsAsDockerDoes) {
  EXPECT_EQ(mistake({"-p", "foo", "x"}), "invalid containerPort: foo");
  EXPECT_EQ(mistake({"-p", "x:y:z:w", "x"}), "invalid IP address: x:y");
  EXPECT_EQ(mistake({"-p", "1-3:1-5", "x"}), "invalid ranges specified for container and host Ports: 1-5 and 1-3");
  EXPECT_EQ(mistake({"--rm", "--restart", "always", "x"}),
            "conflicting options: cannot specify both --restart and --rm");
  EXPECT_EQ(mistake({"--no-healthcheck", "--health-cmd", "x", "y"}),
            "--no-healthcheck conflicts with --health-* options");
  EXPECT_EQ(mistake({"--env-file", "/nope", "x"}), "open /nope: no such file or directory");
  EXPECT_EQ(mistake({"--pid", "x", "y"}), "--pid: invalid PID mode");
  EXPECT_EQ(mistake({"--network-alias", "a", "x"}),
            "network-scoped aliases are only supported for user-defined networks");
  EXPECT_EQ(mistake({"--network", "a", "--network", "a", "x"}), "network \"a\" is specified multiple times");
  EXPECT_EQ(mistake({"--security-opt", "foo", "x"}), "Invalid --security-opt: \"foo\"");
  EXPECT_EQ(mistake({"--pull", "foo", "x"}),
            "invalid pull option: 'foo': must be one of \"always\", \"missing\" or \"never\"");
  EXPECT_EQ(mistake({"-v", "", "x"}), "invalid empty volume spec");
  EXPECT_EQ(mistake({"--memory-swappiness", "200", "x"}), "invalid value: 200. Valid memory swappiness range is 0-100");
  EXPECT_EQ(check_mount("type=volume,dst=/b,tmpfs-size=1"), "cannot mix 'tmpfs-*' options with mount type 'volume'");
  EXPECT_EQ(check_mount("type=bind,src=a"), "target is required");
  EXPECT_EQ(check_ulimit("nofile=5:3"), "ulimit soft limit must be less than or equal to hard limit: 5 > 3");
}

TEST(Explain, CountsTimeOnceWhereStepsOverlap) {
  Explanation explanation;
  explanation.begin = 0, explanation.end = 100;
  explanation.events = {{"a", "p", 0, 50, -1, {}}, {"b", "p", 10, 20, 0, {}}, {"c", "p", 40, 30, -1, {}}};
  EXPECT_DOUBLE_EQ(accounted_share(explanation), 0.7);
}

TEST(Explain, HangsAnswersBelowTheirRequests) {
  Explanation explanation;
  explanation.events = {
      {"api.request", "proad", 12, 5, -1, {{"method", "POST"}, {"path", "/v1.51/containers/create"}}}};
  join_client(explanation,
              {{"client.request", "proa", 10, 10, -1, {{"method", "POST"}, {"path", "/containers/create"}}}}, 0, 30);
  ASSERT_GE(explanation.events.size(), 2u);
  EXPECT_EQ(explanation.events[1].name, "api.request");
  EXPECT_EQ(explanation.events[1].parent, 0);
}

}  // namespace
}  // namespace proa::cli
