#include "shim/exit_record.h"

#include <sys/wait.h>

#include "os/file.h"

namespace proa::shim {
namespace {

std::uint64_t count_at(const Json& value, std::string_view key) {
  auto number = json::int_at(value, key);
  return number > 0 ? static_cast<std::uint64_t>(number) : 0;
}

UnixNanos time_at(const Json& value, std::string_view key) {
  const Json* member = json::find(value, key);
  return member && member->is_int64() ? member->get_int64() : kZeroTime;
}

}  // namespace

Json to_json(const ExitRecord& record) {
  JsonObject out{{"exec_id", record.exec_id},
                 {"exit_code", record.exit_code},
                 {"signal", record.signal},
                 {"core_dumped", record.core_dumped},
                 {"oom_killed", record.oom_killed},
                 {"reason", record.reason},
                 {"started_at", record.started_at},
                 {"finished_at", record.finished_at},
                 {"ran", record.ran},
                 {"logged_bytes", record.logged_bytes},
                 {"dropped_log_bytes", record.dropped_log_bytes}};
  return out;
}

ExitRecord exit_record_from_json(const Json& value) {
  ExitRecord record;
  record.exec_id = json::string_at(value, "exec_id");
  record.exit_code = static_cast<int>(json::int_at(value, "exit_code"));
  record.signal = static_cast<int>(json::int_at(value, "signal"));
  record.core_dumped = json::bool_at(value, "core_dumped");
  record.oom_killed = json::bool_at(value, "oom_killed");
  record.reason = json::string_at(value, "reason");
  record.started_at = time_at(value, "started_at");
  record.finished_at = time_at(value, "finished_at");
  record.ran = json::int_at(value, "ran");
  record.logged_bytes = count_at(value, "logged_bytes");
  record.dropped_log_bytes = count_at(value, "dropped_log_bytes");
  return record;
}

ExitRecord exit_record_from_wait(int code, int status) {
  ExitRecord record;
  record.finished_at = now();
  if (code == CLD_EXITED) {
    record.exit_code = status & 0xff;
  } else {
    record.signal = status;
    record.exit_code = 128 + status;
    record.core_dumped = code == CLD_DUMPED;
  }
  return record;
}

void write_exit_record(std::string_view run_dir, const ExitRecord& record) {
  os::replace_file(os::path_join(run_dir, "exit.json"), json::text(to_json(record)), 0600);
}

std::optional<ExitRecord> read_exit_record(std::string_view run_dir) {
  auto text = os::try_read_file(os::path_join(run_dir, "exit.json"), 1 << 16);
  if (!text) return std::nullopt;
  try {
    Json value = json::parse(*text);
    if (!json::find(value, "exit_code")) return std::nullopt;
    return exit_record_from_json(value);
  } catch (const Error&) {
    return std::nullopt;  // not ours: as good as missing
  }
}

}  // namespace proa::shim
