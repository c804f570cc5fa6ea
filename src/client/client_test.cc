#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "base/text.h"
#include "client/api.h"
#include "client/json_stream.h"
#include "http/server.h"
#include "os/file.h"

namespace proa::client {
namespace {

TEST(JsonStream, FindsDocumentsInPiecesOfAnySize) {
  std::string text = "{\"a\":\"}\\\"{\"}\r\n{\"b\":[1,{\"c\":2}]}\n[3]";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    JsonStream stream;
    std::string seen;
    for (std::size_t at = 0; at < text.size(); at += size) {
      stream.push(std::string_view(text).substr(at, size));
      while (auto document = stream.next()) seen += json::text(*document) + ";";
    }
    EXPECT_EQ(seen, "{\"a\":\"}\\\"{\"};{\"b\":[1,{\"c\":2}]};[3];");
  }
  JsonStream bad;
  bad.push("oops");
  EXPECT_THROW(bad.next(), Error);
}

TEST(Host, FlagBeforeEnvironmentBeforeContext) {
  std::string dir = cat("/tmp/proa-client-test-", ::getpid());
  os::make_dirs(dir + "/contexts/meta/0123", 0700);
  os::write_file(dir + "/config.json", R"({"currentContext":"far"})");
  os::write_file(
      dir + "/contexts/meta/0123/meta.json",
      R"({"Name":"far","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://10.0.0.1:2375","SkipTLSVerify":false}}})");
  ::setenv("DOCKER_CONFIG", dir.c_str(), 1);
  ::unsetenv("DOCKER_CONTEXT");
  ::unsetenv("DOCKER_HOST");
  EXPECT_EQ(choose_host("", ""), "tcp://10.0.0.1:2375");
  EXPECT_THROW(choose_host("", "nowhere"), Error);
  ::setenv("DOCKER_HOST", "unix:///tmp/x.sock", 1);
  EXPECT_EQ(choose_host("", ""), "unix:///tmp/x.sock");
  EXPECT_EQ(choose_host("", "far"), "tcp://10.0.0.1:2375");
  EXPECT_EQ(choose_host("127.0.0.1:1", ""), "tcp://127.0.0.1:1");
  EXPECT_THROW(choose_host("ssh://host", ""), Error);
  ::unsetenv("DOCKER_HOST");
  os::remove_tree(dir);
}

TEST(Api, ThrowsTheDaemonsMessage) {
  std::string path = cat("/tmp/proa-client-test-", ::getpid(), ".sock");
  http::Server server([](http::Request& request, http::Response& response) {
    response.headers.set("Api-Version", "1.41");
    if (request.path == "/_ping") return response.whole(200, "");
    EXPECT_EQ(request.headers.get("X-Proa-Trace"), "t1");
    response.whole(404, "{\"message\":\"No such container: " + request.path + "\"}\n");
  });
  server.start(http::open_listeners("unix://" + path, ""));
  Api api("unix://" + path, "t1");
  auto message = [&] {
    try {
      api.call("GET", "/containers/x/json");
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::NotFound);
      return error.message();
    }
    return std::string();
  };
  EXPECT_EQ(message(), "No such container: /containers/x/json");
  EXPECT_EQ(api.version(), "1.41");
  EXPECT_EQ(message(), "No such container: /v1.41/containers/x/json");
  server.stop(1);
  os::remove_file(path);
  Api nobody("unix://" + path);
  try {
    nobody.call("GET", "/info");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Unavailable);
    EXPECT_EQ(error.message(),
              "Cannot connect to the Docker daemon at unix://" + path + ". Is the docker daemon running?");
  }
}

}  // namespace
}  // namespace proa::client
