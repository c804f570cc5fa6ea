#include "registry_server/jwt.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/text.h"

namespace proa::registry_server {

namespace {

constexpr std::size_t kMaxToken = 64 << 10;
constexpr std::size_t kEcHalf = 32;  // of an ES256 signature

std::string hmac(const std::string& key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), out, &size);
  return {reinterpret_cast<char*>(out), size};
}

// JOSE writes r and s one after the other, OpenSSL wants them in DER.
std::string der_of(const std::string& signature) {
  if (signature.size() != 2 * kEcHalf) return "";
  auto bytes = reinterpret_cast<const unsigned char*>(signature.data());
  ECDSA_SIG* pair = ::ECDSA_SIG_new();
  BIGNUM *r = ::BN_bin2bn(bytes, kEcHalf, nullptr), *s = ::BN_bin2bn(bytes + kEcHalf, kEcHalf, nullptr);
  ::ECDSA_SIG_set0(pair, r, s);
  unsigned char* der = nullptr;
  int size = ::i2d_ECDSA_SIG(pair, &der);
  std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(std::max(size, 0)));
  ::OPENSSL_free(der);
  ::ECDSA_SIG_free(pair);
  return out;
}

bool verify_with(EVP_PKEY* key, const EVP_MD* hash, std::string_view text, const std::string& signature) {
  EVP_MD_CTX* context = ::EVP_MD_CTX_new();
  bool good = ::EVP_DigestVerifyInit(context, nullptr, hash, nullptr, key) == 1 &&
              ::EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                                 reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  ::EVP_MD_CTX_free(context);
  return good;
}

}  // namespace

struct JwtKey::State {
  std::string secret;
  EVP_PKEY* key = nullptr;
  ~State() { ::EVP_PKEY_free(key); }
};

JwtKey::JwtKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
JwtKey::~JwtKey() = default;

std::unique_ptr<JwtKey> JwtKey::secret(std::string bytes) {
  auto state = std::make_unique<State>();
  state->secret = std::move(bytes);
  return std::unique_ptr<JwtKey>(new JwtKey(std::move(state)));
}

std::unique_ptr<JwtKey> JwtKey::public_key(const std::string& pem) {
  auto state = std::make_unique<State>();
  BIO* bio = ::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  if (X509* certificate = ::PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)) {
    state->key = ::X509_get_pubkey(certificate);
    ::X509_free(certificate);
  } else {
    (void)BIO_reset(bio);
    state->key = ::PEM_read_bio_PUBKEY(bio, nullptr, nullptr, nullptr);
  }
  ::BIO_free(bio);
  if (!state->key) throw Error(ErrorKind::InvalidArgument, "it holds neither a public key nor a certificate in PEM");
  return std::unique_ptr<JwtKey>(new JwtKey(std::move(state)));
}

std::string JwtKey::sign(const Json& claims) const {
  std::string text = cat(base64url_encode(R"({"alg":"HS256","typ":"JWT"})"), ".", base64url_encode(json::text(claims)));
  return cat(text, ".", base64url_encode(hmac(state_->secret, text)));
}

bool JwtKey::proves(std::string_view algorithm, std::string_view text, const std::string& signature) const {
  if (!state_->key) {
    std::string right = hmac(state_->secret, text);
    return algorithm == "HS256" && right.size() == signature.size() &&
           ::CRYPTO_memcmp(right.data(), signature.data(), right.size()) == 0;
  }
  switch (::EVP_PKEY_get_base_id(state_->key)) {
    case EVP_PKEY_RSA:
      return algorithm == "RS256" && verify_with(state_->key, ::EVP_sha256(), text, signature);
    case EVP_PKEY_EC:
      return algorithm == "ES256" && verify_with(state_->key, ::EVP_sha256(), text, der_of(signature));
    case EVP_PKEY_ED25519:
      return algorithm == "EdDSA" && verify_with(state_->key, nullptr, text, signature);
    default:
      return false;
  }
}

std::optional<Json> JwtKey::verify(std::string_view token) const {
  std::size_t first = token.find('.'), second = token.rfind('.');
  if (token.size() > kMaxToken || first == token.npos || first == second) return std::nullopt;
  auto head = base64_decode(token.substr(0, first));
  auto claims = base64_decode(token.substr(first + 1, second - first - 1));
  auto signature = base64_decode(token.substr(second + 1));
  if (!head || !claims || !signature) return std::nullopt;
  try {
    std::string algorithm = json::string_at(json::parse(*head, {.depth = 8}), "alg");
    if (!proves(algorithm, token.substr(0, second), *signature)) return std::nullopt;
    return json::parse(*claims, {.depth = 16});
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace proa::registry_server
