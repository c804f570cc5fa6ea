#include "api/versions.h"

#include "base/text.h"

namespace proa::api {
namespace {

JsonObject* object_at(Json& value, std::string_view key) {
  if (!value.is_object()) return nullptr;
  Json* member = value.get_object().if_contains(key);
  return member && member->is_object() ? &member->get_object() : nullptr;
}

void drop(JsonObject* object, std::initializer_list<std::string_view> keys) {
  if (!object) return;
  for (std::string_view key : keys) object->stable_erase(key);
}

void set_missing(JsonObject* object, std::string_view key, Json value) {
  if (object && !object->contains(key)) (*object)[key] = std::move(value);
}

bool is_empty(const Json& value) {
  return value.is_null() || (value.is_string() && value.get_string().empty()) ||
         (value.is_array() && value.get_array().empty()) || (value.is_object() && value.get_object().empty());
}

void drop_empty(JsonObject* object, std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys) {
    if (const Json* member = object ? object->if_contains(key) : nullptr; member && is_empty(*member))
      object->stable_erase(key);
  }
}

void for_each_endpoint(Json& holder, void (*change)(JsonObject&, ApiVersion), ApiVersion version) {
  JsonObject* settings = object_at(holder, "NetworkSettings");
  if (!settings) return;
  Json* networks = settings->if_contains("Networks");
  if (!networks || !networks->is_object()) return;
  for (auto& member : networks->get_object()) {
    if (member.value().is_object()) change(member.value().get_object(), version);
  }
}

void shape_endpoint(JsonObject& endpoint, ApiVersion version) {
  if (version < ApiVersion{1, 44}) endpoint.stable_erase("DNSNames");
  if (version < ApiVersion{1, 48}) endpoint.stable_erase("GwPriority");
  if (version < ApiVersion{1, 32}) endpoint.stable_erase("DriverOpts");
}

// Before 1.45 the short id was one of the aliases; since then it is among the DNS names only.
void add_short_id_alias(JsonObject& endpoint, const std::string& id) {
  if (id.size() < 12) return;
  Json& aliases = endpoint["Aliases"];
  if (!aliases.is_array()) return;
  for (const Json& alias : aliases.get_array()) {
    if (alias.is_string() && std::string_view(alias.get_string()) == std::string_view(id).substr(0, 12)) return;
  }
  aliases.get_array().push_back(Json(std::string_view(id).substr(0, 12)));
}

}  // namespace

std::optional<ApiVersion> ApiVersion::parse(std::string_view text) {
  if (text.starts_with("v")) text.remove_prefix(1);
  auto [major, minor] = cut(text, '.');
  auto a = parse_int<unsigned short>(major);
  auto b = minor ? parse_int<unsigned short>(*minor) : std::optional<unsigned short>();
  if (!a || !b) return std::nullopt;
  return ApiVersion{*a, *b};
}

std::string ApiVersion::text() const { return cat(major, ".", minor); }

void check_supported(ApiVersion version) {
  if (version < kOldest) {
    throw Error(ErrorKind::InvalidArgument,
                cat("client version ", version.text(), " is too old. Minimum supported API version is ", kOldest.text(),
                    ", please upgrade your client to a newer version"));
  }
  if (version > kNewest) {
    throw Error(ErrorKind::InvalidArgument, cat("client version ", version.text(),
                                                " is too new. Maximum supported API version is ", kNewest.text()));
  }
}

