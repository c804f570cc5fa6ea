#include "oci/reference.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace proa::oci {
namespace {

std::string refusal(std::string_view text) {
  try {
    Reference reference = Reference::parse(text);
    return "accepted as " + reference.text();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument) << text;
    return error.message();
  }
}

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST(Reference, FillsInWhatPeopleLeaveOut) {
  struct Case {
    std::string_view written, canonical, familiar;
  } cases[] = {
      {"busybox", "docker.io/library/busybox", "busybox"},
      {"busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"},
      {"user/app", "docker.io/user/app", "user/app"},
      {"docker.io/busybox", "docker.io/library/busybox", "busybox"},
      {"index.docker.io/library/busybox", "docker.io/library/busybox", "busybox"},
      {"localhost/app", "localhost/app", "localhost/app"},
      {"localhost:5000/a/b:t", "localhost:5000/a/b:t", "localhost:5000/a/b:t"},
      {"127.0.0.1:5000/app", "127.0.0.1:5000/app", "127.0.0.1:5000/app"},
      {"[::1]:5000/app", "[::1]:5000/app", "[::1]:5000/app"},
      {"Registry/app", "Registry/app", "Registry/app"},
      {"ghcr.io/a__b/c--d.e_f", "ghcr.io/a__b/c--d.e_f", "ghcr.io/a__b/c--d.e_f"},
      {"docker.io/library/a/b", "docker.io/library/a/b", "library/a/b"},
  };
  for (const Case& one : cases) {
    Reference reference = Reference::parse(one.written);
    EXPECT_EQ(reference.text(), one.canonical) << one.written;
    EXPECT_EQ(reference.familiar(), one.familiar) << one.written;
  }
}

TEST(Reference, KeepsTagAndDigest) {
  Reference reference = Reference::parse("app:v1@" + kDigest);
  EXPECT_EQ(reference.tag, "v1");
  EXPECT_EQ(reference.digest.text(), kDigest);
  EXPECT_EQ(reference.familiar(), "app:v1@" + kDigest);
  EXPECT_EQ(reference.tag_or_digest(), kDigest);
  EXPECT_EQ(reference.with_default_tag(), reference);
  EXPECT_EQ(Reference::parse("app").with_default_tag().familiar(), "app:latest");
}

// What people are shown means the same when they write it.
TEST(Reference, ShortensNothingThatWouldMeanAnotherImage) {
  std::string id(64, 'a');
  const std::pair<std::string, std::string> names[] = {{"docker.io/example.com/app", "docker.io/example.com/app"},
                                                       {"docker.io/localhost/app", "docker.io/localhost/app"},
                                                       {"docker.io/library/" + id, "library/" + id}};
  for (const auto& [written, familiar] : names) {
    EXPECT_EQ(Reference::parse(written).familiar(), familiar);
    EXPECT_EQ(Reference::parse(familiar), Reference::parse(written));
  }
}

TEST(Reference, RefusesWithDockersWords) {
  EXPECT_EQ(refusal(""), "invalid reference format");
  EXPECT_EQ(refusal("a//b"), "invalid reference format");
  EXPECT_EQ(refusal("-a"), "invalid reference format");
  EXPECT_EQ(refusal("a..b"), "invalid reference format");
  EXPECT_EQ(refusal("a___b"), "invalid reference format");
  EXPECT_EQ(refusal("app:"), "invalid reference format");
  EXPECT_EQ(refusal("app:.x"), "invalid reference format");
  EXPECT_EQ(refusal("app:" + std::string(129, 'x')), "invalid reference format");
  EXPECT_EQ(refusal("app@sha256:abc"), "invalid reference format");
  EXPECT_EQ(refusal("app@sha256:" + std::string(40, 'a')), "invalid checksum digest length");
  EXPECT_EQ(refusal("app/../../etc"), "invalid reference format");
  EXPECT_EQ(refusal("Busybox"), "invalid reference format: repository name (library/Busybox) must be lowercase");
  EXPECT_EQ(refusal("localhost:5000/App:x"), "invalid reference format: repository name (App) must be lowercase");
  EXPECT_EQ(refusal(std::string(300, 'a')), "repository name must not be more than 255 characters");
  EXPECT_EQ(refusal(std::string(64, 'a')),
            "invalid repository name (" + std::string(64, 'a') + "), cannot specify 64-byte hexadecimal strings");
}

TEST(Reference, JoinsARepositoryWithATagOrDigest) {
  EXPECT_EQ(Reference::parse("busybox", "1").familiar(), "busybox:1");
  EXPECT_EQ(Reference::parse("busybox", kDigest).familiar(), "busybox@" + kDigest);
  EXPECT_EQ(Reference::parse("busybox:", "").familiar(), "busybox");
  EXPECT_THROW(Reference::parse("busybox", "a b"), Error);
}

TEST(Reference, AnyReferenceTellsIdsFromNames) {
  EXPECT_TRUE(std::holds_alternative<Digest>(parse_any_reference(kDigest)));
  EXPECT_TRUE(std::holds_alternative<Digest>(parse_any_reference(std::string(64, 'b'))));
  EXPECT_TRUE(std::holds_alternative<Reference>(parse_any_reference("abc123")));
}

// proves: 78
TEST(Digest, IsSha256OrNothing) {
  EXPECT_EQ(Digest::parse(kDigest).hex(), std::string(64, 'a'));
  EXPECT_FALSE(Digest::try_parse("sha256:" + std::string(64, 'A')));
  EXPECT_FALSE(Digest::try_parse("sha256:../../../../etc/passwd"));
  try {
    Digest::parse("sha512:" + std::string(128, 'a'));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::NotImplemented);
  }
}

}  // namespace
}  // namespace proa::oci
