// Unpacking and packing against GNU tar, bsdtar and Python as oracles.
#include "archive/layer_entries.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "archive/raw_tar.h"
#include "base/id.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::archive {
namespace {

// Type, mode, owner, size, device, mtime, link and content of everything below `$1`, sorted.
constexpr const char* kDescribe =
    R"((cd "$1" && find . -mindepth 1 -printf '%p %y %m %U:%G %T@ %l %n\n' | sort && find . -type f -print0 | sort -z | xargs -0r sha256sum && )"
    R"(find . \( -type c -o -type b \) -exec stat -c '%n %t:%T' {} + ; find . -type f -size +100k -exec getfattr -d -m - {} + 2>/dev/null; true))";

class LayerEntriesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: owners and devices";
    base = cat("/tmp/layer-entries-", random_u64());
    for (const char* dir : {"", "/tree", "/theirs", "/ours"}) os::make_dir(base + dir, 0755);
    shell(
        R"(cd tree && mkdir -p a/b empty && echo text > a/file && chown 12:34 a/file && chmod 4751 a/file && ln a/file a/b/hard &&
      ln -s ../nowhere a/link && mknod a/null c 1 3 && mkfifo a/fifo && truncate -s 3M a/sparse && printf x | dd of=a/sparse bs=1 seek=1000000 conv=notrunc 2>/dev/null &&
      head -c 300000 /dev/urandom > a/random && touch -d '2001-02-03 04:05:06.789' a/random && mkdir -m 1777 tmp && chown 7:8 empty && touch -h -d @5 a/link &&
      n=$(printf 'long%.0s' $(seq 50)) && mkdir "$n" && echo x > "$n/$n" && ln -s "$n/$n" deep && touch -d @1000000000 a/b empty tmp a .)");
  }
  void TearDown() override { os::remove_tree(base); }

  std::string shell(const std::string& script) {
    int status = std::system(cat("cd ", base, " && { ", script, "\n} > ", base, "/out 2> ", base, "/err").c_str());
    EXPECT_EQ(status, 0) << script << os::read_file(base + "/err");
    return os::read_file(base + "/out");
  }
  std::string describe(const std::string& dir) { return shell(cat("set -- ", base, "/", dir, "; ", kDescribe)); }
  void unpack(const std::string& tar, const std::string& dir) {
    raw::Source source(os::read_file(base + "/" + tar));
    TarReader reader(source);
    extract(reader, os::RootedDir::open(base + "/" + dir), {.whiteouts = Whiteouts::Keep});
  }
  std::string base;
};

TEST_F(LayerEntriesTest, UnpacksAsGnuTarDoesWhateverTheFormat) {
  for (const char* options : {"--format=gnu", "--format=pax", "--format=gnu -S", "--format=pax -S --sparse-version=0.0",
                              "--format=pax -S --sparse-version=0.1", "--format=pax -S --sparse-version=1.0"}) {
    shell(cat("rm -rf theirs ours; mkdir theirs ours; tar ", options,
              " -C tree -cf t.tar . && tar -C theirs --numeric-owner -xpf t.tar"));
    unpack("t.tar", "ours");
    EXPECT_EQ(describe("ours"), describe("theirs")) << options;
    if (std::string_view(options).find("-S") != std::string_view::npos) {
      EXPECT_LT(std::stoi(shell("du -k ours/a/sparse | cut -f1")), 500) << options;
    }
  }
}

TEST_F(LayerEntriesTest, UnpacksWhatBsdtarWrites) {
  shell(
      "bsdtar --format=pax -C tree -cf t.tar . && tar --delay-directory-restore -C theirs --numeric-owner -xpf t.tar");
  unpack("t.tar", "ours");
  EXPECT_EQ(describe("ours"), describe("theirs"));
}

TEST_F(LayerEntriesTest, PacksWhatGnuTarUnpacksToTheSame) {
  raw::Sink sink;
  TarWriter writer(sink);
  pack(os::RootedDir::open(base + "/tree"), {.path = "/"}, writer);
  writer.finish();
  os::write_file(base + "/t.tar", sink.text);
  shell(
      "touch -d '2001-02-03 04:05:06' tree/a/random; find tree -newermt 2002-01-01 -exec touch -h -d @1100000000 {} +; "
      "touch -d @1000000000 tree/a/b tree/empty tree/tmp tree/a");
  raw::Sink again;
  TarWriter second(again);
  pack(os::RootedDir::open(base + "/tree"), {.path = "/"}, second);
  second.finish();
  os::write_file(base + "/t.tar", again.text);
  shell(
      "tar -C theirs --numeric-owner -xpf t.tar && bsdtar -tf t.tar > /dev/null && python3 -c 'import tarfile; "
      "tarfile.open(\"t.tar\").getmembers()'");
  unpack("t.tar", "ours");
  EXPECT_EQ(describe("theirs"), describe("tree"));
  EXPECT_EQ(describe("ours"), describe("tree"));
}

TEST_F(LayerEntriesTest, PacksOneDirectoryUnderItsName) {
  raw::Sink sink;
  TarWriter writer(sink);
  pack(os::RootedDir::open(base + "/tree"),
       {.path = "/a", .name = "copy", .skip = [](std::string_view path) { return path == "b"; }}, writer);
  writer.finish();
  os::write_file(base + "/t.tar", sink.text);
  EXPECT_EQ(shell("tar -tf t.tar"), "copy/\ncopy/fifo\ncopy/file\ncopy/link\ncopy/null\ncopy/random\ncopy/sparse\n");
}

TEST_F(LayerEntriesTest, CopiesInWithoutExchangingDirectoriesAndFiles) {
  auto copy = [&](const std::string& tar) {
    raw::Source source(tar);
    TarReader reader(source);
    extract(reader, os::RootedDir::open(base + "/ours"),
            {.whiteouts = Whiteouts::Keep, .base = "/d", .owner = Owner{5, 6}, .no_overwrite_dir_non_dir = true});
  };
  using raw::operator+;
  shell("mkdir -p ours/d/sub ours/other && echo old > ours/d/f && ln -s /other ours/d/link");
  copy(std::string() + raw::file("f", "new") + raw::file("link/in", "x") + raw::file(".wh.f", "y") + raw::end());
  EXPECT_EQ(shell("cat ours/d/f ours/other/in ours/d/.wh.f; stat -c %u:%g ours/d/f"), "newxy5:6\n");
  EXPECT_THROW(copy(std::string() + raw::file("sub") + raw::end()), Error);
  EXPECT_THROW(copy(std::string() + raw::directory("f") + raw::end()), Error);
  EXPECT_EQ(shell("cat ours/d/f; stat -c %F ours/d/sub"), "newdirectory\n");
}

}  // namespace
}  // namespace proa::archive
