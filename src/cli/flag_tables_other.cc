// The flags of the network, volume and system commands.
#include "cli/flag_tables.h"

#include "cli/grammars.h"

namespace proa::cli {

namespace {

constexpr Flag kNetworkCreate[] = {
    {"attachable", 0, Kind::Bool, "Enable manual container attachment"},
    {"aux-address", 0, Kind::Map, "Auxiliary IPv4 or IPv6 addresses used by Network driver (default map[])"},
    {"config-from", 0, Kind::String, "The network from which to copy the configuration"},
    {"config-only", 0, Kind::Bool, "Create a configuration only network"},
    {"driver", 'd', Kind::String, "Driver to manage the Network (default \"bridge\")", "bridge"},
    {"gateway", 0, Kind::Strings, "IPv4 or IPv6 Gateway for the master subnet"},
    {"ingress", 0, Kind::Bool, "Create swarm routing-mesh network"},
    {"internal", 0, Kind::Bool, "Restrict external access to the network"},
    {"ip-range", 0, Kind::Strings, "Allocate container ip from a sub-range"},
    {"ipam-driver", 0, Kind::String, "IP Address Management Driver (default \"default\")", "default"},
    {"ipam-opt", 0, Kind::Map, "Set IPAM driver specific options (default map[])"},
    {"ipv4", 0, Kind::Bool, "Enable or disable IPv4 address assignment (default true)", "true"},
    {"ipv6", 0, Kind::Bool, "Enable or disable IPv6 address assignment"},
    {"label", 0, Kind::List, "Set metadata on a network", "", check_label},
    {"opt", 'o', Kind::Map, "Set driver specific options (default map[])"},
    {"scope", 0, Kind::String, "Control the network's scope"},
    {"subnet", 0, Kind::Strings, "Subnet in CIDR format that represents a network segment"},
};

constexpr Flag kNetworkLs[] = {
    {"filter", 'f', Kind::Filter, "Provide filter values (e.g. \"driver=bridge\")"},
    {"format", 0, Kind::String, kTableFormat},
    {"no-trunc", 0, Kind::Bool, "Do not truncate the output"},
    {"quiet", 'q', Kind::Bool, "Only display network IDs"},
};

constexpr Flag kNetworkRm[] = {
    {"force", 'f', Kind::Bool, "Do not error if the network does not exist"},
};

constexpr Flag kNetworkInspect[] = {
    {"format", 'f', Kind::String, kFormat},
    {"verbose", 'v', Kind::Bool, "Verbose output for diagnostics"},
};

constexpr Flag kNetworkConnect[] = {
    {"alias", 0, Kind::Strings, "Add network-scoped alias for the container"},
    {"driver-opt", 0, Kind::Strings, "driver options for the network"},
    {"gw-priority", 0, Kind::Int,
     "Highest gw-priority provides the default gateway. Accepts positive and negative values."},
    {"ip", 0, Kind::String, "IPv4 address (e.g., \"172.30.100.104\")"},
    {"ip6", 0, Kind::String, "IPv6 address (e.g., \"2001:db8::33\")"},
    {"link", 0, Kind::List, "Add link to another container"},
    {"link-local-ip", 0, Kind::Strings, "Add a link-local address for the container"},
};

constexpr Flag kNetworkDisconnect[] = {
    {"force", 'f', Kind::Bool, "Force the container to disconnect from a network"},
};

constexpr Flag kNetworkPrune[] = {
    {"filter", 0, Kind::Filter, "Provide filter values (e.g. \"until=<timestamp>\")"},
    {"force", 'f', Kind::Bool, "Do not prompt for confirmation"},
};

constexpr Flag kVolumeCreate[] = {
    {"availability", 0, Kind::String,
     "Cluster Volume availability (\"active\", \"pause\", \"drain\") (default \"active\")", "active"},
    {"driver", 'd', Kind::String, "Specify volume driver name (default \"local\")", "local"},
    {"group", 0, Kind::String, "Cluster Volume group (cluster volumes)"},
    {"label", 0, Kind::List, "Set metadata for a volume", "", check_label},
    {"limit-bytes", 0, Kind::Bytes, "Minimum size of the Cluster Volume in bytes"},
    {"opt", 'o', Kind::Map, "Set driver specific options (default map[])"},
    {"required-bytes", 0, Kind::Bytes, "Maximum size of the Cluster Volume in bytes"},
    {"scope", 0, Kind::String, "Cluster Volume access scope (\"single\", \"multi\") (default \"single\")", "single"},
    {"secret", 0, Kind::Map, "Cluster Volume secrets (default map[])"},
    {"sharing", 0, Kind::String,
     "Cluster Volume access sharing (\"none\", \"readonly\", \"onewriter\", \"all\") (default \"none\")", "none"},
    {"topology-preferred", 0, Kind::List, "A topology that the Cluster Volume would be preferred in"},
    {"topology-required", 0, Kind::List, "A topology that the Cluster Volume must be accessible from"},
    {"type", 0, Kind::String, "Cluster Volume access type (\"mount\", \"block\") (default \"block\")", "block"},
};

constexpr Flag kVolumeLs[] = {
    {"cluster", 0, Kind::Bool, "Display only cluster volumes, and use cluster volume list formatting"},
    {"filter", 'f', Kind::Filter, "Provide filter values (e.g. \"dangling=true\")"},
    {"format", 0, Kind::String, kTableFormat},
    {"quiet", 'q', Kind::Bool, "Only display volume names"},
};

constexpr Flag kVolumeRm[] = {
    {"force", 'f', Kind::Bool, "Force the removal of one or more volumes"},
};

constexpr Flag kVolumeInspect[] = {
    {"format", 'f', Kind::String, kFormat},
};

constexpr Flag kVolumePrune[] = {
    {"all", 'a', Kind::Bool, "Remove all unused volumes, not just anonymous ones"},
    {"filter", 0, Kind::Filter, "Provide filter values (e.g. \"label=<label>\")"},
    {"force", 'f', Kind::Bool, "Do not prompt for confirmation"},
};

constexpr Flag kSystemCheck[] = {
    {"repair", 0, Kind::Bool, "Remove what is damaged or unowned, and unpack missing layers again"},
};

constexpr Flag kSystemDf[] = {
    {"format", 0, Kind::String, kTableFormat},
    {"verbose", 'v', Kind::Bool, "Show detailed information on space usage"},
};

constexpr Flag kSystemPrune[] = {
    {"all", 'a', Kind::Bool, "Remove all unused images not just dangling ones"},
    {"filter", 0, Kind::Filter, "Provide filter values (e.g. \"label=<key>=<value>\")"},
    {"force", 'f', Kind::Bool, "Do not prompt for confirmation"},
    {"volumes", 0, Kind::Bool, "Prune anonymous volumes"},
};

constexpr Flag kSystemEvents[] = {
    {"filter", 'f', Kind::Filter, "Filter output based on conditions provided"},
    {"format", 0, Kind::String, kFormat},
    {"since", 0, Kind::String, "Show all events created since timestamp"},
    {"until", 0, Kind::String, "Stream events until this timestamp"},
};

constexpr Flag kSystemInfo[] = {
    {"format", 'f', Kind::String, kFormat},
};

constexpr Flag kVersion[] = {
    {"format", 'f', Kind::String, kFormat},
};

constexpr Flag kInspect[] = {
    {"format", 'f', Kind::String, kFormat},
    {"size", 's', Kind::Bool, "Display total file sizes if the type is container"},
    {"type", 0, Kind::String, "Only inspect objects of the given type"},
};

}  // namespace

std::span<const Flag> network_create_flags() { return kNetworkCreate; }
std::span<const Flag> network_ls_flags() { return kNetworkLs; }
std::span<const Flag> network_rm_flags() { return kNetworkRm; }
std::span<const Flag> network_inspect_flags() { return kNetworkInspect; }
std::span<const Flag> network_connect_flags() { return kNetworkConnect; }
std::span<const Flag> network_disconnect_flags() { return kNetworkDisconnect; }
std::span<const Flag> network_prune_flags() { return kNetworkPrune; }
std::span<const Flag> volume_create_flags() { return kVolumeCreate; }
std::span<const Flag> volume_ls_flags() { return kVolumeLs; }
std::span<const Flag> volume_rm_flags() { return kVolumeRm; }
std::span<const Flag> volume_inspect_flags() { return kVolumeInspect; }
std::span<const Flag> volume_prune_flags() { return kVolumePrune; }
std::span<const Flag> system_check_flags() { return kSystemCheck; }
std::span<const Flag> system_df_flags() { return kSystemDf; }
std::span<const Flag> system_prune_flags() { return kSystemPrune; }
std::span<const Flag> system_events_flags() { return kSystemEvents; }
std::span<const Flag> system_info_flags() { return kSystemInfo; }
std::span<const Flag> version_flags() { return kVersion; }
std::span<const Flag> inspect_flags() { return kInspect; }

}  // namespace proa::cli
