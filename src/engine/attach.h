// Clients' sockets: handed to the shim of a live container, or parked until the container starts.
#pragma once

#include <condition_variable>
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
  // The sockets that wait for this container's start; they leave this room. Waits (a second at most) for those whose
  // clients have their answer already, and so may have asked for the start, but which are not parked yet.
  std::vector<Parked> take_for_start(const std::string& container_id);
  // For the start to call when the container runs: what was parked while it was launched goes to the shim.
  void hand_over(const std::string& container_id, bool tty);
  // Closes what waits for a start that never comes.
  void container_removed(const std::string& container_id);

 private:
  struct Waiting {
    std::vector<Parked> parked;
    int coming = 0;  // between their answer and their parking
  };
  class Coming;
  std::vector<Parked> take(std::map<std::string, Waiting>& waiting, const std::string& container_id);

  Rooms& rooms_;
  Sync<std::map<std::string, Waiting>> waiting_;
  std::condition_variable parked_;
};

}  // namespace proa::engine
