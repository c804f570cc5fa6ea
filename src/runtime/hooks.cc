#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"
#include "os/process.h"
#include "runtime/verbs.h"

namespace proa::runtime {

void run_hooks(const std::vector<oci::Hook>& hooks, const Json& state) {
  for (const auto& hook : hooks) {
    trace::Span span("runtime.hook");
    span.set("path", hook.path);
    os::RunOptions run;
    run.spawn.path = hook.path;
    run.spawn.argv = hook.args.empty() ? std::vector<std::string>{hook.path} : hook.args;
    run.spawn.env = hook.env;  // only what the specification gives (security.md row 30)
    run.input = json::text(state);
    run.timeout_ms = hook.timeout ? std::int64_t{*hook.timeout} * 1000 : -1;
    auto result = in_context(cat("error running hook ", hook.path), [&] { return os::run_program(run); });
    if (result.exit.code == 0) continue;
    throw Error(ErrorKind::Internal, cat("error running hook ", hook.path, ": exit status ", result.exit.code,
                                         ", stdout: ", trim(result.out), ", stderr: ", trim(result.err)));
  }
}

void run_poststop_hooks(const oci::Spec& spec, std::string_view id, std::string_view bundle) {
  if (!spec.hooks) return;
  for (const auto& hook : spec.hooks->poststop) {
    try {
      run_hooks({hook}, state_document(spec, id, "stopped", 0, bundle));
    } catch (const Error& error) {
      log::warn(error.message());
    }
  }
}

Json state_document(const oci::Spec& spec, std::string_view id, std::string_view status, pid_t pid,
                    std::string_view bundle) {
  JsonObject annotations;
  for (const auto& [key, value] : spec.annotations) annotations[key] = value;
  JsonObject state{{"ociVersion", spec.oci_version}, {"id", id}, {"status", status}};
  if (pid > 0) state["pid"] = pid;
  state["bundle"] = bundle;
  if (!annotations.empty()) state["annotations"] = std::move(annotations);
  return state;
}

}  // namespace proa::runtime
