#include "image/layers.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>

#include "archive/compress.h"
#include "archive/hash.h"
#include "archive/tar_writer.h"
#include "base/id.h"
#include "base/text.h"
#include "base/trace.h"
#include "image/layer_file.h"
#include "image/snapshots.h"
#include "os/file.h"
#include "os/overlay.h"

namespace proa::image {
namespace {

struct TextSink : ByteSink {
  std::string text;
  void write(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
};

struct TextSource : ByteSource {
  explicit TextSource(std::string content) : text(std::move(content)) {}
  std::string text;
  std::size_t at = 0;
  std::size_t read(std::span<std::byte> buffer) override {
    std::size_t size = std::min(buffer.size(), text.size() - at);
    std::memcpy(buffer.data(), text.data() + at, size);
    at += size;
    return size;
  }
};

struct FileSource : ByteSource {
  explicit FileSource(const std::string& path) : fd(os::open_file(path, O_RDONLY)) {}
  os::Fd fd;
  std::size_t read(std::span<std::byte> buffer) override {
    return static_cast<std::size_t>(os::check(::read(fd.get(), buffer.data(), buffer.size()), "read"));
  }
};

oci::Digest digest_of(std::string_view text) {
  archive::Sha256 hash;
  hash.update(std::as_bytes(std::span(text.data(), text.size())));
  return oci::Digest::from_hex(hash.hex());
}

std::string gzip(std::string_view text) {
  TextSink out;
  archive::GzipSink sink(out);
  sink.write(std::as_bytes(std::span(text.data(), text.size())));
  sink.finish();
  return out.text;
}

class Tar {
 public:
  Tar& file(const std::string& path, const std::string& content) {
    writer_.add({.path = path, .mode = 0644, .size = content.size()}, content);
    return *this;
  }
  Tar& directory(const std::string& path, std::uint32_t mode = 0755) {
    writer_.add({.path = path, .type = archive::EntryType::Directory, .mode = mode});
    return *this;
  }
  std::string text() {
    writer_.finish();
    return out_.text;
  }

 private:
  TextSink out_;
  archive::TarWriter writer_{out_};
};

std::string reason_against_files() {
  std::string directory = cat("/tmp/layers-probe-", random_u64()), reason;
  os::make_dir(directory, 0700);
  try {
    try_layer_file(directory);
  } catch (const Error& error) {
    reason = error.message();
  }
  os::remove_tree(directory);
  return reason;
}

// In both forms.
class LayersTest : public testing::TestWithParam<LayerForm> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: layers hold other users' files, overlays are mounted";
    static const std::string reason = reason_against_files();
    if (GetParam() == LayerForm::Erofs && !reason.empty()) GTEST_SKIP() << "no layer files here: " << reason;
    root = cat("/tmp/layers-test-", random_u64());
    os::make_dir(root, 0700);
  }
  void TearDown() override { os::remove_tree(root); }

