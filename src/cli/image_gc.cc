#include "cli/image_gc.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "base/units.h"
#include "cli/console.h"
#include "cli/disk_usage.h"
#include "cli/listing_text.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

std::vector<GcImage> read_images(Session& session) {
  std::set<std::string> used;
  Json containers = session.get("/containers/json", {{"all", "1"}});
  for (const Json& one : array_of(&containers)) used.insert(json::string_at(one, "ImageID"));
  std::vector<GcImage> out;
  Json usage = session.get("/system/df", {{"type", "image"}, {"verbose", "1"}});
  for (const Json& one : images_of_usage(usage)) {
    GcImage image;
    image.id = json::string_at(one, "Id");
    for (const Json& name : array_of(json::find(one, "RepoTags")))
      if (name.is_string() && name.get_string() != "<none>:<none>")
        image.names.emplace_back(std::string_view(name.get_string()));
    image.created = json::int_at(one, "Created");
    image.size = json::int_at(one, "Size");
    image.unique = image.size - std::max<std::int64_t>(0, json::int_at(one, "SharedSize"));
    image.used = used.contains(image.id);
    out.push_back(std::move(image));
  }
  return out;
}

std::optional<std::int64_t> size_flag(const Flags& flags, const char* name) {
  if (!flags.given(name)) return std::nullopt;
  auto size = parse_ram_bytes(flags.text(name));
  if (!size || *size < 0) throw ExitWith{1, cat("invalid size for --", name, ": ", quoted(flags.text(name)))};
  return size;
}

std::optional<std::int64_t> number_flag(const Flags& flags, const char* name, std::int64_t most) {
  if (!flags.given(name)) return std::nullopt;
  auto number = parse_int<std::int64_t>(flags.text(name));
  if (!number || *number < 0 || *number > most)
    throw ExitWith{1, cat("invalid number for --", name, ": ", quoted(flags.text(name)))};
  return number;
}

// How far the images are over the budgets; nullopt where none is given.
std::optional<std::int64_t> over_budget(Session& session, const Flags& flags) {
  auto most = size_flag(flags, "max-size"), least_free = size_flag(flags, "min-free");
  auto share = number_flag(flags, "max-share", 100);
  if (!most && !least_free && !share) return std::nullopt;
  std::int64_t over = 0, total = layers_size(session.get("/system/df", {{"type", "image"}}));
  if (most) over = std::max(over, total - *most);
  if (!least_free && !share) return over;
  if (!session.host().starts_with("unix://"))
    throw ExitWith{1, "--min-free and --max-share need a daemon on this host: its disk is looked at"};
  std::string root = json::string_at(session.get("/info"), "DockerRootDir");
  struct statvfs disk {};
  if (::statvfs(root.c_str(), &disk) != 0) throw ExitWith{1, cat("cannot look at the disk of ", root)};
  auto block = static_cast<std::int64_t>(disk.f_frsize);
  if (least_free) over = std::max(over, *least_free - static_cast<std::int64_t>(disk.f_bavail) * block);
  if (share) over = std::max(over, total - static_cast<std::int64_t>(disk.f_blocks) * block / 100 * *share);
  return over;
}

// By its names, so that docker's rules protect what a container was made of meanwhile.
void remove_image(Session& session, const GcImage& image) {
  std::vector<std::string> names = image.names.empty() ? std::vector<std::string>{image.id} : image.names;
  for (const std::string& name : names) {
    try {
      session.erase(cat("/images/", replace_all(path_escape(name), "%2F", "/")));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::NotFound && error.kind() != ErrorKind::Conflict) throw;
      err_line(error.message());
    }
  }
}

}  // namespace

int run_image_gc(Call& call) {
  const Flags& flags = call.flags;
  GcPolicy policy;
  if (auto keep = number_flag(flags, "keep", 1'000'000)) policy.keep = static_cast<std::size_t>(*keep);
  policy.to_free = over_budget(call.session, flags);
  if (!policy.keep && !policy.to_free)
    throw ExitWith{1, "say what is to stay: --keep, --max-size, --max-share or --min-free"};
  GcPlan plan = plan_image_gc(read_images(call.session), policy);
  bool dry = flags.on("dry-run");
  for (const GcImage& image : plan.removed) {
    std::string name = image.names.empty() ? "<none>" : join(image.names, " ");
    out_line(cat(dry ? "Would delete: " : "Deleting: ", truncated_id(image.id), "  ", name, "  ",
                 human_size(static_cast<double>(image.unique))));
    if (!dry) remove_image(call.session, image);
  }
  out_line(cat(dry ? "Would free: " : "Freed: ", human_size(static_cast<double>(plan.freed))));
  if (plan.enough) return 0;
  err_line(cat("WARNING: the budget wants ", human_size(static_cast<double>(*policy.to_free)),
               " freed: the other images are in use or kept"));
  return 1;
}

}  // namespace proa::cli
