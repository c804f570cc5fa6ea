// The table of all commands.
#include "base/text.h"
#include "cli/command.h"
#include "cli/flag_tables.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

constexpr Flag kExplain[] = {
    {"format", 0, Kind::String,
     "How to show it: \"tree\", \"json\" or \"chrome\" (a trace for Perfetto) (default \"tree\")", "tree"},
};
std::span<const Flag> explain_flags() { return kExplain; }

constexpr int kAny = -1;

constexpr Command kCommands[] = {
    {"container attach|attach", "[OPTIONS] CONTAINER",
     "Attach local standard input, output, and error streams to a running container", 1, 1, run_attach,
     container_attach_flags},
    {"container commit|commit", "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
     "Create a new image from a container's changes", 1, 2, run_commit, container_commit_flags},
    {"container cp|cp", "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tproa cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
     "Copy files/folders between a container and the local filesystem", 2, 2, run_copy, container_cp_flags},
    {"container create|create", "[OPTIONS] IMAGE [COMMAND] [ARG...]", "Create a new container", 1, kAny, run_create,
     create_flags, nullptr, false},
    {"container diff|diff", "CONTAINER", "Inspect changes to files or directories on a container's filesystem", 1, 1,
     run_diff},
    {"container exec|exec", "[OPTIONS] CONTAINER COMMAND [ARG...]", "Execute a command in a running container", 2, kAny,
     run_exec, container_exec_flags, nullptr, false},
    {"container export|export", "[OPTIONS] CONTAINER", "Export a container's filesystem as a tar archive", 1, 1,
     run_export, container_export_flags},
    {"container inspect", "[OPTIONS] CONTAINER [CONTAINER...]",
     "Display detailed information on one or more containers", 1, kAny, run_container_inspect, container_inspect_flags},
    {"container kill|kill", "[OPTIONS] CONTAINER [CONTAINER...]", "Kill one or more running containers", 1, kAny,
     run_kill, container_kill_flags},
    {"container logs|logs", "[OPTIONS] CONTAINER", "Fetch the logs of a container", 1, 1, run_logs,
     container_logs_flags},
    {"container ls|container list|container ps|ps", "[OPTIONS]", "List containers", 0, 0, run_list, container_ls_flags},
    {"container pause|pause", "CONTAINER [CONTAINER...]", "Pause all processes within one or more containers", 1, kAny,
     run_pause},
    {"container port|port", "CONTAINER [PRIVATE_PORT[/PROTO]]",
     "List port mappings or a specific mapping for the container", 1, 2, run_port},
    {"container prune", "[OPTIONS]", "Remove all stopped containers", 0, 0, run_container_prune, container_prune_flags},
    {"container rename|rename", "CONTAINER NEW_NAME", "Rename a container", 2, 2, run_rename},
    {"container restart|restart", "[OPTIONS] CONTAINER [CONTAINER...]", "Restart one or more containers", 1, kAny,
     run_restart, container_restart_flags},
    {"container rm|container remove|rm", "[OPTIONS] CONTAINER [CONTAINER...]", "Remove one or more containers", 1, kAny,
     run_remove, container_rm_flags},
    {"container run|run", "[OPTIONS] IMAGE [COMMAND] [ARG...]", "Create and run a new container from an image", 1, kAny,
     run_run, create_flags, run_only_flags, false},
    {"container start|start", "[OPTIONS] CONTAINER [CONTAINER...]", "Start one or more stopped containers", 1, kAny,
     run_start, container_start_flags},
    {"container stats|stats", "[OPTIONS] [CONTAINER...]",
     "Display a live stream of container(s) resource usage statistics", 0, kAny, run_stats, container_stats_flags},
    {"container stop|stop", "[OPTIONS] CONTAINER [CONTAINER...]", "Stop one or more running containers", 1, kAny,
     run_stop, container_stop_flags},
    {"container top|top", "CONTAINER [ps OPTIONS]", "Display the running processes of a container", 1, kAny, run_top,
     nullptr, nullptr, false},
    {"container unpause|unpause", "CONTAINER [CONTAINER...]", "Unpause all processes within one or more containers", 1,
     kAny, run_unpause},
    {"container update|update", "[OPTIONS] CONTAINER [CONTAINER...]", "Update configuration of one or more containers",
     1, kAny, run_update, container_update_flags},
    {"container wait|wait", "CONTAINER [CONTAINER...]",
     "Block until one or more containers stop, then print their exit codes", 1, kAny, run_wait},
    {"image gc", "[OPTIONS]", "Delete old images until a budget is kept", 0, 0, run_image_gc, image_gc_flags},
    {"image history|history", "[OPTIONS] IMAGE", "Show the history of an image", 1, 1, run_history,
     image_history_flags},
    {"image import|import", "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
     "Import the contents from a tarball to create a filesystem image", 1, 2, run_import, image_import_flags},
    {"image inspect", "[OPTIONS] IMAGE [IMAGE...]", "Display detailed information on one or more images", 1, kAny,
     run_image_inspect, image_inspect_flags},
    {"image ls|image list|images", "[OPTIONS] [REPOSITORY[:TAG]]", "List images", 0, 1, run_images, image_ls_flags},
    {"image prune", "[OPTIONS]", "Remove unused images", 0, 0, run_image_prune, image_prune_flags},
    {"image pull|pull", "[OPTIONS] NAME[:TAG|@DIGEST]", "Download an image from a registry", 1, 1, run_pull,
     image_pull_flags},
    {"image push|push", "[OPTIONS] NAME[:TAG]", "Upload an image to a registry", 1, 1, run_push, image_push_flags},
    {"image save|save", "[OPTIONS] IMAGE [IMAGE...]",
     "Save one or more images to a tar archive (streamed to STDOUT by default)", 1, kAny, run_save, image_save_flags},
    {"image load|load", "[OPTIONS]", "Load an image from a tar archive or STDIN", 0, 0, run_load, image_load_flags},
    {"image rm|image remove|rmi", "[OPTIONS] IMAGE [IMAGE...]", "Remove one or more images", 1, kAny, run_remove_image,
     image_rm_flags},
    {"image tag|tag", "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
     2, 2, run_tag},
    {"image tree", "[OPTIONS] IMAGE", "Show the layers of an image, who shares them, and their largest files", 1, 1,
     run_image_tree, image_tree_flags},
    {"network connect", "[OPTIONS] NETWORK CONTAINER", "Connect a container to a network", 2, 2, run_network_connect,
     network_connect_flags},
    {"network create", "[OPTIONS] NETWORK", "Create a network", 1, 1, run_network_create, network_create_flags},
    {"network disconnect", "[OPTIONS] NETWORK CONTAINER", "Disconnect a container from a network", 2, 2,
     run_network_disconnect, network_disconnect_flags},
    {"network inspect", "[OPTIONS] NETWORK [NETWORK...]", "Display detailed information on one or more networks", 1,
     kAny, run_network_inspect, network_inspect_flags},
    {"network ls|network list", "[OPTIONS]", "List networks", 0, 0, run_network_list, network_ls_flags},
    {"network prune", "[OPTIONS]", "Remove all unused networks", 0, 0, run_network_prune, network_prune_flags},
    {"network rm|network remove", "NETWORK [NETWORK...]", "Remove one or more networks", 1, kAny, run_network_remove,
     network_rm_flags},
    {"system check", "[OPTIONS]", "Compare what the store should have with what it has", 0, 0, run_system_check,
     system_check_flags},
    {"system df", "[OPTIONS]", "Show disk usage", 0, 0, run_disk_usage, system_df_flags},
    {"system events|events", "[OPTIONS]", "Get real time events from the server", 0, 0, run_events,
     system_events_flags},
    {"system info|info", "[OPTIONS]", "Display system-wide information", 0, 0, run_info, system_info_flags},
    {"system prune", "[OPTIONS]", "Remove unused data", 0, 0, run_system_prune, system_prune_flags},
    {"volume create", "[OPTIONS] [VOLUME]", "Create a volume", 0, 1, run_volume_create, volume_create_flags},
    {"volume inspect", "[OPTIONS] VOLUME [VOLUME...]", "Display detailed information on one or more volumes", 1, kAny,
     run_volume_inspect, volume_inspect_flags},
    {"volume ls|volume list", "[OPTIONS]", "List volumes", 0, 0, run_volume_list, volume_ls_flags},
    {"volume prune", "[OPTIONS]", "Remove unused local volumes", 0, 0, run_volume_prune, volume_prune_flags},
    {"volume rm|volume remove", "[OPTIONS] VOLUME [VOLUME...]",
     "Remove one or more volumes. You cannot remove a volume that is in use by a container.", 1, kAny,
     run_volume_remove, volume_rm_flags},
    {"explain", "[OPTIONS] CONTAINER", "Show every step that was taken to run a container, with times", 1, 1,
     run_explain, explain_flags},
    {"inspect", "[OPTIONS] NAME|ID [NAME|ID...]", "Return low-level information on objects", 1, kAny, run_inspect,
     inspect_flags},
    {"login", "[OPTIONS] [SERVER]", "Authenticate to a registry", 0, 1, run_login, login_flags},
    {"logout", "[SERVER]", "Log out from a registry", 0, 1, run_logout},
    {"registry referrers", "[OPTIONS] NAME[:TAG|@DIGEST]",
     "List what a registry has about an image: signatures, and so on", 1, 1, run_registry_referrers,
     registry_referrers_flags},
    {"registry rm|registry remove", "NAME:TAG|NAME@DIGEST",
     "Remove a tag, or an image with all its tags, from its registry", 1, 1, run_registry_remove},
    {"registry serve", "[OPTIONS]", "Serve this host's images to other hosts, until interrupted", 0, 0,
     run_registry_serve, registry_serve_flags},
    {"registry tags", "NAME", "List the tags that a repository has in its registry", 1, 1, run_registry_tags},
    {"search", "[OPTIONS] TERM", "Search Docker Hub for images", 1, 1, run_search, search_flags},
    {"version", "[OPTIONS]", "Show the version information", 0, 0, run_version, version_flags},
    {"completion", "bash|zsh|fish", "Generate the autocompletion script for the specified shell", 1, 1, run_completion},
};

