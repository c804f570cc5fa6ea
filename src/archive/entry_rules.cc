#include "archive/entry_rules.h"

#include <cerrno>

#include "base/text.h"
#include "os/file.h"

namespace proa::archive {
namespace {

constexpr std::string_view kWhiteout = ".wh.", kWhiteoutMeta = ".wh..wh.", kWhiteoutOpaque = ".wh..wh..opq";

// Names of hostile entries are in messages, and messages end in terminals.
std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

ErrorKind kind_of(const Error& error) {
  switch (error.errno_code()) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EEXIST:
    case ENOTEMPTY:
    case ELOOP:
    case EMLINK:
    case E2BIG:
    case ERANGE:
      return ErrorKind::InvalidArgument;
    default:
      return error.kind();
  }
}

}  // namespace

void refuse(std::string_view what) { throw Error(ErrorKind::InvalidArgument, std::string(what)); }

std::vector<std::string> entry_parts(std::string_view path) {
  if (path.empty()) refuse("empty name");
  std::string clean = os::clean_path(path);
  if (clean == ".." || clean.starts_with("../")) refuse("the name leaves the root");
  if (clean == "." || clean == "/") return {};
  std::string_view relative = clean;
  if (relative.starts_with('/')) relative.remove_prefix(1);
  return split(relative, '/');
}

Marker marker_of(const std::vector<std::string>& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].starts_with(kWhiteout)) continue;
    if (i + 1 == parts.size() && parts[i] == kWhiteoutOpaque) return Marker::Opaque;
    if (parts[i].starts_with(kWhiteoutMeta)) return Marker::Ignored;  // aufs's own files
    if (i + 1 < parts.size()) refuse("a whiteout that is a directory");
    std::string_view hidden = hidden_name(parts[i]);
    if (hidden.empty() || hidden == "." || hidden == "..") refuse("a whiteout of nothing");
    return Marker::Whiteout;
  }
  return Marker::None;
}

std::string_view hidden_name(std::string_view whiteout) { return whiteout.substr(kWhiteout.size()); }

EntryTime time_of(const TarEntry& entry) {
  constexpr std::int64_t kLast = INT64_MAX / 1'000'000'000;
  if (entry.mtime < 0 || entry.mtime > kLast) return {};
  return {entry.mtime, entry.mtime_nanos};
}

Error about_entry(const TarEntry& entry, const Error& error) {
  // What the reader throws while content is read names its entry already.
  std::string where =
      error.message().starts_with("tar entry ") ? "" : cat("tar entry ", quoted(entry.path.substr(0, 200)), ": ");
  return Error(kind_of(error), printable(cat(where, error.message())), error.errno_code());
}

}  // namespace proa::archive
