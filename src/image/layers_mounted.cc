// Layers as an overlay's lowers.
#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/text.h"
#include "base/trace.h"
#include "image/layer_file.h"
#include "image/layers_state.h"
#include "os/file.h"

namespace proa::image {

namespace {
constexpr std::size_t kMaxMounts = 256;  // that nobody uses just now: each is a descriptor
}

Lower Layers::lower(const oci::Digest& diff_id) const { return state_->lower(diff_id); }

Lower Layers::State::lower(const oci::Digest& diff_id) {
  auto info = find(diff_id);
  if (info && info->form == LayerForm::Erofs) return mounted(*info);
  if (info) return {cat(path(*info), "/fs")};
  throw Error(ErrorKind::NotFound, cat("layer ", diff_id.text(), " does not exist"));
}

Lower Layers::State::mounted(const LayerInfo& info) {
  // With a slash, so that nothing stops at the link in /proc.
  auto lower_of = [&](const Mounted& layer) {
    return Lower{os::fd_path(layer.mount->get()) + "/.", layer.mount, path(info)};
  };
  std::lock_guard guard(mounting);
  if (auto there = mounts.find(info.diff_id); there != mounts.end()) {
    there->second.used = ++uses;
    return lower_of(there->second);
  }
  try {
    trace::Span span("layer.mount");
    span.set("diff_id", info.diff_id.text());
    auto mount = std::make_shared<const os::Fd>(mount_layer_file(path(info)));
    if (mounts.size() >= kMaxMounts) {
      auto oldest = std::min_element(mounts.begin(), mounts.end(),
                                     [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
      mounts.erase(oldest);
    }
    return lower_of(mounts.emplace(info.diff_id, Mounted{std::move(mount), ++uses}).first->second);
  } catch (const Error& error) {
    if (form == LayerForm::Erofs) throw;
    log::warn("a layer file cannot be mounted and is unpacked",
              {{"layer", info.diff_id.text()}, {"error", error.message()}});
  }
  unpack_file(info);
  return {cat(path(info.diff_id, LayerForm::Directory), "/fs")};
}

// With `mounting` held.
void Layers::State::unpack_file(const LayerInfo& info) {
  std::string staging = new_staging();
  Rollback rollback;
  rollback.add([&] { os::remove_tree(staging); });
  os::make_dir(staging, 0700);
  FileSource tar = open_layer_tar(path(info), info);
  LayerInfo unpacked = info;
  unpacked.form = LayerForm::Directory;
  unpack(tar, staging, unpacked, {});
  publish(staging, unpacked);
  rollback.commit();
}

}  // namespace proa::image
