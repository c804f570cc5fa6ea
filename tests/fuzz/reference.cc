// The name of an image, and a tag or digest for it, ended by a zero byte each.
#include "oci/reference.h"

#include <string>

#include "base/text.h"
#include "registry_server/repositories.h"
#include "target.h"

using namespace proa;

namespace {

// It becomes a part of paths, URLs and headers.
void check(const oci::Reference& reference) {
  for (const std::string& part : split(reference.path, '/')) fuzz::demand(!part.empty() && part != "." && part != "..");
  for (char c : reference.text()) fuzz::demand(c > ' ' && c < 0x7f && c != '?' && c != '#' && c != '%' && c != '\\');
  fuzz::demand(registry_server::is_repository_name(reference.path));
  // What is written is read the same again, in both ways of writing it.
  fuzz::demand(oci::Reference::parse(reference.text()) == reference);
  fuzz::demand(oci::Reference::parse(reference.familiar()) == reference);
  fuzz::demand(reference.with_default_tag().tag_or_digest() != "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto parts = fuzz::parts_of(fuzz::text_of(data, size), 2);
  fuzz::answer([&] { check(oci::Reference::parse(parts[0])); });
  fuzz::answer([&] { check(oci::Reference::parse(parts[0], parts[1])); });
  fuzz::answer([&] { oci::parse_any_reference(parts[0]); });
  fuzz::answer([&] {
    oci::check_tag(parts[1]);
    fuzz::demand(parts[1].find('/') == parts[1].npos && parts[1].size() <= 128);
  });
  return 0;
}
