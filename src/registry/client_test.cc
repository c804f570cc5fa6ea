// Tokens, credentials, redirects, retries and the words of refusals (security.md R8, 4.1 #10-15).
#include "registry/client.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/json.h"
#include "base/time.h"
#include "registry/auth.h"
#include "registry/fake_registry.h"

namespace proa::registry {
namespace {

const std::string kManifest =
    R"({"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:)" +
    std::string(64, 'c') + R"(","size":1},"layers":[]})";

FakeReply ok(std::string body = kManifest) {
  FakeReply reply;
  reply.body = std::move(body);
  reply.headers = {cat("Content-Type: ", oci::media_type::kManifest)};
  return reply;
}

FakeReply plain(int status, std::vector<std::string> headers = {}, std::string body = "") {
  FakeReply reply;
  reply.status = status;
  reply.headers = std::move(headers);
  reply.body = std::move(body);
  return reply;
}

Credentials alice() {
  Credentials credentials;
  credentials.username = "alice";
  credentials.password = "secret";
  return credentials;
}
const std::string kBasic = "Basic YWxpY2U6c2VjcmV0";  // base64 of alice:secret

struct Asked {
  explicit Asked(const FakeRegistry& registry, Credentials credentials = {})
      : client(Options{}, oci::Reference::parse(cat(registry.address(), "/app:1")), std::move(credentials), {}) {}
  std::string refusal() {
    try {
      client.manifest("1");
      return "no refusal";
    } catch (const Error& error) {
      kind = error.kind();
      return error.message();
    }
  }
  Client client;
  ErrorKind kind = ErrorKind::Internal;
};

TEST(Client, FetchesAManifestOverPlainHttpFromLoopback) {
  FakeRegistry registry([](const FakeRequest&) { return ok(); });
  EXPECT_EQ(Asked(registry).client.manifest("1").bytes, kManifest);
  EXPECT_EQ(registry.requests().at(0).target, "/v2/app/manifests/1");
}

TEST(Client, SendsBasicCredentialsWhenAskedFor) {
  FakeRegistry registry([](const FakeRequest& request) {
    return request.header("authorization") == kBasic ? ok() : plain(401, {"WWW-Authenticate: Basic realm=\"x\""});
  });
  EXPECT_EQ(Asked(registry, alice()).client.manifest("1").bytes, kManifest);
  EXPECT_EQ(registry.requests().at(0).header("authorization"), "");
  Asked anonymous(registry);
  EXPECT_NE(anonymous.refusal().find("no basic auth credentials"), std::string::npos);
  EXPECT_EQ(anonymous.kind, ErrorKind::Unauthorized);
}

TEST(Client, GetsATokenAndSendsItAlong) {
  std::string address;
  FakeRegistry registry([&](const FakeRequest& request) {
    if (request.target.starts_with("/token?")) {
      EXPECT_EQ(request.header("authorization"), kBasic);
      EXPECT_NE(request.target.find("scope=repository%3Aapp%3Apull"), std::string::npos) << request.target;
      EXPECT_NE(request.target.find("service=here"), std::string::npos);
      return plain(200, {}, R"({"token":"t0ken","expires_in":-1})");
    }
    if (request.header("authorization") == "Bearer t0ken") return ok();
    // The scope in the challenge is more than we want; it is not what is asked for.
    return plain(401, {cat("WWW-Authenticate: Bearer realm=\"http://", address,
                           "/token\",service=\"here\",scope=\"registry:catalog:*\"")});
  });
  address = registry.address();
  Asked asked(registry, alice());
  EXPECT_EQ(asked.client.manifest("1").bytes, kManifest);
  asked.client.manifest("1");
  EXPECT_EQ(registry.requests().size(), 4u);  // the token is kept
}

// proves: R10
TEST(Client, StopsAfterTwoTokens) {
  std::string address;
  std::atomic<int> tokens = 0;
  FakeRegistry registry([&](const FakeRequest& request) {
    if (request.target.starts_with("/token")) return plain(200, {}, cat(R"({"access_token":"t)", ++tokens, "\"}"));
    return plain(401, {cat("WWW-Authenticate: Bearer realm=\"http://", address, "/token\"")});
  });
  address = registry.address();
  Asked asked(registry);
  EXPECT_EQ(asked.refusal(), "unauthorized: authentication required");
  EXPECT_EQ(tokens, 2);
}

