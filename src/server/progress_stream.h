// Long operations answer with a stream of progress messages. What fails before the first keeps its status; later
// failures are the stream's last message.
#pragma once

#include <functional>

#include "api/progress.h"
#include "server/call.h"

namespace proa::server {

using SendProgress = std::function<void(const api::ProgressMessage&)>;

// Runs `work` and gives memory back that it took.
void stream_progress(Call& call, const std::function<void(const SendProgress&)>& work);

}  // namespace proa::server
