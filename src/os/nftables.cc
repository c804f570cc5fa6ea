#include "os/nftables.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "base/text.h"
#include "os/file.h"
#include "os/process.h"

namespace proa::os {
namespace {

constexpr std::size_t kMaxOutput = 16 << 20;

std::string run_nft(std::vector<std::string> arguments, std::string_view input) {
  RunOptions options;
  for (const char* path : {"/usr/sbin/nft", "/sbin/nft", "/usr/local/sbin/nft", "/usr/bin/nft"}) {
    if (exists(path)) {
      options.spawn.path = path;
      break;
    }
  }
  if (options.spawn.path.empty()) throw Error(ErrorKind::Unavailable, "nft is not installed (package nftables)");
  arguments.insert(arguments.begin(), "nft");
  options.spawn.argv = std::move(arguments);
  options.input = input;
  options.output_limit = kMaxOutput;
  RunResult result = run_program(options);
  if (result.exit.code != 0) throw Error(ErrorKind::Internal, cat("nft: ", trim(result.err).substr(0, 2000)));
  return std::move(result.out);
}

void set_element_list(NetlinkBatch& batch, std::string_view table, std::string_view map,
                      std::span<const NftElement> elements) {
  batch.attribute(NFTA_SET_ELEM_LIST_TABLE, table);
  batch.attribute(NFTA_SET_ELEM_LIST_SET, map);
  std::size_t list = batch.nest(NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED);
  for (const NftElement& element : elements) {
    if (element.map != map) continue;
    std::size_t one = batch.nest(NFTA_LIST_ELEM | NLA_F_NESTED);
    std::size_t key = batch.nest(NFTA_SET_ELEM_KEY | NLA_F_NESTED);
    batch.attribute(NFTA_DATA_VALUE, element.key.data(), element.key.size());
    batch.end_nest(key);
    if (!element.data.empty()) {
      std::size_t data = batch.nest(NFTA_SET_ELEM_DATA | NLA_F_NESTED);
      batch.attribute(NFTA_DATA_VALUE, element.data.data(), element.data.size());
      batch.end_nest(data);
    }
    batch.end_nest(one);
  }
  batch.end_nest(list);
}

nfgenmsg generic_header(std::uint8_t family, std::uint16_t resource) {
  nfgenmsg header{};
  header.nfgen_family = family;
  header.version = NFNETLINK_V0;
  header.res_id = htons(resource);
  return header;
}

}  // namespace

void nft_apply(std::string_view script) { run_nft({"-f", "-"}, script); }

std::string nft_query(const std::vector<std::string>& arguments) { return run_nft(arguments, ""); }

std::string nft_field(std::string_view bytes) {
  std::string field(bytes);
  field.resize((field.size() + 3) / 4 * 4);
  return field;
}

std::string nft_port(std::uint16_t port) {
  const char wire[2] = {static_cast<char>(port >> 8), static_cast<char>(port & 0xff)};
  return nft_field({wire, 2});
}

std::string nft_protocol(std::uint8_t protocol) {
  const char wire = static_cast<char>(protocol);
  return nft_field({&wire, 1});
}

std::string nft_address(const IpAddress& address) {
  return nft_field({reinterpret_cast<const char*>(address.bytes()), address.size()});
}

void nft_change(NetlinkSocket& socket, Family family, std::string_view table, NftChange change,
                std::span<const NftElement> elements) {
  if (elements.empty()) return;
  const std::uint8_t family_number = family == Family::V4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
  const int operation = change == NftChange::Add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM;
  // A netlink attribute holds 64 KiB: a thousand elements per message.
  constexpr std::size_t kPerMessage = 1000;
  NetlinkBatch batch;
  batch.begin_unacknowledged(NFNL_MSG_BATCH_BEGIN, 0);
  batch.header(generic_header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  batch.end();
  for (std::size_t at = 0; at < elements.size();) {
    std::size_t end = at + 1;
    while (end < elements.size() && end - at < kPerMessage && elements[end].map == elements[at].map) ++end;
    const std::string& map = elements[at].map;
    batch.begin(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | operation),
                change == NftChange::Add ? NLM_F_CREATE | NLM_F_EXCL : 0,
                cat(change == NftChange::Add ? "add to" : "remove from", " nftables map ", table, " ", map));
    batch.header(generic_header(family_number, 0));
    set_element_list(batch, table, map, elements.subspan(at, end - at));
    batch.end();
    at = end;
  }
  batch.begin_unacknowledged(NFNL_MSG_BATCH_END, 0);
  batch.header(generic_header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  batch.end();
  socket.execute(batch);
}

}  // namespace proa::os