// proves: 77 R11
TEST(Client, KeepsCredentialsFromAForeignTokenServer) {
  std::atomic<int> thefts = 0;
  FakeRegistry thief([&](const FakeRequest&) {
    ++thefts;
    return plain(200, {}, R"({"token":"x"})");
  });
  FakeRegistry registry([&](const FakeRequest&) {
    return plain(401, {cat("WWW-Authenticate: Bearer realm=\"http://localhost:", thief.port(), "/token\"")});
  });
  Asked asked(registry, alice());
  EXPECT_NE(asked.refusal().find("refusing to send the credentials"), std::string::npos);
  EXPECT_EQ(thefts, 0);
}

// proves: 76 R12
TEST(Client, DropsAuthorizationOnARedirectElsewhere) {
  FakeRegistry other([](const FakeRequest& request) {
    EXPECT_EQ(request.header("authorization"), "");
    return ok();
  });
  FakeRegistry registry([&](const FakeRequest& request) {
    if (request.header("authorization") != kBasic) return plain(401, {"WWW-Authenticate: Basic realm=\"x\""});
    return plain(307, {cat("Location: http://", other.address(), "/elsewhere?sig=s")});
  });
  EXPECT_EQ(Asked(registry, alice()).client.manifest("1").bytes, kManifest);
  EXPECT_EQ(other.requests().size(), 1u);
}

// proves: R12
TEST(Client, BoundsAndChecksRedirects) {
  FakeRegistry loop([](const FakeRequest&) { return plain(302, {"Location: /v2/again"}); });
  EXPECT_NE(Asked(loop).refusal().find("stopped after 10 redirects"), std::string::npos);
  for (std::string_view target :
       {"file:///etc/passwd", "gopher://x/", "http://169.254.169.254/latest", "http://user:pw@x/"}) {
    FakeRegistry registry([&](const FakeRequest&) { return plain(302, {cat("Location: ", target)}); });
    EXPECT_NE(Asked(registry).refusal(), "no refusal") << target;
  }
}

// proves: R13
TEST(Client, WaitsOutARegistryThatIsBusyButNotForever) {
  std::atomic<int> times = 0;
  FakeRegistry registry([&](const FakeRequest&) {
    return ++times == 1 ? plain(503) : times == 2 ? plain(429, {"Retry-After: 0"}) : ok();
  });
  EXPECT_EQ(Asked(registry).client.manifest("1").bytes, kManifest);
  FakeRegistry broken([](const FakeRequest&) { return plain(500, {"Retry-After: -1"}); });
  Asked asked(broken);
  EXPECT_NE(asked.refusal().find("received unexpected HTTP status: 500 Internal Server Error"), std::string::npos);
  EXPECT_EQ(asked.kind, ErrorKind::Unavailable);
}

TEST(Client, SpeaksOfFailuresAsDockerDoes) {
  auto answer = [](int status, std::string body) {
    FakeRegistry registry([=](const FakeRequest&) { return plain(status, {}, body); });
    return replace_all(Asked(registry).refusal(), registry.address(), "R");
  };
  EXPECT_EQ(answer(404, R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{}}]})"),
            "manifest for R/app:1 not found: manifest unknown: manifest unknown");
  EXPECT_EQ(answer(404, "<html>"), "manifest for R/app:1 not found: manifest unknown: manifest unknown");
  EXPECT_EQ(answer(403, R"({"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]})"),
            "pull access denied for R/app, repository does not exist or may require 'docker login': denied: requested "
            "access to "
            "the resource is denied");
  EXPECT_EQ(answer(404, R"({"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]})"),
            "repository R/app not found: name unknown: repository name not known to registry");
}

// proves: R9 82
TEST(Client, BoundsWhatARegistryMaySend) {
  FakeRegistry headers([](const FakeRequest&) {
    FakeReply reply = ok();
    for (int i = 0; i < 10'000; ++i) reply.headers.push_back(cat("X-", i, ": y"));
    return reply;
  });
  EXPECT_NE(Asked(headers).refusal().find("headers are too large"), std::string::npos);
  FakeRegistry body([](const FakeRequest&) { return ok(std::string(5 << 20, ' ')); });
  EXPECT_NE(Asked(body).refusal().find("larger than"), std::string::npos);
  FakeRegistry token([&](const FakeRequest& request) {
    if (request.target.starts_with("/token"))
      return plain(200, {}, cat(R"({"token":")", std::string(2 << 20, 'x'), "\"}"));
    return plain(401, {cat("WWW-Authenticate: Bearer realm=\"http://", request.header("host"), "/token\"")});
  });
  EXPECT_NE(Asked(token).refusal().find("larger than"), std::string::npos);
}

