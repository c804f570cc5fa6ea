// What other processes send: a container's init (which may be hostile by then), CRIU.
#include "runtime/handshake.h"
#include "runtime/criu_message.h"
#include "target.h"

using namespace proa;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto bytes = fuzz::text_of(data, size);
  fuzz::answer([&] {
    auto body = runtime::decode_ready(bytes);
    auto once = runtime::encode_ready(body);
    fuzz::demand(runtime::encode_ready(runtime::decode_ready(once)) == once);
  });
  fuzz::answer([&] { runtime::criu::decode_answer(bytes); });
  fuzz::answer([&] { error_to_line(error_from_line(bytes)); });
  return 0;
}
