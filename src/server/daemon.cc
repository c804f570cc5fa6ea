#include "server/daemon.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/engine.h"
#include "os/file.h"
#include "os/socket.h"
#include "server/router.h"

namespace proa::server {
namespace {

void apply_log_settings(const engine::Config& config) {
  log::Level level = config.log_level == "debug"                                  ? log::Level::Debug
                     : config.log_level == "warn"                                 ? log::Level::Warning
                     : config.log_level == "error" || config.log_level == "fatal" ? log::Level::Error
                                                                                  : log::Level::Info;
  log::set_level(config.debug ? log::Level::Debug : level);
  log::set_format(config.log_format == "json" ? log::Format::Json : log::Format::Text);
}

// Holds the file locked for as long as the daemon lives: what a dead one left behind refuses nobody.
class PidFile {
 public:
  explicit PidFile(std::string path) : path_(std::move(path)) {
    os::make_dirs(os::dir_name(path_), 0755);
    fd_ = os::open_file(path_, O_RDWR | O_CREAT, 0644);
    if (!lock()) {
      std::string pid(trim(os::read_all(fd_.get(), 64)));
      throw Error(ErrorKind::Conflict, cat("ensure proad is not running or delete ", path_, ": process with PID ", pid,
                                           " is still running"));
    }
    os::check(::ftruncate(fd_.get(), 0), "ftruncate");
    os::write_all(fd_.get(), cat(::getpid()));
  }
  ~PidFile() { ::unlink(path_.c_str()); }
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

 private:
  // What a killed daemon was about to spawn has the file, too, until its execve.
  bool lock() const {
    constexpr std::int64_t kLongest = 3 * kSecond;
    for (std::int64_t began = monotonic_now(); ::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0;) {
      if (monotonic_now() - began > kLongest) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
  }

  std::string path_;
  os::Fd fd_;
};

// sd_notify(3): one datagram to the socket that systemd names.
void notify_systemd(std::string_view state) {
  const char* path = ::getenv("NOTIFY_SOCKET");
  if (!path || (path[0] != '/' && path[0] != '@') || std::strlen(path) >= sizeof(sockaddr_un::sun_path)) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, std::strlen(path));
  if (path[0] == '@') address.sun_path[0] = '\0';
  os::Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  ::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), size);
}

std::vector<std::string> hosts_of(const engine::Config& config) {
  if (!config.hosts.empty()) return config.hosts;
  return {http::sockets_were_passed() ? "fd://" : "unix:///run/proa.sock"};
}

// The sockets' files live as long as this object.
class Sockets {
 public:
  explicit Sockets(const engine::Config& config) : hosts_(hosts_of(config)) {
    mode_t before = ::umask(0177);  // nobody else connects between bind and chmod
    try {
      for (const std::string& host : hosts_) {
        for (os::Fd& listener : http::open_listeners(host, config.group)) listeners.push_back(std::move(listener));
        opened_.push_back(host);
        log::info("API listen on " + host);
      }
    } catch (...) {
      ::umask(before);
      remove_files();
      throw;
    }
    ::umask(before);
  }
  ~Sockets() { remove_files(); }
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  std::vector<os::Fd> listeners;

 private:
  void remove_files() {
    for (const std::string& host : opened_) {
      if (host.starts_with("unix://")) ::unlink(host.c_str() + 7);
    }
  }
  std::vector<std::string> hosts_, opened_;
};

void reload(engine::Engine& engine, std::span<const std::string> arguments) {
  try {
    engine::Config fresh = engine::read_config(arguments);
    apply_log_settings(fresh);
    engine.reload(fresh);
    log::info("settings reloaded");
  } catch (const Error& error) {
    log::error("cannot reload the settings", {{"error", error.what()}});
  }
}

}  // namespace

void run_daemon(const engine::Config& config, std::span<const std::string> arguments) {
  apply_log_settings(config);
  ::mallopt(M_ARENA_MAX, 2);
  ::umask(0);  // modes are given in full: of layers, volumes, what containers see
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  ::sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before the first thread: all inherit it, sigwait() takes them

  os::make_dirs(config.data_root, 0710);
  os::check(::chmod(config.data_root.c_str(), 0710), cat("chmod ", config.data_root));  // whoever made it, as docker
  os::make_dirs(config.exec_root, 0710);
  PidFile pid_file(config.pidfile.empty() ? os::path_join(config.exec_root, "proad.pid") : config.pidfile);
  Sockets sockets(config);  // clients that connect now wait until the engine has recovered
  engine::Engine engine(config);
  http::Server server(make_handler(engine));
  server.start(std::move(sockets.listeners));
  notify_systemd("READY=1");
  log::info("Daemon has completed initialization", {{"version", PROA_VERSION}});

  for (int signal = SIGHUP; signal == SIGHUP;) {
    if (::sigwait(&signals, &signal) != 0)
      signal = SIGHUP;
    else if (signal == SIGHUP)
      reload(engine, arguments);
  }
  notify_systemd("STOPPING=1");
  log::info("shutting down; containers run on");
  int longest = engine.config().shutdown_timeout;
  server.stop(longest > 0 && longest < 5 ? longest : 5);
  engine.shutdown();
}

}  // namespace proa::server