void shape_container_inspect(Json& value, ApiVersion version) {
  if (!value.is_object()) return;
  JsonObject& object = value.get_object();
  for_each_endpoint(value, shape_endpoint, version);
  if (version < ApiVersion{1, 45}) {
    std::string id = json::string_at(value, "Id");
    if (JsonObject* settings = object_at(value, "NetworkSettings")) {
      if (Json* networks = settings->if_contains("Networks"); networks && networks->is_object()) {
        for (auto& member : networks->get_object()) {
          if (member.value().is_object()) add_short_id_alias(member.value().get_object(), id);
        }
      }
    }
  }
  if (version < ApiVersion{1, 44}) drop(object_at(value, "HostConfig"), {"Annotations"});
  if (version < ApiVersion{1, 44}) {
    if (JsonObject* config = object_at(value, "Config")) {
      if (JsonObject* health = config->contains("Healthcheck") && (*config)["Healthcheck"].is_object()
                                   ? &(*config)["Healthcheck"].get_object()
                                   : nullptr) {
        health->stable_erase("StartInterval");
      }
    }
  }
  if (version < ApiVersion{1, 42}) set_missing(object_at(value, "HostConfig"), "KernelMemory", 0);
  if (version < ApiVersion{1, 41}) drop(object_at(value, "HostConfig"), {"CgroupnsMode"});
  if (version < ApiVersion{1, 40}) drop(object_at(value, "HostConfig"), {"DeviceRequests"});
  if (version < ApiVersion{1, 25}) drop(object_at(value, "Config"), {"StopTimeout"});
  if (version >= ApiVersion{1, 52}) {
    drop_empty(object_at(value, "Config"), {"OnBuild"});
    // What the default network said of itself; each network says it under Networks.
    drop(object_at(value, "NetworkSettings"),
         {"Bridge", "HairpinMode", "LinkLocalIPv6Address", "LinkLocalIPv6PrefixLen", "SecondaryIPAddresses",
          "SecondaryIPv6Addresses", "EndpointID", "Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen", "IPAddress",
          "IPPrefixLen", "IPv6Gateway", "MacAddress"});
  }
  object.stable_erase("ImageManifestDescriptor");
}

void shape_container_summary(Json& value, ApiVersion version) {
  for_each_endpoint(value, shape_endpoint, version);
  if (version < ApiVersion{1, 46}) drop(object_at(value, "HostConfig"), {"Annotations"});
  if (version < ApiVersion{1, 52} && value.is_object()) drop(&value.get_object(), {"Health"});
}

void shape_image_inspect(Json& value, ApiVersion version) {
  if (!value.is_object()) return;
  JsonObject& object = value.get_object();
  if (version < ApiVersion{1, 50}) {
    // The whole of a container's Config was shown, with its empty values.
    if (JsonObject* config = object_at(value, "Config")) {
      for (std::string_view text : {"Hostname", "Domainname", "User", "Image", "WorkingDir"})
        set_missing(config, text, "");
      for (std::string_view flag : {"AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce"}) {
        set_missing(config, flag, false);
      }
      for (std::string_view list : {"Env", "Cmd", "Volumes", "Entrypoint", "OnBuild", "Labels"})
        set_missing(config, list, nullptr);
    }
  }
  if (version >= ApiVersion{1, 52}) {
    drop_empty(&object, {"Parent", "Comment", "DockerVersion", "Author"});
    drop_empty(object_at(value, "Config"),
               {"Cmd", "Entrypoint", "Env", "Labels", "OnBuild", "User", "Volumes", "WorkingDir"});
  }
  if (version < ApiVersion{1, 45}) {
    object["Container"] = "";
    object["ContainerConfig"] = nullptr;
  }
  if (version < ApiVersion{1, 44}) object["VirtualSize"] = json::int_at(value, "Size");
}

void shape_image_summary(Json& value, ApiVersion version) {
  if (!value.is_object()) return;
  JsonObject& object = value.get_object();
  if (version < ApiVersion{1, 51}) object["Containers"] = -1;
  if (version < ApiVersion{1, 44}) object["VirtualSize"] = json::int_at(value, "Size");
  if (version < ApiVersion{1, 43}) {
    // Lists were never empty: a placeholder stood for what is missing.
    auto placeholder = [&](std::string_view key, std::string_view text) {
      Json& list = object[key];
      if (list.is_array() && !list.get_array().empty()) return;
      list = JsonArray{Json(text)};
    };
    bool untagged = !object["RepoTags"].is_array() || object["RepoTags"].get_array().empty();
    if (untagged) {
      placeholder("RepoTags", "<none>:<none>");
      placeholder("RepoDigests", "<none>@<none>");
    }
  }
}

