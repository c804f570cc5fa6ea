#include "engine/image_defaults.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace proa::engine {

api::ContainerConfig with_image_defaults(api::ContainerConfig config, const oci::ImageDefaults& image) {
  if (config.user.empty()) config.user = image.user;
  for (const auto& [port, nothing] : image.exposed_ports) config.exposed_ports.emplace(port, api::Empty{});
  for (const auto& [path, nothing] : image.volumes) config.volumes.emplace(path, api::Empty{});
  for (const auto& [key, value] : image.labels) config.labels.emplace(key, value);
  std::vector<std::string> inherited;
  for (const auto& entry : image.env) {
    auto [name, value] = cut(entry, '=');
    // An image's entry without "=" is nothing; it is never looked up in our environment (security.md row 54).
    if (!value || name.empty()) continue;
    auto same = [&](const std::string& own) { return cut(own, '=').first == name; };
    if (std::none_of(config.env.begin(), config.env.end(), same)) inherited.push_back(entry);
  }
  config.env.insert(config.env.end(), inherited.begin(), inherited.end());
  if (!config.entrypoint || config.entrypoint->empty()) {
    if (!config.cmd || config.cmd->empty()) {
      if (!image.cmd.empty()) config.cmd = image.cmd;
      config.args_escaped = image.args_escaped;
    }
    if (!config.entrypoint && !image.entrypoint.empty()) config.entrypoint = image.entrypoint;
  } else if (config.entrypoint->size() == 1 && config.entrypoint->front().empty()) {
    config.entrypoint.reset();
  }
  if (config.working_dir.empty()) config.working_dir = image.working_dir;
  if (config.stop_signal.empty()) config.stop_signal = image.stop_signal;
  if (config.shell.empty()) config.shell = image.shell;
  if (!config.on_build && !image.on_build.empty()) config.on_build = image.on_build;
  if (image.healthcheck) {
    const auto& from = *image.healthcheck;
    if (!config.healthcheck) config.healthcheck.emplace();
    auto& to = *config.healthcheck;
    if (to.test.empty()) to.test = from.test;
    if (to.interval == 0) to.interval = from.interval;
    if (to.timeout == 0) to.timeout = from.timeout;
    if (to.start_period == 0) to.start_period = from.start_period;
    if (to.start_interval == 0) to.start_interval = from.start_interval;
    if (to.retries == 0) to.retries = static_cast<int>(from.retries);
  }
  return config;
}

Command command_of(const api::ContainerConfig& config) {
  std::vector<std::string> all;
  if (config.entrypoint) all = *config.entrypoint;
  if (config.cmd) all.insert(all.end(), config.cmd->begin(), config.cmd->end());
  if (all.empty()) throw Error(ErrorKind::InvalidArgument, "no command specified");
  return {all.front(), {all.begin() + 1, all.end()}};
}

}  // namespace proa::engine
