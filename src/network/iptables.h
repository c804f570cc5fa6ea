// Beside a host firewall made with iptables (docker's, ufw's) whose FORWARD policy is to drop.
#pragma once

#include <string_view>

namespace proa::network {

// nftables rules cannot overrule another table's drop: where the policy of FORWARD is DROP, the bridge's traffic is let
// through there; render_firewall()'s own chain goes on deciding about it. Without iptables, or with another policy,
// nothing is touched. The rules carry the comment "proa".
void admit_bridge(std::string_view device);
void withdraw_bridge(std::string_view device);

}  // namespace proa::network
