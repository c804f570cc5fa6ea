#include "engine/image_offer.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "engine/rooms.h"
#include "image/contents.h"
#include "image/images.h"
#include "oci/reference.h"

namespace proa::engine {

namespace {

struct Named {
  oci::Reference name;
  const image::ImageRecord* image;
};

bool is_of(const oci::Reference& name, const std::string& domain, const std::string& repository) {
  if (!domain.empty()) return name.domain == domain && name.path == repository;
  return name.path == repository || (name.domain == "docker.io" && name.path == cat("library/", repository));
}

// The tags under this name, those of docker.io first where no registry is named.
std::vector<Named> find_names(const std::vector<image::ImageRecord>& images, const std::string& domain,
                              const std::string& repository) {
  std::vector<Named> out;
  for (const auto& image : images) {
    for (const std::string& text : image.references) {
      oci::Reference name = oci::Reference::parse(text);
      if (is_of(name, domain, repository)) out.push_back({name, &image});
    }
  }
  std::stable_sort(out.begin(), out.end(), [](const Named& a, const Named& b) {
    return (a.name.domain == "docker.io") > (b.name.domain == "docker.io");
  });
  return out;
}

}  // namespace

bool ImageOffer::belongs(const oci::Digest& digest) const {
  for (const auto& image : rooms_.images->list()) {
    if (image::blobs_of(image).contains(digest)) return true;
  }
  return false;
}

std::optional<oci::Descriptor> ImageOffer::manifest(const std::string& domain, const std::string& repository,
                                                    const std::string& reference) const {
  auto images = rooms_.images->list();
  auto names = find_names(images, domain, repository);
  auto digest = oci::Digest::try_parse(reference);
  if (!digest) {
    auto found = std::find_if(names.begin(), names.end(), [&](const Named& one) { return one.name.tag == reference; });
    if (found == names.end()) return std::nullopt;
    const image::ImageRecord& image = *found->image;
    digest = rooms_.blobs->has(image.index) ? image.index : image.manifest;
  } else if (names.empty() || !belongs(*digest)) {
    return std::nullopt;
  }
  if (digest->empty() || !rooms_.blobs->has(*digest)) return std::nullopt;
  return image::describe(*rooms_.blobs, *digest);
}

std::string ImageOffer::read(const oci::Descriptor& manifest) const {
  return rooms_.blobs->read(manifest.digest, oci::kMaxManifest);
}

std::optional<os::Fd> ImageOffer::open(const oci::Digest& blob) const {
  if (!rooms_.blobs->has(blob) || !belongs(blob)) return std::nullopt;
  return rooms_.blobs->open(blob);
}

std::uint64_t ImageOffer::size(const oci::Digest& blob) const { return rooms_.blobs->size(blob).value_or(0); }

std::vector<std::string> ImageOffer::tags(const std::string& domain, const std::string& repository) const {
  auto images = rooms_.images->list();
  std::set<std::string> out;
  for (const Named& one : find_names(images, domain, repository)) out.insert(one.name.tag);
  return {out.begin(), out.end()};
}

std::vector<std::string> ImageOffer::repositories() const {
  std::set<std::string> out;
  for (const auto& image : rooms_.images->list())
    for (const std::string& name : image.references) out.insert(oci::Reference::parse(name).path);
  return {out.begin(), out.end()};
}

}  // namespace proa::engine
