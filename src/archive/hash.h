// SHA-256, piece by piece (OpenSSL: uses the processor's SHA instructions).
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace proa::archive {

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&& other) noexcept;
  Sha256& operator=(Sha256&& other) noexcept;
  ~Sha256();

  void update(std::span<const std::byte> bytes);
  // 64 hex digits of all so far. Ends the computation: update() must not follow.
  std::string hex();

 private:
  void* context_;  // EVP_MD_CTX
};

}  // namespace proa::archive
