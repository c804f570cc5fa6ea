#include "os/netlink.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace proa::os {
namespace {

constexpr std::size_t kBufferSize = 64 << 10;
constexpr std::size_t kLargeBatch = 100 << 10;
constexpr time_t kDeadlineSeconds = 30;  // the kernel answers at once; RTNL may be held by others for a while

std::size_t align4(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

// The kernel's explanation behind an nlmsgerr (NETLINK_EXT_ACK), "" if there is none.
std::string extended_text(const nlmsghdr* header, std::size_t size) {
  if (!(header->nlmsg_flags & NLM_F_ACK_TLVS)) return "";
  std::size_t at = NLMSG_HDRLEN + sizeof(nlmsgerr);
  const char* base = reinterpret_cast<const char*>(header);
  if (!(header->nlmsg_flags & NLM_F_CAPPED)) {
    nlmsgerr error;
    std::memcpy(&error, base + NLMSG_HDRLEN, sizeof error);
    at += error.msg.nlmsg_len - sizeof(nlmsghdr);
  }
  while (at + sizeof(nlattr) <= size) {
    nlattr attribute;
    std::memcpy(&attribute, base + at, sizeof attribute);
    if (attribute.nla_len < sizeof attribute || at + attribute.nla_len > size) break;
    if (attribute.nla_type == NLMSGERR_ATTR_MSG) {
      return std::string(base + at + sizeof attribute,
                         strnlen(base + at + sizeof attribute, attribute.nla_len - sizeof attribute));
    }
    at += align4(attribute.nla_len);
  }
  return "";
}

}  // namespace

void NetlinkBatch::raw(const void* bytes, std::size_t size) {
  const char* from = static_cast<const char*>(bytes);
  bytes_.insert(bytes_.end(), from, from + size);
  bytes_.resize(align4(bytes_.size()));
}

void NetlinkBatch::begin(std::uint16_t type, std::uint16_t flags, std::string_view what) {
  begin_unacknowledged(type, flags | NLM_F_ACK);
  names_.back() = what;
}

void NetlinkBatch::begin_unacknowledged(std::uint16_t type, std::uint16_t flags) {
  start_ = bytes_.size();
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = flags | NLM_F_REQUEST;
  raw(&header, sizeof header);
  names_.emplace_back();
}

void NetlinkBatch::end() {
  std::uint32_t size = static_cast<std::uint32_t>(bytes_.size() - start_);
  std::memcpy(bytes_.data() + start_, &size, sizeof size);
}

void NetlinkBatch::attribute(std::uint16_t type, const void* bytes, std::size_t size) {
  nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + size), type};
  raw(&header, sizeof header);
  raw(bytes, size);
}

void NetlinkBatch::attribute(std::uint16_t type, std::string_view text) {
  std::string terminated(text);
  attribute(type, terminated.c_str(), terminated.size() + 1);
}

void NetlinkBatch::attribute_u8(std::uint16_t type, std::uint8_t value) { attribute(type, &value, sizeof value); }
void NetlinkBatch::attribute_u32(std::uint16_t type, std::uint32_t value) { attribute(type, &value, sizeof value); }

void NetlinkBatch::attribute_address(std::uint16_t type, const IpAddress& address) {
  attribute(type, address.bytes(), address.size());
}

std::size_t NetlinkBatch::nest(std::uint16_t type) {
  std::size_t at = bytes_.size();
  nlattr header{sizeof(nlattr), type};
  raw(&header, sizeof header);
  return at;
}

void NetlinkBatch::end_nest(std::size_t at) {
  std::uint16_t size = static_cast<std::uint16_t>(bytes_.size() - at);
  std::memcpy(bytes_.data() + at, &size, sizeof size);
}

NetlinkSocket::NetlinkSocket(int protocol)
    : socket_(check(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), "socket AF_NETLINK")) {
  int on = 1;
  ::setsockopt(socket_.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  ::setsockopt(socket_.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  timeval deadline{kDeadlineSeconds, 0};
  check(::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline), "setsockopt SO_RCVTIMEO");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  check(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), "bind AF_NETLINK");
}

