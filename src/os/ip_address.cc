#include "os/ip_address.h"

#include <arpa/inet.h>

#include <cstring>

#include "base/text.h"

namespace proa::os {

IpAddress IpAddress::v4(std::uint32_t host_order) {
  std::uint32_t wire = htonl(host_order);
  return from_bytes(Family::V4, &wire);
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) { return from_bytes(Family::V6, bytes.data()); }

IpAddress IpAddress::from_bytes(Family family, const void* bytes) {
  IpAddress address;
  address.family_ = family;
  std::memcpy(address.bytes_.data(), bytes, address.size());
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() > INET6_ADDRSTRLEN) return std::nullopt;
  std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  std::uint8_t bytes[16];
  if (::inet_pton(AF_INET, terminated.c_str(), bytes) == 1) return from_bytes(Family::V4, bytes);
  if (::inet_pton(AF_INET6, terminated.c_str(), bytes) == 1) return from_bytes(Family::V6, bytes);
  return std::nullopt;
}

std::uint32_t IpAddress::as_v4() const {
  std::uint32_t wire;
  std::memcpy(&wire, bytes_.data(), 4);
  return ntohl(wire);
}

bool IpAddress::is_unspecified() const { return bytes_ == std::array<std::uint8_t, 16>{}; }

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[0] == 127;
  std::array<std::uint8_t, 16> one{};
  one[15] = 1;
  return bytes_ == one;
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN];
  return ::inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), buffer, sizeof buffer);
}

IpAddress IpAddress::plus(std::uint64_t count) const {
  IpAddress sum = *this;
  std::uint64_t carry = count;
  for (std::size_t i = size(); i-- > 0 && carry != 0;) {
    std::uint64_t digit = sum.bytes_[i] + (carry & 0xff);
    sum.bytes_[i] = static_cast<std::uint8_t>(digit);
    carry = (carry >> 8) + (digit >> 8);
  }
  return sum;
}

std::uint64_t IpAddress::distance_from(const IpAddress& first) const {
  unsigned __int128 difference = 0;
  auto number = [](const IpAddress& address) {
    unsigned __int128 value = 0;
    for (std::size_t i = 0; i < address.size(); ++i) value = value << 8 | address.bytes_[i];
    return value;
  };
  difference = number(*this) - number(first);
  return difference > UINT64_MAX ? UINT64_MAX : static_cast<std::uint64_t>(difference);
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view cidr) {
  auto [left, right] = cut(cidr, '/');
  if (!right || right->size() > 3 || (right->size() > 1 && right->front() == '0')) return std::nullopt;
  auto address = IpAddress::parse(left);
  auto length = parse_int<std::uint8_t>(*right);
  if (!address || !length || *length > address->bits()) return std::nullopt;
  return IpPrefix{*address, *length};
}

IpPrefix IpPrefix::masked() const {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < address.size(); ++i) {
    int left = length - static_cast<int>(i) * 8;
    std::uint8_t mask = left >= 8 ? 0xff : left <= 0 ? 0 : static_cast<std::uint8_t>(0xff << (8 - left));
    bytes[i] = address.bytes()[i] & mask;
  }
  return {IpAddress::from_bytes(address.family(), bytes.data()), length};
}

IpAddress IpPrefix::last() const {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < address.size(); ++i) {
    int left = length - static_cast<int>(i) * 8;
    std::uint8_t host = left >= 8 ? 0 : left <= 0 ? 0xff : static_cast<std::uint8_t>(0xff >> left);
    bytes[i] = address.bytes()[i] | host;
  }
  return IpAddress::from_bytes(address.family(), bytes.data());
}

bool IpPrefix::contains(const IpAddress& other) const {
  if (other.family() != address.family()) return false;
  return IpPrefix{other, length}.masked().address == masked().address;
}

bool IpPrefix::contains(const IpPrefix& other) const { return other.length >= length && contains(other.address); }

std::string IpPrefix::text() const { return cat(address.text(), "/", length); }

std::string to_text(const MacAddress& mac) {
  std::string out;
  for (std::uint8_t byte : mac) {
    if (!out.empty()) out += ':';
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

std::optional<MacAddress> parse_mac(std::string_view text) {
  MacAddress mac{};
  if (text.size() != 17) return std::nullopt;
  for (std::size_t i = 0; i < 6; ++i) {
    if (i > 0 && text[i * 3 - 1] != ':' && text[i * 3 - 1] != '-') return std::nullopt;
    std::string_view digits = text.substr(i * 3, 2);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + 2, mac[i], 16);
    if (error != std::errc{} || end != digits.data() + 2) return std::nullopt;
  }
  return mac;
}

}  // namespace proa::os
