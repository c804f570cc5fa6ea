#include "shim/control.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "os/file.h"
#include "os/socket.h"

namespace proa::shim {
namespace {

// Larger ones would need high-order kernel pages for a socket buffer.
constexpr std::size_t kInlineLimit = 120 << 10;
constexpr std::size_t kBodyLimit = 32 << 20;
constexpr std::size_t kMaxFds = 32;

// Bytes that need not be UTF-8.
Json bytes_json(std::string_view bytes) { return Json(std::string_view(base64_encode(bytes))); }
std::string bytes_at(const Json& value, std::string_view key) {
  return base64_decode(json::string_at(value, key)).value_or("");
}

const Json& member(const Json& value, std::string_view key) {
  static const Json missing;
  const Json* found = json::find(value, key);
  return found ? *found : missing;
}

std::vector<std::string> strings_at(const Json& value, std::string_view key) {
  std::vector<std::string> out;
  if (const Json& list = member(value, key); list.is_array()) {
    for (const Json& item : list.get_array()) {
      if (item.is_string()) out.emplace_back(std::string_view(item.get_string()));
    }
  }
  return out;
}

JsonArray strings_json(const std::vector<std::string>& list) {
  JsonArray out;
  for (const auto& item : list) out.push_back(Json(std::string_view(item)));
  return out;
}

UnixNanos time_at(const Json& value, std::string_view key) {
  const Json& found = member(value, key);
  return found.is_int64() ? found.get_int64() : kZeroTime;
}

Json to_json(const LogOptions& log) {
  JsonObject attributes;
  for (const auto& [key, value] : log.attributes) attributes[key] = std::string_view(value);
  return JsonObject{{"driver", log.driver},
                    {"path", log.path},
                    {"max_size", log.max_size},
                    {"max_file", log.max_file},
                    {"attributes", std::move(attributes)}};
}

LogOptions log_options_from_json(const Json& value) {
  LogOptions log;
  log.driver = json::string_at(value, "driver");
  log.path = json::string_at(value, "path");
  log.max_size = json::int_at(value, "max_size");
  log.max_file = static_cast<int>(json::int_at(value, "max_file"));
  if (const Json& attributes = member(value, "attributes"); attributes.is_object()) {
    for (const auto& item : attributes.get_object()) {
      if (item.value().is_string())
        log.attributes[std::string(item.key())] = std::string_view(item.value().get_string());
    }
  }
  return log;
}

Json error_json(const Error& error) {
  return JsonObject{{"kind", to_string(error.kind())}, {"errno", error.errno_code()}, {"message", error.message()}};
}

}  // namespace

Json to_json(const AttachStream& stream) {
  return JsonObject{{"stdin", stream.use_stdin},
                    {"stdout", stream.use_stdout},
                    {"stderr", stream.use_stderr},
                    {"multiplexed", stream.framing == Framing::Multiplexed},
                    {"detach_keys", bytes_json(stream.detach_keys)},
                    {"early_stdin", bytes_json(stream.early_stdin)},
                    {"client_id", stream.client_id}};
}

AttachStream attach_stream_from_json(const Json& value) {
  AttachStream stream;
  stream.use_stdin = json::bool_at(value, "stdin");
  stream.use_stdout = json::bool_at(value, "stdout");
  stream.use_stderr = json::bool_at(value, "stderr");
  stream.framing = json::bool_at(value, "multiplexed") ? Framing::Multiplexed : Framing::Raw;
  stream.detach_keys = bytes_at(value, "detach_keys");
  stream.early_stdin = bytes_at(value, "early_stdin");
  stream.client_id = json::string_at(value, "client_id");
  return stream;
}

Json to_json(const CreateRequest& request) {
  JsonArray attach;
  for (const auto& stream : request.attach) attach.push_back(to_json(stream));
  return JsonObject{{"id", request.id},
                    {"bundle", request.bundle},
                    {"run_dir", request.run_dir},
                    {"spec", oci::to_json(request.spec)},
                    {"open_stdin", request.open_stdin},
                    {"stdin_once", request.stdin_once},
                    {"terminal", request.terminal},
                    {"console_height", request.console_height},
                    {"console_width", request.console_width},
                    {"log", to_json(request.log)},
                    {"runtime", strings_json(request.runtime)},
                    {"trace_id", request.trace_id},
                    {"attach", std::move(attach)},
                    {"fds", strings_json(request.fds)}};
}

CreateRequest create_request_from_json(const Json& value) {
  CreateRequest request;
  request.id = json::string_at(value, "id");
  request.bundle = json::string_at(value, "bundle");
  request.run_dir = json::string_at(value, "run_dir");
  request.spec = oci::spec_from_json(member(value, "spec"));
  request.open_stdin = json::bool_at(value, "open_stdin");
  request.stdin_once = json::bool_at(value, "stdin_once");
  request.terminal = json::bool_at(value, "terminal");
  request.console_height = static_cast<std::uint16_t>(json::int_at(value, "console_height"));
  request.console_width = static_cast<std::uint16_t>(json::int_at(value, "console_width"));
  request.log = log_options_from_json(member(value, "log"));
  request.runtime = strings_at(value, "runtime");
  request.trace_id = json::string_at(value, "trace_id");
  if (const Json& attach = member(value, "attach"); attach.is_array()) {
    for (const Json& item : attach.get_array()) request.attach.push_back(attach_stream_from_json(item));
  }
  request.fds = strings_at(value, "fds");
  return request;
}

Json to_json(const Started& started) {
  return JsonObject{{"pid", started.pid},
                    {"start_time_ticks", started.start_time_ticks},
                    {"shim_pid", started.shim_pid},
                    {"started_at", started.started_at},
                    {"cgroup", started.cgroup}};
}

Started started_from_json(const Json& value) {
  Started started;
  started.pid = static_cast<pid_t>(json::int_at(value, "pid"));
  started.start_time_ticks = static_cast<std::uint64_t>(json::int_at(value, "start_time_ticks"));
  started.shim_pid = static_cast<pid_t>(json::int_at(value, "shim_pid"));
  started.started_at = time_at(value, "started_at");
  started.cgroup = json::string_at(value, "cgroup");
  return started;
}

Json to_json(const State& state) {
  return JsonObject{{"id", state.id},
                    {"pid", state.pid},
                    {"start_time_ticks", state.start_time_ticks},
                    {"shim_pid", state.shim_pid},
                    {"started_at", state.started_at},
                    {"cgroup", state.cgroup},
                    {"paused", state.paused},
                    {"execs", strings_json(state.execs)},
                    {"clients", state.clients},
                    {"exited", state.exited ? to_json(*state.exited) : Json(nullptr)}};
}

State state_from_json(const Json& value) {
  State state;
  state.id = json::string_at(value, "id");
  state.pid = static_cast<pid_t>(json::int_at(value, "pid"));
  state.start_time_ticks = static_cast<std::uint64_t>(json::int_at(value, "start_time_ticks"));
  state.shim_pid = static_cast<pid_t>(json::int_at(value, "shim_pid"));
  state.started_at = time_at(value, "started_at");
  state.cgroup = json::string_at(value, "cgroup");
  state.paused = json::bool_at(value, "paused");
  state.execs = strings_at(value, "execs");
  state.clients = static_cast<int>(json::int_at(value, "clients"));
  if (const Json& exited = member(value, "exited"); exited.is_object()) state.exited = exit_record_from_json(exited);
  return state;
}

Json to_json(const ExecRequest& request) {
  return JsonObject{{"exec_id", request.exec_id},
                    {"process", oci::to_json(request.process)},
                    {"open_stdin", request.open_stdin},
                    {"attach", request.attach ? to_json(*request.attach) : Json(nullptr)}};
}

ExecRequest exec_request_from_json(const Json& value) {
  ExecRequest request;
  request.exec_id = json::string_at(value, "exec_id");
  request.process = oci::process_from_json(member(value, "process"));
  request.open_stdin = json::bool_at(value, "open_stdin");
  if (const Json& attach = member(value, "attach"); attach.is_object())
    request.attach = attach_stream_from_json(attach);
  return request;
}

Json to_json(const Notice& notice) {
  JsonObject body;
  switch (notice.kind) {
    case NoticeKind::Exited:
      body["kind"] = "exited";
      body["exit"] = to_json(notice.exit);
      break;
    case NoticeKind::Detached:
      body["kind"] = "detached";
      body["exec_id"] = notice.exec_id;
      body["client_id"] = notice.client_id;
      break;
    case NoticeKind::OutOfMemory:
      body["kind"] = "oom";
      break;
  }
  return JsonObject{{"notice", std::move(body)}};
}

Notice notice_from_json(const Json& value) {
  const Json& body = member(value, "notice");
  std::string kind = json::string_at(body, "kind");
  Notice notice;
  if (kind == "exited") {
    notice.exit = exit_record_from_json(member(body, "exit"));
  } else if (kind == "detached") {
    notice.kind = NoticeKind::Detached;
    notice.exec_id = json::string_at(body, "exec_id");
    notice.client_id = json::string_at(body, "client_id");
  } else if (kind == "oom") {
    notice.kind = NoticeKind::OutOfMemory;
  } else {
    throw Error(ErrorKind::Internal, cat("unknown notice from a shim: ", kind));
  }
  return notice;
}

Json reply(Json body, const std::vector<trace::Event>& events) {
  return JsonObject{{"ok", std::move(body)}, {"events", trace::to_json(events)}};
}

Json reply(const Error& error, const std::vector<trace::Event>& events) {
  return JsonObject{{"error", error_json(error)}, {"events", trace::to_json(events)}};
}

Json unwrap_reply(const Json& packet) {
  if (auto* recorder = trace::current()) {
    if (const Json* events = json::find(packet, "events")) {
      recorder->adopt(trace::events_from_json(*events), trace::current_parent());
    }
  }
  if (const Json* error = json::find(packet, "error")) {
    throw Error(error_kind_from(json::string_at(*error, "kind")), json::string_at(*error, "message"),
                static_cast<int>(json::int_at(*error, "errno")));
  }
  const Json* body = json::find(packet, "ok");
  if (!body) throw Error(ErrorKind::Internal, "a shim's reply is neither a result nor an error");
  return *body;
}

void send_packet(int socket, const Json& body, const std::vector<int>& fds) {
  std::string text = json::text(body);
  if (text.size() <= kInlineLimit) return os::send_message(socket, text, fds);
  os::Fd memory(os::check(::memfd_create("proa-packet", MFD_CLOEXEC), "memfd_create"));
  os::write_all(memory.get(), text);
  std::vector<int> all{memory.get()};
  all.insert(all.end(), fds.begin(), fds.end());
  os::send_message(socket, "@", all);
}

std::optional<Packet> receive_packet(int socket, int flags) {
  os::Message message = os::receive_packet(socket, kBodyLimit, flags);
  if (message.bytes.empty()) return std::nullopt;
  Packet packet;
  if (message.bytes == "@") {
    if (message.fds.empty()) throw Error(ErrorKind::InvalidArgument, "packet without its body");
    os::Fd memory = std::move(message.fds.front());
    message.fds.erase(message.fds.begin());
    os::check(::lseek(memory.get(), 0, SEEK_SET), "lseek");
    message.bytes = os::read_all(memory.get(), kBodyLimit);
  }
  packet.body = json::parse(message.bytes);
  packet.fds = std::move(message.fds);
  return packet;
}

}  // namespace proa::shim