std::uint32_t NetlinkSocket::send(NetlinkBatch& batch) {
  std::uint32_t first = sequence_ + 1;
  std::size_t at = 0;
  while (at + sizeof(nlmsghdr) <= batch.bytes_.size()) {
    nlmsghdr header;
    std::memcpy(&header, batch.bytes_.data() + at, sizeof header);
    header.nlmsg_seq = ++sequence_;
    std::memcpy(batch.bytes_.data() + at, &header, sizeof header);
    at += align4(header.nlmsg_len);
  }
  if (batch.bytes_.size() > kLargeBatch) {
    int size = static_cast<int>(batch.bytes_.size() * 2);
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  }
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  ssize_t sent;
  do {
    sent = ::sendto(socket_.get(), batch.bytes_.data(), batch.bytes_.size(), 0, reinterpret_cast<sockaddr*>(&kernel),
                    sizeof kernel);
  } while (sent < 0 && errno == EINTR);
  check(sent, "send to netlink");
  return first;
}

std::span<const char> NetlinkSocket::receive() {
  buffer_.resize(kBufferSize);
  for (;;) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    ssize_t size =
        ::recvfrom(socket_.get(), buffer_.data(), buffer_.size(), 0, reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) throw Error(ErrorKind::Deadline, "the kernel did not answer on netlink");
    check(size, "receive from netlink");
    if (from.nl_pid != 0) continue;  // not the kernel
    return {buffer_.data(), static_cast<std::size_t>(size)};
  }
}

std::vector<NetlinkSocket::Refusal> NetlinkSocket::exchange(NetlinkBatch& batch) {
  std::uint32_t first = send(batch);
  std::vector<Refusal> refusals(batch.names_.size());
  std::size_t waiting = 0;
  for (const std::string& name : batch.names_) waiting += !name.empty();
  while (waiting > 0) {
    std::span<const char> bytes = receive();
    for (std::size_t at = 0; at + sizeof(nlmsghdr) + sizeof(int) <= bytes.size();) {
      nlmsghdr header;
      std::memcpy(&header, bytes.data() + at, sizeof header);
      if (header.nlmsg_len < sizeof header || at + header.nlmsg_len > bytes.size()) break;
      std::uint32_t index = header.nlmsg_seq - first;
      if (header.nlmsg_type == NLMSG_ERROR && index < refusals.size()) {
        int code;
        std::memcpy(&code, bytes.data() + at + NLMSG_HDRLEN, sizeof code);
        refusals[index] = {-code,
                           extended_text(reinterpret_cast<const nlmsghdr*>(bytes.data() + at), header.nlmsg_len)};
        // One that asked for no answer was refused: the batch as a whole (nfnetlink).
        if (batch.names_[index].empty() && code != 0) return refusals;
        --waiting;
      }
      at += align4(header.nlmsg_len);
    }
  }
  return refusals;
}

void NetlinkSocket::execute(NetlinkBatch& batch) {
  if (batch.size() == 0) return;
  std::vector<Refusal> refusals = exchange(batch);
  for (std::size_t i = 0; i < refusals.size(); ++i) {
    const auto& [code, text] = refusals[i];
    if (code == 0) continue;
    std::string what = batch.names_[i].empty() ? "netlink batch" : batch.names_[i];
    std::string message = cat(what, ": ", errno_text(code));
    if (!text.empty()) message += cat(" (", text, ")");
    throw Error(kind_of_errno(code), message, code);
  }
}

std::vector<int> NetlinkSocket::try_execute(NetlinkBatch& batch) {
  std::vector<int> codes;
  if (batch.size() == 0) return codes;
  for (const Refusal& refusal : exchange(batch)) codes.push_back(refusal.errno_code);
  return codes;
}

void NetlinkSocket::dump(NetlinkBatch& request, const std::function<void(std::uint16_t, std::span<const char>)>& each) {
  std::uint32_t sequence = send(request);
  for (;;) {
    std::span<const char> bytes = receive();
    for (std::size_t at = 0; at + sizeof(nlmsghdr) <= bytes.size();) {
      nlmsghdr header;
      std::memcpy(&header, bytes.data() + at, sizeof header);
      if (header.nlmsg_len < sizeof header || at + header.nlmsg_len > bytes.size()) break;
      if (header.nlmsg_seq == sequence) {
        if (header.nlmsg_type == NLMSG_DONE) return;
        if (header.nlmsg_type == NLMSG_ERROR) {
          int code;
          std::memcpy(&code, bytes.data() + at + NLMSG_HDRLEN, sizeof code);
          fail("netlink dump", -code);
        }
        each(header.nlmsg_type, bytes.subspan(at + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN));
      }
      at += align4(header.nlmsg_len);
    }
  }
}

}  // namespace proa::os
