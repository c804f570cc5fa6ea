#include "registry_server/settings.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string_view>

#include "base/json.h"
#include "base/text.h"
#include "oci/image_document.h"
#include "os/file.h"

namespace proa::registry_server {

namespace {

constexpr std::string_view kUsage = R"(Usage:  proa-registry [OPTIONS]
        proa-registry [OPTIONS] gc

An OCI distribution registry. Addresses other than loopback want --tls-cert and --tls-key (or --plain-http).
Changed certificates, keys and passwords are used from the next connection or request on.
gc deletes what nothing refers to, now; no registry may be running on that directory.

Options:
)";

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorKind::InvalidArgument, why); }

struct Option {
  std::string_view name, placeholder, help;  // a switch has no placeholder
  std::function<void(Settings&, const std::string&)> set;
};

auto text(std::string Settings::*member) {
  return [member](Settings& settings, const std::string& value) { settings.*member = value; };
}
auto toggle(bool Settings::*member) {
  return [member](Settings& settings, const std::string& value) {
    if (value != "true" && value != "false") refuse(cat(quoted(value), " is neither true nor false"));
    settings.*member = value == "true";
  };
}
auto number(int Settings::*member) {
  return [member](Settings& settings, const std::string& value) {
    auto parsed = parse_int<int>(value);
    if (!parsed || *parsed < 0) refuse(cat(quoted(value), " is no number"));
    settings.*member = *parsed;
  };
}

const std::vector<Option>& options() {
  using S = Settings;
  static const std::vector<Option> table = {
      {"root", "DIR", "where everything is kept (default /var/lib/proa-registry)", text(&S::root)},
      {"listen", "ADDRESS", "tcp://127.0.0.1:5000 (default), unix:///path; several times, too",
       [](S& settings, const std::string& value) { settings.listen.push_back(value); }},
      {"tls-cert", "FILE", "certificate (PEM), with what is between it and its authority", text(&S::tls_certificate)},
      {"tls-key", "FILE", "its key (PEM)", text(&S::tls_key)},
      {"tls-client-ca", "FILE", "clients must show a certificate of these authorities",
       text(&S::tls_client_authorities)},
      {"plain-http", "", "listen on any address without TLS", toggle(&S::plain_http)},
      {"htpasswd", "FILE", "who may use it (made with: htpasswd -B); without it everybody may", text(&S::htpasswd)},
      {"anonymous-pull", "", "everybody may pull", toggle(&S::anonymous_pull)},
      {"tokens", "", "passwords are exchanged for bearer tokens at /token", toggle(&S::tokens)},
      {"token-minutes", "N", "how long such a token is good (default 5)", number(&S::token_minutes)},
      {"token-realm", "URL", "another token server, whose tokens are taken", text(&S::token_realm)},
      {"token-service", "NAME", "what that server calls this registry", text(&S::token_service)},
      {"token-issuer", "NAME", "what that server calls itself", text(&S::token_issuer)},
      {"token-key", "FILE", "its public key or certificate (PEM)", text(&S::token_key)},
      {"upstream", "REGISTRY", "be a pull-through cache of it: docker.io, https://host:port", text(&S::upstream)},
      {"upstream-user", "NAME", "who to be there", text(&S::upstream_user)},
      {"upstream-password-file", "FILE", "and with what password", text(&S::upstream_password_file)},
      {"upstream-config-path", "DIR", "HOST/hosts.toml and certificates for it", text(&S::upstream_config_path)},
      {"cache-minutes", "N", "how long a tag is believed without asking upstream (default 1)",
       number(&S::cache_minutes)},
      {"cache-days", "N", "how long content stays that nobody asks for (default 30)", number(&S::cache_days)},
      {"read-only", "", "pull only", toggle(&S::read_only)},
      {"gc-interval", "HOURS", "how often what nothing refers to is deleted (default 24, 0: never)",
       number(&S::gc_hours)},
      {"gc-grace", "SECONDS", "what is younger stays: its manifest may come (default 3600)",
       number(&S::gc_grace_seconds)},
      {"delete-untagged", "", "gc deletes manifests without a tag, too", toggle(&S::delete_untagged)},
      {"validate", "", "check the configuration and exit", toggle(&S::check_only)},
      {"help", "", "print this text", toggle(&S::help)},
  };
  return table;
}

