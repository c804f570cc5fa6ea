#include "server/call.h"

#include "base/text.h"

namespace proa::server {
namespace {

constexpr std::size_t kJsonLimit = 4 << 20;

void check_content_type(const http::Request& request) {
  std::string_view type = request.headers.get("Content-Type");
  if (iequals(trim(cut(type, ';').first), "application/json") || !request.has_body) return;
  throw Error(ErrorKind::InvalidArgument,
              cat("unsupported Content-Type header (", type, "): must be 'application/json'"));
}

std::string platform_of_json(const std::string& text) {
  if (text.empty()) return "";
  Json value = json::parse(text, {.depth = 8});
  std::string variant = json::string_at(value, "variant");
  return cat(json::string_at(value, "os"), "/", json::string_at(value, "architecture"), variant.empty() ? "" : "/",
             variant);
}

}  // namespace

Json Call::json_body() const {
  check_content_type(request);
  std::string text = request.read_body(kJsonLimit);
  if (trim(text).empty()) return JsonObject{};
  Json value = json::parse(text);
  return value.is_null() ? Json(JsonObject{}) : value;
}

std::string Call::json_platform() const { return platform_of_json(query().get("platform")); }

std::vector<std::string> Call::json_platforms(std::string_view name) const {
  std::vector<std::string> out;
  for (const std::string& text : query().all(name))
    if (std::string platform = platform_of_json(text); !platform.empty()) out.push_back(std::move(platform));
  return out;
}

int Call::integer(std::string_view name, int otherwise) const {
  std::string text = query().get(name);
  if (text.empty()) return otherwise;
  auto value = parse_int<int>(text);
  if (!value)
    throw Error(ErrorKind::InvalidArgument,
                cat("invalid value for ", name, ": strconv.Atoi: parsing ", quoted(text), ": invalid syntax"));
  return *value;
}

std::optional<UnixNanos> Call::timestamp(std::string_view name) const {
  std::string text = query().get(name);
  if (text.empty()) return std::nullopt;
  auto time = parse_timestamp(text, now());
  if (!time)
    throw Error(ErrorKind::InvalidArgument, cat("invalid value for ", quoted(name), ": ", quoted(text), " is no time"));
  return time;
}

void Call::reply(int code, const Json& value) {
  response.headers.set("Content-Type", "application/json");
  status = code;
  body = json::text(value) + "\n";
}

void Call::reply(int code) {
  status = code;
  body.clear();
}

void Call::reply_text(int code, std::string_view text) {
  response.headers.set("Content-Type", "text/plain; charset=utf-8");
  status = code;
  body = text;
}

engine::Sink Call::begin(std::string_view content_type) {
  response.headers.set("Content-Type", content_type);
  status = 200;
  response.stream(200);
  return [this](std::string_view bytes) { response.write(bytes); };
}

std::string_view Call::stream_type(bool tty) const {
  return !tty && since(42) ? "application/vnd.docker.multiplexed-stream" : "application/vnd.docker.raw-stream";
}

engine::ClientStream Call::take_over(bool tty) {
  bool upgrade = request.headers.find("Upgrade").has_value();
  response.headers.set("Content-Type", upgrade ? stream_type(tty) : "application/vnd.docker.raw-stream");
  status = upgrade ? 101 : 200;
  hijacked = true;
  http::Hijack taken = response.hijack(upgrade);
  return {std::move(taken.socket), std::move(taken.early_bytes)};
}

bool matches(std::string_view pattern, std::string_view path, std::vector<std::string>& parts) {
  std::size_t open = pattern.find('{');
  if (open == pattern.npos) return pattern == path;
  if (path.substr(0, open) != pattern.substr(0, open)) return false;
  bool slashes = pattern[open + 1] == '*';
  std::string_view rest = pattern.substr(pattern.find('}') + 1);
  path.remove_prefix(open);
  std::size_t longest = slashes ? path.size() : std::min(path.find('/'), path.size());
  for (std::size_t size = longest; size > 0; --size) {
    parts.emplace_back(path.substr(0, size));
    if (matches(rest, path.substr(size), parts)) return true;
    parts.pop_back();
    if (!slashes) break;
  }
  return false;
}

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::InvalidArgument:
      return 400;
    case ErrorKind::Unauthorized:
      return 401;
    case ErrorKind::Forbidden:
      return 403;
    case ErrorKind::NotFound:
      return 404;
    case ErrorKind::Conflict:
      return 409;
    case ErrorKind::NotModified:
      return 304;
    case ErrorKind::NotImplemented:
      return 501;
    case ErrorKind::Unavailable:
      return 503;
    case ErrorKind::Cancelled:
    case ErrorKind::Deadline:
    case ErrorKind::DataLoss:
    case ErrorKind::Internal:
      return 500;
  }
  return 500;
}

}  // namespace proa::server
