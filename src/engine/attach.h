// Clients' sockets: handed to the shim of a live container, or parked until the container starts.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/sync.h"
#include "engine/streams.h"
#include "shim/control.h"

namespace proa::engine {

struct Rooms;

struct AttachOptions {
  bool logs = false;
  bool stream = false;
  bool in = false;
  bool out = false;
  bool err = false;
  std::string detach_keys;
};

shim::AttachStream attach_stream_of(const AttachOptions& options, bool tty, std::string early_bytes);

class Attach {
 public:
  explicit Attach(Rooms& rooms) : rooms_(rooms) {}

  void attach(std::string_view reference, const AttachOptions& options, const TakeOver& take_over);

  struct Parked {
    AttachOptions options;
    ClientStream stream;
  };
  // The sockets that wait for this container's start; they leave this room.
  std::vector<Parked> take_parked(const std::string& container_id);
  void put_back(const std::string& container_id, std::vector<Parked> parked);

 private:
  Rooms& rooms_;
  Sync<std::map<std::string, std::vector<Parked>>> parked_;
};

}  // namespace proa::engine
