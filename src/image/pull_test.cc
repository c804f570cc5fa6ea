// Pulls from a scripted registry: what is right, and security.md 4.1.
#include "image/pull.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "archive/hash.h"
#include "base/text.h"
#include "os/file.h"
#include "registry/fake_registry.h"

namespace proa::image {
namespace {

using registry::FakeRegistry;
using registry::FakeReply;
using registry::FakeRequest;

std::string sha(std::string_view bytes) {
  archive::Sha256 hash;
  hash.update(std::as_bytes(std::span(bytes.data(), bytes.size())));
  return cat("sha256:", hash.hex());
}

// A ustar archive with one file.
std::string tar_of(const std::string& name, const std::string& content) {
  std::string header(512, '\0');
  std::memcpy(header.data(), name.data(), name.size());
  std::snprintf(&header[100], 8, "%07o", 0644);
  std::snprintf(&header[108], 8, "%07o", 0);
  std::snprintf(&header[116], 8, "%07o", 0);
  std::snprintf(&header[124], 12, "%011zo", content.size());
  std::snprintf(&header[136], 12, "%011o", 0);
  std::memcpy(&header[257], "ustar\00000", 8);
  header[156] = '0';
  std::memset(&header[148], ' ', 8);
  unsigned sum = 0;
  for (unsigned char c : header) sum += c;
  std::snprintf(&header[148], 8, "%06o", sum);
  std::string padded = content;
  padded.resize((content.size() + 511) / 512 * 512);
  return header + padded + std::string(1024, '\0');
}

constexpr std::string_view kLayerType = "application/vnd.oci.image.layer.v1.tar";

// A registry's content: documents by digest and tag, and one place where a test bends an answer.
struct Content {
  std::map<std::string, std::string> blobs;                              // digest -> bytes
  std::map<std::string, std::pair<std::string, std::string>> manifests;  // tag or digest -> type, bytes
  std::function<void(const FakeRequest&, FakeReply&)> bend;

  std::string add_blob(const std::string& bytes) {
    std::string digest = sha(bytes);
    blobs[digest] = bytes;
    return digest;
  }
  std::string add_manifest(const std::string& tag, std::string_view type, const std::string& bytes) {
    std::string digest = sha(bytes);
    manifests[digest] = {std::string(type), bytes};
    if (!tag.empty()) manifests[tag] = {std::string(type), bytes};
    return digest;
  }
  // The manifest's text for these layers.
  std::string image(const std::vector<std::string>& tars, const std::string& architecture = "amd64",
                    const std::string& diff_id = "") {
    std::string diffs, layers;
    for (const std::string& tar : tars) {
      diffs += cat(diffs.empty() ? "" : ",", "\"", diff_id.empty() ? sha(tar) : diff_id, "\"");
      layers += cat(layers.empty() ? "" : ",", descriptor(kLayerType, add_blob(tar), tar.size()));
    }
    std::string config =
        cat(R"({"created":"2024-01-02T03:04:05Z","architecture":")", architecture,
            R"(","os":"linux","config":{"Cmd":["sh"]},"rootfs":{"type":"layers","diff_ids":[)", diffs, "]}}");
    return cat(R"({"schemaVersion":2,"mediaType":")", oci::media_type::kManifest, R"(","config":)",
               descriptor(oci::media_type::kConfig, add_blob(config), config.size()), R"(,"layers":[)", layers, "]}");
  }
  static std::string descriptor(std::string_view type, const std::string& digest, std::size_t size,
                                const std::string& more = "") {
    return cat(R"({"mediaType":")", type, R"(","digest":")", digest, R"(","size":)", size, more, "}");
  }

