#include "server/progress_stream.h"

#include <malloc.h>

namespace proa::server {

void stream_progress(Call& call, const std::function<void(const SendProgress&)>& work) {
  engine::Sink sink;
  SendProgress send = [&](const api::ProgressMessage& message) {
    if (!sink) sink = call.begin("application/json");
    sink(api::progress_line(message));
  };
  call.response.watch_client();
  try {
    work(send);
  } catch (const Error& error) {
    ::malloc_trim(0);
    if (!sink || call.request.client_gone.stop_requested()) throw;
    api::ProgressMessage message;
    message.error_detail = api::ProgressError{0, error.message()};
    send(message);
  }
  ::malloc_trim(0);  // what the layers' buffers took is not needed again soon
}

}  // namespace proa::server
