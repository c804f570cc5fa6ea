// DNS messages (RFC 1035, 6891), pure: as much as the embedded server needs. Whatever the bytes, no function here reads
// past them, and none loops: names in questions may not use compression.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "os/ip_address.h"

namespace proa::network::dns {

inline constexpr std::size_t kHeaderSize = 12;
inline constexpr std::size_t kMaxMessage = 65535;

enum Type : std::uint16_t { kA = 1, kPtr = 12, kAaaa = 28, kOpt = 41, kAny = 255 };
enum Code : std::uint8_t {
  kNoError = 0,
  kFormatError = 1,
  kServerFailure = 2,
  kNoName = 3,
  kNotImplemented = 4,
  kRefused = 5
};

struct Query {
  std::uint16_t id = 0;
  std::uint16_t flags = 0;
  std::string name{};  // "web.mynet", labels joined by dots, case kept
  std::uint16_t type = 0, klass = 0;
  std::size_t question_end = kHeaderSize;  // offset behind the question
  bool edns = false;
  std::size_t payload_size = 512;  // what the asker takes by UDP
};
struct Parsed {
  std::optional<Query> query;
  bool drop = false;          // no answer at all: a response, or too short for a header
  Code fault = kFormatError;  // else what to answer
};
Parsed parse_query(std::string_view message);

// An answer without records. `message` is the query's bytes, at least kHeaderSize of them.
std::string error_answer(std::string_view message, Code code, std::size_t question_end = kHeaderSize);
// With these addresses (of the family asked for); without any it says that the name exists. At most `limit` bytes, else
// an empty one with TC set.
std::string address_answer(std::string_view message, const Query& query, const std::vector<os::IpAddress>& addresses,
                           std::size_t limit);
std::string pointer_answer(std::string_view message, const Query& query, std::string_view name, std::size_t limit);

// "3.0.17.172.in-addr.arpa" and the ip6.arpa form.
std::optional<os::IpAddress> reverse_address(std::string_view name);

// `reply` answers `query` as sent with `id`: the same question, and a response.
bool matches(std::string_view query, std::string_view reply, std::uint16_t id);
std::uint16_t id_of(std::string_view message);
void set_id(std::string& message, std::uint16_t id);
bool is_truncated(std::string_view message);
Code code_of(std::string_view message);

}  // namespace proa::network::dns