  FakeReply answer(const FakeRequest& request) {
    FakeReply reply;
    std::string_view target = request.target;
    std::string name(target.substr(target.rfind('/') + 1));
    if (target.find("/manifests/") != target.npos && manifests.count(name)) {
      reply.body = manifests[name].second;
      reply.headers = {cat("Content-Type: ", manifests[name].first), cat("Docker-Content-Digest: ", sha(reply.body))};
    } else if (target.find("/blobs/") != target.npos && blobs.count(name)) {
      reply.body = blobs[name];
      if (std::string range = request.header("range"); range.starts_with("bytes=")) {
        std::size_t from = std::strtoul(range.c_str() + 6, nullptr, 10);
        reply.headers = {cat("Content-Range: bytes ", from, "-", reply.body.size() - 1, "/", reply.body.size())};
        reply.body = reply.body.substr(from);
        reply.status = 206;
      }
    } else {
      reply.status = 404;
      reply.body = R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]})";
    }
    if (bend) bend(request, reply);
    return reply;
  }
};

PullOptions on(const std::string& platform = "linux/amd64") {
  return {.platform = oci::Platform::parse(platform), .credentials = {}};
}

class Pull : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/proa-pull-test-XXXXXX";
    root_ = ::mkdtemp(path);
    server_ = std::make_unique<FakeRegistry>([this](const FakeRequest& request) { return content_.answer(request); });
    open();
  }
  void TearDown() override {
    close();
    server_.reset();
    os::remove_tree(root_);
  }
  void open() {
    database_ = std::make_unique<store::Database>(root_ + "/proa.db");
    blobs_ = std::make_unique<store::Blobs>(root_ + "/content");
    layers_ = std::make_unique<Layers>(root_);
    images_ = std::make_unique<Images>(*database_, *blobs_, *layers_);
    registry::Options options;
    options.stall_timeout_ms = 1500;
    puller_ = std::make_unique<Puller>(*images_, *blobs_, *layers_, options);
  }
  void close() {
    puller_.reset();
    images_.reset();
    layers_.reset();
    blobs_.reset();
    database_.reset();
  }
  PullResult pull(const std::string& name = "app:1", const PullOptions& options = on(), std::stop_token stop = {}) {
    lines_.clear();
    return puller_->pull(
        oci::Reference::parse(cat(server_->address(), "/", name)), options,
        [this](const ProgressMessage& m) { lines_.push_back(m.id.empty() ? m.status : cat(m.id, ": ", m.status)); },
        std::move(stop));
  }
  // The message of the failure; afterwards no image and no layer may be there.
  std::string failure(const std::string& name = "app:1") {
    try {
      pull(name);
    } catch (const Error& error) {
      EXPECT_EQ(images_->count(), 0u);
      EXPECT_TRUE(layers_->list().empty());
      return error.message();
    }
    ADD_FAILURE() << "the pull went through";
    return "";
  }
  bool has_line(std::string_view text) const {
    for (const std::string& line : lines_) {
      if (line.find(text) != line.npos) return true;
    }
    return false;
  }
  int count_requests(std::string_view part) const {
    int count = 0;
    for (const FakeRequest& request : server_->requests()) count += request.target.find(part) != std::string::npos;
    return count;
  }
  std::string name(const std::string& rest) const { return cat(server_->address(), "/", rest); }

  std::string root_;
  Content content_;
  std::unique_ptr<FakeRegistry> server_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::Blobs> blobs_;
  std::unique_ptr<Layers> layers_;
  std::unique_ptr<Images> images_;
  std::unique_ptr<Puller> puller_;
  std::vector<std::string> lines_;
};

void expect_contains(const std::string& text, std::string_view part) { EXPECT_NE(text.find(part), text.npos) << text; }

