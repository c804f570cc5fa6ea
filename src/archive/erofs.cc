#include "archive/erofs.h"

#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <span>
#include <vector>

#include "base/text.h"

namespace proa::archive {
namespace {

constexpr std::size_t kBlock = 512;
constexpr unsigned kBlockBits = 9;
constexpr std::uint64_t kSlot = 32;       // nids count these
constexpr std::uint64_t kInode = 64;      // an extended inode
constexpr std::size_t kDirent = 12;       // nid, offset of the name, type
constexpr std::size_t kXattrHeader = 12;  // before an inode's attributes
constexpr std::uint32_t kMagic = 0xe0f5e1e2, kHasTimes = 2, kHasChunks = 4;

enum class Layout : std::uint16_t { Plain = 0, Inline = 2, Chunks = 4 };  // of an inode's data

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

template <class Int>
void put(std::string& to, Int value) {
  auto bits = static_cast<std::make_unsigned_t<Int>>(value);
  for (std::size_t i = 0; i < sizeof bits; ++i) to += static_cast<char>(static_cast<std::uint64_t>(bits) >> (8 * i));
}
void pad(std::string& to, std::size_t unit) { to.resize(round_up(to.size(), unit), '\0'); }

// An attribute's name without the prefix that has a number.
std::pair<std::uint8_t, std::string_view> numbered(std::string_view name) {
  if (name.starts_with("user.")) return {1, name.substr(5)};
  if (name.starts_with("trusted.")) return {4, name.substr(8)};
  return {6, name.substr(9)};  // security. : the tree has no others
}

std::string xattr_block(const LayerTree::File& file) {
  if (!file.rare || file.rare->xattrs.empty()) return "";
  std::string out(kXattrHeader, '\0');
  for (const auto& [name, value] : file.rare->xattrs) {
    auto [prefix, rest] = numbered(name);
    put(out, static_cast<std::uint8_t>(rest.size()));
    put(out, prefix);
    put(out, static_cast<std::uint16_t>(value.size()));
    out += rest;
    out += value;
    pad(out, 4);
  }
  return out;
}

std::uint8_t dirent_type(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return 2;
    case S_IFCHR:
      return 3;
    case S_IFBLK:
      return 4;
    case S_IFIFO:
      return 5;
    case S_IFLNK:
      return 7;
    default:
      return 1;
  }
}

// dev_t as the kernel's new_encode_dev.
std::uint32_t device_number(const LayerTree::File& file) {
  return (file.device_minor & 0xff) | (file.device_major << 8) | ((file.device_minor & ~0xffU) << 12);
}

// Gathers small writes.
class Buffered {
 public:
  explicit Buffered(ByteSink& to) : to_(to) {}
  void write(std::string_view bytes) {
    buffer_ += bytes;
    written_ += bytes.size();
    if (buffer_.size() >= kFull) flush();
  }
  void pad_to(std::uint64_t position) { write(std::string(static_cast<std::size_t>(position - written_), '\0')); }
  void flush() {
    to_.write(std::as_bytes(std::span(buffer_)));
    buffer_.clear();
  }

 private:
  static constexpr std::size_t kFull = 256 << 10;
  ByteSink& to_;
  std::string buffer_;
  std::uint64_t written_ = 0;
};

class Writer {
 public:
  Writer(const LayerTree& tree, std::uint64_t tar_size, ByteSink& to)
      : tree_(tree), start_(erofs_metadata_start(tar_size)), to_(to), spots_(tree.count()) {}

  std::string run(std::string_view uuid) {
    walk([&](LayerTree::Id id) { plan(id); });
    blocks_start_ = start_ + round_up(inodes_end_, kBlock);
    walk([&](LayerTree::Id id) { write_inode(id); });
    for (LayerTree::Id id : outside_) {
      to_.pad_to(blocks_start_ - start_ + std::uint64_t{spots_[id].block} * kBlock);
      to_.write(payload(id));
    }
    to_.pad_to(blocks_start_ - start_ + std::uint64_t{blocks_} * kBlock);
    to_.flush();
    return head(uuid);
  }

