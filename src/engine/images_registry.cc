// What the engine does with registries besides pulling.
#include "base/text.h"
#include "base/trace.h"
#include "engine/events.h"
#include "engine/image_progress.h"
#include "engine/images.h"
#include "engine/rooms.h"
#include "image/push.h"
#include "registry/login.h"

namespace proa::engine {

void Images::push(std::string_view name, std::string_view tag, const api::AuthConfig& auth,
                  const ProgressSink& progress, std::stop_token stop) {
  trace::Span span("engine.push");
  auto reference = oci::Reference::parse(name, tag);
  if (reference.has_digest()) throw Error(ErrorKind::InvalidArgument, "cannot push a digest reference");
  span.set("reference", reference.familiar());
  rooms_.pusher->push(
      reference, credentials_of(auth), forward_to(progress),
      [&](const image::PushResult& result) {
        api::ProgressMessage out;
        out.progress_detail = api::ProgressDetail{};
        out.aux = JsonObject{{"Tag", result.tag}, {"Digest", result.digest.text()}, {"Size", result.size}};
        progress(out);
      },
      stop);
  rooms_.events->emit("image", "push", reference.familiar(), {{"name", reference.familiar_name()}});
}

api::AuthResponse Images::login(const api::AuthConfig& auth, std::stop_token stop) {
  std::string domain = registry::domain_of_server(auth.server_address);
  api::AuthResponse out;
  out.identity_token = registry::login(*rooms_.registries, domain, credentials_of(auth), std::move(stop));
  out.status = "Login Succeeded";
  return out;
}

}  // namespace proa::engine
