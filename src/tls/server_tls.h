// The server's side of TLS 1.2 and 1.3 (OpenSSL), behind http::Channel. Where the kernel takes the records over (kTLS),
// files go by sendfile.
#pragma once

#include <memory>
#include <string>

#include "http/channel.h"

namespace proa::tls {

struct ServerFiles {
  std::string certificate, key;         // PEM; the certificate with what is between it and its authority
  std::string client_authorities = {};  // PEM; where it is set, clients must show a certificate of theirs
};

// For http::ServerOptions. Throws InvalidArgument for files that cannot be read or do not fit. Changed files are read
// again with the next connection; where they do not fit, the last ones that did go on being used.
http::Protect protect(const ServerFiles& files);

}  // namespace proa::tls
