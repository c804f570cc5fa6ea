#include "server/progress_stream.h"

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
    if (!sink || call.request.client_gone.stop_requested()) throw;
    api::ProgressMessage message;
    message.error_detail = api::ProgressError{0, error.message()};
    send(message);
  }
}

}  // namespace proa::server
