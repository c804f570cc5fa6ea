// system check
#include "base/text.h"
#include "base/units.h"
#include "cli/console.h"
#include "cli/listing_text.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

// A damaged blob is mended by taking it away.
bool is_gone(const Json& finding) {
  return json::string_at(finding, "Kind") == "damaged" && json::string_at(finding, "Object").starts_with("blob ");
}

// What is left to the user.
std::string remedy(const Json& finding, bool repair) {
  bool done = json::bool_at(finding, "Repaired"), layer = json::string_at(finding, "Object").starts_with("layer ");
  if (done && !is_gone(finding)) return "repaired";
  bool unowned = json::string_at(finding, "Kind") == "unowned";
  const JsonArray& images = array_of(json::find(finding, "NeededBy"));
  bool goes = unowned || (is_gone(finding) && images.empty());
  if (!repair && (layer || goes)) return cat("proa system check --repair ", goes ? "removes" : "makes", " it");
  if (images.empty()) return done ? "removed" : "remove the containers that need it";
  // A pull brings what a layer is made of, and leaves alone the layer that is there.
  std::string pull = cat("pull ", std::string_view(images[0].as_string()), " again");
  return done ? cat("removed; ", pull) : layer ? cat(pull, " and repair then") : pull;
}

}  // namespace

int run_system_check(Call& call) {
  bool repair = call.flags.on("repair");
  Json reply = call.session.post("/proa/check", {{"repair", repair ? "1" : "0"}});
  bool wrong = false;
  for (const Json& finding : array_of(json::find(reply, "Findings"))) {
    out_line(
        cat(json::string_at(finding, "Kind"), " ", json::string_at(finding, "Object"), ": ", remedy(finding, repair)));
    bool needed = !array_of(json::find(finding, "NeededBy")).empty();
    wrong |= !json::bool_at(finding, "Repaired") || (is_gone(finding) && needed);
  }
  out_line(cat("Images: ", json::int_at(reply, "Images"), ", layers: ", json::int_at(reply, "Layers"), ", blobs: ",
               json::int_at(reply, "Blobs"), " (", human_size(static_cast<double>(json::int_at(reply, "BlobBytes"))),
               "), problems: ", array_of(json::find(reply, "Findings")).size()));
  return wrong ? 1 : 0;
}

}  // namespace proa::cli
