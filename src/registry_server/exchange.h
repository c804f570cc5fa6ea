// One request to the registry and its answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "oci/digest.h"
#include "registry_server/refusal.h"
#include "registry_server/serve.h"

namespace proa::registry_server {

struct Exchange {
  Registry& registry;
  http::Request& request;
  http::Response& response;
  std::string name;  // of the repository

  std::string query(std::string_view key) const { return request.query.get(key); }
  void reply(int status, std::string_view body = "");  // JSON, if any
  // `all` as the member `member`, ?n= at a time, with a Link to the rest; `first` are members before it. Throws Refusal
  // 400 where more than `most` are asked for.
  void page(std::string_view member, const std::string& path, std::vector<std::string> all, JsonObject first,
            std::size_t most = SIZE_MAX);
  // The Link header that says where a list goes on: behind `last`. `also`: what else the query asks for.
  void link_next(const std::string& path, const std::string& last, const std::string& also);
  // Throws Refusal 405, with what may be asked instead.
  [[noreturn]] void refuse_method(std::string_view allowed);
  // Throws Refusal DIGEST_INVALID.
  static oci::Digest digest(const std::string& text);

 private:
  std::size_t page_size(std::size_t most);
};

// "/v2/<name>/<kind>/<rest>": the last "/manifests/", "/blobs/", "/tags/" or "/referrers/" ends the name.
bool split_path(const std::string& path, std::string& name, std::string& kind, std::string& rest);
// The distribution specification's error document.
std::string error_document(const Refusal& refusal);

}  // namespace proa::registry_server
