// The Dockerfile instructions that change only a configuration: docker commit --change, docker import --change.
#pragma once

#include <string>
#include <vector>

#include "oci/image_spec.h"

namespace proa::oci {

// CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK NONE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR. Throws
// InvalidArgument with docker's words.
void apply_changes(ImageDefaults& config, const std::vector<std::string>& changes);

}  // namespace proa::oci
