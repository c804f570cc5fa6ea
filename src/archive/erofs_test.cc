// A tar mounted by the kernel as the EROFS that is made around it, against the same tar unpacked.
#include "archive/erofs.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <random>

#include "archive/erofs_mount.h"
#include "archive/layer_entries.h"
#include "base/id.h"

namespace proa::archive {
namespace {

using namespace raw;

class ErofsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: mounts";
    base = cat("/tmp/erofs-test-", random_u64());
    os::make_dir(base, 0700);
    try {
      mount_erofs(erofs_of(std::string() + file("a") + end()), base + "/probe");
    } catch (const Error& error) {
      GTEST_SKIP() << "this kernel mounts no EROFS from a file: " << error.message();
    }
  }
  void TearDown() override { os::remove_tree(base); }

  TreeInWords mounted(const std::string& tar) {
    os::Fd mount = mount_erofs(erofs_of(tar), base + "/image");
    return TreeInWords(os::fd_path(mount.get()));
  }
  TreeInWords unpacked(const std::string& tar) {
    std::string root = base + "/root";
    os::remove_tree(root);
    os::make_dir(root, 0755);
    Source source(tar);
    TarReader reader(source);
    extract(reader, os::RootedDir::open(root), {});
    return TreeInWords(root);
  }
  void expect_same(const std::string& tar) {
    TreeInWords ours = mounted(tar), theirs = unpacked(tar);
    EXPECT_EQ(ours.text, theirs.text);
    // What has no entry of its own has the time of its making on a disk; so has what was reached by a link that went.
    for (const auto& [path, time] : theirs.directory_times) {
      EXPECT_TRUE(time == ours.directory_times[path] || std::stoll(time) >= start) << path << " " << time;
    }
  }

  std::string base;
  const std::int64_t start = std::time(nullptr) - 1;
};

