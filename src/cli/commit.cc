// commit, import
#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "cli/upload.h"
#include "cli/verbs.h"
#include "oci/reference.h"
#include "os/file.h"

namespace proa::cli {

namespace {

// "name:tag" in two; "" stays "".
std::pair<std::string, std::string> repository_and_tag(const std::string& text) {
  if (text.empty()) return {};
  oci::Reference reference = oci::Reference::parse(text);
  if (reference.has_digest()) throw ExitWith{1, "refusing to create a tag with a digest reference"};
  return {reference.familiar_name(), reference.tag};
}

}  // namespace

int run_commit(Call& call) {
  const Flags& flags = call.flags;
  auto [repository, tag] = repository_and_tag(call.arguments().size() > 1 ? call.arguments()[1] : "");
  Query query{{"container", call.arguments()[0]}, {"repo", repository}, {"tag", tag}};
  if (flags.given("message")) query.emplace_back("comment", flags.text("message"));
  if (flags.given("author")) query.emplace_back("author", flags.text("author"));
  query.emplace_back("pause", flags.on("pause") ? "1" : "0");
  for (const std::string& change : flags.list("change")) query.emplace_back("changes", change);
  Json reply = call.session.post("/commit", query);
  out_line(json::string_at(reply, "Id"));
  return 0;
}

int run_import(Call& call) {
  const Flags& flags = call.flags;
  const std::string& source = call.arguments()[0];
  auto [repository, tag] = repository_and_tag(call.arguments().size() > 1 ? call.arguments()[1] : "");
  bool from_url = source.starts_with("http://") || source.starts_with("https://");
  os::Fd file;
  if (source != "-" && !from_url) file = os::open_file(source, O_RDONLY);
  StreamRequest request;
  request.path = "/images/create";
  request.query.add("fromSrc", from_url ? source : "-");
  request.query.add("repo", repository);
  request.query.add("tag", tag);
  if (flags.given("message")) request.query.add("message", flags.text("message"));
  if (flags.given("platform")) request.query.add("platform", flags.text("platform"));
  for (const std::string& change : flags.list("change")) request.query.add("changes", change);
  if (from_url) {
    request.method = "POST";
    ProgressView view(STDOUT_FILENO);
    call.session.documents(request, [&](const Json& message) {
      view.show(message);
      return true;
    });
    return 0;
  }
  upload_tar(call.session, request, source == "-" ? STDIN_FILENO : file.get());
  return 0;
}

}  // namespace proa::cli