void shape_network(Json& value, ApiVersion version) {
  if (!value.is_object()) return;
  if (version < ApiVersion{1, 48}) drop(&value.get_object(), {"EnableIPv4"});
  if (version < ApiVersion{1, 52}) drop(&value.get_object(), {"Status"});
}

void shape_event(Json& value, ApiVersion version) {
  if (version >= ApiVersion{1, 52} && value.is_object()) drop(&value.get_object(), {"status", "id", "from"});
}

void shape_info(Json& value, ApiVersion version) {
  if (!value.is_object()) return;
  JsonObject& object = value.get_object();
  if (version < ApiVersion{1, 50}) {
    drop(&object, {"DiscoveredDevices"});
    object["BridgeNfIptables"] = false;
    object["BridgeNfIp6tables"] = false;
  }
  if (version < ApiVersion{1, 49}) drop(&object, {"FirewallBackend"});
  if (version < ApiVersion{1, 44}) {
    if (JsonObject* runtimes = object_at(value, "Runtimes")) {
      for (auto& runtime : *runtimes) {
        if (runtime.value().is_object()) runtime.value().get_object().stable_erase("status");
      }
    }
  }
  if (version < ApiVersion{1, 42}) object["KernelMemory"] = false;
  if (version < ApiVersion{1, 47}) {
    for (std::string_view name : {"ContainerdCommit", "RuncCommit", "InitCommit"}) {
      if (JsonObject* commit = object_at(value, name))
        set_missing(commit, "Expected", commit->contains("ID") ? (*commit)["ID"] : Json(""));
    }
  }
}

void shape_exec_inspect(Json&, ApiVersion) {}

void adapt_container_create(Json& body, ApiVersion version) {
  if (!body.is_object()) return;
  if (version >= ApiVersion{1, 52} && !json::string_at(body, "MacAddress").empty()) {
    throw Error(ErrorKind::InvalidArgument,
                "container-wide MAC address no longer supported; use endpoint-specific MAC address instead");
  }
  JsonObject* host = object_at(body, "HostConfig");
  if (!host) return;
  if (version < ApiVersion{1, 40}) {
    // Private was not yet the default, and pids limits and non-recursive binds were not known.
    if (json::string_at(*host, "IpcMode").empty()) (*host)["IpcMode"] = "shareable";
    if (Json* mounts = host->if_contains("Mounts"); mounts && mounts->is_array()) {
      for (Json& mount : mounts->get_array()) {
        if (JsonObject* bind = object_at(mount, "BindOptions")) bind->stable_erase("NonRecursive");
      }
    }
  }
  if (version < ApiVersion{1, 41}) host->stable_erase("CgroupnsMode");
  if (version < ApiVersion{1, 43}) host->stable_erase("Annotations");
  if (version < ApiVersion{1, 44}) {
    // A bind mount that is read-only was so at its top only.
    if (Json* mounts = host->if_contains("Mounts"); mounts && mounts->is_array()) {
      for (Json& mount : mounts->get_array()) {
        if (!json::bool_at(mount, "ReadOnly") || json::string_at(mount, "Type") != "bind") continue;
        if (!object_at(mount, "BindOptions")) mount.get_object()["BindOptions"] = JsonObject{};
        if (JsonObject* bind = object_at(mount, "BindOptions")) {
          bind->stable_erase("ReadOnlyForceRecursive");
          (*bind)["ReadOnlyNonRecursive"] = true;
        }
      }
    }
  }
  if (version < ApiVersion{1, 42}) host->stable_erase("ConsoleSize");
  if (version < ApiVersion{1, 56}) host->stable_erase("Umask");
}

}  // namespace proa::api
