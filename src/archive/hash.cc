#include "archive/hash.h"

#include <openssl/evp.h>

#include <cstdint>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace proa::archive {

namespace {
EVP_MD_CTX* context(void* pointer) { return static_cast<EVP_MD_CTX*>(pointer); }
void expect(int result) {
  if (result != 1) throw Error(ErrorKind::Internal, "sha256: OpenSSL failed");
}
}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (!context_) throw Error(ErrorKind::Internal, "sha256: out of memory");
  expect(EVP_DigestInit_ex(context(context_), EVP_sha256(), nullptr));
}
Sha256::Sha256(Sha256&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}
Sha256& Sha256::operator=(Sha256&& other) noexcept {
  std::swap(context_, other.context_);
  return *this;
}
Sha256::~Sha256() { EVP_MD_CTX_free(context(context_)); }

void Sha256::update(std::span<const std::byte> bytes) {
  expect(EVP_DigestUpdate(context(context_), bytes.data(), bytes.size()));
}

std::string Sha256::hex() {
  std::uint8_t digest[32];
  unsigned int size = sizeof digest;
  expect(EVP_DigestFinal_ex(context(context_), digest, &size));
  return to_hex(digest);
}

}  // namespace proa::archive
