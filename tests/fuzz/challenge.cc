// A WWW-Authenticate header; who the registry is that sent it: "http" or "https" and a host, after a zero byte.
#include <curl/curl.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "base/text.h"
#include "registry/auth.h"
#include "registry/url.h"
#include "target.h"

using namespace proa;

namespace {

std::optional<registry::Url> parse(std::string_view text) {
  try {
    return registry::Url::parse(text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

void check_url(const registry::Url& url) {
  fuzz::demand((url.scheme == "http" || url.scheme == "https") && url.target.starts_with('/'));
  // It becomes a request's first line and Host header.
  for (char c : url.text()) fuzz::demand(static_cast<unsigned char>(c) > ' ' && c != 0x7f);
  auto again = parse(url.text());
  fuzz::demand(again && again->text() == url.text() && again->same_origin(url));
  // libcurl, which connects to it, understands the same host.
  auto free = [](void* memory) { curl_free(memory); };
  std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> theirs(curl_url(), curl_url_cleanup);
  char* host = nullptr;
  if (curl_url_set(theirs.get(), CURLUPART_URL, url.text().c_str(), 0) != CURLUE_OK) return;
  fuzz::demand(curl_url_get(theirs.get(), CURLUPART_HOST, &host, 0) == CURLUE_OK);
  std::unique_ptr<char, decltype(free)> owned(host, free);
  std::string bare = host[0] == '[' ? std::string(host + 1, std::strlen(host) - 2) : host;
  fuzz::demand(registry::is_ip_address(bare) ? registry::is_ip_address(url.host) : bare == url.host);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto parts = fuzz::parts_of(fuzz::text_of(data, size), 2);
  auto challenges = registry::parse_challenges(parts[0]);
  fuzz::demand(challenges.size() <= 16);
  for (const auto& challenge : challenges) {
    fuzz::demand(!challenge.scheme.empty() && to_lower(challenge.scheme) == challenge.scheme);
    auto realm_text = challenge.params.find("realm");
    if (realm_text == challenge.params.end()) continue;
    fuzz::answer([&] {
      auto realm = registry::Url::parse(realm_text->second);
      check_url(realm);
      auto from = registry::Url::parse(parts[1]);
      check_url(from);
      bool trusted = registry::may_send_credentials(from, realm);
      // Never from https to http, never to another address.
      fuzz::demand(!trusted || from.scheme != "https" || realm.scheme == "https");
      fuzz::demand(!trusted || !registry::is_ip_address(realm.host) || realm.host == from.host);
      check_url(from.resolve(realm_text->second));
    });
  }
  return 0;
}
