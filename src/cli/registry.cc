// registry serve
#include <unistd.h>

#include "cli/console.h"
#include "cli/progress.h"
#include "cli/verbs.h"

namespace proa::cli {

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

}  // namespace proa::cli
