// hosts.toml as containerd reads it, dockerd's certs.d, and what mirrors may and may not.
#include "registry/hosts.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "archive/hash.h"
#include "base/error.h"
#include "base/text.h"
#include "registry/fake_registry.h"
#include "registry/hosts_file.h"
#include "registry/toml.h"

namespace proa::registry {
namespace {

std::string refusal(const std::function<void()>& body) {
  try {
    body();
    return "no refusal";
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(Toml, ReadsTablesKeysAndValuesInTheirOrder) {
  Json value = parse_toml(R"(# a comment
server = "https://a\u0041\n" # another
[host."https://z.example"]
  capabilities = ["pull",
    "resolve", # within
  ]
  skip_verify = true
[host.'https://a.example'.header]
x-one = 'lit\eral'
x.two = [["c", "k"], []]
inline = {a = 1_000, "b c" = -2}
)");
  EXPECT_EQ(json::text(value),
            R"({"server":"https://aA\n","host":{"https://z.example":{"capabilities":["pull","resolve"],)"
            R"("skip_verify":true},"https://a.example":{"header":{"x-one":"lit\\eral","x":{"two":[["c","k"],[]]},)"
            R"("inline":{"a":1000,"b c":-2}}}}})");
}

TEST(Toml, NamesTheLineOfWhatItCannotRead) {
  for (auto [text, message] : {std::pair{"a = 1\nb", "line 2: expected \"=\""},
                               {"a = 1\na = 2", "line 2: \"a\" is there twice"},
                               {"[[a]]", "line 1: arrays of tables are not supported"},
                               {"a = \"x", "line 1: a string has no end"},
                               {"a = \"\"\"x\"\"\"", "line 1: strings of several lines are not supported"},
                               {"a = 1.5", "line 1: unsupported value \"1.5\""},
                               {"a = [1", "line 1: expected \",\" or \"]\""},
                               {"a = 1 b = 2", "line 1: expected the end of the line"},
                               {"a = 1\n[a.b]", "line 2: \"a\" is no table"},
                               {"a = \"\\ud800\"", "line 1: unknown escape in a string"}}) {
    std::string said = refusal([&, &t = text] { parse_toml(t); });
    EXPECT_TRUE(said.starts_with(message)) << text << ": " << said;
  }
  EXPECT_NE(refusal([] { parse_toml(std::string("a = ") + std::string(100'000, '[')); }).find("too deeply"),
            std::string::npos);
}

struct Scratch {
  std::string path;
  Scratch() {
    char name[] = "/tmp/proa-hosts-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::path file = std::filesystem::path(path) / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  std::vector<Host> hosts(const std::string& domain) const {
    Options options;
    options.certs_dir = path;
    return hosts_for(options, domain);
  }
};

TEST(HostsFile, SaysWhoIsAskedInWhichOrderAndForWhat) {
  Scratch scratch;
  scratch.write("ca.pem", "PEM");
  scratch.write("c.cert", "");
  scratch.write("c.key", "");
  scratch.write("docker.io/hosts.toml", R"(
server = "https://registry-1.docker.io"
[host."https://mirror.example/prefix/"]
  capabilities = ["pull", "resolve"]
  ca = "../ca.pem"
  client = [["../c.cert", "../c.key"]]
  [host."https://mirror.example/prefix/".header]
    x-one = ["a", "b"]
[host."http://10.0.0.1:5000/own"]
  capabilities = ["pull"]
  override_path = true
[host."localhost:5000/v2"]
  skip_verify = true
)");
  auto hosts = scratch.hosts("docker.io");
  ASSERT_EQ(hosts.size(), 4U);
  EXPECT_EQ(hosts[0].base.text(), "https://mirror.example/");
  EXPECT_EQ(hosts[0].target("/v2/a/tags/list?n=1"), "/prefix/v2/a/tags/list?n=1&ns=docker.io");
  EXPECT_TRUE(hosts[0].resolves && hosts[0].pulls && !hosts[0].pushes && hosts[0].tls.verify && hosts[0].mirror);
  EXPECT_EQ(hosts[0].tls.authorities, "PEM\n");
  EXPECT_EQ(hosts[0].tls.certificate, scratch.path + "/docker.io/../c.cert");
  EXPECT_EQ(hosts[0].headers, (std::vector<std::string>{"x-one: a", "x-one: b"}));
  EXPECT_EQ(hosts[1].target("/v2/a/manifests/1"), "/own/a/manifests/1?ns=docker.io");
  EXPECT_FALSE(hosts[1].resolves);
  EXPECT_EQ(hosts[2].base.text(), "http://localhost:5000/");
  EXPECT_EQ(hosts[2].target("/v2/"), "/v2/?ns=docker.io");
  EXPECT_TRUE(hosts[2].pushes && !hosts[2].tls.verify);
  EXPECT_EQ(hosts[3].base.text(), "https://registry-1.docker.io/");
  EXPECT_EQ(hosts[3].target("/v2/"), "/v2/");
  EXPECT_FALSE(hosts[3].mirror);
}

TEST(HostsFile, IsFoundByContainerdsNamesAndByDefault) {
  Scratch scratch;
  scratch.write("r.example_5000_/hosts.toml", "[host.'https://one']\n");
  scratch.write("r.example:5001/hosts.toml", "[host.'https://two']\n");
  scratch.write("_default/hosts.toml", "[host.'https://three']\n");
  EXPECT_EQ(scratch.hosts("r.example:5000")[0].base.host, "one");
  EXPECT_EQ(scratch.hosts("r.example:5001")[0].base.host, "two");
  auto others = scratch.hosts("elsewhere");
  EXPECT_EQ(others[0].base.host, "three");
  EXPECT_EQ(others[0].name_space, "elsewhere");
  EXPECT_EQ(others[1].base.text(), "https://elsewhere/");
}

TEST(HostsFile, RefusesWhatItCannotMean) {
  Scratch scratch;
  auto said = [&](const std::string& text) {
    scratch.write("r/hosts.toml", text);
    return refusal([&] { scratch.hosts("r"); });
  };
  std::string file = scratch.path + "/r/hosts.toml: ";
  EXPECT_EQ(said("host = 1"), file + "\"host\" must be a table");
  EXPECT_EQ(said("[host.'https://m']\ncapabilities = ['fly']"), file + "host \"https://m\": unknown capability fly");
  EXPECT_NE(said("[host.'ftp://m']").find("only http and https are allowed"), std::string::npos);
  EXPECT_NE(said("[host.'https://m']\nca = 'gone.pem'").find("gone.pem"), std::string::npos);
  EXPECT_NE(said("[host.'https://m']\nclient = 'gone.pem'").find("is not there"), std::string::npos);
  EXPECT_NE(said("[host.'https://m'.header]\nx = \"a\\nb\"").find("control characters"), std::string::npos);
}

TEST(Hosts, TakesAllAuthoritiesAndThePairOfCertsD) {
  Scratch scratch;
  scratch.write("r.example:5000/a.crt", "A");
  scratch.write("r.example:5000/b.crt", "B");
  scratch.write("r.example:5000/c.cert", "");
  EXPECT_NE(refusal([&] { scratch.hosts("r.example:5000"); }).find("missing key c.key for client certificate c.cert"),
            std::string::npos);
  scratch.write("r.example:5000/c.key", "");
  auto hosts = scratch.hosts("r.example:5000");
  ASSERT_EQ(hosts.size(), 1U);
  EXPECT_EQ(hosts[0].tls.authorities, "A\nB\n");
  EXPECT_EQ(hosts[0].tls.key, scratch.path + "/r.example:5000/c.key");
  scratch.write("r.example:5000/d.key", "");
  EXPECT_NE(refusal([&] { scratch.hosts("r.example:5000"); }).find("missing client certificate d.cert for key d.key"),
            std::string::npos);
}

TEST(Transport, ReadsRetryAfterAsNumberAndAsDate) {
  EXPECT_EQ(retry_after("7", 0), 7);
  EXPECT_EQ(retry_after("0", 0), 0);
  EXPECT_EQ(retry_after("-1", 0), std::nullopt);
  EXPECT_EQ(retry_after("", 0), std::nullopt);
  EXPECT_EQ(retry_after("soon", 0), std::nullopt);
  EXPECT_EQ(retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 90), 10);
  EXPECT_EQ(retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 200), 0);
}

// A registry and a mirror of it, each with its own idea of the world.
class Mirrored : public ::testing::Test {
 protected:
  static FakeReply reply(int status, std::string body = "", std::vector<std::string> headers = {}) {
    FakeReply out;
    out.status = status;
    out.body = std::move(body);
    out.headers = std::move(headers);
    return out;
  }
  FakeReply ranged(const FakeRequest& request) const {
    std::string range = request.header("range");
    if (range.empty()) return reply(200, blob_);
    auto from = *parse_int<std::size_t>(cut(std::string_view(range).substr(6), '-').first);
    return reply(206, blob_.substr(from),
                 {cat("Content-Range: bytes ", from, "-", blob_.size() - 1, "/", blob_.size())});
  }
  oci::Descriptor layer() const {
    archive::Sha256 hash;
    hash.update(std::as_bytes(std::span(blob_.data(), blob_.size())));
    oci::Descriptor out;
    out.digest = oci::Digest::from_hex(hash.hex());
    out.size = static_cast<std::int64_t>(blob_.size());
    return out;
  }
  Client client(const FakeRegistry& mirror, const FakeRegistry& registry, const std::string& extra = "",
                Access access = Access::Pull) {
    scratch_.write(cat(registry.address(), "/hosts.toml"),
                   cat("[host.'http://", mirror.address(), "']\n", extra, "\n"));
    Options options;
    options.certs_dir = scratch_.path;
    Credentials alice;
    alice.username = "alice", alice.password = "secret";
    return Client(options, oci::Reference::parse(cat(registry.address(), "/app:1")), alice, {}, access);
  }

  Scratch scratch_;
  std::string blob_ = std::string(100'000, 'x') + "end";
};

const std::string kDocument =
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":)"
    R"("application/vnd.oci.image.config.v1+json","digest":"sha256:)" +
    std::string(64, 'c') + R"(","size":1},"layers":[]})";

TEST_F(Mirrored, IsAskedFirstWithItsNamespaceAndHeadersAndWithoutCredentials) {
  FakeRegistry registry([](const FakeRequest&) { return reply(500); });
  FakeRegistry mirror([](const FakeRequest&) { return reply(200, kDocument); });
  auto asker = client(mirror, registry, cat("[host.'http://", mirror.address(), "'.header]\nx-key = 'k'"));
  EXPECT_EQ(asker.manifest("1").bytes, kDocument);
  auto asked = mirror.requests().at(0);
  EXPECT_EQ(asked.target, cat("/v2/app/manifests/1?ns=", percent_encode(registry.address())));
  EXPECT_EQ(asked.header("x-key"), "k");
  EXPECT_EQ(asked.header("authorization"), "");
  EXPECT_TRUE(registry.requests().empty());
}

TEST_F(Mirrored, ThatWantsAPasswordGetsNoneAndIsPassedOver) {
  FakeRegistry registry([](const FakeRequest&) { return reply(200, kDocument); });
  FakeRegistry mirror([](const FakeRequest&) { return reply(401, "", {"WWW-Authenticate: Basic realm=\"x\""}); });
  std::string said = refusal([&] { client(mirror, registry).manifest("1"); });
  EXPECT_EQ(said, "no refusal");
  for (const FakeRequest& one : mirror.requests()) EXPECT_EQ(one.header("authorization"), "");
}

TEST_F(Mirrored, ThatMayNotResolveIsAskedForContentOnly) {
  FakeRegistry registry([](const FakeRequest&) { return reply(200, kDocument); });
  FakeRegistry mirror([&](const FakeRequest& request) { return ranged(request); });
  auto asker = client(mirror, registry, "capabilities = ['pull']");
  EXPECT_EQ(asker.manifest("1").bytes, kDocument);
  EXPECT_TRUE(mirror.requests().empty());
  EXPECT_EQ(asker.blob(layer(), 1 << 20), blob_);
  EXPECT_EQ(mirror.requests().size(), 1U);
}

TEST_F(Mirrored, ThatHasNotGotABlobIsAskedForTheNextOneAgain) {
  FakeRegistry registry([&](const FakeRequest& request) { return ranged(request); });
  bool empty = true;
  FakeRegistry mirror([&](const FakeRequest& request) { return empty ? reply(404) : ranged(request); });
  auto asker = client(mirror, registry);
  EXPECT_EQ(asker.blob(layer(), 1 << 20), blob_);
  empty = false;
  EXPECT_EQ(asker.blob(layer(), 1 << 20), blob_);
  EXPECT_EQ(mirror.requests().size(), 2U);
  EXPECT_EQ(registry.requests().size(), 1U);
}

TEST_F(Mirrored, ThatBreaksOffIsFollowedByTheRegistryFromThatByteOn) {
  FakeRegistry registry([&](const FakeRequest& request) { return ranged(request); });
  int times = 0;
  FakeRegistry mirror([&](const FakeRequest& request) {
    FakeReply out = ranged(request);
    out.cut_after = times++ == 0 ? 40'000 : 0;
    return out;
  });
  auto asker = client(mirror, registry);
  std::string got;
  asker.stream_blob(layer(), 0,
                    {.restart = [&] { got.clear(); },
                     .data =
                         [&](std::span<const std::byte> piece) {
                           got.append(reinterpret_cast<const char*>(piece.data()), piece.size());
                         }});
  EXPECT_EQ(got, blob_);
  ASSERT_EQ(registry.requests().size(), 1U);
  EXPECT_EQ(registry.requests()[0].header("range"), "bytes=40000-");
}

TEST_F(Mirrored, ThatLiesIsNotBelieved) {
  FakeRegistry registry([&](const FakeRequest& request) { return ranged(request); });
  FakeRegistry mirror([&](const FakeRequest&) { return reply(200, std::string(blob_.size(), 'y')); });
  auto asker = client(mirror, registry);
  EXPECT_EQ(asker.blob(layer(), 1 << 20), blob_);
  EXPECT_FALSE(asker.leave_mirror());
}

TEST_F(Mirrored, ThatIsNotThereIsForgotten) {
  FakeRegistry registry([](const FakeRequest&) { return reply(200, kDocument); });
  std::optional<FakeRegistry> mirror;
  mirror.emplace([](const FakeRequest&) { return reply(200); });
  auto asker = client(*mirror, registry);
  mirror.reset();
  EXPECT_EQ(asker.manifest("1").bytes, kDocument);
  EXPECT_EQ(asker.manifest("1").bytes, kDocument);
}

TEST_F(Mirrored, IsPushedToOnlyWhereItMayBe) {
  auto taking = [](const FakeRequest&) { return reply(201); };
  FakeRegistry registry(taking), mirror(taking);
  client(mirror, registry, "capabilities = ['pull', 'resolve']", Access::Push).put_manifest("1", "x/y", kDocument);
  EXPECT_TRUE(mirror.requests().empty());
  client(mirror, registry, "capabilities = ['push']", Access::Push).put_manifest("1", "x/y", kDocument);
  EXPECT_EQ(mirror.requests().at(0).method, "PUT");
}

TEST_F(Mirrored, ReferrersComeFromTheEndpointOrFromTheTagThatStandsForIt) {
  std::string index = R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)"
                      R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:)" +
                      std::string(64, 'd') + R"(","size":7,"artifactType":"application/x"}]})";
  bool old = false;
  FakeRegistry registry([&](const FakeRequest& request) {
    bool endpoint = request.target.starts_with("/v2/app/referrers/sha256:");
    if (endpoint != old) return reply(200, index, {"Content-Type: application/vnd.oci.image.index.v1+json"});
    return reply(404);
  });
  FakeRegistry mirror([](const FakeRequest&) { return reply(404); });
  auto asker = client(mirror, registry);
  oci::Digest subject = layer().digest;
  for (bool now_old : {false, true}) {
    old = now_old;
    ASSERT_EQ(asker.referrers(subject, "").size(), 1U);
    EXPECT_EQ(asker.referrers(subject, "application/x").at(0).size, 7);
    EXPECT_TRUE(asker.referrers(subject, "application/y").empty());
  }
}

}  // namespace
}  // namespace proa::registry
