// The kinds of hostile entries of security.md 4.2, each into a root with canaries beside and above it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "archive/erofs_mount.h"
#include "archive/layer_entries.h"
#include "archive/raw_tar.h"
#include "base/id.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::archive {
namespace {

using namespace raw;

constexpr int kAbsent = -1;

// A directory with a root to unpack into and canaries around it.
class Place {
 public:
  Place() : base(cat("/tmp/hostile-tar-", random_u64())), root(base + "/dest") {
    os::make_dir(base, 0755);
    os::make_dir(root, 0755);
    os::make_dir(base + "/dest2", 0700);
    os::make_dir(base + "/victim", 0700);
    os::write_file(base + "/victim/secret", "canary");
    before_ = snapshot();
  }
  ~Place() { os::remove_tree(base); }

  // Everything outside the root.
  std::string snapshot() const {
    std::string text = cat(describe(base), " ", describe(base + "/dest2"), " ", describe(base + "/victim"));
    for (const char* dir : {"", "/dest2", "/victim"}) text += cat(" ", join(os::list_dir(base + dir), ","));
    return text + os::read_file(base + "/victim/secret") + describe(base + "/victim/secret") + describe("/etc/passwd");
  }
  bool untouched() const { return snapshot() == before_; }
  std::string base, root;

 private:
  static std::string describe(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) < 0) return "absent";
    return cat(info.st_mode, ":", info.st_uid, ":", info.st_nlink, ":", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec);
  }
  std::string before_;
};

std::string attempt(const Place& place, const std::string& tar, Whiteouts whiteouts = Whiteouts::Overlay) {
  Source source(tar, 3000);
  try {
    TarReader reader(source);
    extract(reader, os::RootedDir::open(place.root), {.whiteouts = whiteouts});
    return "";
  } catch (const Error& error) {
    return error.message();
  }
}

