#include "registry_server/exchange.h"

#include "base/text.h"
#include "registry_server/refusal.h"

namespace proa::registry_server {

namespace {
constexpr std::optional<std::size_t> kPage = 1000;  // items, also where more are asked for
}

void Exchange::reply(int status, std::string_view body) {
  if (!body.empty() && !response.headers.find("Content-Type")) response.headers.set("Content-Type", "application/json");
  response.whole(status, body);
}

void Exchange::page(std::string_view member, const std::string& path, std::vector<std::string> all, JsonObject first) {
  std::string text = query("n");
  auto asked = text.empty() ? kPage : parse_int<std::size_t>(text);
  if (!asked) throw Refusal{400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested"};
  std::size_t wanted = std::min(*asked, *kPage);
  if (all.size() > wanted) {
    all.resize(wanted);
    if (!all.empty()) {
      response.headers.set(
          "Link", cat("<", path, "?last=", http::percent_encode(all.back()), "&n=", wanted, ">; rel=\"next\""));
    }
  }
  JsonArray list;
  for (const std::string& one : all) list.emplace_back(one);
  first[member] = std::move(list);
  reply(200, json::text(first));
}

oci::Digest Exchange::digest(const std::string& text) {
  auto digest = oci::Digest::try_parse(text);
  if (!digest) throw Refusal{400, "DIGEST_INVALID", cat("invalid digest ", quoted(text))};
  return *digest;
}

}  // namespace proa::registry_server
