#include "network/dns.h"

#include <mutex>

namespace proa::network {
struct DnsServer::State { std::mutex mutex; Names names; };
DnsServer::DnsServer() : state_(std::make_unique<State>()) {}
DnsServer::~DnsServer() = default;
void DnsServer::add(DnsClient) {}
void DnsServer::set_forward(std::string_view, bool) {}
void DnsServer::remove(std::string_view) {}
void DnsServer::with_names(const std::function<void(Names&)>& change) { std::lock_guard guard(state_->mutex); change(state_->names); }
DnsSockets open_dns_sockets() { return {}; }
}