 private:
  struct Spot {
    std::uint32_t slot = 0;   // 0: not placed yet
    std::uint32_t block = 0;  // of a payload outside the inode, from blocks_start_
  };

  // Every file once: a directory, then all that is in it, for they are looked at together.
  template <class Visit>
  void walk(Visit visit) {
    std::vector<LayerTree::Id> directories{LayerTree::kRoot};
    seen_.assign(tree_.count(), false);
    visit(LayerTree::kRoot);
    while (!directories.empty()) {
      auto children = tree_.children(directories.back());
      directories.pop_back();
      std::size_t first = directories.size();
      for (const auto& child : children) {
        if (seen_[child.file]) continue;  // a hard link
        seen_[child.file] = true;
        visit(child.file);
        if (S_ISDIR(tree_.file(child.file).mode)) directories.push_back(child.file);
      }
      std::reverse(directories.begin() + static_cast<std::ptrdiff_t>(first), directories.end());
    }
  }

  // A file's bytes that are not in the tar: names in a directory, a symlink's target.
  std::string payload(LayerTree::Id id) const {
    const auto& file = tree_.file(id);
    if (S_ISLNK(file.mode)) return file.rare->target;
    return S_ISDIR(file.mode) ? directory(id) : "";
  }

  // Blocks of entries, then their names; sorted over all.
  std::string directory(LayerTree::Id id) const {
    auto children = tree_.children(id);
    for (auto [name, target] : {LayerTree::Child{".", id}, LayerTree::Child{"..", tree_.file(id).parent}}) {
      auto place = std::lower_bound(children.begin(), children.end(), name,
                                    [](const LayerTree::Child& a, std::string_view b) { return a.name < b; });
      children.insert(place, {name, target});
    }
    std::string out;
    for (auto at = children.begin(); at != children.end();) {
      auto end = at;
      for (std::size_t size = 0; end != children.end(); ++end) {
        size += kDirent + end->name.size();
        if (size > kBlock) break;
      }
      pad(out, kBlock);
      auto offset = static_cast<std::size_t>(end - at) * kDirent;
      std::string names;
      for (; at != end; ++at) {
        put(out, std::uint64_t{spots_[at->file].slot});
        put(out, static_cast<std::uint16_t>(offset + names.size()));
        put(out, dirent_type(tree_.file(at->file).mode));
        put(out, std::uint8_t{0});
        names += at->name;
      }
      out += names;
    }
    return out;
  }

  bool is_chunked(const LayerTree::File& file) const { return file.rare && file.rare->chunks.bits != 0; }

  void plan(LayerTree::Id id) {
    const auto& file = tree_.file(id);
    std::uint64_t size = kInode + xattr_block(file).size(), outside = payload(id).size();
    if (is_chunked(file)) size += file.rare->chunks.blocks.size() * sizeof(std::uint32_t);
    bool fits = outside > 0 && size + outside <= kBlock;
    if (fits) {  // data in an inode may not cross a block
      size += outside;
      if (inodes_end_ % kBlock + size > kBlock) inodes_end_ = round_up(inodes_end_, kBlock);
    }
    spots_[id].slot = static_cast<std::uint32_t>(inodes_end_ / kSlot);
    inodes_end_ = round_up(inodes_end_ + size, kInode);
    if (outside == 0 || fits) return;
    spots_[id].block = blocks_;
    blocks_ += static_cast<std::uint32_t>(round_up(outside, kBlock) / kBlock);
    outside_.push_back(id);
  }

