#include "cli/verbs.h"
#include "cli/explain.h"
namespace proa::cli {
 __attribute__((weak)) void explain_run(Session&, const std::string&) {}
int run_container_prune(Call&) { throw ExitWith{1, "proa: this command is not available in this version"}; }
int run_copy(Call&) { throw ExitWith{1, "proa: this command is not available in this version"}; }
int run_disk_usage(Call&) { throw ExitWith{1, "proa: this command is not available in this version"}; }
int run_events(Call&) { throw ExitWith{1, "proa: this command is not available in this version"}; }
int run_explain(Call&) { throw ExitWith{1, "proa: this command is not available in this version"}; }
int run_image_prune(Call&) { throw ExitWith{1, "proa: this command is not available in this version"}; }
int run_info(Call&) { throw ExitWith{1, "proa: this command is not available in this version"}; }
int run_network_prune(Call&) { throw ExitWith{1, "proa: this command is not available in this version"}; }
int run_stats(Call&) { throw ExitWith{1, "proa: this command is not available in this version"}; }
int run_system_prune(Call&) { throw ExitWith{1, "proa: this command is not available in this version"}; }
int run_version(Call&) { throw ExitWith{1, "proa: this command is not available in this version"}; }
int run_volume_prune(Call&) { throw ExitWith{1, "proa: this command is not available in this version"}; }
int run_completion(Call&) { throw ExitWith{1, "proa: this command is not available in this version"}; }
}
