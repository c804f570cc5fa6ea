// One function per command; each in the file named after its family.
#pragma once

#include "cli/command.h"

namespace proa::cli {

int run_attach(Call& call);
int run_commit(Call& call);
int run_container_inspect(Call& call);
int run_container_prune(Call& call);
int run_copy(Call& call);
int run_create(Call& call);
int run_diff(Call& call);
int run_disk_usage(Call& call);
int run_system_check(Call& call);
int run_events(Call& call);
int run_exec(Call& call);
int run_explain(Call& call);
int run_export(Call& call);
int run_history(Call& call);
int run_image_gc(Call& call);
int run_image_inspect(Call& call);
int run_image_prune(Call& call);
int run_image_tree(Call& call);
int run_images(Call& call);
int run_import(Call& call);
int run_info(Call& call);
int run_inspect(Call& call);
int run_kill(Call& call);
int run_list(Call& call);
int run_load(Call& call);
int run_login(Call& call);
int run_logout(Call& call);
int run_logs(Call& call);
int run_network_connect(Call& call);
int run_network_create(Call& call);
int run_network_disconnect(Call& call);
int run_network_inspect(Call& call);
int run_network_list(Call& call);
int run_network_prune(Call& call);
int run_network_remove(Call& call);
int run_pause(Call& call);
int run_port(Call& call);
int run_pull(Call& call);
int run_push(Call& call);
int run_registry_serve(Call& call);
int run_registry_tags(Call& call);
int run_registry_referrers(Call& call);
int run_registry_remove(Call& call);
int run_remove(Call& call);
int run_remove_image(Call& call);
int run_rename(Call& call);
int run_restart(Call& call);
int run_run(Call& call);
int run_save(Call& call);
int run_search(Call& call);
int run_start(Call& call);
int run_stats(Call& call);
int run_stop(Call& call);
int run_system_prune(Call& call);
int run_tag(Call& call);
int run_top(Call& call);
int run_unpause(Call& call);
int run_update(Call& call);
int run_version(Call& call);
int run_volume_create(Call& call);
int run_volume_inspect(Call& call);
int run_volume_list(Call& call);
int run_volume_prune(Call& call);
int run_volume_remove(Call& call);
int run_wait(Call& call);
int run_completion(Call& call);

}  // namespace proa::cli
