// The tables of flags, one per command that has any.
#pragma once

#include "cli/flags.h"

namespace proa::cli {

inline constexpr const char* kTableFormat =
    "Format output using a custom template:\n'table':            Print output in table format with column headers "
    "(default)\n'table TEMPLATE':   Print output in table format using the given Go template\n'json':             "
    "Print in JSON format\n'TEMPLATE':         Print output using the given Go template.\nRefer to "
    "https://docs.docker.com/go/formatting/ for more information about formatting output with templates";
inline constexpr const char* kFormat =
    "Format output using a custom template:\n'json':             Print in JSON format\n'TEMPLATE':         Print "
    "output using the given Go template.\nRefer to https://docs.docker.com/go/formatting/ for more information about "
    "formatting output with templates";

std::span<const Flag> create_flags();
std::span<const Flag> run_only_flags();
std::span<const Flag> container_attach_flags();
std::span<const Flag> container_start_flags();
std::span<const Flag> container_stop_flags();
std::span<const Flag> container_restart_flags();
std::span<const Flag> container_kill_flags();
std::span<const Flag> container_rm_flags();
std::span<const Flag> container_ls_flags();
std::span<const Flag> container_logs_flags();
std::span<const Flag> container_exec_flags();
std::span<const Flag> container_inspect_flags();
std::span<const Flag> container_cp_flags();
std::span<const Flag> container_stats_flags();
std::span<const Flag> container_update_flags();
std::span<const Flag> container_prune_flags();
std::span<const Flag> container_export_flags();
std::span<const Flag> image_pull_flags();
std::span<const Flag> image_ls_flags();
std::span<const Flag> image_rm_flags();
std::span<const Flag> image_inspect_flags();
std::span<const Flag> image_history_flags();
std::span<const Flag> image_prune_flags();
std::span<const Flag> image_push_flags();
std::span<const Flag> image_save_flags();
std::span<const Flag> image_load_flags();
std::span<const Flag> image_import_flags();
std::span<const Flag> search_flags();
std::span<const Flag> image_gc_flags();
std::span<const Flag> image_tree_flags();
std::span<const Flag> registry_serve_flags();
std::span<const Flag> registry_referrers_flags();
std::span<const Flag> container_commit_flags();
std::span<const Flag> login_flags();
std::span<const Flag> network_create_flags();
std::span<const Flag> network_ls_flags();
std::span<const Flag> network_rm_flags();
std::span<const Flag> network_inspect_flags();
std::span<const Flag> network_connect_flags();
std::span<const Flag> network_disconnect_flags();
std::span<const Flag> network_prune_flags();
std::span<const Flag> volume_create_flags();
std::span<const Flag> volume_ls_flags();
std::span<const Flag> volume_rm_flags();
std::span<const Flag> volume_inspect_flags();
std::span<const Flag> volume_prune_flags();
std::span<const Flag> system_check_flags();
std::span<const Flag> system_df_flags();
std::span<const Flag> system_prune_flags();
std::span<const Flag> system_events_flags();
std::span<const Flag> system_info_flags();
std::span<const Flag> version_flags();
std::span<const Flag> inspect_flags();

}  // namespace proa::cli
