// What a repository has besides what was asked for by name: tags, referrers; and deleting.
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "registry/client_state.h"

namespace proa::registry {

namespace {

constexpr int kMaxPages = 1000;
constexpr std::size_t kMaxItems = 100'000;
constexpr std::size_t kMaxPage = 4 << 20;

// The "/v2/..." path of Link: </v2/x/tags/list?n=100&last=y>; rel="next". "" where there is none or it leads off the
// registry.
std::string next_page(const Response& response, const Host& host, const std::string& path) {
  std::string link = response.header("link");
  std::size_t end = link.find('>');
  if (!link.starts_with('<') || end == link.npos || link.find("next", end) == link.npos) return "";
  Url here = host.base;
  here.target = host.target(path);
  Url next = here.resolve(std::string_view(link).substr(1, end - 1));
  if (!next.same_origin(here) || next.target == here.target || !next.target.starts_with(host.root)) return "";
  return cat("/v2", next.target.substr(host.root.size()));
}

// Feeds each page's answer to `take` until it has enough.
void each_page(Client::State& state, std::string_view what, std::string path,
               const std::function<bool(const Response&)>& take) {
  for (int page = 0; page < kMaxPages && !path.empty(); ++page) {
    Request request;
    request.max_body = kMaxPage;
    request.total_timeout_ms = kDocumentTimeoutMs;
    Response response = state.send(what, request, path);
    if (!take(response)) return;
    path = next_page(response, state.place().host, path);
  }
}

}  // namespace

std::vector<std::string> Client::tags() {
  std::vector<std::string> out;
  each_page(*state_, "tags", cat("/v2/", state_->reference.path, "/tags/list"), [&](const Response& response) {
    Json body = json::parse(response.body);
    if (const Json* list = json::find(body, "tags"); list && list->is_array()) {
      for (const Json& tag : list->get_array()) {
        if (tag.is_string()) out.emplace_back(std::string_view(tag.get_string()));
      }
    }
    return out.size() < kMaxItems;
  });
  return out;
}

std::vector<oci::Descriptor> Client::referrers(const oci::Digest& subject, const std::string& artifact_type) {
  std::vector<oci::Descriptor> out;
  auto add = [&](const std::string& bytes) {
    for (oci::Descriptor& one : oci::parse_index(bytes, oci::media_type::kIndex).manifests)
      if (artifact_type.empty() || one.artifact_type == artifact_type) out.push_back(std::move(one));
    return out.size() < kMaxItems;
  };
  std::string path = cat("/v2/", state_->reference.path, "/referrers/", subject.text());
  if (!artifact_type.empty()) path += cat("?artifactType=", percent_encode(artifact_type));
  try {
    each_page(*state_, "referrers", path, [&](const Response& response) { return add(response.body); });
    return out;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::NotFound) throw;
  }
  try {
    add(manifest(cat("sha256-", subject.hex())).bytes);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::NotFound) throw;
  }
  return out;
}

void Client::remove_manifest(const std::string& tag_or_digest) {
  Request request;
  request.method = "DELETE";
  request.total_timeout_ms = kDocumentTimeoutMs;
  state_->send("manifest", request, cat("/v2/", state_->reference.path, "/manifests/", tag_or_digest));
}

}  // namespace proa::registry
