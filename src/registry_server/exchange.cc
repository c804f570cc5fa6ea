#include "registry_server/exchange.h"

#include "base/text.h"

namespace proa::registry_server {

namespace {
constexpr std::size_t kPage = 1000;  // items where no number is asked for
}

bool split_path(const std::string& path, std::string& name, std::string& kind, std::string& rest) {
  constexpr std::string_view kPrefix = "/v2/";
  constexpr std::string_view kUploads = "/blobs/uploads";
  if (path.ends_with(kUploads)) return split_path(cat(path, "/"), name, kind, rest);
  for (std::string_view word : {"blobs/uploads", "blobs", "manifests", "tags", "referrers"}) {
    std::string middle = cat("/", word, "/");
    std::size_t at = path.rfind(middle);
    if (at == path.npos || at < kPrefix.size()) continue;
    name = path.substr(kPrefix.size(), at - kPrefix.size());
    kind = word;
    rest = path.substr(at + middle.size());
    return true;
  }
  return false;
}

std::string error_document(const Refusal& refusal) {
  JsonObject error{{"code", refusal.code}, {"message", refusal.message}};
  if (!refusal.detail.is_null()) error["detail"] = refusal.detail;
  return json::text(JsonObject{{"errors", JsonArray{std::move(error)}}});
}

void Exchange::reply(int status, std::string_view body) {
  if (!body.empty() && !response.headers.find("Content-Type")) response.headers.set("Content-Type", "application/json");
  response.whole(status, body);
}

std::size_t Exchange::page_size(std::size_t most) {
  std::string text = query("n");
  auto asked = text.empty() ? std::optional(kPage) : parse_int<std::size_t>(text);
  if (asked && *asked <= most) return *asked;
  JsonObject detail{{"n", asked ? Json(*asked) : Json(text)}};
  throw Refusal{400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested", std::move(detail)};
}

void Exchange::page(std::string_view member, const std::string& path, std::vector<std::string> all, JsonObject first,
                    std::size_t most) {
  std::size_t wanted = page_size(most);
  if (all.size() > wanted) {
    all.resize(wanted);
    if (!all.empty()) link_next(path, all.back(), cat("n=", wanted));
  }
  JsonArray list;
  for (const std::string& one : all) list.emplace_back(one);
  first[member] = std::move(list);
  reply(200, json::text(first));
}

void Exchange::link_next(const std::string& path, const std::string& last, const std::string& also) {
  std::string query = cat("last=", http::percent_encode(last), also.empty() ? "" : "&", also);
  response.headers.set("Link", cat("<", path, "?", query, ">; rel=\"next\""));
}

void Exchange::refuse_method(std::string_view allowed) {
  response.headers.set("Allow", allowed);
  throw Refusal{405, "UNSUPPORTED", "the operation is unsupported"};
}

oci::Digest Exchange::digest(const std::string& text) {
  auto digest = oci::Digest::try_parse(text);
  if (!digest) throw Refusal{400, "DIGEST_INVALID", cat("invalid digest ", quoted(text)), Json(text)};
  return *digest;
}

}  // namespace proa::registry_server
