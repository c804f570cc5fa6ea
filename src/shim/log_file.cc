#include "shim/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/text.h"
#include "os/file.h"

namespace proa::shim {
namespace {

// The length of the valid UTF-8 sequence at the start of `text`, 0 if there is none (Go's utf8.DecodeRune).
std::size_t utf8_length(std::string_view text) {
  auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = at(0);
  auto tail = [&](std::size_t i, unsigned char low = 0x80, unsigned char high = 0xbf) {
    return i < text.size() && at(i) >= low && at(i) <= high;
  };
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return tail(1) ? 2 : 0;
  if (first < 0xf0) {
    bool second = first == 0xe0 ? tail(1, 0xa0) : first == 0xed ? tail(1, 0x80, 0x9f) : tail(1);
    return second && tail(2) ? 3 : 0;
  }
  bool second = first == 0xf0 ? tail(1, 0x90) : first == 0xf4 ? tail(1, 0x80, 0x8f) : tail(1);
  return second && tail(2) && tail(3) ? 4 : 0;
}

bool plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x80 && byte != '\\' && byte != '"' && byte != '<' && byte != '>' && byte != '&';
}

void append_escaped(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::size_t start = 0, i = 0;
  auto copy_plain = [&] { out.append(text, start, i - start); };
  while (i < text.size()) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (plain(byte)) {
      ++i;
      continue;
    }
    if (byte < 0x80) {
      copy_plain();
      if (byte == '\\' || byte == '"') {
        out += '\\';
        out += static_cast<char>(byte);
      } else if (byte == '\n') {
        out += "\\n";
      } else if (byte == '\r') {
        out += "\\r";
      } else {
        out += "\\u00";
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
      }
      start = ++i;
      continue;
    }
    std::size_t length = utf8_length(text.substr(i));
    if (length == 0) {
      copy_plain();
      out += "\\ufffd";
      start = ++i;
    } else if (length == 3 && text.substr(i, 2) == "\xe2\x80" && (text[i + 2] == '\xa8' || text[i + 2] == '\xa9')) {
      copy_plain();
      out += text[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
      start = i += length;
    } else {
      i += length;
    }
  }
  copy_plain();
}

}  // namespace

void append_log_line(std::string& out, std::string_view text, bool newline, Stream stream, std::string_view attributes,
                     std::string_view time) {
  if (text.empty() && !newline) {
    out += "{";
  } else {
    out += "{\"log\":\"";
    append_escaped(out, text);
    out += newline ? "\\n\"," : "\",";
  }
  out += stream == Stream::Stdout ? "\"stream\":\"stdout\"" : "\"stream\":\"stderr\"";
  if (!attributes.empty()) {
    out += ",\"attrs\":";
    out += attributes;
  }
  out += ",\"time\":\"";
  out += time;
  out += "\"}\n";
}

LogFile::LogFile(const LogOptions& options) : options_(options) {
  if (options_.driver == "none") return;
  if (options_.driver != "json-file") {
    throw Error(ErrorKind::InvalidArgument, cat("logger: no log driver named '", options_.driver, "' is registered"));
  }
  if (!options_.attributes.empty()) {
    JsonObject attributes;
    for (const auto& [key, value] : options_.attributes) attributes[key] = std::string_view(value);
    attributes_ = json::text(attributes, json::Escape::Html);
  }
  open(false);
}

void LogFile::open(bool truncate) {
  file_ = os::open_file(options_.path, O_RDWR | O_APPEND | O_CREAT | (truncate ? O_TRUNC : 0), 0640);
  struct stat status {};
  os::check(::fstat(file_.get(), &status), cat("stat ", options_.path));
  size_ = status.st_size;
  // A torn entry has no newline; it is at most one batch long.
  char tail[4096];
  while (size_ > 0) {
    std::int64_t from = std::max<std::int64_t>(0, size_ - static_cast<std::int64_t>(sizeof tail));
    ssize_t got = ::pread(file_.get(), tail, static_cast<std::size_t>(size_ - from), from);
    if (got <= 0) break;
    auto newline = std::string_view(tail, static_cast<std::size_t>(got)).rfind('\n');
    std::int64_t whole = newline == std::string_view::npos ? from : from + static_cast<std::int64_t>(newline) + 1;
    if (whole == size_) break;
    if (::ftruncate(file_.get(), whole) < 0) break;
    size_ = whole;
  }
}

