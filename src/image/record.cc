#include "image/record.h"

#include <algorithm>

#include "archive/hash.h"
#include "base/text.h"

namespace proa::image {

std::set<oci::Digest> blobs_of(const ImageRecord& image) {
  std::set<oci::Digest> out(image.others.begin(), image.others.end());
  out.insert({image.id, image.manifest, image.index});
  for (const ImageLayer& layer : image.layers) out.insert(layer.digest);
  out.erase(oci::Digest());
  return out;
}

std::vector<HistoryItem> history_of(const ImageRecord& image) {
  std::vector<HistoryItem> out;
  std::size_t layer = 0;
  for (const oci::HistoryEntry& entry : image.config.history) {
    HistoryItem item;
    item.id = "<missing>";
    item.created = parse_rfc3339(entry.created).value_or(kZeroTime);
    item.created_by = entry.created_by;
    item.comment = entry.comment;
    if (!entry.empty_layer && layer < image.layers.size()) item.size = image.layers[layer++].size;
    out.push_back(std::move(item));
  }
  // Builders that write no history still made layers.
  for (; layer < image.layers.size(); ++layer) {
    HistoryItem item;
    item.id = "<missing>";
    item.created = image.created;
    item.size = image.layers[layer].size;
    out.push_back(std::move(item));
  }
  std::reverse(out.begin(), out.end());
  if (!out.empty()) {
    out.front().id = image.id.text();
    out.front().tags = image.references;
  }
  return out;
}

oci::Digest chain_id(const std::vector<oci::Digest>& diff_ids) {
  oci::Digest chain;
  for (const oci::Digest& diff_id : diff_ids) {
    if (chain.empty()) {
      chain = diff_id;
      continue;
    }
    std::string text = cat(chain.text(), " ", diff_id.text());
    archive::Sha256 hash;
    hash.update(std::as_bytes(std::span(text.data(), text.size())));
    chain = oci::Digest::from_hex(hash.hex());
  }
  return chain;
}

}  // namespace proa::image
