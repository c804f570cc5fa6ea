// Images (swagger v1.56).
#pragma once

#include "api/containers.h"

namespace proa::api {

struct ImageSummary {
  std::string id, parent_id;
  Strings repo_tags, repo_digests;
  std::int64_t created = 0, size = 0, shared_size = -1;
  StringMap labels;
  std::int64_t containers = -1;
};

struct RootFs {
  std::string type = "layers";
  Strings layers;
};
struct ImageMetadata {
  std::string last_tag_time = "0001-01-01T00:00:00Z";
};
// The part of an image's config that says how to run it. Since 1.50 without the fields only containers have.
struct ImageConfig {
  std::string user;
  StringSet exposed_ports;
  Strings env;
  std::optional<Strings> cmd;
  std::optional<HealthConfig> healthcheck;
  bool args_escaped = false;
  StringSet volumes;
  std::string working_dir;
  std::optional<Strings> entrypoint;
  std::optional<Strings> on_build;
  StringMap labels;
  std::string stop_signal;
  Strings shell;
};
struct ImageInspect {
  std::string id;
  Strings repo_tags, repo_digests;
  std::string parent, comment, created, docker_version, author;
  ImageConfig config;
  std::string architecture, variant, os, os_version;
  std::int64_t size = 0;
  GraphDriver graph_driver;
  RootFs root_fs;
  ImageMetadata metadata;
};
struct ImageHistoryItem {
  std::string id = "<missing>";
  std::int64_t created = 0;
  std::string created_by;
  std::optional<Strings> tags;
  std::int64_t size = 0;
  std::string comment;
};
struct ImageDeleteItem {  // one of the two
  std::string untagged, deleted;
};
struct ImagesPruneReport {
  std::vector<ImageDeleteItem> images_deleted;
  std::uint64_t space_reclaimed = 0;
};

struct SearchResult {
  std::int64_t star_count = 0;
  bool is_official = false;
  std::string name;
  bool is_automated = false;
  std::string description;
};

// X-Registry-Auth: base64url of this
struct AuthConfig {
  std::string username, password, auth, server_address, identity_token, registry_token;
};
struct AuthResponse {
  std::string status, identity_token;
};

Json to_json(const ImageSummary& value);
ImageSummary image_summary_from_json(const Json& value);
Json to_json(const ImageConfig& value);
ImageConfig image_config_from_json(const Json& value);
Json to_json(const ImageInspect& value);
ImageInspect image_inspect_from_json(const Json& value);
Json to_json(const ImageHistoryItem& value);
ImageHistoryItem image_history_item_from_json(const Json& value);
Json to_json(const ImageDeleteItem& value);
ImageDeleteItem image_delete_item_from_json(const Json& value);
Json to_json(const ImagesPruneReport& value);
Json to_json(const SearchResult& value);
Json to_json(const AuthConfig& value);
AuthConfig auth_config_from_json(const Json& value);
Json to_json(const AuthResponse& value);

std::string encode_auth_header(const AuthConfig& value);
// An empty or invalid value is the empty AuthConfig, as in moby.
AuthConfig decode_auth_header(std::string_view header);

}  // namespace proa::api
