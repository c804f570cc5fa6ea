// IP addresses and prefixes as values: parsed strictly, compared and counted as big-endian numbers.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace proa::os {

enum class Family : std::uint8_t { V4, V6 };

class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  static IpAddress v4(std::uint32_t host_order);
  static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);
  static IpAddress from_bytes(Family family, const void* bytes);
  // Dotted quad or RFC 4291 text, without zone or brackets.
  static std::optional<IpAddress> parse(std::string_view text);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::V4; }
  int bits() const { return is_v4() ? 32 : 128; }
  std::size_t size() const { return is_v4() ? 4 : 16; }
  const std::uint8_t* bytes() const { return bytes_.data(); }  // network order, size() of them
  std::uint32_t as_v4() const;                                 // host order
  bool is_unspecified() const;
  bool is_loopback() const;
  std::string text() const;  // canonical (RFC 5952)

  // The address `count` after this one (wraps).
  IpAddress plus(std::uint64_t count) const;
  // How far this one is after `first`; saturates at UINT64_MAX.
  std::uint64_t distance_from(const IpAddress& first) const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  Family family_ = Family::V4;
  std::array<std::uint8_t, 16> bytes_{};
};

struct IpPrefix {
  IpAddress address;  // host bits are kept as given
  int length = 0;

  static std::optional<IpPrefix> parse(std::string_view cidr);
  IpPrefix masked() const;
  IpAddress last() const;  // the highest address inside
  bool contains(const IpAddress& other) const;
  bool contains(const IpPrefix& other) const;
  bool overlaps(const IpPrefix& other) const {
    return contains(other.masked().address) || other.contains(masked().address);
  }
  std::string text() const;

  auto operator<=>(const IpPrefix&) const = default;
};

using MacAddress = std::array<std::uint8_t, 6>;
std::string to_text(const MacAddress& mac);
std::optional<MacAddress> parse_mac(std::string_view text);

}  // namespace proa::os
