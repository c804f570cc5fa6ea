// A tar that the user names, or standard input, as the body of a request.
#pragma once

#include "cli/session.h"

namespace proa::cli {

// Posts what is read from `fd` and shows the daemon's progress on standard output.
void upload_tar(Session& session, StreamRequest request, int fd);

}  // namespace proa::cli
