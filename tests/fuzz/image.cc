// What describes images: a media type, ended by a zero byte, and a document: manifest, index or configuration.
#include <string>

#include "base/json.h"
#include "oci/image_spec.h"
#include "registry_server/repositories.h"
#include "target.h"

using namespace proa;

namespace {

void check(const oci::Descriptor& descriptor) {
  fuzz::demand(!descriptor.digest.empty() && descriptor.digest.hex().size() == 64 && descriptor.size >= 0);
  std::string once = json::text(oci::to_json(descriptor));
  std::string index = "{\"schemaVersion\":2,\"manifests\":[" + once + "]}";
  auto again = oci::parse_index(index, "").manifests;
  fuzz::demand(again.size() == 1 && json::text(oci::to_json(again[0])) == once);
}

// A document has one meaning: whoever asks gets the same answer.
void check_type(const std::string& text, const std::string& claimed) {
  bool index = false, manifest = false;
  fuzz::answer([&] {
    for (const auto& one : oci::parse_index(text, claimed).manifests) check(one);
    index = true;
  });
  fuzz::answer([&] {
    auto read = oci::parse_manifest(text, claimed);
    check(read.config);
    for (const auto& one : read.layers) check(one);
    manifest = true;
  });
  fuzz::demand(!index || !manifest);
  fuzz::answer([&] {
    std::string type = oci::manifest_type(text, claimed);
    fuzz::demand(oci::media_type::is_index(type) != oci::media_type::is_manifest(type));
    fuzz::demand(!index || oci::media_type::is_index(type));
    fuzz::demand(!manifest || oci::media_type::is_manifest(type));
    registry_server::references_of(type, text);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto parts = fuzz::parts_of(fuzz::text_of(data, size), 2);
  std::string claimed(parts[0]), text(parts[1]);
  check_type(text, claimed);
  fuzz::answer([&] {
    oci::choose_manifest(
        oci::parse_index(text, claimed),
        {.os = "linux", .architecture = "arm64", .variant = "v8", .os_version = {}, .os_features = {}});
  });
  fuzz::answer([&] {
    std::string once = oci::image_config_text(oci::parse_image_config(text));
    fuzz::demand(oci::image_config_text(oci::parse_image_config(once)) == once);
  });
  return 0;
}
