// `run` and `create`: the four requests of a run, in order: create, attach, wait, start.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/attached.h"
#include "cli/console.h"
#include "cli/create_options.h"
#include "cli/explain.h"
#include "cli/pull.h"
#include "cli/verbs.h"
#include "os/file.h"

namespace proa::cli {

namespace {

constexpr int kClientFailed = 125;

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// What docker makes of a failed create or start: 127 nothing to execute, 126 not executable, else 125.
int status_of_failure(std::string_view message) {
  if (contains(message, "executable file not found") || contains(message, "no such file or directory")) return 127;
  if (contains(message, "permission denied") || contains(message, "is a directory")) return 126;
  return kClientFailed;
}

[[noreturn]] void fail_with_help(std::string_view verb, std::string_view message, int status) {
  throw ExitWith{status, cat("proa: ", message, "\n\nRun 'proa ", verb, " --help' for more information")};
}

// The file that --cidfile names: empty until the container exists, removed if it never does.
class IdFile {
 public:
  explicit IdFile(const std::string& path) : path_(path) {
    if (path_.empty()) return;
    if (os::exists(path_)) {
      throw FlagError{cat("container ID file found, make sure the other container isn't running or delete ", path_)};
    }
    int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
      throw FlagError{cat("failed to create the container ID file: open ", path_, ": ", os::errno_text(errno))};
    }
    fd_ = os::Fd(fd);
  }
  ~IdFile() {
    if (fd_ && !written_) ::unlink(path_.c_str());
  }
  void write(std::string_view id) {
    if (fd_) os::write_all(fd_.get(), id), written_ = true;
  }

 private:
  std::string path_;
  os::Fd fd_;
  bool written_ = false;
};

void pull_for(Call& call, const CreateOptions& options, const oci::Reference& reference, bool missing) {
  if (missing && !options.quiet) err_line(cat("Unable to find image '", reference.familiar(), "' locally"));
  pull_image(call.session, reference, options.request.platform, STDERR_FILENO, options.quiet);
}

std::string create_container(Call& call, CreateOptions& options) {
  std::optional<oci::Reference> reference;
  auto parsed = oci::parse_any_reference(options.request.config.image);
  if (auto* named = std::get_if<oci::Reference>(&parsed)) reference = named->with_default_tag();
  IdFile id_file(options.cidfile);
  if (options.pull == "always" && reference) pull_for(call, options, *reference, false);
  Query query;
  if (!options.request.name.empty()) query.emplace_back("name", options.request.name);
  if (!options.request.platform.empty()) query.emplace_back("platform", options.request.platform);
  if (!options.request.config.mac_address.empty()) call.session.speak_own_version();  // newer: of a network only
  Json body = api::to_json(options.request);
  Json created;
  try {
    created = call.session.post("/containers/create", query, body);
  } catch (const Error& error) {
    // As docker: whatever was not found, an image of another platform for one, may be in the registry.
    bool missing = error.kind() == ErrorKind::NotFound && reference;
    if (!missing || options.pull != "missing") throw;
    pull_for(call, options, *reference, true);
    created = call.session.post("/containers/create", query, body);
  }
  if (const Json* warnings = json::find(created, "Warnings"); warnings && warnings->is_array()) {
    for (const Json& warning : warnings->get_array()) {
      if (warning.is_string()) err_line(cat("WARNING: ", std::string_view(warning.get_string())));
    }
  }
  std::string id = json::string_at(created, "Id");
  id_file.write(id);
  return id;
}

// Runs f; a mistake in the flags or a refusal ends the command as docker's does.
template <class F>
auto with_help(std::string_view verb, F&& f) {
  try {
    return f();
  } catch (const FlagError& mistake) {
    fail_with_help(verb, mistake.message, kClientFailed);
  } catch (const Error& error) {
    fail_with_help(verb, error.message(), status_of_failure(error.message()));
  }
}

int explain_after(Call& call, const CreateOptions& options, const std::string& id, int status) {
  if (options.explain) explain_run(call.session, id);
  return status;
}

void start_or_fail(Call& call, const std::string& id, bool auto_remove, WaitRequest* wait) {
  try {
    call.session.post(container_path(id, "start"));
  } catch (const Error& error) {
    constexpr int kRemovalMs = 10'000;
    if (auto_remove && wait) wait->ready_within(kRemovalMs);  // the daemon removes what never ran
    fail_with_help("run", error.message(), status_of_failure(error.message()));
  }
}

int run_attached(Call& call, const CreateOptions& options, const std::string& id) {
  const api::ContainerConfig& config = options.request.config;
  bool tty = config.tty, auto_remove = options.request.host_config.auto_remove;
  sigset_t signals = tty ? terminal_signals() : forwarded_signals();
  std::optional<SignalQueue> queue;
  if (tty || options.sig_proxy) queue.emplace(signals);
  bool attach = config.attach_stdin || config.attach_stdout || config.attach_stderr;
  std::optional<http::Hijacked> stream;
  StreamChoice choice{config.attach_stdin, config.attach_stdout, config.attach_stderr, options.detach_keys};
  std::optional<WaitRequest> wait;
  with_help("run", [&] {
    if (attach) stream = attach_container(call.session, id, choice);
    wait.emplace(call.session, id, auto_remove ? "removed" : "next-exit");
  });
  start_or_fail(call, id, auto_remove, &*wait);
  Attached attached{call.session, id, tty, options.sig_proxy, ""};
  if (tty) attached.resize();
  if (stream) {
    if (attached.pump_stream(*stream, choice, queue ? &*queue : nullptr) == StreamEnd::Detached) {
      return explain_after(call, options, id, 0);
    }
  } else {
    out_line(id);
  }
  return explain_after(call, options, id, wait->status());
}

}  // namespace

int run_create(Call& call) {
  CreateOptions options = with_help("create", [&] { return plan_create(call.flags, process_surroundings()); });
  std::string id;
  try {
    id = create_container(call, options);
  } catch (const FlagError& mistake) {
    throw ExitWith{1, mistake.message};
  }
  out_line(id);
  return 0;
}

namespace {

// `id` as soon as there is one.
int run_container(Call& call, CreateOptions& options, std::string& id) {
  id = with_help("run", [&] { return create_container(call, options); });
  if (!options.detach) return run_attached(call, options, id);
  out_line(id);  // before the start, as docker: a script has it where the start fails too
  start_or_fail(call, id, false, nullptr);
  return explain_after(call, options, id, 0);
}

}  // namespace

int run_run(Call& call) {
  CreateOptions options = with_help("run", [&] { return plan_create(call.flags, process_surroundings()); });
  api::ContainerConfig& config = options.request.config;
  if (options.detach) {
    if (!call.flags.list("attach").empty())
      throw ExitWith{1, "conflicting options: cannot specify both --attach and --detach"};
    config.attach_stdin = config.attach_stdout = config.attach_stderr = config.stdin_once = false;
  } else {
    check_tty(config.attach_stdin, config.tty);
  }
  if (auto size = os::tty_size(STDOUT_FILENO); size && config.tty)
    options.request.host_config.console_size = {size->rows, size->columns};
  with_help("run", [&] { return parse_detach_keys(detach_keys_of(options.detach_keys)); });
  std::string id;
  try {
    return run_container(call, options, id);
  } catch (const ExitWith&) {
    if (options.explain) explain_run(call.session, id);
    throw;
  }
}

}  // namespace proa::cli