const Option* find_option(std::string_view name) {
  for (const Option& one : options())
    if (one.name == name) return &one;
  return nullptr;
}

std::string scalar(const Json& value, std::string_view key) {
  if (value.is_string()) return std::string(std::string_view(value.get_string()));
  if (value.is_bool()) return value.get_bool() ? "true" : "false";
  if (value.is_int64()) return cat(value.get_int64());
  refuse(cat("the value of ", quoted(key), " has the wrong type"));
}

void apply_file(Settings& settings, const std::string& path, const std::set<std::string>& given) {
  constexpr std::size_t kMost = 4 << 20;
  Json document = oci::parse_document(os::read_file(path, kMost), kMost, "configuration");
  for (const auto& [name, value] : document.get_object()) {
    std::string key(name);
    const Option* option = find_option(key);
    if (!option) refuse(cat("unknown key ", quoted(key)));
    if (given.contains(key)) refuse(cat(quoted(key), " is specified both as a flag and in the configuration file"));
    if (value.is_array()) {
      if (key != "listen") refuse(cat("the value of ", quoted(key), " has the wrong type"));
      for (const Json& one : value.get_array()) option->set(settings, scalar(one, key));
    } else {
      in_context(key, [&, &what = value] { option->set(settings, scalar(what, key)); });
    }
  }
}

void check(const Settings& settings) {
  if (settings.tls_certificate.empty() != settings.tls_key.empty()) refuse("--tls-cert and --tls-key go together");
  if (settings.tls_certificate.empty() && !settings.tls_client_authorities.empty())
    refuse("--tls-client-ca needs --tls-cert");
  if (settings.tokens && settings.htpasswd.empty()) refuse("--tokens needs --htpasswd: whose password would it be?");
  if (settings.tokens && !settings.token_realm.empty()) refuse("--tokens and --token-realm exclude each other");
  bool parts = settings.token_service.empty() || settings.token_issuer.empty() || settings.token_key.empty();
  if (!settings.token_realm.empty() && parts)
    refuse("--token-realm needs --token-service, --token-issuer and --token-key");
  if (!settings.token_realm.empty() && !settings.htpasswd.empty())
    refuse("--token-realm and --htpasswd exclude each other");
  bool other_upstream = !settings.upstream_user.empty() || !settings.upstream_password_file.empty();
  if (settings.upstream.empty() && other_upstream) refuse("--upstream-user needs --upstream");
}

}  // namespace

Settings read_settings(std::span<const std::string> arguments) {
  Settings out;
  std::set<std::string> given;
  std::string file;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    auto [word, inline_value] = cut(arguments[i], '=');
    if (word == "gc") {
      out.collect = true;
      continue;
    }
    if (word == "-h") word = "--help";
    std::string name(word.starts_with("--") ? word.substr(2) : std::string_view());
    const Option* option = find_option(name);
    if (!option && name != "config") refuse(cat("unknown option ", quoted(arguments[i]), "; see --help"));
    std::string value = inline_value ? std::string(*inline_value) : "true";
    if (!inline_value && (!option || !option->placeholder.empty())) {
      if (++i == arguments.size()) refuse(cat("--", name, " needs a value"));
      value = arguments[i];
    }
    given.insert(name);
    if (!option) {
      file = value;
    } else {
      in_context(cat("--", name), [&] { option->set(out, value); });
    }
  }
  if (!file.empty()) in_context(file, [&] { apply_file(out, file, given); });
  if (out.listen.empty()) out.listen.emplace_back("tcp://127.0.0.1:5000");
  check(out);
  return out;
}

std::string settings_usage() {
  std::string out(kUsage);
  auto line = [&](std::string_view name, std::string_view placeholder, std::string_view help) {
    std::string left = cat("      --", name, placeholder.empty() ? "" : " ", placeholder);
    left.resize(std::max<std::size_t>(left.size() + 2, 38), ' ');
    out += cat(left, help, "\n");
  };
  line("config", "FILE", "a JSON object of these options: {\"root\": \"/srv\", \"read-only\": true}");
  for (const Option& one : options()) line(one.name, one.placeholder, one.help);
  return out;
}

}  // namespace proa::registry_server
