// A layer's tar, by both ways that a layer takes: as an EROFS file system around it, and unpacked (root only, on a
// tmpfs of its own). Both give the same verdict and the same tree, and what is beside the root stays as it is.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <set>
#include <string>

#include "archive/erofs.h"
#include "archive/layer_entries.h"
#include "archive/raw_tar.h"
#include "archive/tar_format.h"
#include "base/text.h"
#include "os/file.h"
#include "target.h"

using namespace proa;
using archive::LayerTree;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

constexpr const char *kPlace = "/mnt", *kRoot = "/mnt/root", *kSecret = "/mnt/victim/secret";
constexpr std::uint64_t kMaxShown = 1 << 20;
bool can_unpack = false;

// One line for each file below a directory, in the words that both ways have.
struct Words {
  std::string text;
  void add(const std::string& path, std::uint32_t mode, std::uint32_t uid, std::uint32_t gid, std::uint64_t size,
           const std::string& content) {
    text += cat(path, " ", mode, " ", uid, ":", gid, " ", S_ISDIR(mode) ? 0 : size, " ", content, "\n");
  }
  static bool reaches(const std::string& path) { return path.size() < 4000; }
};

// What the file system would show of a regular file, read from the tar.
std::string content_of(const LayerTree::File& file, const std::string& tar) {
  if (file.size > kMaxShown) return "large";
  if (!file.rare || file.rare->chunks.bits == 0) {
    fuzz::demand(file.position % 512 == 0 && file.position <= tar.size() && file.size <= tar.size() - file.position);
    return tar.substr(file.position, file.size);
  }
  const auto& chunks = file.rare->chunks;
  std::string out(file.size, '\0');
  std::uint64_t chunk = std::uint64_t{1} << chunks.bits;
  fuzz::demand(chunks.blocks.size() == (file.size + chunk - 1) / chunk);
  for (std::size_t i = 0; i < chunks.blocks.size(); ++i) {
    if (chunks.blocks[i] == archive::ChunkMap::kHole) continue;
    std::uint64_t from = std::uint64_t{chunks.blocks[i]} * 512, to = i * chunk;
    std::uint64_t length = std::min(chunk, file.size - to);
    fuzz::demand(from <= tar.size() && length <= tar.size() - from);
    out.replace(to, length, tar, from, length);
  }
  return out;
}

void describe(const LayerTree& tree, LayerTree::Id id, const std::string& path, const std::string& tar, Words& words) {
  const auto& file = tree.file(id);
  std::string content;
  if (S_ISREG(file.mode)) content = content_of(file, tar);
  if (S_ISLNK(file.mode)) content = file.rare->target;
  std::uint64_t size = S_ISLNK(file.mode) ? content.size() : file.size;
  words.add(path, file.mode, file.uid, file.gid, size, content);
  if (!S_ISDIR(file.mode)) return;
  for (const auto& child : tree.children(id)) {
    fuzz::demand(!child.name.empty() && child.name != "." && child.name != ".." &&
                 child.name.find('/') == child.name.npos);
    std::string below = cat(path, "/", child.name);
    if (Words::reaches(below)) describe(tree, child.file, below, tar, words);
  }
}

void describe(const std::string& path, Words& words) {
  std::string real = cat(kRoot, path);
  struct stat info {};
  os::check(::lstat(real.c_str(), &info), real);
  std::string content;
  if (S_ISREG(info.st_mode)) content = info.st_size > static_cast<off_t>(kMaxShown) ? "large" : os::read_file(real);
  if (S_ISLNK(info.st_mode)) {
    content.resize(PATH_MAX);
    content.resize(static_cast<std::size_t>(os::check(::readlink(real.c_str(), content.data(), content.size()), real)));
  }
  words.add(path, info.st_mode, info.st_uid, info.st_gid, static_cast<std::uint64_t>(info.st_size), content);
  if (!S_ISDIR(info.st_mode)) return;
  for (const std::string& name : os::list_dir(real)) {
    std::string below = cat(path, "/", name);
    if (Words::reaches(below)) describe(below, words);
  }
}

