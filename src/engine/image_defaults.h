// A container's configuration and the image's, made one (pure).
#pragma once

#include "api/containers.h"
#include "oci/image_spec.h"

namespace proa::engine {

// Docker's rules: what the request leaves open comes from the image; a given entrypoint drops the image's command.
api::ContainerConfig with_image_defaults(api::ContainerConfig config, const oci::ImageDefaults& image);

struct Command {
  std::string path;
  std::vector<std::string> args;
};
// Throws InvalidArgument "no command specified".
Command command_of(const api::ContainerConfig& config);

}  // namespace proa::engine