  oci::Digest apply(Layers& layers, const std::string& tar) {
    TextSource source(gzip(tar));
    return layers.apply(source, digest_of(tar)).diff_id;
  }
  std::string in(const os::Fd& mount, const std::string& path) {
    return os::read_file(cat(os::fd_path(mount.get()), "/", path));
  }
  std::string root;
};

TEST_P(LayersTest, PublishesAVerifiedLayerThatOutlivesTheObject) {
  std::string tar = Tar().directory("etc/").file("etc/name", "proa\n").text();
  {
    Layers layers(root, GetParam());
    std::uint64_t seen = 0;
    TextSource source(gzip(tar));
    LayerInfo info = layers.apply(source, digest_of(tar), [&](std::uint64_t bytes) { seen = bytes; });
    EXPECT_EQ(info.size, tar.size());
    EXPECT_EQ(seen, source.text.size());
    EXPECT_EQ(os::read_file(layers.lower(info.diff_id).path + "/etc/name"), "proa\n");
  }
  Layers again(root, GetParam());
  ASSERT_TRUE(again.has(digest_of(tar)));
  EXPECT_EQ(again.get(digest_of(tar)).size, tar.size());
  again.remove(digest_of(tar));
  EXPECT_FALSE(again.has(digest_of(tar)));
  EXPECT_TRUE(Layers(root, GetParam()).list().empty());
}

TEST_P(LayersTest, LeavesNothingOfALayerWithAnotherHash) {
  Layers layers(root, GetParam());
  TextSource source(gzip(Tar().file("a", "a").text()));
  try {
    layers.apply(source, digest_of("another"));
    FAIL() << "it was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::DataLoss);
  }
  EXPECT_TRUE(os::list_dir(root + "/layers").empty());
}

TEST_P(LayersTest, LeavesNothingOfATruncatedLayer) {
  Layers layers(root, GetParam());
  std::string tar = Tar().file("a", std::string(1 << 20, 'x')).text();
  std::string compressed = gzip(tar);
  for (std::size_t size : {std::size_t{1}, std::size_t{20}, compressed.size() / 2, compressed.size() - 1}) {
    TextSource source(compressed.substr(0, size));
    EXPECT_THROW(layers.apply(source, digest_of(tar)), Error) << size;
  }
  EXPECT_TRUE(os::list_dir(root + "/layers").empty());
}

TEST_P(LayersTest, HashesWhatFollowsTheArchiveToo) {
  Layers layers(root, GetParam());
  std::string tar = Tar().file("a", "a").text() + std::string(100'000, '\0');
  EXPECT_EQ(apply(layers, tar), digest_of(tar));
}

// proves: I13
TEST_P(LayersTest, RemovesUnfinishedLayersAtStart) {
  os::make_dirs(root + "/layers/.staging-1/fs", 0700);
  os::make_dirs(cat(root, "/layers/", std::string(64, 'a'), "/fs"), 0700);  // no record: never complete
  Layers layers(root, GetParam());
  EXPECT_TRUE(layers.list().empty());
  EXPECT_TRUE(os::list_dir(root + "/layers").empty());
}

// proves: 39
TEST_P(LayersTest, UnpacksOnceForManyAtATime) {
  Layers layers(root, GetParam());
  std::string tar = Tar().file("a", std::string(4 << 20, 'x')).text(), compressed = gzip(tar);
  std::vector<std::size_t> read(4);
  {
    std::vector<std::jthread> threads;
    for (auto& bytes : read) {
      threads.emplace_back([&] {
        TextSource source(compressed);
        layers.apply(source, digest_of(tar));
        bytes = source.at;
      });
    }
  }
  EXPECT_EQ(std::count(read.begin(), read.end(), compressed.size()), 1);
  EXPECT_EQ(std::count(read.begin(), read.end(), 0U), 3);
}

// proves: 83
TEST_P(LayersTest, StopsWhenCancelled) {
  Layers layers(root, GetParam());
  struct Endless : ByteSource {
    std::stop_source& stop;
    explicit Endless(std::stop_source& s) : stop(s) {}
    std::size_t sent = 0;
    std::string head = Tar().file("a", std::string(16 << 20, 'x')).text();
    std::size_t read(std::span<std::byte> buffer) override {
      if (sent > 1 << 20) stop.request_stop();
      std::size_t size = std::min<std::size_t>(buffer.size(), 4096);
      std::memcpy(buffer.data(), head.data() + sent, size);
      sent += size;
      return size;
    }
  };
  std::stop_source stop;
  Endless source(stop);
  try {
    layers.apply(source, digest_of("x"), {}, stop.get_token());
    FAIL() << "it went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Cancelled);
  }
  EXPECT_TRUE(os::list_dir(root + "/layers").empty());
}

TEST_P(LayersTest, StacksLayersWithWhiteoutsUnderAContainer) {
  Layers layers(root, GetParam());
  Snapshots snapshots(root, layers);
  std::vector<oci::Digest> ids{
      apply(layers,
            Tar().directory("d/").file("d/old", "1").file("gone", "1").file("kept", "1").directory("t/", 01777).text()),
      apply(layers, Tar().directory("d/").file("d/.wh..wh..opq", "").file("d/new", "2").file(".wh.gone", "").text())};
  snapshots.prepare("c1", ids);
  for (Volatile durability : {Volatile::Yes, Volatile::No, Volatile::Yes}) {
    os::Fd mount = snapshots.mount("c1", durability);
    std::string top = os::fd_path(mount.get());
    EXPECT_EQ(os::list_dir(top), (std::vector<std::string>{".dockerenv", "d", "kept", "t"}));
    EXPECT_EQ(os::list_dir(top + "/d"), (std::vector<std::string>{"new"}));
    struct stat info {};
    ASSERT_EQ(::stat((top + "/t").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 01777U);
  }
  EXPECT_EQ(os::read_file("/proc/self/mountinfo").find(root), std::string::npos);
  EXPECT_TRUE(snapshots.changes("c1").empty());
}

TEST_P(LayersTest, TellsWhatAContainerChanged) {
  Layers layers(root, GetParam());
  Snapshots snapshots(root, layers);
  std::vector<oci::Digest> ids{apply(layers, Tar()
                                                 .directory("d/")
                                                 .file("d/a", "1")
                                                 .file("d/b", "1")
                                                 .directory("e/")
                                                 .file("e/x", "1")
                                                 .directory("keep/")
                                                 .file("keep/y", "1")
                                                 .text())};
  snapshots.prepare("c1", ids);
  {
    os::RootedDir view = snapshots.view("c1");
    std::string top = os::fd_path(view.fd());
    os::write_file(top + "/d/a", "changed");
    os::remove_file(top + "/d/b");
    os::make_dir(top + "/new", 0755);
    os::write_file(top + "/new/file", "");
    os::remove_tree(top + "/e");
    os::make_dir(top + "/e", 0755);
    os::write_file(top + "/e/z", "");
  }
  std::string text;
  for (const auto& change : snapshots.changes("c1"))
    text += cat("CAD"[static_cast<int>(change.kind)], " ", change.path, "\n");
  EXPECT_EQ(text, "C /d\nC /d/a\nD /d/b\nC /e\nD /e/x\nA /e/z\nA /new\nA /new/file\n");
  EXPECT_GT(snapshots.size("c1"), 0U);
}

TEST_P(LayersTest, MountsAnImageWithoutLayers) {
  Layers layers(root, GetParam());
  Snapshots snapshots(root, layers);
  snapshots.prepare("c1", {});
  os::Fd mount = snapshots.mount("c1", Volatile::No);
  os::write_file(os::fd_path(mount.get()) + "/x", "x");
  EXPECT_EQ(in(mount, "x"), "x");
}

TEST_P(LayersTest, MountsAHundredLayers) {
  Layers layers(root, GetParam());
  Snapshots snapshots(root, layers);
  std::vector<oci::Digest> ids;
  for (int i = 0; i < 100; ++i)
    ids.push_back(apply(layers, Tar().file(cat("f", i), cat(i)).file("top", cat(i)).text()));
  snapshots.prepare("c1", ids);
  os::Fd mount = snapshots.mount("c1", Volatile::Yes);
  EXPECT_EQ(in(mount, "top"), "99");
  EXPECT_EQ(in(mount, "f0"), "0");
}

TEST_P(LayersTest, MountsByEachGenerationOfTheKernelsInterface) {
  Layers layers(root, GetParam());
  Snapshots snapshots(root, layers);
  auto a = apply(layers, Tar().file("a", "a").text()), b = apply(layers, Tar().file("b", "b").text());
  for (auto api : {os::OverlayApi::Descriptors, os::OverlayApi::PerLayer, os::OverlayApi::Classic}) {
    std::string id = cat("c", static_cast<int>(api));
    snapshots.prepare(id, std::vector{a, b});
    std::string home = cat(root, "/containers/", id);
    os::Fd mount = os::mount_overlay(
        {.lowers = {layers.lower(b).path, layers.lower(a).path}, .upper = home + "/upper", .work = home + "/work"},
        api);
    EXPECT_EQ(in(mount, "a") + in(mount, "b"), "ab");
  }
}

TEST_P(LayersTest, MountsAHundredLayersTheClassicWayWithoutATraceInTheMountTable) {
  Layers layers(root, GetParam());
  Snapshots snapshots(root, layers);
  os::Overlay overlay;
  std::vector<oci::Digest> ids;
  for (int i = 0; i < 100; ++i) {
    ids.push_back(apply(layers, Tar().file(cat("f", i), cat(i)).file("top", cat(i)).text()));
    overlay.lowers.insert(overlay.lowers.begin(), layers.lower(ids.back()).path);
  }
  snapshots.prepare("c1", ids);
  overlay.upper = cat(root, "/containers/c1/upper");
  overlay.work = cat(root, "/containers/c1/work");
  overlay.is_volatile = true;
  std::string before = os::read_file("/proc/self/mountinfo");
  os::Fd mount = os::mount_overlay(overlay, os::OverlayApi::Classic);
  EXPECT_EQ(in(mount, "top") + in(mount, "f0"), "990");
  os::write_file(os::fd_path(mount.get()) + "/new", "x");
  EXPECT_EQ(os::read_file(overlay.upper + "/new"), "x");
  EXPECT_EQ(os::read_file("/proc/self/mountinfo"), before);
}

TEST_P(LayersTest, AFileKeepsItsInodeWhenItIsChanged) {
  Layers layers(root, GetParam());
  Snapshots snapshots(root, layers);
  std::vector<oci::Digest> ids{apply(layers, Tar().directory("d/").file("d/a", "1").text()),
                               apply(layers, Tar().file("b", "2").text())};
  snapshots.prepare("c1", ids);
  os::Fd mount = snapshots.mount("c1", Volatile::No);
  std::string top = os::fd_path(mount.get()) + "/.";
  struct stat above {
  }, before{}, after{}, other{};
  ASSERT_EQ(::stat(top.c_str(), &above), 0);
  ASSERT_EQ(::stat((top + "/d/a").c_str(), &before), 0);
  ASSERT_EQ(::stat((top + "/b").c_str(), &other), 0);
  os::write_file(top + "/d/a", "changed");
  ASSERT_EQ(::stat((top + "/d/a").c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_NE(other.st_ino, before.st_ino);
  for (const auto& info : {before, after, other}) EXPECT_EQ(info.st_dev, above.st_dev) << "find -xdev stays inside";
}

class LayerFilesTest : public LayersTest {
 protected:
  std::string path(const oci::Digest& id) { return cat(root, "/layers/", id.hex(), ".erofs"); }
  void flip(const oci::Digest& id, std::uint64_t at) {
    os::Fd file = os::open_file(path(id), O_RDWR);
    char byte = 0;
    ASSERT_EQ(::pread(file.get(), &byte, 1, static_cast<off_t>(at)), 1);
    byte = static_cast<char>(byte ^ 1);
    ASSERT_EQ(::pwrite(file.get(), &byte, 1, static_cast<off_t>(at)), 1);
  }
};

class UnpackedLayersTest : public LayersTest {};

TEST_P(LayerFilesTest, HoldTheTarItself) {
  Layers layers(root, GetParam());
  std::string tar = Tar().directory("d/").file("d/a", std::string(5000, 'x')).text() + std::string(700, 'g');
  auto id = apply(layers, tar);
  EXPECT_EQ(os::list_dir(root + "/layers"), (std::vector<std::string>{cat(id.hex(), ".erofs")}));
  EXPECT_EQ(os::read_file(path(id)).substr(4096, tar.size()), tar);
  struct stat info {};
  ASSERT_EQ(::stat(path(id).c_str(), &info), 0);
  EXPECT_LE(static_cast<std::uint64_t>(info.st_size), layers.get(id).disk);
}

TEST_P(LayerFilesTest, AreMountedOnce) {
  Layers layers(root, GetParam());
  auto id = apply(layers, Tar().file("a", "1").text());
  Lower first = layers.lower(id), second = layers.lower(id);
  EXPECT_EQ(first.mount, second.mount);
  layers.remove(id);
  EXPECT_EQ(os::read_file(first.path + "/a"), "1") << "who has it keeps it";
  EXPECT_THROW(layers.lower(id), Error);
}

TEST_P(LayerFilesTest, MayBeMoreThanStayMounted) {
  Layers layers(root, GetParam());
  Snapshots snapshots(root, layers);
  std::vector<oci::Digest> ids;
  for (int i = 0; i < 300; ++i)
    ids.push_back(apply(layers, Tar().file(cat("f", i), cat(i)).file("top", cat(i)).text()));
  snapshots.prepare("c1", ids);
  for (int start = 0; start < 2; ++start) {
    os::Fd mount = snapshots.mount("c1", Volatile::Yes);
    EXPECT_EQ(in(mount, "top") + in(mount, "f0") + in(mount, "f299"), "2990299");
  }
  EXPECT_LE(os::list_dir("/proc/self/fd").size(), 280U);
}

TEST_P(LayerFilesTest, ThatAreDamagedAreFound) {
  std::string tar = Tar().file("a", "1").text();
  Layers layers(root, GetParam());
  auto id = apply(layers, tar);
  std::uint64_t metadata = 4096 + (tar.size() + 4095) / 4096 * 4096;
  EXPECT_EQ(layers.check(id, nullptr), LayerState::Whole);
  for (std::uint64_t at : {std::uint64_t{4096 + 512}, metadata + 70, std::uint64_t{1024}}) {
    flip(id, at);
    EXPECT_EQ(layers.check(id, nullptr), LayerState::Damaged) << at;
    flip(id, at);
  }
  EXPECT_EQ(layers.check(id, nullptr), LayerState::Whole);
  os::remove_file(path(id));
  EXPECT_EQ(layers.check(id, nullptr), LayerState::Missing);
}

TEST_P(UnpackedLayersTest, ThatWereChangedAreFound) {
  std::string tar = Tar().file("a", "1").file("b", "22").directory("d/").file("d/c", "333").text();
  Layers layers(root, LayerForm::Directory);
  auto id = apply(layers, tar);
  std::string fs = cat(root, "/layers/", id.hex(), "/fs");
  auto state = [&] {
    TextSource blob(gzip(tar));
    return layers.check(id, &blob);
  };
  auto again = [&] {
    layers.remove(id);
    apply(layers, tar);
  };
  EXPECT_EQ(state(), LayerState::Whole);
  const std::pair<const char*, std::function<void()>> changes[] = {
      {"content", [&] { os::write_file(cat(fs, "/d/c"), "334"); }},
      {"mode", [&] { ::chmod(cat(fs, "/a").c_str(), 0600); }},
      {"mode of a directory", [&] { ::chmod(cat(fs, "/d").c_str(), 0700); }},
      {"owner", [&] { ASSERT_EQ(::chown(cat(fs, "/a").c_str(), 5, 5), 0); }},
      {"attribute", [&] { ::setxattr(cat(fs, "/a").c_str(), "user.more", "1", 1, 0); }},
      {"extra", [&] { os::write_file(cat(fs, "/d/x"), ""); }},
      {"missing", [&] { os::remove_file(cat(fs, "/b")); }},
      {"link", [&] { ASSERT_EQ(::link(cat(fs, "/a").c_str(), cat(root, "/elsewhere").c_str()), 0); }},
  };
  for (const auto& [what, change] : changes) {
    change();
    EXPECT_EQ(state(), LayerState::Damaged) << what;
    again();
    EXPECT_EQ(state(), LayerState::Whole) << what;
  }
  // Content alone: as old and as long as it was.
  struct stat info {};
  ASSERT_EQ(::stat(cat(fs, "/b").c_str(), &info), 0);
  os::write_file(cat(fs, "/b"), "23");
  timespec times[2] = {info.st_atim, info.st_mtim};
  ::utimensat(AT_FDCWD, cat(fs, "/b").c_str(), times, 0);
  EXPECT_EQ(state(), LayerState::Damaged);
  EXPECT_EQ(layers.check(id, nullptr), LayerState::Whole);
  os::remove_tree(fs);
  EXPECT_EQ(state(), LayerState::Missing);
}

TEST_P(UnpackedLayersTest, BesideStrangersAreTold) {
  Layers layers(root, LayerForm::Directory);
  auto id = apply(layers, Tar().file("a", "1").text());
  Snapshots snapshots(root, layers);
  EXPECT_TRUE(layers.strays().empty());
  std::string unknown(64, 'a');
  os::write_file(cat(root, "/layers/note"), "");
  os::make_dir(cat(root, "/layers/", unknown), 0755);
  EXPECT_EQ(layers.strays(), (std::vector<std::string>{unknown, "note"}));
  for (const auto& name : layers.strays()) layers.remove_stray(name);
  EXPECT_TRUE(layers.strays().empty());
  EXPECT_TRUE(layers.has(id));
}

// proves: I14
TEST_P(LayerFilesTest, ThatWereCutAreDroppedAtStart) {
  auto id = [&] {
    Layers layers(root, GetParam());
    return apply(layers, Tar().file("a", "1").text());
  }();
  ASSERT_EQ(::truncate(path(id).c_str(), 8192), 0);
  EXPECT_FALSE(Layers(root, GetParam()).has(id));
  EXPECT_FALSE(os::exists(path(id)));
}

TEST_P(LayerFilesTest, AreUnpackedWhereTheyCannotBeMounted) {
  auto id = [&] {
    Layers layers(root, GetParam());
    return apply(layers, Tar().directory("d/").file("d/a", "1").text());
  }();
  flip(id, 1024);  // the superblock's magic number
  EXPECT_THROW(Layers(root, GetParam()).lower(id), Error);
  for (int start = 0; start < 2; ++start) {
    Layers layers(root, LayerForm::Directory);
    Lower lower = layers.lower(id);
    EXPECT_EQ(lower.mount, nullptr);
    EXPECT_EQ(os::read_file(lower.path + "/d/a"), "1");
    EXPECT_FALSE(os::exists(path(id)));
    EXPECT_EQ(layers.list().size(), 1U);
  }
}

TEST_P(LayerFilesTest, StayWhenDirectoriesAreAskedFor) {
  auto id = [&] {
    Layers layers(root, GetParam());
    return apply(layers, Tar().file("a", "1").text());
  }();
  Layers layers(root, LayerForm::Directory);
  auto other = apply(layers, Tar().file("b", "2").text());
  EXPECT_EQ(layers.get(other).form, LayerForm::Directory);
  Snapshots snapshots(root, layers);
  snapshots.prepare("c1", std::vector{id, other});
  os::Fd mount = snapshots.mount("c1", Volatile::No);
  EXPECT_EQ(in(mount, "a") + in(mount, "b"), "12");
  EXPECT_TRUE(os::exists(path(id)));
}

// What EROFS does not hold as an unpacked layer would: access control lists change modes.
TEST_P(LayerFilesTest, AreNotMadeOfUnfitTars) {
  Layers layers(root, GetParam());
  TextSink out;
  archive::TarWriter writer(out);
  std::string acl = {2, 0, 0, 0, 1, 0, 6, 0, -1, -1, -1, -1, 4, 0, 4, 0, -1, -1, -1, -1, 32, 0, 4, 0, -1, -1, -1, -1};
  writer.add({.path = "a", .mode = 0600, .size = 1, .xattrs = {{"system.posix_acl_access", acl}}}, "1");
  writer.finish();
  auto id = apply(layers, out.text);
  EXPECT_EQ(layers.get(id).form, LayerForm::Directory);
  struct stat info {};
  ASSERT_EQ(::stat((layers.lower(id).path + "/a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644U);
  EXPECT_EQ(os::list_dir(root + "/layers"), (std::vector<std::string>{std::string(id.hex())}));
}

INSTANTIATE_TEST_SUITE_P(Form, UnpackedLayersTest, testing::Values(LayerForm::Directory),
                         [](auto&) { return "Directory"; });
INSTANTIATE_TEST_SUITE_P(Form, LayerFilesTest, testing::Values(LayerForm::Erofs), [](auto&) { return "Erofs"; });
INSTANTIATE_TEST_SUITE_P(Forms, LayersTest, testing::Values(LayerForm::Directory, LayerForm::Erofs),
                         [](auto& of) { return of.param == LayerForm::Erofs ? "Erofs" : "Directory"; });

// PROA_LAYER_BENCH=rootfs.tar.gz image_test --gtest_filter=*TakesNoLonger*
TEST_P(LayersTest, TakesNoLongerThanItShould) {
  const char* path = std::getenv("PROA_LAYER_BENCH");
  if (!path) GTEST_SKIP() << "PROA_LAYER_BENCH names no layer to measure with";
  oci::Digest id;
  for (int i = 0; i < 6; ++i) {
    Layers layers(root, GetParam());
    trace::Recorder recorder("test");
    trace::Scope scope(recorder);
    FileSource source(path);
    auto start = std::chrono::steady_clock::now();
    id = layers.add(source).diff_id;
    auto took = std::chrono::steady_clock::now() - start;
    std::printf("%.3f s", std::chrono::duration<double>(took).count());
    for (const auto& event : recorder.events()) {
      std::printf("  %s %.3f", event.name.c_str(), static_cast<double>(event.duration) / 1e9);
      for (const auto& [key, value] : event.attributes) std::printf(" %s=%s", key.c_str(), value.substr(0, 19).c_str());
    }
    std::printf("\n");
    if (i < 5) layers.remove(id);
  }
}

}  // namespace
}  // namespace proa::image
