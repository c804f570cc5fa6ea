#include "api/path_stat.h"

#include "base/json.h"
#include "base/text.h"

namespace proa::api {
namespace {

constexpr std::uint32_t kDir = 1u << 31, kSymlink = 1u << 27, kDevice = 1u << 26, kNamedPipe = 1u << 25,
                        kSocket = 1u << 24, kSetuid = 1u << 23, kSetgid = 1u << 22, kCharDevice = 1u << 21,
                        kSticky = 1u << 20;

}  // namespace

std::uint32_t go_file_mode(mode_t mode) {
  std::uint32_t out = mode & 0777;
  if (S_ISDIR(mode)) out |= kDir;
  if (S_ISLNK(mode)) out |= kSymlink;
  if (S_ISBLK(mode)) out |= kDevice;
  if (S_ISCHR(mode)) out |= kDevice | kCharDevice;
  if (S_ISFIFO(mode)) out |= kNamedPipe;
  if (S_ISSOCK(mode)) out |= kSocket;
  if (mode & S_ISUID) out |= kSetuid;
  if (mode & S_ISGID) out |= kSetgid;
  if (mode & S_ISVTX) out |= kSticky;
  return out;
}

mode_t mode_from_go(std::uint32_t mode) {
  mode_t out = mode & 0777;
  if (mode & kSetuid) out |= S_ISUID;
  if (mode & kSetgid) out |= S_ISGID;
  if (mode & kSticky) out |= S_ISVTX;
  if (mode & kDir) return out | S_IFDIR;
  if (mode & kSymlink) return out | S_IFLNK;
  if (mode & kNamedPipe) return out | S_IFIFO;
  if (mode & kSocket) return out | S_IFSOCK;
  if (mode & kCharDevice) return out | S_IFCHR;
  if (mode & kDevice) return out | S_IFBLK;
  return out | S_IFREG;
}

std::string encode_path_stat(const PathStat& value) {
  JsonObject object{{"name", value.name},
                    {"size", value.size},
                    {"mode", value.mode},
                    {"mtime", format_rfc3339(value.mtime)},
                    {"linkTarget", value.link_target}};
  return base64_encode(json::text(object));
}

PathStat decode_path_stat(std::string_view header) {
  std::optional<std::string> text = base64_decode(header);
  if (!text) throw Error(ErrorKind::InvalidArgument, "invalid path stat header");
  Json value = json::parse(*text);
  PathStat stat;
  stat.name = json::string_at(value, "name");
  stat.size = json::int_at(value, "size");
  stat.mode = static_cast<std::uint32_t>(json::int_at(value, "mode"));
  stat.mtime = parse_rfc3339(json::string_at(value, "mtime")).value_or(kZeroTime);
  stat.link_target = json::string_at(value, "linkTarget");
  return stat;
}

}  // namespace proa::api
