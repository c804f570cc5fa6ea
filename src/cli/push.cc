// push
#include <unistd.h>

#include "base/text.h"
#include "cli/console.h"
#include "cli/credentials.h"
#include "cli/platform.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "oci/reference.h"

namespace proa::cli {

int run_push(Call& call) {
  oci::Reference reference = oci::Reference::parse(call.arguments()[0]);
  const Flags& flags = call.flags;
  bool quiet = flags.on("quiet");
  if (flags.on("all-tags")) {
    if (!reference.tag.empty() || reference.has_digest()) throw ExitWith{1, "tag can't be used with --all-tags/-a"};
  } else if (reference.tag.empty() && !reference.has_digest()) {
    reference = reference.with_default_tag();
    if (!quiet) out_line(cat("Using default tag: ", reference.tag));
  }
  StreamRequest request;
  request.method = "POST";
  request.path = cat("/images/", replace_all(path_escape(reference.familiar_name()), "%2F", "/"), "/push");
  request.query.add("tag", reference.tag);
  if (flags.given("platform")) request.query.add("platform", platform_json(flags.text("platform")));
  std::string auth = registry_auth(reference.domain);
  request.headers.add("X-Registry-Auth", auth.empty() ? "e30=" : auth);  // {}
  ProgressView view(STDOUT_FILENO);
  call.session.documents(request, [&](const Json& message) {
    const Json* aux = json::find(message, "aux");
    if (aux && aux->is_object()) return true;
    if (!quiet || json::find(message, "errorDetail") || json::find(message, "error")) view.show(message);
    return true;
  });
  if (quiet) out_line(reference.text());
  return 0;
}

}  // namespace proa::cli
