#include "image/load_archive.h"

#include <algorithm>
#include <deque>
#include <future>
#include <memory>

#include "archive/compress.h"
#include "archive/tar_reader.h"
#include "base/text.h"
#include "base/trace.h"
#include "os/file.h"

namespace proa::image {

namespace {

constexpr std::string_view kBlobs = "blobs/sha256/";
// Bounds for what a stranger may make us remember.
constexpr std::size_t kMaxDocuments = 32 << 20, kMaxEntries = 20'000, kMaxLinkHops = 8;
constexpr std::size_t kLayersAtATime = 2;  // besides the one that comes

// "./a//b" -> "a/b"; what would leave the archive stays at its top.
std::string clean(std::string_view path) { return os::clean_path(cat("/", path)).substr(1); }

bool is_tar_block(std::span<const std::byte> start) {
  if (start.size() < 512) return false;
  std::string_view block(reinterpret_cast<const char*>(start.data()), 512);
  return block.substr(257, 5) == "ustar" || block.find_first_not_of('\0') == block.npos;
}

class Reader {
 public:
  Reader(archive::TarReader& tar, Layers& layers, store::Blobs& blobs, PullProgress& progress, std::stop_token stop)
      : tar_(tar), layers_(layers), blobs_(blobs), progress_(progress), stop_(std::move(stop)) {}

  ArchiveContents run() {
    std::size_t entries = 0;
    while (const archive::TarEntry* entry = tar_.next()) {
      if (stop_.stop_requested()) throw Error(ErrorKind::Cancelled, "context canceled");
      if (++entries > kMaxEntries) bad("it has too many entries");
      std::string path = clean(entry->path);
      switch (entry->type) {
        case archive::EntryType::File:
          file(path, *entry);
          break;
        case archive::EntryType::Symlink:
          out_.links[path] =
              clean(entry->link_target.starts_with('/') ? entry->link_target
                                                        : cat(os::dir_name(cat("/", path)), "/", entry->link_target));
          break;
        case archive::EntryType::HardLink:
          out_.links[path] = clean(entry->link_target);
          break;
        case archive::EntryType::Directory:
          break;
        default:
          bad(cat(quoted(path), " is a ", archive::to_string(entry->type)));
      }
    }
    tar_.drain();
    while (!ending_.empty()) end_layer();
    return std::move(out_);
  }

 private:
  [[noreturn]] void bad(std::string_view why) const {
    throw Error(ErrorKind::InvalidArgument, cat("invalid archive: ", why));
  }

  void file(const std::string& path, const archive::TarEntry& entry) {
    if (entry.is_sparse) bad(cat(quoted(path), " is sparse"));
    auto first = tar_.chunk();
    bool blob = path.starts_with(kBlobs);
    bool compressed = archive::sniff(first) != archive::Compression::None;
    if (compressed || is_tar_block(first) || path.ends_with(".tar")) return layer(path, entry, first, blob);
    if (blob) return plain_blob(path, first);
    if (entry.size > oci::kMaxConfig || (kept_ += entry.size) > kMaxDocuments)
      bad(cat(quoted(path), " is too large for what it is"));
    std::string text(reinterpret_cast<const char*>(first.data()), first.size());
    out_.documents[path] = text + tar_.read_content(oci::kMaxConfig);
  }

  void layer(const std::string& path, const archive::TarEntry& entry, std::span<const std::byte> first, bool blob) {
    trace::Span span("load.layer");
    span.set("path", path);
    if (ending_.size() == kLayersAtATime) end_layer();
    std::string name = path;
    if (blob) name = path.substr(kBlobs.size());
    name = name.substr(0, std::min<std::size_t>(12, name.find_first_of("/.")));
    auto intake =
        std::make_shared<LayerIntake>(layers_, blobs_, blob ? BlobForm::AsItCame : BlobForm::GzipPlain, stop_);
    std::uint64_t done = 0, size = entry.size;
    for (auto piece = first; !piece.empty(); piece = tar_.chunk()) {
      intake->write(piece);
      done += piece.size();
      progress_.count("Loading layer", name, done, size);
    }
    ending_.push_back({path, blob, std::async(std::launch::async, [intake] { return intake->finish(); })});
  }

  // The oldest of them.
  void end_layer() {
    Ending ending = std::move(ending_.front());
    ending_.pop_front();
    TakenLayer taken = ending.taken.get();
    if (ending.blob) check_name(ending.path, taken.digest);
    out_.layers[ending.path] = std::move(taken);
  }

  void plain_blob(const std::string& path, std::span<const std::byte> first) {
    store::Staging staging(blobs_);
    for (auto piece = first; !piece.empty(); piece = tar_.chunk()) staging.write(piece);
    check_name(path, staging.finish());
    staging.commit();
  }

  void check_name(const std::string& path, const oci::Digest& actual) const {
    if (path.substr(kBlobs.size()) == actual.hex()) return;
    throw Error(ErrorKind::DataLoss, cat("invalid archive: ", quoted(path), " has digest ", actual.text()));
  }

  // A layer whose bytes have all come: it is unpacked to its end while others come.
  struct Ending {
    std::string path;
    bool blob;
    std::future<TakenLayer> taken;
  };

  archive::TarReader& tar_;
  Layers& layers_;
  store::Blobs& blobs_;
  PullProgress& progress_;
  std::stop_token stop_;
  ArchiveContents out_;
  std::size_t kept_ = 0;
  std::deque<Ending> ending_;
};

template <class Map>
const typename Map::mapped_type* find_in(const Map& map, const std::map<std::string, std::string>& links,
                                         const std::string& path) {
  std::string at = clean(path);
  for (std::size_t hop = 0; hop < kMaxLinkHops; ++hop) {
    if (auto found = map.find(at); found != map.end()) return &found->second;
    auto link = links.find(at);
    if (link == links.end()) return nullptr;
    at = link->second;
  }
  return nullptr;
}

}  // namespace

const std::string* ArchiveContents::document(const std::string& path) const { return find_in(documents, links, path); }
const TakenLayer* ArchiveContents::layer(const std::string& path) const { return find_in(layers, links, path); }

ArchiveContents read_archive(ByteSource& from, Layers& layers, store::Blobs& blobs, PullProgress& progress,
                             std::stop_token stop) {
  archive::Decompressor plain(from);
  archive::TarReader tar(plain);
  return Reader(tar, layers, blobs, progress, std::move(stop)).run();
}

}  // namespace proa::image
