// The catalogue: names, lookup, removal by docker's rules, collection.
#include "image/images.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "archive/hash.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::image {
namespace {

class TextSource : public ByteSource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)) {}
  std::size_t read(std::span<std::byte> buffer) override {
    std::size_t count = std::min(buffer.size(), text_.size() - at_);
    std::memcpy(buffer.data(), text_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

class Catalogued : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/proa-images-test-XXXXXX";
    root_ = ::mkdtemp(path);
    open();
  }
  void TearDown() override {
    close();
    os::remove_tree(root_);
  }
  void open() {
    database_ = std::make_unique<store::Database>(root_ + "/proa.db");
    blobs_ = std::make_unique<store::Blobs>(root_ + "/content");
    layers_ = std::make_unique<Layers>(root_);
    images_ = std::make_unique<Images>(*database_, *blobs_, *layers_);
  }
  void close() {
    images_.reset();
    layers_.reset();
    blobs_.reset();
    database_.reset();
  }

  // An empty tar of `blocks` zero blocks: as many different layers as are wanted.
  oci::Digest layer(int blocks) {
    TextSource tar(std::string(512u * static_cast<unsigned>(blocks), '\0'));
    return layers_->add(tar).diff_id;
  }
  // Records an image of these layers under `name` ("" is dangling). `salt` makes its ID differ.
  oci::Digest image(const std::string& name, const std::vector<oci::Digest>& diff_ids, const std::string& salt = "") {
    ImageRecord record;
    std::string diffs;
    for (const oci::Digest& diff_id : diff_ids) {
      diffs += cat(diffs.empty() ? "" : ",", "\"", diff_id.text(), "\"");
      record.layers.push_back({{}, diff_id, 1024});
    }
    record.id = blobs_->put(cat(R"({"author":")", salt,
                                R"(","created":"2024-01-01T00:00:00Z","architecture":"amd64","os":"linux",)",
                                R"("rootfs":{"type":"layers","diff_ids":[)", diffs, "]}}"));
    record.diff_ids = diff_ids;
    record.config = oci::parse_image_config(blobs_->read(record.id, 1 << 20));
    record.manifest = blobs_->put(cat("manifest of ", record.id.text()));
    oci::Digest id = record.id, manifest = record.manifest;
    if (name.empty()) {
      images_->record(std::move(record), std::nullopt, {}, "");
    } else {
      images_->record(std::move(record), oci::Reference::parse(name).with_default_tag(), manifest, "");
    }
    return id;
  }
  std::vector<std::string> remove(std::string_view name, Removal how = Removal::Normal,
                                  std::vector<ImageUse> uses = {}) {
    std::vector<std::string> out;
    for (const RemovedItem& item : images_->remove(name, how, [&](const oci::Digest&) { return uses; })) {
      out.push_back(cat(item.kind == RemovedItem::Kind::Untagged ? "Untagged: " : "Deleted: ", item.name));
    }
    return out;
  }
  std::string refusal(std::string_view name, Removal how, std::vector<ImageUse> uses = {}) {
    try {
      remove(name, how, std::move(uses));
      return "removed";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Conflict);
      return error.message();
    }
  }

  std::string root_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::Blobs> blobs_;
  std::unique_ptr<Layers> layers_;
  std::unique_ptr<Images> images_;
  const std::string container_ = std::string(64, 'e');
};

TEST_F(Catalogued, FindsByNameIdPrefixAndDigest) {
  oci::Digest id = image("busybox:1", {layer(2)});
  std::string manifest = images_->get("busybox:1").manifest.text();
  for (std::string_view name : {"busybox:1", "docker.io/library/busybox:1"})
    EXPECT_EQ(images_->get(name).id, id) << name;
  EXPECT_EQ(images_->get(id.text()).id, id);
  EXPECT_EQ(images_->get(id.hex()).id, id);
  EXPECT_EQ(images_->get(id.hex().substr(0, 5)).id, id);
  EXPECT_EQ(images_->get(id.text().substr(0, 12)).id, id);
  EXPECT_EQ(images_->get(cat("busybox@", manifest)).id, id);
  EXPECT_FALSE(images_->find("busybox"));
  EXPECT_FALSE(images_->find("busybox:1", oci::Platform::parse("linux/arm64")));
  try {
    images_->get("busybox");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::NotFound);
    EXPECT_EQ(error.message(), "No such image: busybox:latest");
  }
  EXPECT_THROW(images_->find("Busybox"), Error);
}