int mode_of(const Place& place, std::string_view path) {
  struct stat info {};
  return ::lstat(cat(place.root, "/", path).c_str(), &info) < 0 ? kAbsent : static_cast<int>(info.st_mode);
}
std::string content(const Place& place, std::string_view path) { return os::read_file(cat(place.root, "/", path)); }
bool opaque(const Place& place, std::string_view path) {
  char value[4];
  return ::lgetxattr(cat(place.root, "/", path).c_str(), "trusted.overlay.opaque", value, sizeof value) == 1;
}
bool whiteout(const Place& place, std::string_view path) {
  struct stat info {};
  return ::lstat(cat(place.root, "/", path).c_str(), &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

enum class Verdict { Refused, Applied };
struct Case {
  const char* name;
  std::string tar;
  Verdict verdict;
  std::function<bool(const Place&)> check = {};
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

std::string gnu_sparse(std::initializer_list<std::pair<std::uint64_t, std::uint64_t>> regions, std::uint64_t real) {
  std::string map;
  for (auto [offset, size] : regions) map += octal(offset, 11) + '\0' + octal(size, 11) + '\0';
  map.resize(96, '\0');
  return map + '\0' + octal(real, 11) + '\0';
}
Entry sparse_file(std::string records_or_map, std::string stored, bool old) {
  Entry entry = file("sparse", std::move(stored));
  if (old) {
    entry.type = 'S';
    entry.magic = std::string("ustar  \0", 8);
    entry.at386 = std::move(records_or_map);
  }
  return entry;
}
Entry with(Entry entry, std::string Entry::*field, std::string value) {
  entry.*field = std::move(value);
  return entry;
}

std::vector<Case> names() {
  const std::string none, deep255(255, 'n'), deep256(256, 'n');
  std::string path4095;
  while (path4095.size() + 101 <= 4090) path4095 += std::string(100, 'p') + "/";
  path4095 += std::string(4090 - path4095.size(), 'q');
  std::string link_chain;
  for (int i = 0; i < 45; ++i) link_chain = link_chain + symlink(cat("l", i), cat("l", i + 1));
  return {
      {"1 leaves by dot-dot", none + file("../x") + end(), Verdict::Refused},
      {"1 is dot-dot", none + directory("..") + end(), Verdict::Refused},
      {"2 leaves from below", none + file("a/../../x") + end(), Verdict::Refused},
      {"3 absolute", none + file("/abs/x") + end(), Verdict::Applied,
       [](auto& p) { return content(p, "abs/x") == "x"; }},
      {"3 absolute above the root", none + file("/../x") + end(), Verdict::Applied,
       [](auto& p) { return content(p, "x") == "x"; }},
      {"4 root as directory", none + with(directory("./"), &Entry::mode, "0000711") + end(), Verdict::Applied,
       [](auto& p) { return (mode_of(p, "") & 07777) == 0711; }},
      {"4 root as symlink", none + symlink(".", "../victim") + end(), Verdict::Refused},
      {"4 root as file", none + file("/") + end(), Verdict::Refused},
      {"4 root as hard link", none + hard_link("./", "x") + end(), Verdict::Refused},
      {"5 empty name", none + file("") + end(), Verdict::Refused},
      {"6 only slashes", none + directory("///") + end(), Verdict::Applied},
      {"7 NUL in a PAX path", none + pax_header(pax("path", std::string("a\0b", 3))) + file("x") + end(),
       Verdict::Refused},
      {"8 component of 255", none + pax_header(pax("path", deep255)) + file("x") + end(), Verdict::Applied,
       [=](auto& p) { return content(p, deep255) == "x"; }},
      {"8 component of 256", none + pax_header(pax("path", deep256)) + file("x") + end(), Verdict::Refused},
      {"8 path of nearly 4096", none + pax_header(pax("path", path4095)) + file("x") + end(), Verdict::Applied},
      {"8 path beyond 4096",
       none + pax_header(pax("path", std::string(2100, 'a') + "/" + std::string(2100, 'b'))) + file("x") + end(),
       Verdict::Refused},
      {"9 not UTF-8", none + file("\xff\xfe") + end(), Verdict::Applied,
       [](auto& p) { return content(p, "\xff\xfe") == "x"; }},
      {"10 control characters", none + file("a\n\x1b[31m\"") + end(), Verdict::Applied,
       [](auto& p) { return content(p, "a\n\x1b[31m\"") == "x"; }},
      {"10 control characters in what is refused",
       none + symlink("a\n\x1b[31m", "nowhere") + file("a\n\x1b[31m/b") + end(), Verdict::Refused},
      {"11 through an absolute symlink", none + symlink("d", "/hostmarker") + file("d/f") + end(), Verdict::Refused},
      {"11 through a relative symlink", none + symlink("d", "../victim") + file("d/f") + end(), Verdict::Refused},
      {"11 through a symlink that has a target inside",
       none + directory("hostmarker") + symlink("d", "/../hostmarker") + file("d/f") + end(), Verdict::Applied,
       [](auto& p) { return content(p, "hostmarker/f") == "x"; }},
      {"12 directory over a symlink",
       none + symlink("d", "../victim") + with(directory("d"), &Entry::mode, "0000777") + end(), Verdict::Applied,
       [](auto& p) { return S_ISDIR(mode_of(p, "d")); }},
      {"13 two hops",
       none + directory("inner") + symlink("inner/go_up", "..") + symlink("inner/go_up/escape", "../victim") +
           file("inner/go_up/escape/new") + end(),
       Verdict::Refused},
      {"14 symlink loop as parent", none + symlink("a", "b") + symlink("b", "a") + file("a/x") + end(),
       Verdict::Refused},
      {"14 chain of 45 links", link_chain + directory("l45") + file("l0/x") + end(), Verdict::Refused},
      {"15 absolute symlink to a directory there is",
       none + directory("etc") + symlink("e", "/etc") + file("e/passwd", "mine") + end(), Verdict::Applied,
       [](auto& p) { return content(p, "etc/passwd") == "mine"; }},
      {"33 octal junk as size", none + with(file("a"), &Entry::size, "0000000009x") + end(), Verdict::Refused},
      {"40 below a file", none + file("a") + file("a/b") + end(), Verdict::Refused},
      {"40 parents are made", none + file("p/q/r") + end(), Verdict::Applied,
       [](auto& p) { return mode_of(p, "p/q") == (S_IFDIR | 0755); }},
      {"40 files of the engine",
       none + device("dev/console", '3', "0000005", "0000001") + file(".dockerenv") + file("etc/resolv.conf") +
           directory("proc") + directory("sys") + end(),
       Verdict::Applied},
  };
}

std::vector<Case> links_and_types() {
  const std::string none;
  return {
      {"16 hard link to an absolute path of the host", none + hard_link("h", "/etc/shadow") + end(), Verdict::Refused},
      {"17 hard link upwards", none + hard_link("h", "../victim/secret") + end(), Verdict::Refused},
      {"18 hard link through a symlink", none + symlink("s", "../victim") + hard_link("h", "s/secret") + end(),
       Verdict::Refused},
      {"16 hard link, absolute, inside", none + file("t", "in") + hard_link("h", "/t") + end(), Verdict::Applied,
       [](auto& p) { return content(p, "h") == "in"; }},
      {"19 hard link to what comes later", none + hard_link("h", "later") + symlink("later", "/etc/shadow") + end(),
       Verdict::Refused},
      {"20 hard link to a directory", none + directory("d") + hard_link("h", "d") + end(), Verdict::Refused},
      {"21 hard link to itself", none + file("a") + hard_link("a", "a") + end(), Verdict::Refused},
      {"21 hard link to itself by a detour", none + file("a") + symlink("s", ".") + hard_link("s/a", "./a") + end(),
       Verdict::Refused},
      {"21 hard link to a FIFO", none + Entry{.name = "f", .type = '6'} + hard_link("h", "f") + end(), Verdict::Applied,
       [](auto& p) { return S_ISFIFO(mode_of(p, "h")); }},
      {"22 types flip",
       none + file("a") + directory("a") + file("a/b") + symlink("a", "../victim") +
           device("a", '3', "0000001", "0000003") + directory("a") + file("a/c") + end(),
       Verdict::Applied, [](auto& p) { return content(p, "a/c") == "x" && mode_of(p, "a/b") == kAbsent; }},
      {"22 the cached parent is replaced",
       none + file("a/b") + file("a") + directory("a") + file("a/c") + symlink("a", "d") + directory("d") +
           file("a/e") + end(),
       Verdict::Applied, [](auto& p) { return content(p, "d/e") == "x"; }},
      {"22 a file over a hard link leaves the other",
       none + file("a", "1") + hard_link("b", "a") + file("b", "2") + end(), Verdict::Applied,
       [](auto& p) { return content(p, "a") == "1" && content(p, "b") == "2"; }},
      {"23 devices",
       none + device("null", '3', "0000001", "0000003") + device("sda", '4', "0000010", "0000000") + end(),
       Verdict::Applied, [](auto& p) { return S_ISCHR(mode_of(p, "null")) && S_ISBLK(mode_of(p, "sda")); }},
      {"23 a forged whiteout", none + device("w", '3', "0000000", "0000000") + end(), Verdict::Refused},
      {"23 a hard link to a whiteout", none + file(".wh.a", "") + hard_link("b", "a") + end(), Verdict::Refused},
      {"23 negative major", none + device("n", '3', base256(~0ULL, 8, true), "0000000") + end(), Verdict::Refused},
      {"23 minor of 2^32", none + device("n", '3', "0000001", base256(1ULL << 32, 8)) + end(), Verdict::Refused},
      {"24 a FIFO does not hang", none + Entry{.name = "f", .type = '6'} + Entry{.name = "f", .type = '6'} + end(),
       Verdict::Applied},
      {"24 socket", none + Entry{.name = "s", .type = 's'} + end(), Verdict::Refused},
      {"25 unknown type", none + Entry{.name = "z", .type = 'Z'} + end(), Verdict::Refused},
      {"25 GNU volume", none + Entry{.name = "z", .type = 'V'} + end(), Verdict::Refused},
      {"25 GNU multi-volume", none + Entry{.name = "z", .type = 'M'} + end(), Verdict::Refused},
      {"25 GNU directory dump", none + Entry{.name = "z", .type = 'D'} + end(), Verdict::Refused},
      {"25 contiguous is a file", none + Entry{.name = "c", .type = '7', .content = "c"} + end(), Verdict::Applied,
       [](auto& p) { return content(p, "c") == "c"; }},
      {"26 setuid survives chown",
       none + Entry{.name = "s", .content = "x", .mode = "0006755", .uid = "0001750", .gid = "0001750"} + end(),
       Verdict::Applied, [](auto& p) { return mode_of(p, "s") == (S_IFREG | 06755); }},
      {"27 overlay's own attributes",
       none +
           pax_header(pax("SCHILY.xattr.trusted.overlay.opaque", "y") + pax("SCHILY.xattr.user.overlay.opaque", "y") +
                      pax("SCHILY.xattr.security.selinux", "x")) +
           directory("d") + end(),
       Verdict::Applied,
       [](auto& p) { return !opaque(p, "d") && ::listxattr((p.root + "/d").c_str(), nullptr, 0) <= 0; }},
      {"27 a value of 64 KiB",
       none + pax_header(pax("SCHILY.xattr.user.x", std::string(65536, 'x'))) + file("f") + end(), Verdict::Refused},
      {"27 a name of 256",
       none + pax_header(pax("SCHILY.xattr.user." + std::string(251, 'x'), "v")) + file("f") + end(), Verdict::Refused},
      {"27 NUL in a name", none + pax_header(pax(std::string("SCHILY.xattr.user.a\0b", 21), "v")) + file("f") + end(),
       Verdict::Refused},
      {"38 content on links and directories",
       none + Entry{.name = "d", .type = '5', .content = "payload"} +
           Entry{.name = "l", .type = '2', .link = "d", .content = std::string(513, 'y')} + file("f", "after") + end(),
       Verdict::Applied, [](auto& p) { return content(p, "f") == "after"; }},
      {"39 twins", none + file("A", "1") + file("a", "2") + file("\xc3\xa9", "3") + file("e\xcc\x81", "4") + end(),
       Verdict::Applied, [](auto& p) { return content(p, "A") == "1" && content(p, "\xc3\xa9") == "3"; }},
  };
}

std::vector<Case> whiteouts() {
  const std::string none;
  return {
      {"28 whiteout", none + file(".wh.x", "") + end(), Verdict::Applied, [](auto& p) { return whiteout(p, "x"); }},
      {"28 whiteout of nothing", none + file(".wh.", "") + end(), Verdict::Refused},
      {"28 whiteout of dot", none + file("a/.wh..", "") + end(), Verdict::Refused},
      {"28 whiteout of dot-dot", none + file("a/.wh...", "") + end(), Verdict::Refused},
      {"28 whiteout as directory", none + file(".wh.../x", "") + end(), Verdict::Refused},
      {"28 opaque", none + file("d/.wh..wh..opq", "") + end(), Verdict::Applied,
       [](auto& p) { return opaque(p, "d") && !opaque(p, ""); }},
      {"28 opaque root", none + file(".wh..wh..opq", "") + end(), Verdict::Applied,
       [](auto& p) { return opaque(p, ""); }},
      {"28 aufs's own", none + directory(".wh..wh.plnk") + file(".wh..wh.plnk/1.2") + file(".wh..wh.aufs") + end(),
       Verdict::Applied, [](auto& p) { return os::list_dir(p.root).empty(); }},
      {"28 whiteout with content", none + file(".wh.x", "data") + file("y", "after") + end(), Verdict::Applied,
       [](auto& p) { return whiteout(p, "x") && content(p, "y") == "after"; }},
      {"28 whiteout under a symlink", none + symlink("s", "../victim") + file("s/.wh.secret", "") + end(),
       Verdict::Refused},
      {"28 opaque under a symlink", none + symlink("s", "/../victim") + file("s/.wh..wh..opq", "") + end(),
       Verdict::Refused},
      {"29 opaque, then children", none + directory("d") + file("d/.wh..wh..opq", "") + file("d/a") + end(),
       Verdict::Applied, [](auto& p) { return opaque(p, "d") && content(p, "d/a") == "x"; }},
      {"29 whiteout, then the directory", none + file(".wh.d", "") + directory("d") + file("d/a") + end(),
       Verdict::Applied, [](auto& p) { return opaque(p, "d") && content(p, "d/a") == "x"; }},
      {"29 the directory, then its whiteout", none + directory("d") + file("d/a") + file(".wh.d", "") + end(),
       Verdict::Applied, [](auto& p) { return opaque(p, "d") && content(p, "d/a") == "x"; }},
      {"29 whiteout, then a child", none + file(".wh.d", "") + file("d/a") + end(), Verdict::Applied,
       [](auto& p) { return opaque(p, "d") && content(p, "d/a") == "x"; }},
      {"29 whiteout, then the file", none + file(".wh.f", "") + file("f") + end(), Verdict::Applied,
       [](auto& p) { return content(p, "f") == "x"; }},
      {"29 the file, then its whiteout", none + file("f") + file(".wh.f", "") + end(), Verdict::Applied,
       [](auto& p) { return content(p, "f") == "x"; }},
  };
}

std::vector<Case> format() {
  const std::string none;
  auto records = [&](std::string text) { return none + pax_header(std::move(text)) + file("f") + end(); };
  auto s = [&](std::string text, std::string stored) {
    return none + pax_header(std::move(text)) + file("sparse", std::move(stored)) + end();
  };
  std::string v10 = pax("GNU.sparse.major", "1") + pax("GNU.sparse.minor", "0") + pax("GNU.sparse.name", "real") +
                    pax("GNU.sparse.realsize", "10");
  auto map10 = [](std::string map, std::string data) {
    map.resize((map.size() + 511) / 512 * 512, '\0');
    return map + data;
  };
  return {
      {"30 PAX overrides",
       none + pax_header(pax("path", "real") + pax("uid", "7") + pax("size", "3")) +
           Entry{.name = "f", .content = "abc", .size = "00000000000"} + end(),
       Verdict::Applied, [](auto& p) { return content(p, "real") == "abc"; }},
      {"30 two PAX headers", none + pax_header(pax("path", "a")) + pax_header(pax("path", "b")) + file("f") + end(),
       Verdict::Refused},
      {"30 length lies", records("99 path=a\n"), Verdict::Refused},
      {"30 length zero", records("0 path=a\n"), Verdict::Refused},
      {"30 length is no number", records("x path=a\n"), Verdict::Refused},
      {"30 length negative", records("-9 path=a\n"), Verdict::Refused},
      {"30 key empty", records("6 =ab\n"), Verdict::Refused},
      {"30 key with a new line", records(pax("a\nb", "c")), Verdict::Refused},
      {"30 no new line", records("9 path=abc"), Verdict::Refused},
      {"31 global header does not rename",
       none + pax_header(pax("path", "../evil") + pax("size", "99"), 'g') + file("f") + end(), Verdict::Applied,
       [](auto& p) { return content(p, "f") == "x"; }},
      {"31 global header of git",
       none + Entry{.name = "pax_global_header", .type = 'g', .content = pax("comment", std::string(40, 'a'))} +
           file("f") + end(),
       Verdict::Applied, [](auto& p) { return os::list_dir(p.root).size() == 1; }},
      {"32 long name without its entry", none + Entry{.name = "././@LongLink", .type = 'L', .content = "a"} + end(),
       Verdict::Refused},
      {"32 long link without its entry", none + Entry{.name = "././@LongLink", .type = 'K', .content = "a"},
       Verdict::Refused},
      {"32 long name of 100 MiB",
       none + Entry{.name = "././@LongLink", .type = 'L', .size = octal(100 << 20, 11)} + std::string(4096, 'a'),
       Verdict::Refused},
      {"32 PAX of 1 GiB", none + Entry{.name = "x", .type = 'x', .size = octal(1 << 30, 11)} + std::string(4096, 'a'),
       Verdict::Refused},
      {"33 size negative", none + with(file("f"), &Entry::size, base256(~0ULL, 12, true)) + end(), Verdict::Refused},
      {"33 size 2^63", none + with(file("f"), &Entry::size, base256(1ULL << 63, 12)) + end(), Verdict::Refused},
      {"33 size near 2^63", none + with(file("f"), &Entry::size, base256((1ULL << 63) - 1, 12)) + end(),
       Verdict::Refused},
      {"33 size beyond the end", none + with(file("f"), &Entry::size, octal(1 << 20, 11)) + end(), Verdict::Refused},
      {"34 bad checksum", none + with(file("f"), &Entry::checksum, std::string("0000000\0", 8)) + end(),
       Verdict::Refused},
      {"34 lone zero block inside", none + file("f") + std::string(512, '\0') + file("g") + end(), Verdict::Refused},
      {"34 no trailer", none + file("f"), Verdict::Applied},
      {"34 half a trailer", none + file("f") + std::string(512, '\0'), Verdict::Applied},
      {"34 garbage after the trailer", none + file("f") + end() + std::string(700, 'g'), Verdict::Applied},
      {"34 two archives: the first counts", none + file("f") + end() + file("g") + end(), Verdict::Applied,
       [](auto& p) { return mode_of(p, "g") == kAbsent; }},
      {"34 cut in a header", (none + file("f")).substr(0, 300), Verdict::Refused},
      {"34 cut in the padding", (none + file("f")).substr(0, 700), Verdict::Refused},
      {"34 no archive at all", std::string(2000, 'z'), Verdict::Refused},
      {"34 empty", "", Verdict::Applied},
      {"35 old sparse", none + sparse_file(gnu_sparse({{0, 3}, {7, 2}}, 10), "abcde", true) + end(), Verdict::Applied,
       [](auto& p) { return content(p, "sparse") == std::string("abc\0\0\0\0de\0", 10); }},
      {"35 old sparse overlapping", none + sparse_file(gnu_sparse({{0, 3}, {2, 2}}, 10), "abcde", true) + end(),
       Verdict::Refused},
      {"35 old sparse unordered", none + sparse_file(gnu_sparse({{7, 3}, {0, 2}}, 10), "abcde", true) + end(),
       Verdict::Refused},
      {"35 0.0",
       s(pax("GNU.sparse.size", "10") + pax("GNU.sparse.numblocks", "2") + pax("GNU.sparse.offset", "0") +
             pax("GNU.sparse.numbytes", "3") + pax("GNU.sparse.offset", "7") + pax("GNU.sparse.numbytes", "2"),
         "abcde"),
       Verdict::Applied, [](auto& p) { return content(p, "sparse") == std::string("abc\0\0\0\0de\0", 10); }},
      {"35 0.1",
       s(pax("GNU.sparse.size", "10") + pax("GNU.sparse.name", "real") + pax("GNU.sparse.map", "0,3,7,2"), "abcde"),
       Verdict::Applied, [](auto& p) { return content(p, "real") == std::string("abc\0\0\0\0de\0", 10); }},
      {"35 0.1 with half a region", s(pax("GNU.sparse.size", "10") + pax("GNU.sparse.map", "0,3,7"), "abcde"),
       Verdict::Refused},
      {"35 0.1 beyond the file", s(pax("GNU.sparse.size", "10") + pax("GNU.sparse.map", "0,3,9,2"), "abcde"),
       Verdict::Refused},
      {"35 1.0", s(v10, map10("2\n0\n3\n7\n2\n", "abcde")), Verdict::Applied,
       [](auto& p) { return content(p, "real") == std::string("abc\0\0\0\0de\0", 10); }},
      {"35 1.0 with 10^9 regions", s(v10, map10("1000000000\n0\n1\n", "abcde")), Verdict::Refused},
      {"35 1.0 with offset 2^62", s(v10, map10("1\n4611686018427387904\n5\n", "abcde")), Verdict::Refused},
      {"35 1.0 with a real size of 2^62",
       s(pax("GNU.sparse.major", "1") + pax("GNU.sparse.minor", "0") +
             pax("GNU.sparse.realsize", "4611686018427387904"),
         map10("1\n0\n5\n", "abcde")),
       Verdict::Refused},
      {"35 1.0 that stores less", s(v10, map10("1\n0\n5\n", "abc")), Verdict::Refused},
      {"36 mtime before 1970", none + with(file("f"), &Entry::mtime, base256(~0ULL, 12, true)) + end(),
       Verdict::Applied},
      {"36 mtime 2^63", records(pax("mtime", "9223372036854775808")), Verdict::Refused},
      {"36 mtime NaN", records(pax("mtime", "NaN")), Verdict::Refused},
      {"36 mtime 1e99", records(pax("mtime", "1e99")), Verdict::Refused},
      {"36 mtime with many digits", records(pax("mtime", "1.99999999999999999999")), Verdict::Applied},
      {"36 mtime in 292 billion years", records(pax("mtime", "9223372036854775807")), Verdict::Applied},
      {"36 uid -1", records(pax("uid", "-1")), Verdict::Refused},
      {"36 uid 2^32", records(pax("uid", "4294967296")), Verdict::Refused},
      {"36 uid 2^32-1, the kernel's none", records(pax("uid", "4294967295")), Verdict::Refused},
      {"36 gid -1 in base 256", none + with(file("f"), &Entry::gid, base256(~0ULL, 8, true)) + end(), Verdict::Refused},
  };
}

class HostileTar : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, as layers do";
  }
};

TEST_P(HostileTar, EndsAsSecurityMdSays) {
  const Case& c = GetParam();
  Place place;
  std::string error = attempt(place, c.tar);
  EXPECT_EQ(error.empty(), c.verdict == Verdict::Applied) << error;
  if (std::getenv("PROA_SHOW_VERDICTS")) std::printf("%s: %s\n", c.name, error.c_str());
  if (c.check && error.empty()) {
    EXPECT_TRUE(c.check(place));
  }
  EXPECT_TRUE(place.untouched());
  for (char ch : error) EXPECT_GE(static_cast<unsigned char>(ch), 0x20) << "a control character in: " << error;
}

// The same verdicts where nothing is unpacked, and the same tree where the kernel mounts it.
TEST_P(HostileTar, EndsAlikeAsErofs) {
  const Case& c = GetParam();
  Place place;
  std::string image, file = cat("/tmp/hostile-image-", random_u64());
  try {
    image = erofs_of(c.tar);
  } catch (const Error& error) {
    bool unfit = error.kind() == ErrorKind::NotImplemented;  // unpacked then, as above
    EXPECT_TRUE(unfit ? std::string_view(c.name).starts_with("35 ") : c.verdict == Verdict::Refused) << error.message();
    for (char ch : error.message()) EXPECT_GE(static_cast<unsigned char>(ch), 0x20) << error.message();
    return;
  }
  EXPECT_EQ(c.verdict, Verdict::Applied);
  os::Fd mount;
  try {
    mount = mount_erofs(image, file);
  } catch (const Error& error) {
    os::remove_file(file);
    GTEST_SKIP() << "this kernel mounts no EROFS from a file: " << error.message();
  }
  os::remove_file(file);
  place.root = os::fd_path(mount.get()) + "/.";
  TreeInWords whole(place.root);  // every name, attribute and byte is read once
  if (c.check) {
    EXPECT_TRUE(c.check(place));
  }
  EXPECT_TRUE(place.untouched());
}

TEST_P(HostileTar, StaysInsideWhenCopiedIn) {
  Place place;
  attempt(place, GetParam().tar, Whiteouts::Keep);
  attempt(place, GetParam().tar, Whiteouts::Delete);  // into what the first has left
  EXPECT_TRUE(place.untouched());
}

INSTANTIATE_TEST_SUITE_P(Names, HostileTar, testing::ValuesIn(names()));
INSTANTIATE_TEST_SUITE_P(LinksAndTypes, HostileTar, testing::ValuesIn(links_and_types()));
INSTANTIATE_TEST_SUITE_P(WhiteoutFiles, HostileTar, testing::ValuesIn(whiteouts()));
INSTANTIATE_TEST_SUITE_P(Format, HostileTar, testing::ValuesIn(format()));

// 37: the same name, many names, a deep tree: in bounded memory, and what comes out can be deleted.
// proves: T37 R22
TEST(HostileTarInBulk, NeedsLittleMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer keeps what is freed";
#endif
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, as layers do";
  struct Many : ByteSource {
    int left = 60'000;
    std::string block;
    std::size_t at = 0;
    std::size_t read(std::span<std::byte> buffer) override {
      if (at == block.size()) {
        if (left-- == 0) return 0;
        at = 0;
        block = std::string() + (left % 3 == 0   ? file("same", "again")
                                 : left % 3 == 1 ? directory("same_directory")
                                                 : file(cat("d", left % 100, "/f", left), ""));
      }
      std::size_t size = std::min(buffer.size(), block.size() - at);
      std::memcpy(buffer.data(), block.data() + at, size);
      at += size;
      return size;
    }
  } source;
  Place place;
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  TarReader reader(source);
  EXPECT_EQ(extract(reader, os::RootedDir::open(place.root), {}).entries, 60'000U);
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 << 10) << "KiB";
  EXPECT_TRUE(place.untouched());
}

// A tree in memory stops growing: such a layer is unpacked.
// proves: T37
TEST(HostileTarInBulk, EndsTheTreeInMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer keeps what is freed";
#endif
  for (bool links : {false, true}) {
    rusage before{}, after{};
    ::getrusage(RUSAGE_SELF, &before);
    LayerTree tree;
    TarEntry entry;
    entry.type = links ? EntryType::Symlink : EntryType::File;
    if (links) entry.link_target = std::string(4000, 't');
    for (int i = 0; i < 1'000'000 && tree.unfit().empty(); ++i) {
      entry.path = cat("d", i % 100, "/f", i);
      tree.add(entry, 512);
    }
    EXPECT_NE(tree.unfit(), "");
    EXPECT_GT(tree.entries(), links ? 10'000U : 250'000U);
    ::getrusage(RUSAGE_SELF, &after);
    EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10) << "KiB";
  }
}

// proves: T37 R22
TEST(HostileTarInBulk, DeepTreesCanBeDeleted) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, as layers do";
  Place place;
  std::string path;
  while (path.size() < 4000) path += "d/";
  EXPECT_EQ(attempt(place, std::string() + pax_header(pax("path", path + "f")) + file("x") + end()), "");
  EXPECT_NE(attempt(place, std::string() + pax_header(pax("path", path + path)) + directory("x") + end()), "");
  os::remove_tree(place.root);
  EXPECT_FALSE(os::exists(place.root));
  os::make_dir(place.root, 0755);
}

}  // namespace
}  // namespace proa::archive
