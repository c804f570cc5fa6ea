#include "registry_server/htpasswd.h"

#include <crypt.h>

#include <memory>

#include "archive/hash.h"
#include "base/error.h"
#include "base/text.h"

namespace proa::registry_server {

namespace {

constexpr std::size_t kMostProved = 1000;

std::string hash_of(std::string_view text) {
  archive::Sha256 hash;
  hash.update(std::as_bytes(std::span(text.data(), text.size())));
  return hash.hex();
}

bool same(std::string_view a, std::string_view b) {
  unsigned char difference = a.size() != b.size();
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

bool proves(const std::string& password, const std::string& stored) {
  auto data = std::make_unique<crypt_data>();
  const char* computed = ::crypt_r(password.c_str(), stored.c_str(), data.get());
  return computed && same(computed, stored);
}

}  // namespace

Htpasswd::Htpasswd(std::string_view text) {
  for (const std::string& line : split(text, '\n')) {
    std::string_view entry = trim(line);
    if (entry.empty() || entry.starts_with('#')) continue;
    auto [user, hash] = cut(entry, ':');
    if (!hash || !hash->starts_with("$2")) {
      throw Error(ErrorKind::InvalidArgument, cat("htpasswd: the entry of ", quoted(user), " is no bcrypt hash"));
    }
    users_.emplace(user, *hash);
  }
}

bool Htpasswd::admits(std::string_view authorization) const {
  if (!authorization.starts_with("Basic ")) return false;
  std::string key = hash_of(authorization);
  {
    std::lock_guard guard(mutex_);
    if (proved_.contains(key)) return true;
  }
  auto pair = base64_decode(trim(authorization.substr(6)));
  if (!pair) return false;
  auto [user, password] = cut(*pair, ':');
  auto known = users_.find(std::string(user));
  if (!password || known == users_.end() || !proves(std::string(*password), known->second)) return false;
  std::lock_guard guard(mutex_);
  if (proved_.size() >= kMostProved) proved_.clear();
  proved_.insert(key);
  return true;
}

}  // namespace proa::registry_server
