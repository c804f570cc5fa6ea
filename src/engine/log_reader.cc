#include "engine/log_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "api/stdcopy.h"
#include "base/json.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::engine {
namespace {

std::string query_escape(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                 c == '.' || c == '~';
    if (plain)
      out += static_cast<char>(c);
    else if (c == ' ')
      out += '+';
    else {
      out += '%';
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
  }
  return out;
}

JsonObject entry_object(const LogEntry& entry, bool details) {
  JsonObject out;
  if (!entry.text.empty()) out["Line"] = entry.text;
  out["Source"] = entry.err ? "stderr" : "stdout";
  out["Timestamp"] = format_rfc3339(entry.time);
  if (details && !entry.attributes.empty()) {
    JsonArray attributes;
    for (const auto& [key, value] : entry.attributes) attributes.push_back(JsonObject{{"Key", key}, {"Value", value}});
    out["Attrs"] = std::move(attributes);
  }
  return out;
}

}  // namespace

std::string log_file_name(std::string_view container_id) { return cat(container_id, "-json.log"); }

std::optional<LogEntry> parse_log_line(std::string_view line) {
  if (line.empty() || line.front() != '{') return std::nullopt;
  try {
    Json value = json::parse(line);
    LogEntry out;
    out.text = json::string_at(value, "log");
    out.err = json::string_at(value, "stream") == "stderr";
    auto time = parse_rfc3339(json::string_at(value, "time"));
    if (!time) return std::nullopt;
    out.time = *time;
    if (const Json* attributes = json::find(value, "attrs"); attributes && attributes->is_object()) {
      for (const auto& member : attributes->get_object()) {
        if (member.value().is_string())
          out.attributes[std::string(member.key())] = std::string_view(member.value().get_string());
      }
    }
    return out;
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool wanted(const LogEntry& entry, const LogOptions& options) {
  if (entry.err ? !options.err : !options.out) return false;
  if (options.since != 0 && entry.time < options.since) return false;
  return options.until == 0 || entry.time <= options.until;
}

std::string render_log_entry(const LogEntry& entry, const LogOptions& options, bool tty) {
  if (options.json_item) return options.json_item(entry_object(entry, options.details));
  std::string text;
  if (options.timestamps) text += format_rfc3339_fixed(entry.time) + " ";
  if (options.details) {
    std::vector<std::string> pairs;
    for (const auto& [key, value] : entry.attributes) pairs.push_back(cat(query_escape(key), "=", query_escape(value)));
    text += join(pairs, ",") + " ";
  }
  text += entry.text;
  return tty ? text : api::frame(entry.err ? api::StreamType::Stderr : api::StreamType::Stdout, text);
}

std::vector<os::Fd> open_log_files(const std::string& path) {
  std::vector<os::Fd> newest_first;
  if (auto file = os::try_open(path, O_RDONLY)) newest_first.push_back(std::move(*file));
  struct stat before {};
  if (!newest_first.empty()) ::fstat(newest_first.front().get(), &before);
  for (int i = 1; i < 1000; ++i) {
    auto file = os::try_open(cat(path, ".", std::to_string(i)), O_RDONLY);
    if (!file) break;
    struct stat info {};
    // Rotated while we opened: what was the newest a moment ago is .1 now.
    if (i == 1 && ::fstat(file->get(), &info) == 0 && info.st_ino == before.st_ino && info.st_dev == before.st_dev)
      continue;
    newest_first.push_back(std::move(*file));
  }
  std::reverse(newest_first.begin(), newest_first.end());
  return newest_first;
}

TailStart find_tail(int file, std::int64_t lines) {
  struct stat info {};
  os::check(::fstat(file, &info), "stat of a log");
  std::int64_t end = info.st_size, found = 0;
  if (lines <= 0) return {end, 0};
  std::vector<char> buffer(64 << 10);
  std::int64_t at = end;
  while (at > 0) {
    auto take = std::min<std::int64_t>(at, static_cast<std::int64_t>(buffer.size()));
    at -= take;
    auto n = ::pread(file, buffer.data(), static_cast<std::size_t>(take), at);
    if (n != take) break;  // truncated meanwhile
    for (std::int64_t i = take - 1; i >= 0; --i) {
      // The new line that ends the file belongs to its last line.
      if (buffer[static_cast<std::size_t>(i)] != '\n' || at + i == end - 1) continue;
      if (++found == lines) return {at + i + 1, lines};
    }
  }
  return {0, end > 0 ? found + 1 : 0};
}

std::optional<std::string> LineBuffer::next() {
  auto end = pending_.find('\n', at_);
  if (end == std::string::npos) {
    pending_.erase(0, at_);
    at_ = 0;
    return std::nullopt;
  }
  std::string line = pending_.substr(at_, end - at_);
  at_ = end + 1;
  return line;
}

}  // namespace proa::engine
