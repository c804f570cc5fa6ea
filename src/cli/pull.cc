#include "cli/pull.h"

#include <unistd.h>

#include "base/text.h"
#include "cli/console.h"
#include "cli/credentials.h"
#include "cli/progress.h"
#include "cli/verbs.h"

namespace proa::cli {

void pull_image(Session& session, const oci::Reference& reference, const std::string& platform, int fd, bool quiet) {
  StreamRequest request;
  request.method = "POST";
  request.path = "/images/create";
  request.query.add("fromImage", reference.familiar_name());
  if (std::string tag = reference.tag_or_digest(); !tag.empty()) request.query.add("tag", tag);
  if (!platform.empty()) request.query.add("platform", platform);
  if (std::string auth = registry_auth(reference.domain); !auth.empty()) request.headers.add("X-Registry-Auth", auth);
  ProgressView view(fd);
  session.documents(request, [&](const Json& message) {
    if (!quiet || json::find(message, "errorDetail") || json::find(message, "error")) view.show(message);
    return true;
  });
}

int run_pull(Call& call) {
  oci::Reference given = oci::Reference::parse(call.arguments()[0]);
  const Flags& flags = call.flags;
  bool quiet = flags.on("quiet");
  std::string platform = flags.text("platform");
  if (flags.on("all-tags")) {
    if (!given.tag.empty() || given.has_digest()) throw ExitWith{1, "tag can't be used with --all-tags/-a"};
  } else if (given.tag.empty() && !given.has_digest()) {
    given = given.with_default_tag();
    if (!quiet) out_line(cat("Using default tag: ", given.tag));
  }
  pull_image(call.session, given, platform, STDOUT_FILENO, quiet);
  out_line(given.text());
  return 0;
}

}  // namespace proa::cli