  void write_inode(LayerTree::Id id) {
    const auto& file = tree_.file(id);
    std::string xattrs = xattr_block(file), inside = payload(id);
    std::uint64_t size = S_ISREG(file.mode) ? file.size : inside.size();
    Layout layout = is_chunked(file) ? Layout::Chunks : Layout::Plain;
    std::uint32_t data = 0;
    if (!inside.empty() && kInode + xattrs.size() + inside.size() <= kBlock) {
      layout = Layout::Inline;
    } else if (!inside.empty()) {
      data = static_cast<std::uint32_t>(blocks_start_ / kBlock + spots_[id].block);
      inside.clear();
    } else if (layout == Layout::Chunks) {
      data = file.rare->chunks.bits - kBlockBits;
      for (std::uint32_t block : file.rare->chunks.blocks) {
        put(inside, block == ChunkMap::kHole ? block : static_cast<std::uint32_t>(block + kErofsTar / kBlock));
      }
      chunked_ = true;
    } else if (S_ISREG(file.mode)) {
      data = static_cast<std::uint32_t>((kErofsTar + file.position) / kBlock);
    } else {
      data = device_number(file);
    }
    std::string out;
    put(out, static_cast<std::uint16_t>(1 | static_cast<unsigned>(layout) << 1));  // 1: extended
    put(out, static_cast<std::uint16_t>(xattrs.empty() ? 0 : (xattrs.size() - kXattrHeader) / 4 + 1));
    put(out, static_cast<std::uint16_t>(file.mode));
    put(out, std::uint16_t{0});
    put(out, size);
    put(out, data);
    put(out, spots_[id].slot);  // the inode number on 32 bits
    put(out, file.uid);
    put(out, file.gid);
    put(out, file.mtime);
    put(out, file.nanos);
    put(out, links(id));
    out.resize(kInode, '\0');
    to_.pad_to(std::uint64_t{spots_[id].slot} * kSlot);
    to_.write(out + xattrs + inside);
    ++inodes_;
  }

  std::uint32_t links(LayerTree::Id id) const {
    if (!S_ISDIR(tree_.file(id).mode)) return tree_.file(id).links;
    auto children = tree_.children(id);
    return 2 + static_cast<std::uint32_t>(std::count_if(children.begin(), children.end(),
                                                        [&](auto& c) { return S_ISDIR(tree_.file(c.file).mode); }));
  }

  std::string head(std::string_view uuid) const {
    std::string out(kErofsCallersPart, '\0');
    put(out, kMagic);
    put(out, std::uint32_t{0});  // checksum: none
    put(out, kHasTimes);
    put(out, static_cast<std::uint8_t>(kBlockBits));
    put(out, std::uint8_t{0});  // more of the superblock
    put(out, static_cast<std::uint16_t>(spots_[LayerTree::kRoot].slot));
    put(out, inodes_);
    put(out, std::uint64_t{0});  // time of the whole
    put(out, std::uint32_t{0});
    put(out, static_cast<std::uint32_t>(blocks_start_ / kBlock + blocks_));
    put(out, static_cast<std::uint32_t>(start_ / kBlock));
    put(out, std::uint32_t{0});  // shared attributes
    out += uuid.substr(0, 16);
    out.append(16, '\0');  // name
    put(out, chunked_ ? kHasChunks : 0U);
    out.resize(kErofsTar, '\0');
    return out;
  }

  const LayerTree& tree_;
  std::uint64_t start_;  // of the metadata
  Buffered to_;
  std::vector<Spot> spots_;
  std::vector<bool> seen_;
  std::vector<LayerTree::Id> outside_;  // whose payload is not in their inode
  std::uint64_t inodes_end_ = kInode;   // slot 0 is nobody's
  std::uint64_t blocks_start_ = 0;
  std::uint32_t blocks_ = 0;
  std::uint64_t inodes_ = 0;
  bool chunked_ = false;
};

}  // namespace

std::uint64_t erofs_metadata_start(std::uint64_t tar_size) { return round_up(kErofsTar + tar_size, 4096); }

std::string write_erofs(const LayerTree& tree, std::uint64_t tar_size, std::string_view uuid, ByteSink& to) {
  return Writer(tree, tar_size, to).run(uuid);
}

}  // namespace proa::archive