// As a file system; what is wrong with it, or "". Into `words` unless the tree is unfit.
std::string index(const std::string& tar, Words& words, bool& unfit) {
  archive::raw::Source source(tar, 3000);
  LayerTree tree;
  try {
    archive::TarReader reader(source);
    while (const archive::TarEntry* entry = reader.next()) tree.add(*entry, reader.position());
    reader.drain();
  } catch (const Error& error) {
    unfit = !tree.unfit().empty();
    return error.message();
  }
  unfit = !tree.unfit().empty();
  if (unfit) return "";
  archive::raw::Sink metadata;
  std::string head = archive::write_erofs(tree, tar.size(), std::string(16, 'u'), metadata);
  fuzz::demand(head.size() == archive::kErofsTar && metadata.text.size() % 512 == 0);
  describe(tree, LayerTree::kRoot, "", tar, words);
  return "";
}

void make_place() {
  os::make_dir(kRoot, 0755);
  os::make_dir("/mnt/victim", 0700);
  os::write_file(kSecret, "canary", 0600);
}

bool is_untouched() {
  struct stat info {};
  return os::list_dir(kPlace) == std::vector<std::string>{"root", "victim"} && os::read_file(kSecret) == "canary" &&
         os::list_dir("/mnt/victim").size() == 1 && ::stat(kSecret, &info) == 0 && info.st_nlink == 1 &&
         info.st_mode == (S_IFREG | 0600);
}

std::string unpack(const std::string& tar, Words& words) {
  make_place();
  std::string problem;
  try {
    archive::raw::Source source(tar, 3000);
    archive::TarReader reader(source);
    archive::extract(reader, os::RootedDir::open(kRoot), {});
    describe("", words);
  } catch (const Error& error) {
    problem = error.message();
  }
  fuzz::demand(is_untouched());
  os::remove_tree(kRoot);
  return problem;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  can_unpack = ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount("fuzz", kPlace, "tmpfs", 0, "size=64m") == 0;
  return 0;
}

// Headers keep their checksums, or nothing behind them would ever be looked at.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 16 == 0) return size;
  auto* bytes = reinterpret_cast<std::byte*>(data);
  for (std::size_t at = 0; at + archive::format::kBlock <= size;) {
    std::byte* block = bytes + at;
    at += archive::format::kBlock;
    if (archive::format::is_zero(block)) continue;
    auto field = archive::format::kChecksum;
    std::memset(block + field.offset, ' ', field.size);
    std::string sum = archive::raw::octal(static_cast<std::uint64_t>(archive::format::checksums(block).first), 6);
    std::memcpy(block + field.offset, sum.c_str(), sum.size() + 1);
    auto content = archive::format::number(archive::format::field(block, archive::format::kSize)).value_or(0);
    if (content > 0 && static_cast<std::uint64_t>(content) < size - at)
      at += (static_cast<std::size_t>(content) + 511) / 512 * 512;
  }
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string tar(fuzz::text_of(data, size));
  Words indexed, unpacked;
  bool unfit = false;
  std::string problem = index(tar, indexed, unfit);
  if (!can_unpack) return 0;
  std::string other = unpack(tar, unpacked);
  if (unfit) return 0;
  if (problem.empty() != other.empty())
    std::fprintf(stderr, "indexed: \"%s\", unpacked: \"%s\"\n", problem.c_str(), other.c_str());
  fuzz::demand(problem.empty() == other.empty());
  if (problem.empty() && indexed.text != unpacked.text)
    std::fprintf(stderr, "indexed:\n%s\nunpacked:\n%s\n", indexed.text.c_str(), unpacked.text.c_str());
  fuzz::demand(!problem.empty() || indexed.text == unpacked.text);
  return 0;
}
