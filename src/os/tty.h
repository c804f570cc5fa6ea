// Terminals: pairs of them, their size, and raw mode.
#pragma once

#include <termios.h>

#include <cstdint>
#include <optional>

#include "os/fd.h"

namespace proa::os {

struct TtySize {
  std::uint16_t rows = 0, columns = 0;
  friend bool operator==(const TtySize&, const TtySize&) = default;
};

bool is_tty(int fd);
std::optional<TtySize> tty_size(int fd);  // nullopt: no terminal
void set_tty_size(int fd, TtySize size);

struct TtyPair {
  Fd master, slave;
};
// A pair from the devpts instance whose "ptmx" is `ptmx_fd` (opened for reading and writing). The slave is opened
// from the master (TIOCGPTPEER), never by a path.
TtyPair open_tty_pair(Fd ptmx_fd);
TtyPair open_tty_pair();  // the host's

// Raw mode while it lives.
class RawTty {
 public:
  explicit RawTty(int fd);
  ~RawTty() { restore(); }
  RawTty(const RawTty&) = delete;
  RawTty& operator=(const RawTty&) = delete;
  void restore();

 private:
  int fd_;
  bool active_ = false;
  termios saved_{};
};

// Typed characters are not shown while it lives; where `fd` is no terminal it does nothing.
class NoEcho {
 public:
  explicit NoEcho(int fd);
  ~NoEcho();
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  int fd_;
  bool active_ = false;
  termios saved_{};
};

// No translation of "\n" to "\r\n" on output (what a container's console is set to by runc: ONLCR off).
void clear_onlcr(int fd);

}  // namespace proa::os
