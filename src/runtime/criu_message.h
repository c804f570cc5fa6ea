// CRIU's messages (rpc.proto of CRIU 3), in the wire format of protocol buffers: what we ask, and what it answers.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace proa::runtime::criu {

enum class Kind { Dump = 1, Restore = 2, PreDump = 4, Notify = 6, Features = 9, Version = 10 };
enum class Cgroups { Ignore = 0, Soft = 3, Full = 4, Strict = 5 };

using Pair = std::pair<std::string, std::string>;

// Names as in rpc.proto. Descriptors are ours, but those of `inherit_fd`, which are CRIU's own.
struct Options {
  int images_dir_fd = -1, work_dir_fd = -1, status_fd = -1;
  int pid = -1;
  bool leave_running = false, ext_unix_sk = false, tcp_established = false, tcp_skip_in_flight = false;
  bool shell_job = false, file_locks = false, auto_dedup = false, link_remap = false, lazy_pages = false;
  bool track_mem = false, evasive_devices = false, rst_sibling = false;
  std::string log_file, root, parent_img, freeze_cgroup, lsm_profile, lsm_mount_context;
  Cgroups cgroups = Cgroups::Soft;
  std::vector<Pair> cg_root;  // controllers, path
  std::vector<Pair> ext_mnt;  // dump: place, name; restore: name, source
  std::vector<Pair> join_ns;  // "ipc", file
  std::vector<std::string> external;
  std::vector<std::pair<std::string, int>> inherit_fd;
  std::uint32_t empty_ns = 0;                                        // CLONE_NEW*
  std::optional<std::pair<std::string, std::uint16_t>> page_server;  // address, port
};
std::string encode_request(Kind kind, const Options* options);
std::string encode_notified(bool success);  // our word on a notification

struct Answer {
  Kind kind = Kind::Notify;
  bool success = false;
  std::string script;  // of a notification: "post-restore"
  int pid = -1;        // of the process that was restored, or is being restored
  int error = 0;       // an errno of CRIU's
  std::string message;
  int version = 0;  // 31701: 3.17.1
  bool mem_track = false, lazy_pages = false;
};
// Throws DataLoss for what is no message.
Answer decode_answer(std::string_view bytes);

}  // namespace proa::runtime::criu