TEST(Client, SaysThatNobodyListens) {
  std::string address;
  {
    FakeRegistry gone([](const FakeRequest&) { return ok(); });
    address = gone.address();
  }
  Client client(Options{}, oci::Reference::parse(cat(address, "/app:1")), {}, {});
  try {
    client.manifest("1");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(),
              cat("Get \"http://", address, "/v2/\": dial tcp ", address, ": connect: connection refused"));
  }
}

// proves: R16
TEST(Client, FollowsTagPagesButNotOffTheRegistry) {
  FakeRegistry registry([](const FakeRequest& request) {
    if (request.target.find("last=b") != std::string::npos) {
      return plain(200, {"Link: <http://127.0.0.1:1/v2/app/tags/list>; rel=\"next\""}, R"({"tags":["c"]})");
    }
    return plain(200, {"Link: </v2/app/tags/list?n=2&last=b>; rel=\"next\""}, R"({"tags":["a","b"]})");
  });
  EXPECT_EQ(Asked(registry).client.tags(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST(Auth, ReadsChallenges) {
  auto list = parse_challenges(
      R"(Bearer realm="https://a/t?x=1,2",service="s", scope="a b" , error=insufficient_scope, Basic realm="q\"r")");
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].params.at("realm"), "https://a/t?x=1,2");
  EXPECT_EQ(list[0].params.at("error"), "insufficient_scope");
  EXPECT_EQ(list[1].scheme, "basic");
  EXPECT_EQ(list[1].params.at("realm"), "q\"r");
  EXPECT_TRUE(parse_challenges("\"\\").size() <= 1);
}

// proves: 76
TEST(Auth, BindsCredentialsToTheSite) {
  auto may = [](std::string_view registry, std::string_view realm) {
    return may_send_credentials(Url::parse(registry), Url::parse(realm));
  };
  EXPECT_TRUE(may("https://registry-1.docker.io", "https://auth.docker.io/token"));
  EXPECT_TRUE(may("https://registry.gitlab.com", "https://gitlab.com/jwt/auth"));
  EXPECT_FALSE(may("https://registry-1.docker.io", "http://auth.docker.io/token"));
  EXPECT_FALSE(may("https://registry-1.docker.io", "https://auth.docker.io.evil.net/token"));
  EXPECT_FALSE(may("https://a.co.uk", "https://b.co.uk/token"));
  EXPECT_FALSE(may("https://10.0.0.1", "https://10.0.0.2/token"));
}

TEST(Url, RefusesWhatIsNoHttpUrl) {
  for (std::string_view bad :
       {"ftp://x/", "http://", "http://a:0/", "http://a:99999/", "http://a b/", "//x", "http://u:p@x/"}) {
    EXPECT_THROW(Url::parse(bad), Error) << bad;
  }
  // Hosts that libraries read as another one than they seem.
  for (std::string_view bad :
       {"https://127.1/", "https://2852039166/", "https://0x7f.1/", "https://0177.0.0.1/", "https://a.1/",
        "https://a%2f.b/", "https://e\xc3\xa9/", "https://a\xef\xbc\x8f.b/", "https://a]b/", "https://[a]/",
        "https://[1.2.3.4]/", "https://[fe80::1%25eth0]/", "https://::1/", "https://a\"b/", "https://:5000/"}) {
    EXPECT_THROW(Url::parse(bad), Error) << bad;
  }
  for (std::string_view good : {"https://1.2.3.4/", "https://[::1]:5000/", "https://a_b-c.1a/", "https://a./"})
    EXPECT_EQ(Url::parse(good).text(), good);
  Url base = Url::parse("http://r:5000/v2/a/b?c");
  EXPECT_EQ(base.resolve("/x").text(), "http://r:5000/x");
  EXPECT_EQ(base.resolve("x?y").text(), "http://r:5000/v2/a/x?y");
  EXPECT_EQ(base.resolve("//other/x").text(), "http://other/x");
  EXPECT_EQ(base.resolve("https://other/x").text(), "https://other/x");
}

TEST(Credentials, ReadsDockersHeader) {
  auto read = credentials_from_header(base64url_encode(R"({"auth":"YWxpY2U6c2VjcmV0"})"));
  EXPECT_EQ(read.username, "alice");
  EXPECT_EQ(read.password, "secret");
  EXPECT_TRUE(credentials_from_header("%%%").anonymous());
  EXPECT_TRUE(credentials_from_header(base64url_encode("{}")).anonymous());
}

}  // namespace
}  // namespace proa::registry
