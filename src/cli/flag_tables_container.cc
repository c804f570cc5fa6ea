// The flags of the container commands but run and create.
#include "cli/flag_tables.h"

#include "cli/grammars.h"

namespace proa::cli {

namespace {

constexpr Flag kContainerAttach[] = {
    {"detach-keys", 0, Kind::String, "Override the key sequence for detaching a container"},
    {"no-stdin", 0, Kind::Bool, "Do not attach STDIN"},
    {"sig-proxy", 0, Kind::Bool, "Proxy all received signals to the process (default true)", "true"},
};

constexpr Flag kContainerStart[] = {
    {"attach", 'a', Kind::Bool, "Attach STDOUT/STDERR and forward signals"},
    {"checkpoint", 0, Kind::String, "Restore from this checkpoint", "", nullptr, true},
    {"checkpoint-dir", 0, Kind::String, "Use a custom checkpoint storage directory", "", nullptr, true},
    {"detach-keys", 0, Kind::String, "Override the key sequence for detaching a container"},
    {"interactive", 'i', Kind::Bool, "Attach container's STDIN"},
};

constexpr Flag kContainerStop[] = {
    {"signal", 's', Kind::String, "Signal to send to the container"},
    {"timeout", 't', Kind::Int, "Seconds to wait before killing the container"},
};

constexpr Flag kContainerRestart[] = {
    {"signal", 's', Kind::String, "Signal to send to the container"},
    {"timeout", 't', Kind::Int, "Seconds to wait before killing the container"},
};

constexpr Flag kContainerKill[] = {
    {"signal", 's', Kind::String, "Signal to send to the container"},
};

constexpr Flag kContainerRm[] = {
    {"force", 'f', Kind::Bool, "Force the removal of a running container (uses SIGKILL)"},
    {"link", 'l', Kind::Bool, "Remove the specified link"},
    {"volumes", 'v', Kind::Bool, "Remove anonymous volumes associated with the container"},
};

constexpr Flag kContainerLs[] = {
    {"all", 'a', Kind::Bool, "Show all containers (default shows just running)"},
    {"filter", 'f', Kind::Filter, "Filter output based on conditions provided"},
    {"format", 0, Kind::String, kTableFormat},
    {"last", 'n', Kind::Int, "Show n last created containers (includes all states) (default -1)", "-1"},
    {"latest", 'l', Kind::Bool, "Show the latest created container (includes all states)"},
    {"no-trunc", 0, Kind::Bool, "Don't truncate output"},
    {"quiet", 'q', Kind::Bool, "Only display container IDs"},
    {"size", 's', Kind::Bool, "Display total file sizes"},
};

constexpr Flag kContainerLogs[] = {
    {"details", 0, Kind::Bool, "Show extra details provided to logs"},
    {"follow", 'f', Kind::Bool, "Follow log output"},
    {"since", 0, Kind::String,
     "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)"},
    {"tail", 'n', Kind::String, "Number of lines to show from the end of the logs (default \"all\")", "all"},
    {"timestamps", 't', Kind::Bool, "Show timestamps"},
    {"until", 0, Kind::String,
     "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)"},
};

constexpr Flag kContainerExec[] = {
    {"detach", 'd', Kind::Bool, "Detached mode: run command in the background"},
    {"detach-keys", 0, Kind::String, "Override the key sequence for detaching a container"},
    {"env", 'e', Kind::List, "Set environment variables", "", check_env},
    {"env-file", 0, Kind::List, "Read in a file of environment variables"},
    {"interactive", 'i', Kind::Bool, "Keep STDIN open even if not attached"},
    {"privileged", 0, Kind::Bool, "Give extended privileges to the command"},
    {"tty", 't', Kind::Bool, "Allocate a pseudo-TTY"},
    {"user", 'u', Kind::String, "Username or UID (format: \"<name|uid>[:<group|gid>]\")"},
    {"workdir", 'w', Kind::String, "Working directory inside the container"},
};

constexpr Flag kContainerInspect[] = {
    {"format", 'f', Kind::String, kFormat},
    {"size", 's', Kind::Bool, "Display total file sizes"},
};

constexpr Flag kContainerCp[] = {
    {"archive", 'a', Kind::Bool, "Archive mode (copy all uid/gid information)"},
    {"follow-link", 'L', Kind::Bool, "Always follow symbol link in SRC_PATH"},
    {"quiet", 'q', Kind::Bool,
     "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached"},
};

constexpr Flag kContainerStats[] = {
    {"all", 'a', Kind::Bool, "Show all containers (default shows just running)"},
    {"format", 0, Kind::String, kTableFormat},
    {"no-stream", 0, Kind::Bool, "Disable streaming stats and only pull the first result"},
    {"no-trunc", 0, Kind::Bool, "Do not truncate output"},
};

constexpr Flag kContainerUpdate[] = {
    {"blkio-weight", 0, Kind::Uint16, "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)",
     "0"},
    {"cpu-period", 0, Kind::Int, "Limit CPU CFS (Completely Fair Scheduler) period"},
    {"cpu-quota", 0, Kind::Int, "Limit CPU CFS (Completely Fair Scheduler) quota"},
    {"cpu-rt-period", 0, Kind::Int, "Limit the CPU real-time period in microseconds"},
    {"cpu-rt-runtime", 0, Kind::Int, "Limit the CPU real-time runtime in microseconds"},
    {"cpu-shares", 'c', Kind::Int, "CPU shares (relative weight)"},
    {"cpus", 0, Kind::Decimal, "Number of CPUs"},
    {"cpuset-cpus", 0, Kind::String, "CPUs in which to allow execution (0-3, 0,1)"},
    {"cpuset-mems", 0, Kind::String, "MEMs in which to allow execution (0-3, 0,1)"},
    {"memory", 'm', Kind::Bytes, "Memory limit"},
    {"memory-reservation", 0, Kind::Bytes, "Memory soft limit"},
    {"memory-swap", 0, Kind::Bytes, "Swap limit equal to memory plus swap: -1 to enable unlimited swap"},
    {"pids-limit", 0, Kind::Int, "Tune container pids limit (set -1 for unlimited)"},
    {"restart", 0, Kind::String, "Restart policy to apply when a container exits"},
};

constexpr Flag kContainerPrune[] = {
    {"filter", 0, Kind::Filter, "Provide filter values (e.g. \"until=<timestamp>\")"},
    {"force", 'f', Kind::Bool, "Do not prompt for confirmation"},
};

constexpr Flag kContainerExport[] = {
    {"output", 'o', Kind::String, "Write to a file, instead of STDOUT"},
};

}  // namespace

std::span<const Flag> container_attach_flags() { return kContainerAttach; }
std::span<const Flag> container_start_flags() { return kContainerStart; }
std::span<const Flag> container_stop_flags() { return kContainerStop; }
std::span<const Flag> container_restart_flags() { return kContainerRestart; }
std::span<const Flag> container_kill_flags() { return kContainerKill; }
std::span<const Flag> container_rm_flags() { return kContainerRm; }
std::span<const Flag> container_ls_flags() { return kContainerLs; }
std::span<const Flag> container_logs_flags() { return kContainerLogs; }
std::span<const Flag> container_exec_flags() { return kContainerExec; }
std::span<const Flag> container_inspect_flags() { return kContainerInspect; }
std::span<const Flag> container_cp_flags() { return kContainerCp; }
std::span<const Flag> container_stats_flags() { return kContainerStats; }
std::span<const Flag> container_update_flags() { return kContainerUpdate; }
std::span<const Flag> container_prune_flags() { return kContainerPrune; }
std::span<const Flag> container_export_flags() { return kContainerExport; }

}  // namespace proa::cli
