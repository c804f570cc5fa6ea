// login, logout
#include <unistd.h>

#include "base/text.h"
#include "cli/console.h"
#include "cli/credentials.h"
#include "cli/verbs.h"
#include "os/file.h"
#include "os/tty.h"

namespace proa::cli {

namespace {

std::string read_line(int fd) {
  std::string line;
  char c = 0;
  while (::read(fd, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

std::string ask_password() {
  os::NoEcho quiet(STDIN_FILENO);
  out("Password: ");
  std::string password = read_line(STDIN_FILENO);
  out("\n");
  return password;
}

// From flags, standard input, and the terminal.
void ask(Call& call, api::AuthConfig& auth) {
  const Flags& flags = call.flags;
  auth.username = trim(flags.text("username"));
  auth.password = flags.text("password");
  if (flags.given("password")) {
    err_line("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
    if (flags.on("password-stdin")) throw ExitWith{1, "--password and --password-stdin are mutually exclusive"};
  }
  if (flags.on("password-stdin")) {
    if (auth.username.empty()) throw ExitWith{1, "Must provide --username with --password-stdin"};
    auth.password = os::read_all(STDIN_FILENO, 1 << 20);
    while (auth.password.ends_with('\n') || auth.password.ends_with('\r')) auth.password.pop_back();
  }
  if (!auth.username.empty() && !auth.password.empty()) return;
  if (!is_terminal(STDIN_FILENO)) throw ExitWith{1, "Error: Cannot perform an interactive login from a non TTY device"};
  if (auth.username.empty()) {
    out("Username: ");
    auth.username = trim(read_line(STDIN_FILENO));
    if (auth.username.empty()) throw ExitWith{1, "username is required"};
  }
  if (auth.password.empty()) auth.password = ask_password();
  if (auth.password.empty()) throw ExitWith{1, "password is required"};
}

}  // namespace

int run_login(Call& call) {
  std::string registry = call.arguments().empty() ? "" : call.arguments()[0];
  std::string server = server_key(registry);
  api::AuthConfig auth;
  bool given = call.flags.given("username") || call.flags.given("password") || call.flags.on("password-stdin");
  std::optional<api::AuthConfig> known = given ? std::nullopt : find_credentials(server);
  if (known && (!known->username.empty() || !known->identity_token.empty())) {
    out("Authenticating with existing credentials...");
    out("\n");
    auth = *known;
  } else {
    ask(call, auth);
  }
  auth.server_address = server;
  Json reply = call.session.post("/auth", {}, api::to_json(auth));
  if (std::string token = json::string_at(reply, "IdentityToken"); !token.empty()) {
    auth.password.clear();
    auth.identity_token = token;
  }
  std::string file = store_credentials(auth);
  if (!file.empty() && !auth.password.empty()) {
    err_line(cat("\nWARNING! Your credentials are stored unencrypted in '", file,
                 "'.\nConfigure a credential helper to remove this warning. "
                 "See\nhttps://docs.docker.com/go/credential-store/\n"));
  }
  if (std::string status = json::string_at(reply, "Status"); !status.empty()) out_line(status);
  return 0;
}

int run_logout(Call& call) {
  std::string server = server_key(call.arguments().empty() ? "" : call.arguments()[0]);
  out_line(cat("Removing login credentials for ", server));
  erase_credentials(server);
  return 0;
}

}  // namespace proa::cli
