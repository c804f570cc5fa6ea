// Rules by netlink, for what os/nftables.h does inside a container's namespace: no nft process on the start path.
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include <cerrno>

#include "base/text.h"
#include "os/nftables.h"

namespace proa::os {
namespace {

constexpr std::string_view kChain = "output";
constexpr std::int32_t kPriority = -300;  // raw

void begin(NetlinkBatch& batch, int operation, std::uint16_t flags, std::string_view what) {
  nfgenmsg header{};
  header.nfgen_family = NFPROTO_IPV4;
  header.version = NFNETLINK_V0;
  batch.begin(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | operation), flags, what);
  batch.header(header);
}

void edge(NetlinkBatch& batch, int type) {
  nfgenmsg header{};
  header.version = NFNETLINK_V0;
  header.res_id = htons(NFNL_SUBSYS_NFTABLES);
  batch.begin_unacknowledged(static_cast<std::uint16_t>(type), 0);
  batch.header(header);
  batch.end();
}

void number(NetlinkBatch& batch, std::uint16_t type, std::uint32_t value) { batch.attribute_u32(type, htonl(value)); }

void value(NetlinkBatch& batch, std::uint16_t type, std::string_view bytes) {
  std::size_t data = batch.nest(type | NLA_F_NESTED);
  batch.attribute(NFTA_DATA_VALUE, bytes.data(), bytes.size());
  batch.end_nest(data);
}

template <class Fill>
void expression(NetlinkBatch& batch, std::string_view name, Fill&& fill) {
  std::size_t element = batch.nest(NFTA_LIST_ELEM | NLA_F_NESTED);
  batch.attribute(NFTA_EXPR_NAME, name);
  std::size_t data = batch.nest(NFTA_EXPR_DATA | NLA_F_NESTED);
  fill();
  batch.end_nest(data);
  batch.end_nest(element);
}

void compare(NetlinkBatch& batch, std::string_view bytes) {
  expression(batch, "cmp", [&] {
    number(batch, NFTA_CMP_SREG, NFT_REG_1);
    number(batch, NFTA_CMP_OP, NFT_CMP_EQ);
    value(batch, NFTA_CMP_DATA, bytes);
  });
}

void load(NetlinkBatch& batch, std::uint32_t base, std::uint32_t offset, std::uint32_t length) {
  expression(batch, "payload", [&] {
    number(batch, NFTA_PAYLOAD_DREG, NFT_REG_1);
    number(batch, NFTA_PAYLOAD_BASE, base);
    number(batch, NFTA_PAYLOAD_OFFSET, offset);
    number(batch, NFTA_PAYLOAD_LEN, length);
  });
}

enum class Direction { There, Back };

// l4proto P, ip daddr A, dport F: dport := T; and back: ip saddr A, sport T: sport := F.
void shift_rule(NetlinkBatch& batch, std::string_view table, const NftPortShift& shift, Direction direction) {
  const bool there = direction == Direction::There;
  auto wire = [](std::uint16_t port) {
    return std::string{static_cast<char>(port >> 8), static_cast<char>(port & 0xff)};
  };
  const std::uint32_t port_offset = there ? 2 : 0;
  begin(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, "add nftables rule");
  batch.attribute(NFTA_RULE_TABLE, table);
  batch.attribute(NFTA_RULE_CHAIN, kChain);
  std::size_t list = batch.nest(NFTA_RULE_EXPRESSIONS | NLA_F_NESTED);
  expression(batch, "meta", [&] {
    number(batch, NFTA_META_DREG, NFT_REG_1);
    number(batch, NFTA_META_KEY, NFT_META_L4PROTO);
  });
  compare(batch, std::string(1, static_cast<char>(shift.protocol)));
  load(batch, NFT_PAYLOAD_NETWORK_HEADER, there ? 16 : 12, 4);
  compare(batch, {reinterpret_cast<const char*>(shift.address.bytes()), 4});
  load(batch, NFT_PAYLOAD_TRANSPORT_HEADER, port_offset, 2);
  compare(batch, wire(there ? shift.from : shift.to));
  expression(batch, "immediate", [&] {
    number(batch, NFTA_IMMEDIATE_DREG, NFT_REG_1);
    value(batch, NFTA_IMMEDIATE_DATA, wire(there ? shift.to : shift.from));
  });
  expression(batch, "payload", [&] {
    number(batch, NFTA_PAYLOAD_SREG, NFT_REG_1);
    number(batch, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
    number(batch, NFTA_PAYLOAD_OFFSET, port_offset);
    number(batch, NFTA_PAYLOAD_LEN, 2);
    number(batch, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
    number(batch, NFTA_PAYLOAD_CSUM_OFFSET, shift.protocol == IPPROTO_TCP ? 16 : 6);
  });
  batch.end_nest(list);
  batch.end();
}

void table_message(NetlinkBatch& batch, int operation, std::uint16_t flags, std::string_view table) {
  begin(batch, operation, flags, cat("nftables table ", table));
  batch.attribute(NFTA_TABLE_NAME, table);
  batch.end();
}

enum class Existing { Refuse, Replace };

void execute(NetlinkSocket& socket, std::string_view table, std::span<const NftPortShift> shifts, Existing existing) {
  NetlinkBatch batch;
  edge(batch, NFNL_MSG_BATCH_BEGIN);
  if (existing == Existing::Replace) {
    table_message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, table);
    table_message(batch, NFT_MSG_DELTABLE, 0, table);
  }
  table_message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, table);
  begin(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "add nftables chain");
  batch.attribute(NFTA_CHAIN_TABLE, table);
  batch.attribute(NFTA_CHAIN_NAME, kChain);
  std::size_t hook = batch.nest(NFTA_CHAIN_HOOK | NLA_F_NESTED);
  number(batch, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
  number(batch, NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(kPriority));
  batch.end_nest(hook);
  batch.attribute(NFTA_CHAIN_TYPE, "filter");
  batch.end();
  for (const NftPortShift& shift : shifts) {
    shift_rule(batch, table, shift, Direction::There);
    shift_rule(batch, table, shift, Direction::Back);
  }
  edge(batch, NFNL_MSG_BATCH_END);
  socket.execute(batch);
}

}  // namespace

void nft_shift_ports(NetlinkSocket& socket, std::string_view table, std::span<const NftPortShift> shifts) {
  try {
    execute(socket, table, shifts, Existing::Refuse);
  } catch (const Error& error) {
    if (error.errno_code() != EEXIST) throw;
    execute(socket, table, shifts, Existing::Replace);
  }
}

}  // namespace proa::os