TEST_F(Catalogued, ANameBelongsToOneImage) {
  auto base = layer(2);
  oci::Digest old_id = image("app", {base}, "old"), new_id = image("app", {base}, "new");
  EXPECT_EQ(images_->get("app").id, new_id);
  EXPECT_TRUE(images_->get(old_id.text()).references.empty());
  images_->tag(old_id.text(), oci::Reference::parse("app"));
  close();
  open();
  EXPECT_EQ(images_->get("app").id, old_id);
  EXPECT_EQ(images_->count(), 2u);
}

TEST_F(Catalogued, WhatCameWithAnIndexStaysAndWhatIsReplacedGoes) {
  auto base = layer(2);
  oci::Digest id = image("app:1", {base});
  ImageRecord record = images_->get("app:1");
  auto index = blobs_->put("an index"), other = blobs_->put("another platform's"), first = record.manifest;
  record.index = index;
  record.others = {other};
  images_->record(record, oci::Reference::parse("app:1"), {}, "");
  record.index = {};
  record.others.clear();
  images_->record(record, oci::Reference::parse("app:alone"), {}, "");
  EXPECT_EQ(images_->get("app:alone").index, index);
  EXPECT_TRUE(blobs_->has(other) && blobs_->has(index));
  record.manifest = blobs_->put("compressed otherwise");
  images_->record(record, oci::Reference::parse("app:other"), {}, "");
  EXPECT_EQ(images_->get("app:1").manifest, record.manifest);
  EXPECT_FALSE(blobs_->has(first) || blobs_->has(other) || blobs_->has(index));
  EXPECT_TRUE(blobs_->has(id));
}

TEST_F(Catalogued, RefusesTagsThatWouldConfuse) {
  image("app", {layer(2)});
  EXPECT_THROW(images_->tag("app", oci::Reference::parse(cat("x@sha256:", std::string(64, 'a')))), Error);
  EXPECT_THROW(images_->tag("app", oci::Reference::parse("sha256:x")), Error);
  EXPECT_THROW(images_->tag("nosuch", oci::Reference::parse("x")), Error);
}

TEST_F(Catalogued, LargeFilesOfARemovedImageGoToTheTrash) {
  oci::Digest base = layer(4), id = image("app:1", {base});
  remove("app:1");
  EXPECT_FALSE(blobs_->has(id));
  EXPECT_FALSE(layers_->has(base));
  EXPECT_EQ(os::list_dir(root_ + "/trash").size(), 3u);  // the layer, the configuration, the manifest
}

TEST_F(Catalogued, RemovesTheLastNameAndTheImage) {
  auto base = layer(2), top = layer(3);
  oci::Digest id = image("app:1", {base, top});
  std::string manifest = images_->get("app:1").manifest.text();
  EXPECT_EQ(remove("app:1"),
            (std::vector<std::string>{"Untagged: app:1", cat("Untagged: app@", manifest), cat("Deleted: ", id.text()),
                                      cat("Deleted: ", chain_id({base, top}).text()), cat("Deleted: ", base.text())}));
  EXPECT_EQ(images_->count(), 0u);
  EXPECT_TRUE(layers_->list().empty());
  EXPECT_TRUE(blobs_->list().empty());
}

// proves: I15
TEST_F(Catalogued, KeepsLayersThatOthersStandOn) {
  auto base = layer(2), top = layer(3);
  image("base", {base});
  oci::Digest id = image("top", {base, top});
  auto removed = remove("top");
  EXPECT_EQ(removed.back(), cat("Deleted: ", chain_id({base, top}).text()));
  EXPECT_TRUE(layers_->has(base));
  EXPECT_FALSE(layers_->has(top));
  EXPECT_FALSE(blobs_->has(id));
}

TEST_F(Catalogued, ANameOfSeveralIsOnlyTakenAway) {
  oci::Digest id = image("app:1", {layer(2)});
  images_->tag("app:1", oci::Reference::parse("app:2"));
  EXPECT_EQ(remove("app:1"), std::vector<std::string>{"Untagged: app:1"});
  EXPECT_EQ(images_->get("app:2").id, id);
}

TEST_F(Catalogued, RefusesAnIdWithNamesInSeveralRepositories) {
  oci::Digest id = image("app:1", {layer(2)});
  images_->tag("app:1", oci::Reference::parse("other:1"));
  EXPECT_EQ(refusal(id.hex().substr(0, 12), Removal::Normal),
            cat("conflict: unable to delete ", id.short_hex(),
                " (must be forced) - image is referenced in multiple repositories"));
  EXPECT_EQ(remove(id.hex().substr(0, 12), Removal::Forced).size(), 5u);  // three names, the image, its layer
}

