// What a registry is told: by flags, and by one JSON file whose keys are the flags' names.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace proa::registry_server {

struct Settings {
  std::string root = "/var/lib/proa-registry";
  std::vector<std::string> listen;  // {"tcp://127.0.0.1:5000"} where none is named
  bool plain_http = false;          // other addresses than loopback without TLS
  std::string tls_certificate, tls_key, tls_client_authorities;

  std::string htpasswd;
  bool anonymous_pull = false;
  bool tokens = false;  // our own, in exchange for a password
  int token_minutes = 5;
  std::string token_realm, token_service, token_issuer, token_key;  // somebody else's

  std::string upstream, upstream_user, upstream_password_file, upstream_config_path;
  int cache_minutes = 1;  // how long a tag is believed without asking upstream
  int cache_days = 30;    // how long content stays that nobody asks for

  bool read_only = false;
  int gc_hours = 24;
  int gc_grace_seconds = 3600;  // from a blob to the manifest that names it
  bool delete_untagged = false;

  bool help = false, collect = false, check_only = false;
};

// Throws InvalidArgument for unknown names, missing values, and what stands both in a flag and in the file.
Settings read_settings(std::span<const std::string> arguments);
std::string settings_usage();

}  // namespace proa::registry_server
