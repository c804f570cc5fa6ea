// How the engine's streams meet a client's connection.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "os/fd.h"

namespace proa::engine {

// A hijacked connection. The engine hands the socket to a shim and is done with it: the container's bytes never cross
// this process.
struct ClientStream {
  os::Fd socket;
  std::string early_bytes;  // what the client sent right behind its request
};

// Asks the server to answer 101 (or 200) and to give the connection away. Called once, after everything that can be
// refused has been checked; `tty` decides between the raw and the multiplexed content type.
using TakeOver = std::function<ClientStream(bool tty)>;

// Where a response body goes; throws when the client is gone.
using Sink = std::function<void(std::string_view bytes)>;

// Asks the server to send status and headers now and to give the sink for the body. Called once, after everything
// that can be refused with a status has been checked.
using Begin = std::function<Sink()>;
using BeginFramed = std::function<Sink(bool tty)>;

}  // namespace proa::engine
