#include "cli/pull.h"

#include <unistd.h>

#include "api/images.h"
#include "base/text.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "client/api.h"
#include "os/file.h"
#include "os/process.h"

namespace proa::cli {

namespace {

constexpr std::string_view kHub = "https://index.docker.io/v1/";

// docker-credential-NAME get
std::optional<api::AuthConfig> ask_helper(const std::string& name, const std::string& server) {
  os::RunOptions options;
  options.spawn.argv = {cat("docker-credential-", name), "get"};
  options.input = server;
  try {
    os::RunResult result = os::run_program(options);
    if (result.exit.code != 0) return std::nullopt;
    Json answer = json::parse(result.out);
    api::AuthConfig auth;
    auth.server_address = server;
    if (json::string_at(answer, "Username") == "<token>") {
      auth.identity_token = json::string_at(answer, "Secret");
    } else {
      auth.username = json::string_at(answer, "Username");
      auth.password = json::string_at(answer, "Secret");
    }
    return auth;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<api::AuthConfig> stored_auth(const Json& config, const std::string& server) {
  const Json* auths = json::find(config, "auths");
  if (!auths || !auths->is_object()) return std::nullopt;
  for (const auto& [key, entry] : auths->get_object()) {
    std::string_view name = key;
    for (std::string_view scheme : {"https://", "http://"})
      if (name.starts_with(scheme) && name != kHub) name.remove_prefix(scheme.size());
    if (name != server && cut(name, '/').first != server) continue;
    api::AuthConfig auth;
    auth.server_address = server;
    auth.identity_token = json::string_at(entry, "identitytoken");
    auth.username = json::string_at(entry, "username"), auth.password = json::string_at(entry, "password");
    if (auto decoded = base64_decode(json::string_at(entry, "auth")); decoded && !decoded->empty()) {
      auto [user, password] = cut(*decoded, ':');
      auth.username = user;
      auth.password = std::string(password.value_or(""));
    }
    return auth;
  }
  return std::nullopt;
}

}  // namespace

std::string registry_auth(std::string_view domain) {
  auto text = os::try_read_file(os::path_join(client::config_dir(), "config.json"));
  if (!text) return "";
  std::string server = domain == "docker.io" ? std::string(kHub) : std::string(domain);
  try {
    Json config = json::parse(*text);
    std::string helper = json::string_at(config, "credsStore");
    if (const Json* helpers = json::find(config, "credHelpers")) {
      if (std::string own = json::string_at(*helpers, server); !own.empty()) helper = own;
    }
    std::optional<api::AuthConfig> auth;
    if (!helper.empty()) auth = ask_helper(helper, server);
    if (!auth) auth = stored_auth(config, server);
    return auth ? api::encode_auth_header(*auth) : "";
  } catch (const Error& error) {
    err_line(cat("WARNING: Error loading config file: ", os::path_join(client::config_dir(), "config.json"), ": ",
                 error.message()));
    return "";
  }
}

void pull_image(Session& session, const oci::Reference& reference, const std::string& platform, int fd, bool quiet) {
  StreamRequest request;
  request.method = "POST";
  request.path = "/images/create";
  request.query.add("fromImage", reference.familiar_name());
  request.query.add("tag", reference.tag_or_digest());
  if (!platform.empty()) request.query.add("platform", platform);
  if (std::string auth = registry_auth(reference.domain); !auth.empty()) request.headers.add("X-Registry-Auth", auth);
  ProgressView view(fd);
  session.documents(request, [&](const Json& message) {
    if (!quiet || json::find(message, "errorDetail") || json::find(message, "error")) view.show(message);
    return true;
  });
}

int run_pull(Call& call) {
  oci::Reference given = oci::Reference::parse(call.arguments()[0]);
  const Flags& flags = call.flags;
  bool quiet = flags.on("quiet");
  std::string platform = flags.text("platform");
  if (flags.on("all-tags")) {
    if (!given.tag.empty() || given.has_digest()) throw ExitWith{1, "tag can't be used with --all-tags/-a"};
  } else if (given.tag.empty() && !given.has_digest()) {
    given = given.with_default_tag();
    if (!quiet) out_line(cat("Using default tag: ", given.tag));
  }
  pull_image(call.session, given, platform, STDOUT_FILENO, quiet);
  out_line(given.text());
  return 0;
}

}  // namespace proa::cli