TEST_F(Pull, StoresAnImageAndSaysSoAsDockerDoes) {
  std::string tar = tar_of("hello", "world");
  std::string digest = content_.add_manifest("1", oci::media_type::kManifest, content_.image({tar}));
  PullResult result = pull();
  EXPECT_TRUE(result.downloaded);
  EXPECT_EQ(result.digest.text(), digest);
  ImageRecord image = images_->get(name("app:1"));
  EXPECT_EQ(image.id, result.id);
  EXPECT_EQ(image.repo_digests, std::vector<std::string>{name(cat("app@", digest))});
  EXPECT_EQ(os::read_file(layers_->lower(image.diff_ids[0]).path + "/hello"), "world");
  EXPECT_EQ(lines_.front(), "1: Pulling from app");
  EXPECT_EQ(lines_[lines_.size() - 2], cat("Digest: ", digest));
  EXPECT_EQ(lines_.back(), cat("Status: Downloaded newer image for ", name("app:1")));
  std::string id = sha(tar).substr(7, 12);
  for (std::string_view step :
       {"Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete", "Pull complete"}) {
    EXPECT_TRUE(has_line(cat(id, ": ", step))) << step;
  }
  EXPECT_TRUE(blobs_->has(oci::Digest::parse(sha(tar))));

  EXPECT_FALSE(pull().downloaded);
  EXPECT_EQ(lines_.back(), cat("Status: Image is up to date for ", name("app:1")));
  close();
  open();
  EXPECT_EQ(images_->get(name("app:1")).id, result.id);
}

TEST_F(Pull, TakesOnlyTheLayersItDoesNotHave) {
  std::string base = tar_of("base", "b"), top = tar_of("top", "t");
  content_.add_manifest("1", oci::media_type::kManifest, content_.image({base}));
  content_.add_manifest("2", oci::media_type::kManifest, content_.image({base, top}));
  pull("app:1");
  pull("app:2");
  EXPECT_TRUE(has_line(cat(sha(base).substr(7, 12), ": Already exists")));
  EXPECT_EQ(count_requests(sha(base)), 1);
}

TEST_F(Pull, FetchesTheBlobOfALayerThatIsThereWithoutIt) {
  std::string base = tar_of("base", "b"), top = tar_of("top", "t");
  content_.add_manifest("1", oci::media_type::kManifest, content_.image({base}));
  content_.add_manifest("2", oci::media_type::kManifest, content_.image({base, top}));
  pull("app:1");
  oci::Digest digest = oci::Digest::parse(sha(base));
  blobs_->remove(digest);
  pull("app:2");
  EXPECT_TRUE(blobs_->has(digest));
  EXPECT_EQ(count_requests(sha(base)), 2);
}

// proves: R6
TEST_F(Pull, ChoosesThePlatformAndNamesThoseThereAre) {
  std::string amd = content_.image({tar_of("a", "amd")}), arm = content_.image({tar_of("a", "arm")}, "arm64");
  std::string amd_digest = content_.add_manifest("", oci::media_type::kManifest, amd);
  std::string arm_digest = content_.add_manifest("", oci::media_type::kManifest, arm);
  auto entry = [](const std::string& digest, std::size_t size, const std::string& architecture) {
    return Content::descriptor(oci::media_type::kManifest, digest, size,
                               cat(R"(,"platform":{"os":"linux","architecture":")", architecture, "\"}"));
  };
  std::string index = cat(R"({"schemaVersion":2,"manifests":[)", entry(arm_digest, arm.size(), "arm64"), ",",
                          entry(amd_digest, amd.size(), "amd64"), "]}");
  std::string digest = content_.add_manifest("1", oci::media_type::kIndex, index);
  PullResult result = pull();
  EXPECT_EQ(result.digest.text(), digest);
  EXPECT_EQ(images_->get(name("app:1")).manifest.text(), amd_digest);
  try {
    pull("app:1", on("linux/s390x"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::NotFound);
    EXPECT_EQ(error.message(),
              "no matching manifest for linux/s390x in the manifest list entries (it has linux/arm64, linux/amd64)");
  }
}