TEST_F(Catalogued, RefusesWhatContainersUse) {
  oci::Digest id = image("app:1", {layer(2)});
  EXPECT_EQ(refusal("app:1", Removal::Normal, {{container_, false}}),
            cat("conflict: unable to remove repository reference \"app:1\" (must force) - container eeeeeeeeeeee is "
                "using its "
                "referenced image ",
                id.short_hex()));
  EXPECT_EQ(refusal(id.text(), Removal::Normal, {{container_, false}}),
            cat("conflict: unable to delete ", id.short_hex(),
                " (must be forced) - image is being used by stopped container eeeeeeeeeeee"));
  EXPECT_EQ(refusal(id.text(), Removal::Forced, {{container_, true}}),
            cat("conflict: unable to delete ", id.short_hex(),
                " (cannot be forced) - image is being used by running container eeeeeeeeeeee"));
  // By name it may be forced: the image stays, without a name.
  EXPECT_EQ(remove("app:1", Removal::Forced, {{container_, true}}).front(), "Untagged: app:1");
  EXPECT_TRUE(images_->find(id.text()));
}

TEST_F(Catalogued, KeepsLayersOfContainersWhoseImageWasForcedAway) {
  auto base = layer(2);
  oci::Digest id = image("app:1", {base});
  images_->set_layers_in_use([&] { return std::vector<oci::Digest>{base}; });
  remove(id.text(), Removal::Forced, {{container_, false}});
  EXPECT_FALSE(images_->find(id.text()));
  EXPECT_TRUE(layers_->has(base));
}

TEST_F(Catalogued, PrunesOnlyWhatHasNoName) {
  auto base = layer(2);
  oci::Digest dangling = image("", {base, layer(3)});
  image("app:1", {base});
  auto pruned = images_->prune(false, {}, {});
  EXPECT_EQ(pruned.items.front().name, dangling.text());
  EXPECT_EQ(images_->count(), 1u);
  images_->prune(true, [](const ImageRecord&) { return true; }, {});
  EXPECT_EQ(images_->count(), 1u);
  images_->prune(true, {}, {});
  EXPECT_EQ(images_->count(), 0u);
}

TEST_F(Catalogued, CollectsWhatIsHeldByNobody) {
  auto orphan = layer(4), leased = layer(5);
  oci::Digest blob = blobs_->put("orphan");
  images_->hold("pull-x", {leased});
  images_->collect();
  EXPECT_FALSE(layers_->has(orphan));
  EXPECT_TRUE(layers_->has(leased));
  EXPECT_FALSE(blobs_->has(blob));
}

TEST_F(Catalogued, DropsAnImageWhoseLayerIsGone) {
  auto base = layer(2);
  image("app:1", {base});
  close();
  os::remove_tree(cat(root_, "/layers/", base.hex()));
  open();
  EXPECT_EQ(images_->count(), 0u);
  EXPECT_TRUE(database_->list("images").empty());
}

TEST_F(Catalogued, UnpacksALayerThatIsGoneWhereItsBlobIsThere) {
  std::string tar(1024, '\0');
  ImageRecord record;
  TextSource source(tar);
  oci::Digest blob = blobs_->put(tar), diff_id = layers_->add(source).diff_id;
  record.id = blobs_->put(cat(R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[")",
                              diff_id.text(), R"("]}})"));
  record.config = oci::parse_image_config(blobs_->read(record.id, 1 << 20));
  record.diff_ids = {diff_id};
  record.layers = {{blob, diff_id, 1024}};
  images_->record(record, oci::Reference::parse("app:1"), {}, "");
  EXPECT_TRUE(images_->is_whole(images_->get("app:1")));
  close();
  os::remove_tree(cat(root_, "/layers/", diff_id.hex()));
  open();
  EXPECT_TRUE(layers_->has(diff_id));
  EXPECT_TRUE(images_->is_whole(images_->get("app:1")));
  blobs_->remove(blob);
  EXPECT_FALSE(images_->is_whole(images_->get("app:1")));
}

TEST(ChainId, IsTheHashOfParentAndDiffId) {
  auto a = oci::Digest::from_hex(std::string(64, 'a')), b = oci::Digest::from_hex(std::string(64, 'b'));
  EXPECT_EQ(chain_id({a}), a);
  std::string text = cat(a.text(), " ", b.text());
  archive::Sha256 hash;
  hash.update(std::as_bytes(std::span(text.data(), text.size())));
  EXPECT_EQ(chain_id({a, b}).hex(), hash.hex());
}

}  // namespace
}  // namespace proa::image
