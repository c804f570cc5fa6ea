#include "http/head.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace proa::http {
namespace {

[[noreturn]] void bad(std::string_view why) {
  throw Error(ErrorKind::InvalidArgument, cat("malformed HTTP message: ", why));
}

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  for (char c : text) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && kMarks.find(c) == kMarks.npos) return false;
  }
  return !text.empty();
}

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

// Takes the first line off `block`, without its CRLF.
std::string_view take_line(std::string_view& block) {
  std::size_t end = block.find("\r\n");
  if (end == block.npos) bad("a line does not end in CRLF");
  std::string_view line = block.substr(0, end);
  block.remove_prefix(end + 2);
  for (char c : line) {
    if (is_control(c)) bad("control character");
  }
  return line;
}

Headers parse_fields(std::string_view block) {
  Headers headers;
  for (std::size_t count = 0;; ++count) {
    std::string_view line = take_line(block);
    if (line.empty()) break;
    if (count == 256) bad("too many headers");
    std::size_t colon = line.find(':');
    if (colon == line.npos || !is_token(line.substr(0, colon))) bad("header name");
    headers.add(line.substr(0, colon), trim(line.substr(colon + 1)));
  }
  if (!block.empty()) bad("bytes behind the headers");
  return headers;
}

int parse_version(std::string_view text) {
  if (text == "HTTP/1.1") return 1;
  if (text == "HTTP/1.0") return 0;
  bad("unsupported protocol version");
}

Framing declared_framing(const Headers& headers) {
  std::string_view length, coding;
  int lengths = 0, codings = 0;
  for (const auto& [name, value] : headers.list()) {
    if (iequals(name, "Content-Length")) length = value, ++lengths;
    if (iequals(name, "Transfer-Encoding")) coding = value, ++codings;
  }
  if (codings > 0) {
    if (lengths > 0) bad("both Content-Length and Transfer-Encoding");
    if (codings > 1 || !iequals(coding, "chunked")) bad("unsupported Transfer-Encoding");
    return {Framing::Kind::Chunked};
  }
  if (lengths == 0) return {};
  if (lengths > 1) bad("several Content-Length");
  std::optional<std::uint64_t> size;
  if (!length.empty() && length[0] >= '0' && length[0] <= '9') size = parse_int<std::uint64_t>(length);
  if (!size || *size > INT64_MAX) bad("Content-Length");
  return {Framing::Kind::Length, *size};
}

}  // namespace

RequestHead parse_request_head(std::string_view block) {
  RequestHead head;
  std::string_view line = take_line(block);
  std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == line.npos || first == last) bad("request line");
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  if (!is_token(head.method) || head.method.size() > 32) bad("method");
  if (head.target.empty() || head.target.find_first_of(" \t") != head.target.npos) bad("request target");
  head.minor = parse_version(line.substr(last + 1));
  head.headers = parse_fields(block);
  int hosts = 0;
  for (const auto& field : head.headers.list()) hosts += iequals(field.first, "Host");
  if (hosts > 1 || (hosts == 0 && head.minor == 1)) bad("there must be one Host header");
  return head;
}

ResponseHead parse_response_head(std::string_view block) {
  ResponseHead head;
  std::string_view line = take_line(block);
  if (line.size() < 12 || line[8] != ' ') bad("status line");
  head.minor = parse_version(line.substr(0, 8));
  auto status = parse_int<int>(line.substr(9, 3));
  if (!status || *status < 100 || *status > 999 || (line.size() > 12 && line[12] != ' ')) bad("status");
  head.status = *status;
  if (line.size() > 13) head.reason = line.substr(13);
  head.headers = parse_fields(block);
  return head;
}

Framing request_framing(const RequestHead& head) {
  Framing framing = declared_framing(head.headers);
  if (framing.kind == Framing::Kind::Chunked && head.minor == 0) bad("chunked in HTTP/1.0");
  return framing;
}

Framing response_framing(const ResponseHead& head, std::string_view method) {
  if (method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304) return {};
  Framing framing = declared_framing(head.headers);
  if (framing.kind == Framing::Kind::None) framing.kind = Framing::Kind::UntilClose;
  return framing;
}

bool keeps_alive(int minor, const Headers& headers) {
  if (headers.has_token("Connection", "close")) return false;
  return minor == 1 || headers.has_token("Connection", "keep-alive");
}

std::uint64_t parse_chunk_size(std::string_view line) {
  std::uint64_t size = 0;
  auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
  std::string_view rest(end, static_cast<std::size_t>(line.data() + line.size() - end));
  if (error != std::errc{} || size > INT64_MAX) bad("chunk size");
  if (std::string_view extension = trim(rest); !extension.empty() && extension[0] != ';') bad("chunk size");
  for (char c : rest) {
    if (is_control(c)) bad("chunk extension");
  }
  return size;
}

std::string_view reason_of(int status) {
  constexpr std::pair<int, std::string_view> kReasons[] = {
      {100, "Continue"},
      {101, "UPGRADED"},
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {206, "Partial Content"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {413, "Request Entity Too Large"},
      {416, "Range Not Satisfiable"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {505, "HTTP Version Not Supported"},
  };
  auto found = std::ranges::find(kReasons, status, [](const auto& row) { return row.first; });
  return found == std::end(kReasons) ? "Status" : found->second;
}

}  // namespace proa::http
