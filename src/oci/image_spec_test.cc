#include "oci/image_spec.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/text.h"

namespace proa::oci {
namespace {

const std::string kHash = cat("sha256:", std::string(64, 'c'));

std::string descriptor(std::string_view size = "7") {
  return cat(R"({"mediaType":"application/vnd.oci.image.config.v1+json","digest":")", kHash, R"(","size":)", size, "}");
}
std::string manifest(std::string_view size = "7", std::string_view more = "") {
  return cat(R"({"schemaVersion":2,"config":)", descriptor(size), R"(,"layers":[])", more, "}");
}
std::string config(std::string_view members) {
  return cat(R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]})", members, "}");
}

void expect_refused(const std::string& bytes, std::string_view reason) {
  try {
    parse_manifest(bytes, "");
    ADD_FAILURE() << "accepted: " << bytes.substr(0, 200);
  } catch (const Error& error) {
    EXPECT_NE(error.message().find(reason), std::string::npos) << error.message();
  }
}

TEST(ImageSpec, ReadsAManifest) {
  Manifest read = parse_manifest(manifest("7", R"(,"annotations":{"a":"b"})"), media_type::kManifest);
  EXPECT_EQ(read.config.size, 7);
  EXPECT_EQ(read.config.digest.text(), kHash);
  EXPECT_EQ(read.annotations.at("a"), "b");
}

// proves: R7
TEST(ImageSpec, RefusesWhatCouldBeReadInTwoWays) {
  expect_refused(manifest("7", R"(,"manifests":[])"), "both a manifest and an index");
  expect_refused(manifest("7", R"(,"layers":[])"), "appears twice");
  expect_refused(manifest("7", R"(,"\u006cayers":[])"), "appears twice");
  expect_refused(manifest("7", R"(,"fsLayers":[])"), "schema 1");
  expect_refused(manifest("7", R"(,"mediaType":"application/vnd.oci.image.index.v1+json")"), "do not fit");
  expect_refused(manifest("7", R"(,"mediaType":"application/x")"), "unsupported manifest media type");
}

// proves: R7
TEST(ImageSpec, RefusesNumbersAndTextThatAreNone) {
  for (std::string_view size : {"-1", "1.5", "1e999", "9223372036854775808", "\"7\"", "NaN", "{}"}) {
    EXPECT_THROW(parse_manifest(manifest(size), ""), Error) << size;
  }
  expect_refused(cat("\xef\xbb\xbf", manifest()), "");
  expect_refused(manifest("7", ",\"x\":\"\xff\""), "not UTF-8");
  expect_refused(manifest("7", R"(,"x":"a\u0000b")"), "NUL");
  EXPECT_THROW(parse_manifest(manifest("7", R"(,"x":"\ud800")"), ""), Error);
  EXPECT_THROW(parse_manifest(cat(manifest(), "x"), ""), Error);
  EXPECT_THROW(parse_manifest(manifest("7", cat(",\"x\":", std::string(100'000, '['), std::string(100'000, ']'))), ""),
               Error);
  EXPECT_THROW(parse_manifest(std::string(100'000, '['), ""), Error);
}

// proves: 78
TEST(ImageSpec, RefusesPathsForDigests) {
  std::string bad = replace_all(manifest(), kHash, "sha256:../../../../../../etc/passwd");
  EXPECT_THROW(parse_manifest(bad, ""), Error);
}

// proves: R5
TEST(ImageSpec, SaysThatSchema1IsNotSupported) {
  try {
    manifest_type(R"({"schemaVersion":1,"fsLayers":[]})", "application/json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::NotImplemented);
  }
}

TEST(ImageSpec, ReadsDockersConfiguration) {
  ImageConfig read = parse_image_config(config(
      R"(,"created":"2024-01-01T00:00:00Z","config":{"User":"app","Env":["A=b"],"Cmd":null,"ExposedPorts":{"80/tcp":{}},)"
      R"("Volumes":null,"Healthcheck":{"Test":["CMD","true"],"Interval":5000000000,"Retries":2},"Shell":["/bin/sh"],"OnBuild":[]},)"
      R"("history":[{"created_by":"x","empty_layer":true}])"));
  EXPECT_EQ(read.config.user, "app");
  EXPECT_EQ(read.config.exposed_ports.count("80/tcp"), 1u);
  ASSERT_TRUE(read.config.healthcheck);
  EXPECT_EQ(read.config.healthcheck->interval, 5'000'000'000);
  EXPECT_TRUE(read.history.at(0).empty_layer);
  EXPECT_EQ(image_defaults_from_json(to_json(read.config)).env, read.config.env);
}

// proves: 38
TEST(ImageSpec, RefusesAConfigurationWithoutLayersToStandOn) {
  EXPECT_THROW(parse_image_config(R"({"os":"linux"})"), Error);
  EXPECT_THROW(parse_image_config(R"({"rootfs":{"type":"disk","diff_ids":[]}})"), Error);
  EXPECT_THROW(parse_image_config(R"({"rootfs":{"type":"layers","diff_ids":["sha256:1"]}})"), Error);
}

TEST(ImageSpec, TellsArtifactsFromImages) {
  auto type_of = [](std::string_view config, std::string_view layer, std::string_view more) {
    auto descriptor = [](std::string_view type) {
      return cat(R"({"mediaType":")", type, R"(","digest":")", kHash, R"(","size":1})");
    };
    return artifact_type(parse_manifest(
        cat(R"({"schemaVersion":2,"config":)", descriptor(config), R"(,"layers":[)", descriptor(layer), "]", more, "}"),
        ""));
  };
  constexpr std::string_view kTyped = R"(,"artifactType":"application/x-thing")";
  constexpr std::string_view kStatement = "application/vnd.in-toto+json";
  for (std::string_view config : {media_type::kConfig, media_type::kDockerConfig}) {
    EXPECT_EQ(type_of(config, media_type::kLayer, ""), "");
    EXPECT_EQ(type_of(config, media_type::kLayer, kTyped), "");         // it can be run all the same
    EXPECT_EQ(type_of(config, "application/x-unknown-layer", ""), "");  // a broken image, to be refused as one
    EXPECT_EQ(type_of(config, kStatement, ""), kStatement);
  }
  EXPECT_EQ(type_of("application/octet-stream", media_type::kLayer, ""), "");
  EXPECT_EQ(type_of("application/octet-stream", "text/plain", kTyped), "application/x-thing");
  EXPECT_EQ(type_of("application/vnd.oci.empty.v1+json", "text/plain", kTyped), "application/x-thing");
  EXPECT_EQ(type_of("application/vnd.cncf.helm.config.v1+json", "text/plain", ""),
            "application/vnd.cncf.helm.config.v1+json");
}

TEST(ImageSpec, PassesOverAttestations) {
  auto entry = [](std::string_view platform, std::string_view more) {
    return cat(R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")", kHash,
               R"(","size":1,"platform":)", platform, more, "}");
  };
  std::string unknown = R"({"os":"unknown","architecture":"unknown"})";
  std::string index = cat(R"({"schemaVersion":2,"manifests":[)",
                          entry(unknown, R"(,"annotations":{"vnd.docker.reference.type":"attestation-manifest"})"), ",",
                          entry(R"({"os":"linux","architecture":"386"})", ""), "]}");
  Index read = parse_index(index, "");
  EXPECT_EQ(choose_manifest(read, Platform::parse("linux/amd64")).platform->architecture, "386");
  EXPECT_THROW(choose_manifest(read, Platform::parse("linux/arm64")), Error);
}

}  // namespace
}  // namespace proa::oci