std::string capability() { return std::string("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20); }

TEST_F(ErofsTest, ShowsWhatTheExtractorMakes) {
  std::string tar = std::string() + directory("./") + file("etc/passwd", "root") + directory("etc/") +
                    symlink("etc/link", "../nowhere") + hard_link("etc/hard", "etc/passwd") +
                    device("dev/null", '3', "0000001", "0000003") + device("dev/sda", '4', "0000010", "0177777") +
                    Entry{.name = "fifo", .type = '6'} + file("empty", "") + file("large", std::string(300'000, 'l')) +
                    file("odd", std::string(1234, 'o')) + file(".wh.gone", "") + directory("opaque") +
                    file("opaque/.wh..wh..opq", "") + file("opaque/x") +
                    Entry{.name = "s", .content = "x", .mode = "0006755", .uid = "0001750", .gid = "7777777"};
  tar = tar +
        pax_header(pax("SCHILY.xattr.security.capability", capability()) + pax("SCHILY.xattr.user.a", "1") +
                   pax("SCHILY.xattr.trusted.b", "") + pax("SCHILY.xattr.system.c", "no") +
                   pax("mtime", "1234567890.123456789")) +
        file("capable") + pax_header(pax("linkpath", std::string(4000, 't'))) + symlink("long", "") +
        pax_header(pax("linkpath", std::string(448, 't'))) + symlink("fits", "") +
        pax_header(pax("linkpath", std::string(449, 't'))) + symlink("too", "") +
        pax_header(pax("SCHILY.xattr.user.big", std::string(3000, 'v'))) + directory("attributes") + end();
  expect_same(tar);
}

TEST_F(ErofsTest, KeepsTheTimesOfDirectories) {
  Entry later = directory("d/e");
  later.mtime = "00000000777";
  TreeInWords ours = mounted(std::string() + directory("d") + later + file("d/e/f") + file("implicit/f") + end());
  EXPECT_EQ(ours.directory_times["/d"], "1.0");
  EXPECT_EQ(ours.directory_times["/d/e"], "511.0");
  EXPECT_EQ(ours.directory_times["/implicit"], "0.0");
}

TEST_F(ErofsTest, ShowsHugeDirectoriesAndLongNames) {
  std::string tar;
  for (int i = 0; i < 3000; ++i) tar = std::move(tar) + file(cat("many/", i * 7919 % 3000), cat(i));
  for (char c = '!'; c < '~'; ++c) {
    if (c != '/') tar = std::move(tar) + pax_header(pax("path", std::string(255, c))) + file("x", "1");
  }
  expect_same(tar + end());
}

TEST_F(ErofsTest, ShowsSparseFiles) {
  std::string script =
      "mkdir tree && cd tree && truncate -s 3M holes && printf x | dd of=holes bs=1 seek=1000000 conv=notrunc "
      "status=none && truncate -s 2M none && head -c 70000 /dev/urandom > full && head -c 5000 /dev/urandom | dd "
      "of=tail bs=4096 seek=9 status=none && truncate -s 100G vast && touch -d @1000 * && cd ..";
  ASSERT_EQ(std::system(cat("cd ", base, " && ", script).c_str()), 0);
  for (const char* options : {"--format=gnu -S", "--format=pax -S --sparse-version=0.0",
                              "--format=pax -S --sparse-version=0.1", "--format=pax -S --sparse-version=1.0"}) {
    ASSERT_EQ(std::system(cat("tar ", options, " -C ", base, "/tree -cf ", base, "/t.tar .").c_str()), 0);
    SCOPED_TRACE(options);
    expect_same(os::read_file(base + "/t.tar"));
  }
}

TEST_F(ErofsTest, IsTheSameForTheSameTar) {
  std::string tar = std::string() + file("b/a") + file("a", "2") + directory("b") + end();
  EXPECT_EQ(erofs_of(tar), erofs_of(tar));
  EXPECT_EQ(erofs_of(tar).substr(kErofsTar, tar.size()), tar);
}

// Few names, so that entries meet: everything replaces everything, links lead anywhere.
class RandomTar {
 public:
  explicit RandomTar(unsigned seed) : random_(seed) {}
  std::string next() { return std::string() + attributes() + entry(); }
  int size() { return 10 + below(90); }

 private:
  int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }
  std::string name() {
    static const char* kNames[] = {"a", "b", "c", "d", "long", ".", ".."};
    std::string text = kNames[below(below(8) == 0 ? 7 : 5)];
    return text == "long" ? std::string(static_cast<std::size_t>(100 + below(3)), 'n').substr(0, 99) : text;
  }
  std::string path() {
    std::string text = name();
    for (int i = below(4); i > 0 && text.size() < 50; --i) text += cat("/", name());
    return text.size() > 99 ? "a" : text;
  }
  Entry attributes() {
    std::string records;
    if (below(3) == 0) records += pax("mtime", cat(below(1'000'000'000), ".", 100 + below(900)));
    if (below(4) == 0) records += pax("SCHILY.xattr.user.n", std::string(static_cast<std::size_t>(below(300)), 'v'));
    if (below(8) == 0) records += pax("SCHILY.xattr.security.capability", capability());
    if (below(8) == 0) records += pax("SCHILY.xattr.trusted.t", cat(below(9)));
    if (below(6) == 0) records += pax("uid", cat(random_() / 2));
    return pax_header(records + pax("comment", "x"));
  }
  Entry entry() {
    std::string where = path();
    auto slash = where.rfind('/') + 1;
    switch (below(12)) {
      case 0:
      case 1:
      case 2: {
        Entry made = directory(where);
        made.mode = "000" + octal(static_cast<std::uint64_t>(below(01000)), 4);
        return made;
      }
      case 3:
        return symlink(where, cat(below(3) == 0 ? "/" : "", path()));
      case 4:
      case 5:
        return hard_link(where, path());
      case 6:
        return device(where, below(2) ? '3' : '4', "0000" + octal(static_cast<std::uint64_t>(1 + below(500)), 3),
                      octal(static_cast<std::uint64_t>(below(1 << 20)), 7));
      case 7:
        return below(3) ? Entry{.name = where, .type = '6'} : file(where.substr(0, slash) + ".wh..wh..opq", "");
      case 8:
        return file(where.substr(0, slash) + ".wh." + where.substr(slash), "");
      default:
        return file(where, std::string(static_cast<std::size_t>(below(3) ? below(2000) : below(20'000)), 'c'));
    }
  }
  std::mt19937 random_;
};

// PROA_TREES=N: so many trees. An entry that is refused must be refused by both, and is left out then.
TEST_F(ErofsTest, AgreesWithTheExtractorAboutRandomTrees) {
  const char* wanted = std::getenv("PROA_TREES");
  int refused = 0, applied = 0;
  for (unsigned seed = 0; seed < (wanted ? static_cast<unsigned>(std::atoi(wanted)) : 15); ++seed) {
    SCOPED_TRACE(seed);
    RandomTar random(seed);
    std::string tar;
    for (int left = random.size(); left > 0; --left) {
      std::string longer = tar + random.next();
      try {
        erofs_of(longer + end());
        tar = std::move(longer);
        ++applied;
      } catch (const Error& error) {
        ASSERT_EQ(error.kind(), ErrorKind::InvalidArgument) << error.message();
        ASSERT_THROW(unpacked(longer + end()), Error) << error.message();
        ++refused;
      }
    }
    expect_same(tar + end());
    if (HasFailure()) return;
  }
  EXPECT_GT(refused, 50);
  EXPECT_GT(applied, 300);
}

}  // namespace
}  // namespace proa::archive
