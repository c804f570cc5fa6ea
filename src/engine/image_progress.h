// Between the words of image/ and registry/ and those of the API.
#pragma once

#include "api/images.h"
#include "engine/images.h"
#include "image/pull.h"
#include "registry/credentials.h"

namespace proa::engine {

inline registry::Credentials credentials_of(const api::AuthConfig& auth) {
  registry::Credentials out;
  out.username = auth.username;
  out.password = auth.password;
  out.identity_token = auth.identity_token;
  out.registry_token = auth.registry_token;
  out.server_address = auth.server_address;
  return out;
}

inline image::Progress forward_to(const ProgressSink& progress) {
  return [&progress](const image::ProgressMessage& message) {
    api::ProgressMessage out;
    out.status = message.status;
    out.id = message.id;
    if (message.in_place) out.progress_detail = api::ProgressDetail{message.current, message.total};
    progress(out);
  };
}

}  // namespace proa::engine
