// The index behind Images: records by ID and by name, and their rows. Not locked: Images does that.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/json.h"
#include "image/images.h"

namespace proa::image {

inline constexpr std::string_view kImagesTable = "images";

using RecordPtr = std::shared_ptr<const ImageRecord>;

struct Catalogue {
  std::map<oci::Digest, RecordPtr> by_id;
  std::map<std::string, oci::Digest, std::less<>> by_name;  // "busybox:latest", "busybox@sha256:..."

  void put(const RecordPtr& record);
  void erase(const oci::Digest& id);
  // By the rules of docker's lookup: name, ID, unique prefix of an ID. Throws InvalidArgument for what is no reference.
  RecordPtr find(std::string_view name) const;
};

// A row holds what the configuration's blob does not say.
Json record_to_json(const ImageRecord& record);
// `document`: the blob that `id` is the digest of. Throws where one of the two cannot be read.
ImageRecord record_from_json(const std::string& id, const Json& row, const std::string& document);

// Is `text` the beginning of this ID, with or without "sha256:"?
bool is_id_prefix(const oci::Digest& id, std::string_view text);
// "busybox:latest" (names without tag and digest get :latest), "busybox@sha256:...".
std::string lookup_name(const oci::Reference& reference);
bool is_digest_name(std::string_view familiar);
// "busybox" of "busybox:latest" and "busybox@sha256:...".
std::string_view repository_of(std::string_view familiar);

bool add_sorted(std::vector<std::string>& names, const std::string& name);  // false: it was there
bool drop(std::vector<std::string>& names, std::string_view name);          // false: it was not

}  // namespace proa::image