constexpr Flag kGlobal[] = {
    {"config", 0, Kind::String, "Location of client config files"},
    {"context", 'c', Kind::String,
     "Name of the context to use to connect to the daemon (overrides DOCKER_HOST env var and default context)"},
    {"debug", 'D', Kind::Bool, "Enable debug mode"},
    {"host", 'H', Kind::List, "Daemon socket to connect to"},
    {"log-level", 'l', Kind::String,
     "Set the logging level (\"debug\", \"info\", \"warn\", \"error\", \"fatal\") (default \"info\")", "info"},
    {"tls", 0, Kind::Bool, "Use TLS; implied by --tlsverify"},
    {"tlscacert", 0, Kind::String, "Trust certs signed only by this CA"},
    {"tlscert", 0, Kind::String, "Path to TLS certificate file"},
    {"tlskey", 0, Kind::String, "Path to TLS key file"},
    {"tlsverify", 0, Kind::Bool, "Use TLS and verify the remote"},
    {"version", 'v', Kind::Bool, "Print version information and quit"},
};

}  // namespace

std::span<const Command> all_commands() { return kCommands; }
std::span<const Flag> global_flags() { return kGlobal; }

const Command* find_command(std::string_view path) {
  for (const Command& command : kCommands) {
    std::string_view rest = command.paths;
    while (!rest.empty()) {
      auto [one, more] = cut(rest, '|');
      if (one == path) return &command;
      rest = more.value_or("");
    }
  }
  return nullptr;
}

}  // namespace proa::cli
