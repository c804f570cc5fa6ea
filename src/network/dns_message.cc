#include "network/dns_message.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace proa::network::dns {
namespace {

constexpr std::uint16_t kResponse = 0x8000, kOpcodeMask = 0x7800, kTruncated = 0x0200, kRecursionDesired = 0x0100;
constexpr std::uint16_t kRecursionAvailable = 0x0080;
constexpr std::uint16_t kInternet = 1;
constexpr std::size_t kMaxName = 255, kMaxLabel = 63;
constexpr std::uint32_t kTtl = 600;        // docker's
constexpr std::size_t kOwnPayload = 1232;  // DNS flag day 2020
constexpr std::uint16_t kNameOfQuestion = 0xc00c;

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  std::size_t at() const { return at_; }
  void skip(std::size_t count) { take(count); }
  std::uint8_t u8() {
    std::string_view bytes = take(1);
    return ok_ ? static_cast<std::uint8_t>(bytes[0]) : 0;
  }
  std::uint16_t u16() {
    std::uint16_t high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  std::string_view take(std::size_t count) {
    if (!ok_ || bytes_.size() - at_ < count) {
      ok_ = false;
      return {};
    }
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  // A question's name: no pointers, at most 255 bytes.
  std::string name() {
    std::string text;
    std::size_t wire = 1;
    for (;;) {
      std::uint8_t length = u8();
      if (!ok_ || length == 0) return text;
      wire += length + 1u;
      if (length > kMaxLabel || wire > kMaxName) {
        ok_ = false;
        return text;
      }
      if (!text.empty()) text += '.';
      text += take(length);
    }
  }
  // Over a record's name, which may end in a pointer; nothing is followed.
  void skip_name() {
    for (;;) {
      std::uint8_t length = u8();
      if (!ok_ || length == 0) return;
      if (length >= 0xc0) return skip(1);
      if (length > kMaxLabel) ok_ = false;
      skip(length);
    }
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

void put16(std::string& out, std::uint16_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}
void put32(std::string& out, std::uint32_t value) {
  put16(out, static_cast<std::uint16_t>(value >> 16));
  put16(out, static_cast<std::uint16_t>(value));
}

std::string header(std::string_view message, Code code, std::uint16_t more_flags, bool question, std::size_t answers,
                   bool edns) {
  Reader reader(message);
  std::uint16_t id = reader.u16();
  std::uint16_t flags = reader.u16();
  std::string out;
  put16(out, id);
  put16(out, static_cast<std::uint16_t>(kResponse | (flags & (kOpcodeMask | kRecursionDesired)) | kRecursionAvailable |
                                        more_flags | code));
  put16(out, question ? 1 : 0);
  put16(out, static_cast<std::uint16_t>(answers));
  put16(out, 0);
  put16(out, edns ? 1 : 0);
  return out;
}

void put_edns(std::string& out) {
  out += '\0';  // the root's name
  put16(out, kOpt);
  put16(out, kOwnPayload);
  put32(out, 0);
  put16(out, 0);
}

std::string with_records(std::string_view message, const Query& query, const std::vector<std::string>& records,
                         std::uint16_t type, std::size_t limit) {
  std::string body(message.substr(kHeaderSize, query.question_end - kHeaderSize));
  for (const std::string& data : records) {
    put16(body, kNameOfQuestion);
    put16(body, type);
    put16(body, kInternet);
    put32(body, kTtl);
    put16(body, static_cast<std::uint16_t>(data.size()));
    body += data;
  }
  if (query.edns) put_edns(body);
  if (kHeaderSize + body.size() <= limit) return header(message, kNoError, 0, true, records.size(), query.edns) + body;
  std::string question(message.substr(kHeaderSize, query.question_end - kHeaderSize));
  if (query.edns) put_edns(question);
  return header(message, kNoError, kTruncated, true, 0, query.edns) + question;
}

}  // namespace

Parsed parse_query(std::string_view message) {
  Parsed parsed;
  if (message.size() < kHeaderSize) {
    parsed.drop = true;
    return parsed;
  }
  Reader reader(message);
  Query query;
  query.id = reader.u16();
  query.flags = reader.u16();
  std::uint16_t questions = reader.u16(), answers = reader.u16(), authorities = reader.u16(), additional = reader.u16();
  if (query.flags & kResponse) {
    parsed.drop = true;
    return parsed;
  }
  if (query.flags & kOpcodeMask) {
    parsed.fault = kNotImplemented;
    return parsed;
  }
  if (questions != 1) return parsed;
  query.name = reader.name();
  query.type = reader.u16();
  query.klass = reader.u16();
  if (!reader.ok()) return parsed;
  query.question_end = reader.at();
  // Every record takes eleven bytes at least, so that the message's size bounds this loop, not its counters.
  for (std::size_t left = std::size_t{answers} + authorities + additional; left > 0; --left) {
    reader.skip_name();
    std::uint16_t type = reader.u16(), size = reader.u16();
    reader.skip(4);
    reader.skip(reader.u16());
    if (!reader.ok()) return parsed;
    if (type == kOpt) {
      query.edns = true;
      query.payload_size = std::clamp<std::size_t>(size, 512, 4096);
    }
  }
  parsed.query = std::move(query);
  return parsed;
}

std::string error_answer(std::string_view message, Code code, std::size_t question_end) {
  bool question = question_end > kHeaderSize && question_end <= message.size();
  std::string out = header(message, code, 0, question, 0, false);
  if (question) out += message.substr(kHeaderSize, question_end - kHeaderSize);
  return out;
}

std::string address_answer(std::string_view message, const Query& query, const std::vector<os::IpAddress>& addresses,
                           std::size_t limit) {
  std::vector<std::string> records;
  for (const os::IpAddress& address : addresses) {
    records.emplace_back(reinterpret_cast<const char*>(address.bytes()), address.size());
  }
  return with_records(message, query, records, query.type, limit);
}

std::string pointer_answer(std::string_view message, const Query& query, std::string_view name, std::size_t limit) {
  std::string data;
  for (const std::string& label : split(name, '.')) {
    if (label.empty() || label.size() > kMaxLabel) return error_answer(message, kNoName, query.question_end);
    data += static_cast<char>(label.size());
    data += label;
  }
  data += '\0';
  if (data.size() > kMaxName) return error_answer(message, kNoName, query.question_end);
  return with_records(message, query, {data}, kPtr, limit);
}

std::optional<os::IpAddress> reverse_address(std::string_view name) {
  std::string lower = to_lower(name);
  if (lower.ends_with(".in-addr.arpa")) {
    std::vector<std::string> parts = split(std::string_view(lower).substr(0, lower.size() - 13), '.');
    if (parts.size() != 4) return std::nullopt;
    std::reverse(parts.begin(), parts.end());
    return os::IpAddress::parse(join(parts, "."));
  }
  if (!lower.ends_with(".ip6.arpa") || lower.size() != 63 + 9) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < 32; ++i) {
    std::uint8_t digit = 0;
    const char* at = lower.data() + i * 2;
    auto [end, error] = std::from_chars(at, at + 1, digit, 16);
    if (error != std::errc{} || (i < 31 && at[1] != '.')) return std::nullopt;
    std::size_t nibble = 31 - i;
    bytes[nibble / 2] |= static_cast<std::uint8_t>(nibble % 2 == 0 ? digit << 4 : digit);
  }
  return os::IpAddress::v6(bytes);
}

bool matches(std::string_view query, std::string_view reply, std::uint16_t id) {
  if (query.size() < kHeaderSize || reply.size() < kHeaderSize || id_of(reply) != id) return false;
  Reader flags(reply.substr(2));
  if (!(flags.u16() & kResponse)) return false;
  Parsed parsed = parse_query(query);
  if (!parsed.query) return false;
  // Some servers answer errors without the question.
  Reader counts(reply.substr(4));
  if (counts.u16() == 0) return code_of(reply) != kNoError;
  std::size_t end = parsed.query->question_end;
  return reply.size() >= end &&
         iequals(reply.substr(kHeaderSize, end - kHeaderSize), query.substr(kHeaderSize, end - kHeaderSize));
}

std::uint16_t id_of(std::string_view message) { return Reader(message).u16(); }
void set_id(std::string& message, std::uint16_t id) {
  message[0] = static_cast<char>(id >> 8);
  message[1] = static_cast<char>(id & 0xff);
}
bool is_truncated(std::string_view message) { return Reader(message.substr(2)).u16() & kTruncated; }
Code code_of(std::string_view message) { return static_cast<Code>(message[3] & 0x0f); }

}  // namespace proa::network::dns
