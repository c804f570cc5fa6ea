// What Layers keeps, for its two source files.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "image/layers.h"

namespace proa::image {

class LayerFileWriter;

struct Layers::State {
  std::string layers, trash;
  LayerForm form = LayerForm::Directory;  // of new ones
  mutable std::mutex mutex;
  std::condition_variable_any changed;
  std::map<oci::Digest, LayerInfo> known;
  std::set<oci::Digest> in_work;

  struct Mounted {
    std::shared_ptr<const os::Fd> mount;
    std::uint64_t used = 0;  // when, on a clock of uses
  };
  std::mutex mounting;  // taken before `mutex`
  std::map<oci::Digest, Mounted> mounts;
  std::uint64_t uses = 0;

  std::string path(const oci::Digest& diff_id, LayerForm of) const;
  std::string path(const LayerInfo& info) const { return path(info.diff_id, info.form); }
  std::string new_staging() const;
  void discard(const std::string& path) const;
  std::optional<LayerInfo> find(const oci::Digest& diff_id) const;
  void load();

  // layers.cc: the making of one.
  LayerInfo build(ByteSource& compressed, const oci::Digest& expected,
                  const std::function<void(std::uint64_t)>& progress, std::stop_token stop);
  LayerInfo publish_file(LayerFileWriter& writer, const std::string& file, const std::string& staging,
                         const std::stop_token& stop);
  bool is_what_it_was(const LayerInfo& info, ByteSource& blob);
  void unpack(ByteSource& tar, const std::string& staging, LayerInfo& info, const std::stop_token& stop);
  void publish(const std::string& staging, const LayerInfo& info);

  // layers_mounted.cc
  Lower lower(const oci::Digest& diff_id);
  Lower mounted(const LayerInfo& info);
  void unpack_file(const LayerInfo& info);
};

}  // namespace proa::image
