// Uploads: one request, chunks, resumption, mounts; and who is asked.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "archive/hash.h"
#include "registry/client.h"
#include "registry/fake_registry.h"

namespace proa::registry {
namespace {

class TextSource : public ByteSource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)) {}
  std::size_t read(std::span<std::byte> buffer) override {
    std::size_t size = std::min(buffer.size(), text_.size());
    std::memcpy(buffer.data(), text_.data(), size);
    text_.erase(0, size);
    return size;
  }

 private:
  std::string text_;
};

// Keeps what is uploaded, as the distribution specification says.
struct UploadPlace {
  std::string stored;
  bool whole_refused = false, done = false;
  std::string mountable;
  std::atomic<std::size_t>* cut = nullptr;

  FakeReply operator()(const FakeRequest& request) {
    FakeReply reply;
    reply.headers = {"Location: /v2/app/blobs/uploads/1?state=x"};
    if (request.method == "POST") {
      stored.clear();
      reply.status =
          !mountable.empty() && request.target.find(cat("from=", mountable)) != std::string::npos ? 201 : 202;
    } else if (request.method == "PATCH") {
      std::string range = request.header("content-range");
      EXPECT_TRUE(range.starts_with(cat(stored.size(), "-"))) << range;
      stored += request.body;
      reply.status = 202;
    } else if (request.method == "PUT") {
      if (whole_refused && !request.body.empty()) {
        reply.status = 413;
        return reply;
      }
      stored += request.body;
      done = true;
      reply.status = 201;
    } else {
      if (cut) *cut = std::string::npos;  // the line holds from now on
      reply.status = 204;
      reply.headers.push_back(cat("Range: 0-", stored.empty() ? 0 : stored.size() - 1));
    }
    return reply;
  }
};

struct Uploading : testing::Test {
  UploadPlace place;
  FakeRegistry registry{[this](const FakeRequest& request) { return place(request); }};
  std::string content = std::string(20 << 20, 'x') + "end";
  BlobUpload upload;

  void SetUp() override {
    archive::Sha256 hash;
    hash.update(std::as_bytes(std::span(content.data(), content.size())));
    upload.digest = oci::Digest::from_hex(hash.hex());
    upload.size = content.size();
    upload.open = [this](std::uint64_t offset) { return std::make_unique<TextSource>(content.substr(offset)); };
  }
  std::string put(const std::vector<std::string>& from = {}) {
    Client client(Options{}, oci::Reference::parse(cat(registry.address(), "/app:1")), {}, {}, Access::Push, from);
    return client.put_blob(upload, from);
  }
  int count(const std::string& method) const {
    auto all = registry.requests();
    return static_cast<int>(std::count_if(all.begin(), all.end(), [&](const auto& r) { return r.method == method; }));
  }
};

TEST_F(Uploading, GoesInOneRequestWithItsDigest) {
  EXPECT_EQ(put(), "");
  EXPECT_EQ(place.stored, content);
  EXPECT_EQ(count("PATCH"), 0);
  EXPECT_NE(registry.requests().back().target.find("state=x&digest=sha256%3A"), std::string::npos);
}

TEST_F(Uploading, GoesInChunksWhereOneRequestIsTooLarge) {
  place.whole_refused = true;
  put();
  EXPECT_EQ(place.stored, content);
  EXPECT_EQ(count("PATCH"), 2);
}

// proves: R20
TEST_F(Uploading, GoesOnWhereTheConnectionBroke) {
  registry.cut_uploads_after = 5 << 20;
  place.cut = &registry.cut_uploads_after;
  content.resize(8 << 20);
  SetUp();
  put();
  EXPECT_EQ(place.stored, content);
  EXPECT_EQ(registry.requests().back().body.size(), std::size_t{3 << 20});
}

TEST_F(Uploading, IsNeedlessWhereTheRegistryHasItElsewhere) {
  place.mountable = "base";
  EXPECT_EQ(put({"other", "base"}), "base");
  EXPECT_EQ(count("PUT"), 0);
}

// proves: R20
TEST_F(Uploading, IsGivenUpWhenNothingMoves) {
  registry.cut_uploads_after = 0;
  EXPECT_THROW(put(), Error);
}

// proves: 76 R20
TEST_F(Uploading, TakesNoCredentialsToALocationElsewhere) {
  FakeRegistry other([](const FakeRequest&) { return FakeReply{.status = 201, .headers = {}, .body = {}}; });
  FakeRegistry locked([&](const FakeRequest& request) {
    FakeReply reply;
    reply.status = request.header("authorization").empty() ? 401 : request.method == "HEAD" ? 404 : 202;
    reply.headers = {"WWW-Authenticate: Basic realm=\"x\"",
                     cat("Location: http://", other.address(), "/upload?state=x")};
    return reply;
  });
  Credentials alice;
  alice.username = "alice";
  alice.password = "secret";
  content = "small";
  SetUp();
  Client client(Options{}, oci::Reference::parse(cat(locked.address(), "/app:1")), alice, {}, Access::Push, {});
  client.put_blob(upload, {});
  ASSERT_EQ(other.requests().size(), 1u);
  EXPECT_EQ(other.requests()[0].body, content);
  EXPECT_EQ(other.requests()[0].header("authorization"), "");
}

}  // namespace
}  // namespace proa::registry
