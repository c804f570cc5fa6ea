#include "cli/credentials.h"

#include "base/text.h"
#include "cli/console.h"
#include "client/api.h"
#include "os/file.h"
#include "os/process.h"

namespace proa::cli {

namespace {

constexpr std::string_view kHub = "https://index.docker.io/v1/";

std::string config_path() { return os::path_join(client::config_dir(), "config.json"); }

os::RunResult call_helper(const std::string& name, const std::string& verb, const std::string& input) {
  os::RunOptions options;
  options.spawn.argv = {cat("docker-credential-", name), verb};
  options.input = input;
  return os::run_program(options);
}

std::optional<api::AuthConfig> ask_helper(const std::string& name, const std::string& server) {
  try {
    os::RunResult result = call_helper(name, "get", server);
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

// The helper for this server; "" : the file itself.
std::string helper_of(const Json& config, const std::string& server) {
  if (const Json* helpers = json::find(config, "credHelpers")) {
    if (std::string own = json::string_at(*helpers, server); !own.empty()) return own;
  }
  return json::string_at(config, "credsStore");
}

Json read_config() {
  auto text = os::try_read_file(config_path());
  if (!text || trim(*text).empty()) return JsonObject{};
  Json config = in_context(cat("Error loading config file: ", config_path()), [&] { return json::parse(*text); });
  return config.is_object() ? config : Json(JsonObject{});
}

JsonObject& auths_of(Json& config) {
  Json& auths = config.get_object()["auths"];
  if (!auths.is_object()) auths = JsonObject{};
  return auths.get_object();
}

void write_config(const Json& config) {
  os::make_dirs(client::config_dir(), 0700);
  os::write_file_atomic(config_path(), json::pretty(config, "\t"), 0600);
}

}  // namespace

std::string server_key(std::string_view registry) {
  for (std::string_view scheme : {"https://", "http://"})
    if (registry.starts_with(scheme)) registry.remove_prefix(scheme.size());
  std::string host(cut(registry, '/').first);
  bool hub = host.empty() || host == "docker.io" || host == "index.docker.io" || host == "registry-1.docker.io";
  return hub ? std::string(kHub) : host;
}

std::optional<api::AuthConfig> find_credentials(const std::string& server) {
  Json config = read_config();
  std::optional<api::AuthConfig> auth;
  if (std::string helper = helper_of(config, server); !helper.empty()) auth = ask_helper(helper, server);
  if (!auth) auth = stored_auth(config, server);
  return auth;
}

std::string registry_auth(std::string_view domain) {
  try {
    auto auth = find_credentials(server_key(domain));
    return auth ? api::encode_auth_header(*auth) : "";
  } catch (const Error& error) {
    err_line(cat("WARNING: ", error.message()));
    return "";
  }
}

std::string store_credentials(const api::AuthConfig& auth) {
  Json config = read_config();
  const std::string& server = auth.server_address;
  if (std::string helper = helper_of(config, server); !helper.empty()) {
    bool token = !auth.identity_token.empty();
    Json secret = JsonObject{{"ServerURL", server},
                             {"Username", token ? "<token>" : auth.username},
                             {"Secret", token ? auth.identity_token : auth.password}};
    os::RunResult result = call_helper(helper, "store", json::text(secret));
    if (result.exit.code != 0) {
      throw Error(ErrorKind::Internal, cat("Error saving credentials: error storing credentials - err: exit status ",
                                           result.exit.code, ", out: `", trim(result.out), "`"));
    }
    auths_of(config)[server] = JsonObject{};
    write_config(config);
    return "";
  }
  JsonObject entry;
  entry["auth"] = base64_encode(cat(auth.username, ":", auth.password));
  if (!auth.identity_token.empty()) entry["identitytoken"] = auth.identity_token;
  auths_of(config)[server] = std::move(entry);
  write_config(config);
  return config_path();
}

void erase_credentials(const std::string& server) {
  Json config = read_config();
  if (std::string helper = helper_of(config, server); !helper.empty()) call_helper(helper, "erase", server);
  auths_of(config).erase(server);
  write_config(config);
}

}  // namespace proa::cli