TEST_F(Pull, TakesWhatAttestsTheImageAlongAndCanDoWithoutIt) {
  std::string image = content_.image({tar_of("a", "amd")});
  std::string digest = content_.add_manifest("", oci::media_type::kManifest, image);
  std::string statement = content_.add_blob("{\"_type\":\"x\"}"), config = content_.add_blob("{}");
  std::string attestation =
      cat(R"({"schemaVersion":2,"config":)", Content::descriptor(oci::media_type::kConfig, config, 2), R"(,"layers":[)",
          Content::descriptor("application/vnd.in-toto+json", statement, 13), "]}");
  std::string attested = content_.add_manifest("", oci::media_type::kManifest, attestation);
  std::string unknown = R"(,"platform":{"os":"unknown","architecture":"unknown"},"annotations":)";
  std::string about =
      cat(R"({"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":")", digest, "\"}");
  std::string index = cat(
      R"({"schemaVersion":2,"manifests":[)",
      Content::descriptor(oci::media_type::kManifest, digest, image.size(),
                          R"(,"platform":{"os":"linux","architecture":"amd64"})"),
      ",", Content::descriptor(oci::media_type::kManifest, attested, attestation.size(), cat(unknown, about)), "]}");
  content_.add_manifest("1", oci::media_type::kIndex, index);
  pull();
  EXPECT_FALSE(has_line(statement.substr(7, 12)));
  images_->collect();
  for (const std::string& kept : {attested, statement, config, digest})
    EXPECT_TRUE(blobs_->has(oci::Digest::parse(kept))) << kept;
  images_->remove(name("app:1"), Removal::Normal, {});
  EXPECT_TRUE(blobs_->list().empty());

  content_.manifests.erase(attested);
  pull();
  EXPECT_EQ(images_->get(name("app:1")).manifest.text(), digest);
  EXPECT_FALSE(blobs_->has(oci::Digest::parse(statement)));
}

TEST_F(Pull, KeepsAnArtifactAsItIs) {
  std::string text = content_.add_blob("not a tar"), empty = content_.add_blob("{}");
  std::string manifest = cat(R"({"schemaVersion":2,"artifactType":"application/x-thing","config":)",
                             Content::descriptor("application/vnd.oci.empty.v1+json", empty, 2), R"(,"layers":[)",
                             Content::descriptor("text/plain", text, 9), "]}");
  std::string digest = content_.add_manifest("1", oci::media_type::kManifest, manifest);
  EXPECT_EQ(pull().id.text(), digest);
  EXPECT_TRUE(has_line(cat(text.substr(7, 12), ": Download complete")));
  EXPECT_TRUE(layers_->list().empty());
  close();
  open();
  images_->collect();
  ImageRecord record = images_->get(name("app:1"));
  EXPECT_EQ(record.artifact_type, "application/x-thing");
  EXPECT_EQ(record.size, 11u);
  EXPECT_EQ(blobs_->list().size(), 3u);
  EXPECT_FALSE(pull().downloaded);
}

// proves: R1
TEST_F(Pull, RefusesContentThatIsNotWhatItsDigestSays) {
  std::string tar = tar_of("a", std::string(5000, 'x'));
  content_.add_manifest("1", oci::media_type::kManifest, content_.image({tar}));
  content_.blobs[sha(tar)][700] ^= 1;
  expect_contains(failure(), "digest mismatch");
  EXPECT_TRUE(blobs_->ingests().empty());
  content_.blobs[sha(tar)][700] ^= 1;
  EXPECT_TRUE(pull().downloaded);
}

TEST_F(Pull, RefusesADamagedManifestAndConfiguration) {
  std::string manifest = content_.image({tar_of("a", "x")});
  std::string digest = content_.add_manifest("1", oci::media_type::kManifest, manifest);
  content_.bend = [&](const FakeRequest& request, FakeReply& reply) {
    if (request.target.find("/manifests/") != std::string::npos) reply.body[reply.body.size() - 2] = ' ';
  };
  expect_contains(failure(), "manifest verification failed for digest");
  content_.bend = [&](const FakeRequest& request, FakeReply& reply) {
    if (request.target.find("/blobs/") != std::string::npos) reply.body[2] ^= 1;
  };
  expect_contains(failure(), "digest mismatch");
}

