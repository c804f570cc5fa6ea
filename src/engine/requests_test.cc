// What clients may ask for: checks, image defaults, names, ports, start errors.
#include <gtest/gtest.h>

#include "engine/apparmor.h"
#include "engine/checks.h"
#include "engine/image_defaults.h"
#include "engine/names.h"
#include "engine/network_requests.h"
#include "engine/ps.h"
#include "engine/security_options.h"
#include "engine/start_error.h"
#include "engine/status_text.h"

namespace proa::engine {
namespace {

std::string refusal(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

TEST(Checks, SaysWhatDockerSays) {
  HostFacts host;
  host.cpus = 2;
  host.cpu_list = {0, 1};
  auto with = [&](auto change) {
    api::ContainerCreateRequest request;
    change(request);
    return refusal([&] { check_create(request, host, {{"runc"}, "json-file"}); });
  };
  EXPECT_EQ(with([](auto&) {}), "accepted");
  EXPECT_EQ(with([](auto& r) { r.host_config.memory = 1; }), "Minimum memory limit allowed is 6MB");
  EXPECT_EQ(with([](auto& r) { r.host_config.nano_cpus = 3'000'000'000; }),
            "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available");
  EXPECT_EQ(with([](auto& r) { r.host_config.cpuset_cpus = "0-5"; }),
            "Requested CPUs are not available - requested 0-5, available: 0-1");
  EXPECT_EQ(with([](auto& r) { r.host_config.cpuset_cpus = "1-10000000000"; }),
            "Invalid value 1-10000000000 for cpuset cpus: value of out range, maximum is 8192");
  EXPECT_EQ(with([](auto& r) { r.host_config.cpuset_cpus = "a"; }),
            "Invalid value a for cpuset cpus: invalid format: a");
  EXPECT_EQ(with([](auto& r) { r.host_config.umask = 01000; }), "invalid umask 512: it is not in the range 0 to 511");
  EXPECT_EQ(with([](auto& r) { r.host_config.memory = 64 << 20, r.host_config.memory_swap = 32 << 20; }),
            "Minimum memoryswap limit should be larger than memory limit, see usage");
  EXPECT_EQ(with([](auto& r) { r.host_config.auto_remove = true, r.host_config.restart_policy.name = "always"; }),
            "can't create 'AutoRemove' container with restart policy");
  EXPECT_EQ(with([](auto& r) { r.host_config.network_mode = "container:x", r.host_config.publish_all_ports = true; }),
            "conflicting options: port publishing and the container type network mode");
  EXPECT_EQ(with([](auto& r) { r.host_config.runtime = "x"; }), "unknown or invalid runtime name: x");
  EXPECT_EQ(with([](auto& r) { r.host_config.oom_score_adj = 1001; }),
            "Invalid value 1001, range for oom score adj is [-1000, 1000]");
  EXPECT_EQ(with([](auto& r) { r.host_config.security_opt = {"nonsense"}; }), "invalid --security-opt 1: \"nonsense\"");
  EXPECT_EQ(with([](auto& r) { r.host_config.cap_add = {"nonsense"}; }),
            "invalid CapAdd: unknown capability: \"CAP_NONSENSE\"");
}

TEST(ImageDefaults, AnEntrypointDropsTheImagesCommand) {
  oci::ImageDefaults image;
  image.entrypoint = {"/entry"};
  image.cmd = {"default"};
  image.env = {"A=1", "B=2", "NOVALUE", "*"};
  api::ContainerConfig config;
  config.env = {"A=9"};
  auto plain = with_image_defaults(config, image);
  EXPECT_EQ(plain.env, (std::vector<std::string>{"A=9", "B=2"}));
  auto command = command_of(plain);
  EXPECT_EQ(command.path, "/entry");
  EXPECT_EQ(command.args, (std::vector<std::string>{"default"}));
  config.entrypoint = {"/mine"};
  EXPECT_TRUE(command_of(with_image_defaults(config, image)).args.empty());
  config.entrypoint = {""};
  config.cmd = {"x"};
  EXPECT_EQ(command_of(with_image_defaults(config, image)).path, "x");
  EXPECT_EQ(refusal([] { command_of({}); }), "no command specified");
}

TEST(Names, FollowDockersRule) {
  EXPECT_EQ(checked_container_name("/web.1"), "web.1");
  EXPECT_EQ(refusal([] { checked_container_name("-x"); }),
            "Invalid container name (-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
  EXPECT_NE(refusal([] { checked_container_name("a"); }), "accepted");
  EXPECT_NE(made_up_name(12345, 0).find('_'), std::string::npos);
}

TEST(NetworkRequests, PortsAreRead) {
  Definition d;
  d.host_config.port_bindings["80/tcp"] = std::vector<api::PortBinding>{{"127.0.0.1", "8080"}, {"", "9000-9010"}};
  d.config.exposed_ports["53/udp"] = {};
  d.host_config.publish_all_ports = true;
  auto ports = port_mappings(d);
  ASSERT_EQ(ports.size(), 3u);
  EXPECT_EQ(ports[0].host_port, 8080);
  EXPECT_EQ(ports[1].host_port_end, 9010);
  EXPECT_EQ(ports[2].protocol, "udp");
  d.host_config.port_bindings["80/tcp"] = std::vector<api::PortBinding>{{"", "70000"}};
  EXPECT_NE(refusal([&] { port_mappings(d); }), "accepted");
}

TEST(StartErrors, TheirWordsChooseTheExitCode) {
  auto profile =
      start_error(Error(ErrorKind::InvalidArgument, "unable to apply apparmor profile: no such file or directory"));
  EXPECT_EQ(profile.exit_code, 127);
  EXPECT_EQ(profile.error.kind(), ErrorKind::Internal);
  auto missing = start_error(Error(ErrorKind::NotFound, "exec: \"x\": executable file not found in $PATH"));
  EXPECT_EQ(missing.exit_code, 127);
  EXPECT_EQ(missing.error.kind(), ErrorKind::InvalidArgument);
  EXPECT_TRUE(missing.error.message().starts_with(
      "failed to create task for container: failed to create shim task: OCI runtime create failed: "));
  EXPECT_TRUE(missing.error.message().ends_with(
      "unable to start container process: exec: \"x\": executable file not found in $PATH: unknown"));
  auto directory = start_error(Error(ErrorKind::Internal, "exec: \"/etc\": is a directory: permission denied"));
  EXPECT_EQ(directory.exit_code, 126);
}

TEST(Ps, KeepsTheRowsOfTheContainer) {
  auto top = parse_ps("UID  PID CMD\nroot 10 sleep 100\nroot 11 other\n", {10});
  ASSERT_EQ(top.processes.size(), 1u);
  EXPECT_EQ(top.processes[0][2], "sleep 100");
  EXPECT_EQ(refusal([] { parse_ps("UID CMD\n", {1}); }), "Couldn't find PID field in ps output");
}

TEST(StatusText, IsDockers) {
  State state;
  state.status = Status::Exited;
  state.exit_code = 3;
  state.finished_at = 0;
  EXPECT_EQ(status_text(state, 120 * kSecond), "Exited (3) 2 minutes ago");
  state.status = Status::Running;
  state.started_at = 0;
  state.health = "healthy";
  EXPECT_EQ(status_text(state, 300 * kSecond), "Up 5 minutes (healthy)");
}

TEST(AppArmorProfile, LetsTheDaemonsOwnProfileSignalContainers) {
  auto plain = default_apparmor_profile("unconfined", true),
       confined = default_apparmor_profile("/usr/bin/proad", false);
  EXPECT_TRUE(plain.starts_with("abi <abi/3.0>,\nprofile docker-default "));
  EXPECT_TRUE(confined.starts_with("profile docker-default "));
  EXPECT_EQ(plain.find("/usr/bin/proad"), std::string::npos);
  EXPECT_NE(confined.find("signal (receive) peer=\"/usr/bin/proad\","), std::string::npos);
}

}  // namespace
}  // namespace proa::engine