const std::string& LogFile::time_text(UnixNanos time) {
  if (time != shown_time_) {
    shown_text_ = format_rfc3339(time);
    shown_time_ = time;
  }
  return shown_text_;
}

void LogFile::entry(Pending& pending, Stream stream, std::string_view text, bool newline, UnixNanos time) {
  if (options_.max_size >= 0 && size_ + static_cast<std::int64_t>(batch_.size()) >= options_.max_size) {
    flush();
    if (size_ >= options_.max_size) rotate();
  }
  append_log_line(batch_, text, newline, stream, attributes_,
                  time_text(pending.first_part ? pending.first_part : time));
  batch_text_ += text.size() + (newline ? 1 : 0);
  pending.first_part = newline ? 0 : pending.first_part ? pending.first_part : time;
}

void LogFile::write(Stream stream, std::string_view bytes, UnixNanos time) {
  if (!file_) return;
  auto& pending = pending_[stream == Stream::Stderr];
  while (!bytes.empty()) {
    std::size_t room = kMaxText - pending.text.size();
    std::size_t newline = bytes.substr(0, room).find('\n');
    bool complete = newline != std::string_view::npos;
    std::size_t length = complete ? newline : std::min(room, bytes.size());
    std::string_view piece = bytes.substr(0, length);
    bool cut = !complete && length == room;
    if (!complete && !cut) {
      pending.text += piece;
      break;
    }
    if (pending.text.empty()) {
      entry(pending, stream, piece, complete, time);
    } else {
      pending.text += piece;
      entry(pending, stream, pending.text, complete, time);
      pending.text.clear();
    }
    bytes.remove_prefix(length + (complete ? 1 : 0));
  }
  flush();
}

void LogFile::end(Stream stream, UnixNanos time) {
  if (!file_) return;
  auto& pending = pending_[stream == Stream::Stderr];
  if (pending.text.empty()) return;
  entry(pending, stream, pending.text, false, time);
  pending.text.clear();
  flush();
}

void LogFile::flush() {
  if (batch_.empty()) return;
  if (unsaid_ > 0) {
    std::string note;
    append_log_line(note, cat("[proa] ", unsaid_, " bytes of output are missing here: ", os::errno_text(last_errno_)),
                    true, Stream::Stderr, attributes_, time_text(now()));
    if (append(note)) unsaid_ = 0;
  }
  if (unsaid_ == 0 && append(batch_)) {
    logged_ += batch_text_;
  } else {
    dropped_ += batch_text_;
    unsaid_ += batch_text_;
  }
  batch_.clear();
  batch_text_ = 0;
  if (batch_.capacity() > (256 << 10)) batch_.shrink_to_fit();
}

// All of `lines` or nothing.
bool LogFile::append(std::string_view lines) {
  std::size_t done = 0;
  while (done < lines.size()) {
    ssize_t wrote = ::write(file_.get(), lines.data() + done, lines.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      last_errno_ = wrote < 0 ? errno : ENOSPC;
      struct stat status {};
      if (done > 0 && ::fstat(file_.get(), &status) == 0 && status.st_size >= static_cast<off_t>(done)) {
        // Best effort: if this fails too, the reader meets one torn entry.
        [[maybe_unused]] int result = ::ftruncate(file_.get(), status.st_size - static_cast<off_t>(done));
      }
      return false;
    }
    done += static_cast<std::size_t>(wrote);
  }
  size_ += static_cast<std::int64_t>(lines.size());
  return true;
}

void LogFile::rotate() {
  try {
    if (options_.max_file > 1) {
      for (int i = options_.max_file - 1; i > 1; --i) {
        // The first rotations find gaps.
        ::rename(cat(options_.path, ".", i - 1).c_str(), cat(options_.path, ".", i).c_str());
      }
      os::rename_path(options_.path, cat(options_.path, ".1"));
    }
    open(true);
  } catch (const Error& error) {
    last_errno_ = error.errno_code();  // the old file, still open, goes on
  }
}

}  // namespace proa::shim