// proves: R4
TEST_F(Pull, RefusesALayerWhoseTarIsNotTheDiffId) {
  content_.add_manifest("1", oci::media_type::kManifest,
                        content_.image({tar_of("a", "x")}, "amd64", cat("sha256:", std::string(64, '1'))));
  expect_contains(failure(), "failed to register layer");
  EXPECT_TRUE(blobs_->list().empty());
  EXPECT_TRUE(blobs_->ingests().empty());
}

// proves: R2
TEST_F(Pull, RefusesALayerLongerThanItsDescriptorSays) {
  std::string tar = tar_of("a", "x");
  content_.add_manifest("1", oci::media_type::kManifest, content_.image({tar}));
  content_.bend = [&](const FakeRequest& request, FakeReply& reply) {
    if (request.target.find(sha(tar)) != std::string::npos) reply.body += "more";
  };
  expect_contains(failure(), "size mismatch");
}

// proves: R3
TEST_F(Pull, GoesOnWhereTheConnectionWasCut) {
  std::string tar = tar_of("a", std::string(100'000, 'q'));
  content_.add_manifest("1", oci::media_type::kManifest, content_.image({tar}));
  content_.bend = [&](const FakeRequest& request, FakeReply& reply) {
    if (request.target.find(sha(tar)) != std::string::npos) reply.cut_after = tar.size() / 4 + 1;
  };
  EXPECT_TRUE(pull().downloaded);
  EXPECT_EQ(count_requests(sha(tar)), 4);
}

// proves: R3
TEST_F(Pull, BeginsAgainWhereTheRegistryHasNoRanges) {
  std::string tar = tar_of("a", std::string(100'000, 'q'));
  content_.add_manifest("1", oci::media_type::kManifest, content_.image({tar}));
  std::atomic<int> times = 0;
  content_.bend = [&](const FakeRequest& request, FakeReply& reply) {
    if (request.target.find(sha(tar)) == std::string::npos) return;
    reply.status = 200;
    reply.headers.clear();
    reply.body = tar;
    if (times++ == 0) reply.cut_after = 50'000;
  };
  EXPECT_TRUE(pull().downloaded);
  EXPECT_EQ(os::read_file(layers_->lower(oci::Digest::parse(sha(tar))).path + "/a"), std::string(100'000, 'q'));
}

// proves: I16
TEST_F(Pull, ResumesWhatAnEarlierPullHadReceived) {
  std::string tar = tar_of("a", std::string(400'000, 'q'));
  content_.add_manifest("1", oci::media_type::kManifest, content_.image({tar}));
  std::stop_source stop;
  content_.bend = [&](const FakeRequest& request, FakeReply& reply) {
    if (request.target.find(sha(tar)) == std::string::npos) return;
    if (request.header("range").empty()) {
      reply.cut_after = 300'000;
    } else {
      stop.request_stop();
      reply.stall = true;
    }
  };
  EXPECT_THROW(pull("app:1", on(), stop.get_token()), Error);
  ASSERT_EQ(blobs_->ingests().size(), 1u);
  close();
  open();
  images_->collect();  // the lease keeps what came
  content_.bend = nullptr;
  EXPECT_TRUE(pull().downloaded);
  auto last = server_->requests().back();
  EXPECT_EQ(last.header("range"), "bytes=300000-");
}

// proves: I16
TEST_F(Pull, BeginsAnewWhereTheKeptBytesAreBad) {
  std::string tar = tar_of("a", std::string(400'000, 'q'));
  content_.add_manifest("1", oci::media_type::kManifest, content_.image({tar}));
  os::write_file(cat(root_, "/content/ingest/", sha(tar).substr(7)), std::string(300'000, '\0'));
  EXPECT_TRUE(pull().downloaded);
}

TEST_F(Pull, PublishesTheBlobWhereADeathCameBetweenItAndItsLayer) {
  std::string tar = tar_of("a", "x");
  content_.add_manifest("1", oci::media_type::kManifest, content_.image({tar}));
  content_.add_manifest("2", oci::media_type::kManifest, content_.image({tar, tar_of("b", "y")}));
  pull("app:1");
  oci::Digest digest = oci::Digest::parse(sha(tar));
  os::rename_path(blobs_->path(digest), cat(root_, "/content/ingest/", digest.hex()));
  pull("app:2");
  EXPECT_TRUE(blobs_->has(digest));
  EXPECT_EQ(count_requests(sha(tar)), 1);
}

// proves: R14
TEST_F(Pull, GivesUpOnARegistryThatStalls) {
  std::string tar = tar_of("a", "x");
  content_.add_manifest("1", oci::media_type::kManifest, content_.image({tar}));
  content_.bend = [&](const FakeRequest&, FakeReply& reply) { reply.stall = true; };
  expect_contains(failure(), "no data for 1 seconds");
}

// proves: R13 F18
TEST_F(Pull, CancelsWithinASecond) {
  content_.add_manifest("1", oci::media_type::kManifest, content_.image({tar_of("a", "x")}));
  content_.bend = [&](const FakeRequest&, FakeReply& reply) { reply.stall = true; };
  std::stop_source stop;
  std::thread later([&] {
    ::usleep(100'000);
    stop.request_stop();
  });
  std::int64_t began = monotonic_now();
  try {
    pull("app:1", on(), stop.get_token());
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Cancelled);
  }
  EXPECT_LT(monotonic_now() - began, kSecond);
  later.join();
}

// proves: 75 R5
TEST_F(Pull, RefusesDocumentsWithTwoMeanings) {
  std::string manifest = content_.image({tar_of("a", "x")});
  std::string both = cat(manifest.substr(0, manifest.size() - 1), R"(,"manifests":[]})");
  content_.add_manifest("1", oci::media_type::kManifest, both);
  expect_contains(failure(), "both a manifest and an index");
  content_.add_manifest("1", oci::media_type::kDockerManifest, manifest);
  expect_contains(failure(), "media type of the document");
  content_.add_manifest("1", "application/vnd.docker.distribution.manifest.v1+prettyjws",
                        R"({"schemaVersion":1,"fsLayers":[]})");
  expect_contains(failure(), "schema 1 is not supported");
  content_.add_manifest("1", oci::media_type::kManifest, std::string(5 << 20, ' '));
  expect_contains(failure(), "larger than");
}

// proves: R6
TEST_F(Pull, BoundsNestedIndexes) {
  std::string previous = content_.image({tar_of("a", "x")});
  std::string digest = content_.add_manifest("", oci::media_type::kManifest, previous);
  std::string_view type = oci::media_type::kManifest;
  for (int i = 0; i < 10; ++i) {
    std::string index =
        cat(R"({"schemaVersion":2,"manifests":[)",
            Content::descriptor(type, digest, previous.size(), R"(,"platform":{"os":"linux","architecture":"amd64"})"),
            "]}");
    digest = content_.add_manifest("1", oci::media_type::kIndex, index);
    previous = index;
    type = oci::media_type::kIndex;
  }
  expect_contains(failure(), "nested too deeply");
}

// proves: R18
TEST_F(Pull, OneImageForTwoPullsAtATime) {
  std::string tar = tar_of("a", std::string(300'000, 'z'));
  content_.add_manifest("1", oci::media_type::kManifest, content_.image({tar}));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { puller_->pull(oci::Reference::parse(name("app:1")), on(), {}, {}); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count_requests(sha(tar)), 1);
  EXPECT_EQ(images_->count(), 1u);
}

}  // namespace
}  // namespace proa::image
