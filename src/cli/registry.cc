// registry serve, tags, referrers, rm
#include <unistd.h>

#include "base/text.h"
#include "cli/console.h"
#include "cli/credentials.h"
#include "cli/listing_text.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "oci/reference.h"

namespace proa::cli {

namespace {

// About an image where it was pushed to, with what is known of us there.
StreamRequest request_about(const std::string& name, const std::string& method, const std::string& what) {
  oci::Reference reference = oci::Reference::parse(name);
  StreamRequest out;
  out.method = method;
  out.path = cat("/proa/registry/", replace_all(path_escape(reference.familiar()), "%2F", "/"), what);
  if (std::string auth = registry_auth(reference.domain); !auth.empty()) out.headers.add("X-Registry-Auth", auth);
  return out;
}

Json ask(Call& call, const StreamRequest& request) { return json::parse(call.session.stream(request)->read_all()); }

}  // namespace

int run_registry_serve(Call& call) {
  const Flags& flags = call.flags;
  StreamRequest request;
  request.method = "POST";
  request.path = "/registry/serve";
  if (flags.given("listen")) request.query.add("listen", flags.text("listen"));
  for (const char* name : {"tls-cert", "tls-key"})
    if (flags.given(name)) request.query.add(name, flags.text(name));
  if (flags.on("plain-http")) request.query.add("plain-http", "1");
  ProgressView view(STDOUT_FILENO);
  call.session.documents(request, [&](const Json& message) {
    view.show(message);
    return true;
  });
  return 0;
}

int run_registry_tags(Call& call) {
  Json reply = ask(call, request_about(call.arguments()[0], "GET", "/tags"));
  for (const Json& tag : array_of(json::find(reply, "Tags"))) out_line(std::string_view(tag.as_string()));
  return 0;
}

int run_registry_referrers(Call& call) {
  std::string format = call.flags.text("format");
  if (!format.empty() && format != "json") throw ExitWith{1, cat("unknown format ", quoted(format), ": json is known")};
  StreamRequest request = request_about(call.arguments()[0], "GET", "/referrers");
  if (call.flags.given("type")) request.query.add("type", call.flags.text("type"));
  Json reply = ask(call, request);
  for (const Json& one : array_of(json::find(reply, "Referrers"))) {
    std::string type = json::string_at(one, "artifactType");
    if (type.empty()) type = json::string_at(one, "mediaType");
    out_line(format == "json" ? json::text(one) : cat(json::string_at(one, "digest"), "  ", type));
  }
  return 0;
}

int run_registry_remove(Call& call) {
  const std::string& name = call.arguments()[0];
  ask(call, request_about(name, "DELETE", ""));
  out_line(cat("Removed: ", name));
  return 0;
}

}  // namespace proa::cli
