// Fetching images, for `pull` and for `run`.
#pragma once

#include "cli/session.h"
#include "oci/reference.h"

namespace proa::cli {

// Shows progress on `fd` unless `quiet`. Throws Error with the registry's or daemon's reason.
void pull_image(Session& session, const oci::Reference& reference, const std::string& platform, int fd, bool quiet);

}  // namespace proa::cli
