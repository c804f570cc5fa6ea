#include "http/server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "base/text.h"
#include "http/client.h"
#include "http/head.h"
#include "os/file.h"
#include "os/socket.h"

namespace proa::http {
namespace {

struct Text : ByteSource {
  explicit Text(std::string content) : left(std::move(content)) {}
  std::size_t read(std::span<std::byte> buffer) override {
    std::size_t size = std::min(buffer.size(), left.size());
    std::memcpy(buffer.data(), left.data(), size);
    left.erase(0, size);
    return size;
  }
  std::string left;
};

class Http : public ::testing::Test {
 protected:
  void serve(Handler handler, ServerOptions options = {}) {
    server = std::make_unique<Server>(std::move(handler), options);
    server->start(open_listeners("unix://" + path, ""));
  }
  void TearDown() override {
    server.reset();
    os::remove_file(path);
  }
  // What the server says to these bytes, to the end of the connection.
  std::string say(std::string_view bytes) {
    os::Fd socket = os::connect_unix(path, SOCK_STREAM);
    os::write_all(socket.get(), bytes);
    ::shutdown(socket.get(), SHUT_WR);
    return os::read_all(socket.get());
  }

  std::string path = cat("/tmp/proa-http-test-", ::getpid(), ".sock");
  std::unique_ptr<Server> server;
};

void echo(Request& request, Response& response) {
  response.headers.set("Content-Type", "text/plain");
  response.whole(200,
                 cat(request.method, " ", request.path, " ", request.query.get("q"), " ", request.read_body(1 << 20)));
}

TEST_F(Http, AnswersSeveralRequestsOnOneConnection) {
  serve(echo);
  Client client("unix://" + path);
  for (int i = 0; i < 3; ++i) {
    auto response = client.send({.method = "POST", .target = "/a%2Fb?q=x%20y", .body = "hello"});
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->read_all(), "POST /a/b x y hello");
  }
  EXPECT_EQ(server->connections(), 1);
}

TEST_F(Http, ATlsGreetingIsAnsweredAtOnce) {
  serve(echo);
  EXPECT_NE(say("\x16\x03\x01").find("client sent an HTTPS request to an HTTP server"), std::string::npos);
}

TEST_F(Http, SendsAPartOfAFile) {
  std::string name = path + ".file";
  os::write_file(name, "0123456789");
  serve([&](Request&, Response& response) { response.file(206, os::open_file(name, O_RDONLY).get(), 2, 5); });
  Client client("unix://" + path);
  for (int i = 0; i < 2; ++i) {  // the connection is still good
    auto response = client.send({.method = "GET", .target = "/"});
    EXPECT_EQ(response->headers.get("Content-Length"), "5");
    EXPECT_EQ(response->read_all(), "23456");
  }
  os::remove_file(name);
}

TEST_F(Http, StreamsBothWays) {
  serve([](Request& request, Response& response) {
    response.stream(200);
    std::byte piece[1000];
    while (std::size_t got = request.body->read(piece)) response.write({reinterpret_cast<char*>(piece), got});
  });
  Client client("unix://" + path);
  std::string big(200'000, 'x');  // fits the sockets' buffers while the client is still sending
  Text source(big);
  EXPECT_EQ(client.send({.method = "PUT", .target = "/", .stream = &source})->read_all(), big);
}

TEST_F(Http, HijackKeepsEarlyBytesOfBothSides) {
  serve([](Request&, Response& response) {
    response.headers.set("Content-Type", "application/vnd.docker.raw-stream");
    Hijack taken = response.hijack(true);
    std::thread([taken = std::make_shared<Hijack>(std::move(taken))] {
      std::string got = taken->early_bytes + os::read_all(taken->socket.get());
      os::write_all(taken->socket.get(), "got:" + got);
    }).detach();
  });
  EXPECT_EQ(say("POST /attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: "
                "2\r\n\r\n{}early and late"),
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: "
            "Upgrade\r\nUpgrade: tcp\r\n\r\ngot:early and late");
}

TEST_F(Http, ClientHijackGivesWhatCameBehindTheHeaders) {
  serve([](Request&, Response& response) {
    Hijack taken = response.hijack(true);
    os::write_all(taken.socket.get(), "first");
  });
  Client client("unix://" + path);
  std::unique_ptr<ClientResponse> refused;
  Hijacked taken = client.hijack({.method = "POST", .target = "/"}, refused);
  EXPECT_EQ(taken.status, 101);
  EXPECT_EQ(taken.early_bytes + os::read_all(taken.socket.get()), "first");
}

TEST_F(Http, TellsWhenTheClientOfAHeldRequestGoes) {
  std::atomic<bool> gone = false;
  serve([&](Request& request, Response& response) {
    response.watch_client();
    response.stream(200);
    for (int i = 0; i < 500 && !request.client_gone.stop_requested(); ++i) ::usleep(10'000);
    gone = request.client_gone.stop_requested();
  });
  {
    os::Fd socket = os::connect_unix(path, SOCK_STREAM);
    os::write_all(socket.get(), "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    ::usleep(50'000);
  }
  for (int i = 0; i < 200 && !gone; ++i) ::usleep(10'000);
  EXPECT_TRUE(gone);
}

TEST_F(Http, StopEndsHeldRequests) {
  serve([](Request& request, Response& response) {
    response.stream(200);
    while (!request.client_gone.stop_requested()) ::usleep(1000);
  });
  Client client("unix://" + path);
  auto response = client.send({.target = "/"});
  auto start = std::chrono::steady_clock::now();
  server->stop(5);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  EXPECT_EQ(server->connections(), 0);
}

// proves: 40
TEST_F(Http, RefusesWhatTwoReadersCouldReadInTwoWays) {
  serve(echo);
  const char* requests[] = {
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5 x\r\nhello\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
      "GET / HTTP/1.1\nHost: x\n\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
      "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
      "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /?q=%zz HTTP/1.1\r\nHost: x\r\n\r\n",
      "G\x01T / HTTP/1.1\r\nHost: x\r\n\r\n",
  };
  for (const char* request : requests) EXPECT_EQ(say(request).substr(0, 13), "HTTP/1.1 400 ") << request;
}

// proves: 40
TEST_F(Http, AnOverlongHeaderIs431) {
  serve(echo);
  std::string answer = say(cat("GET / HTTP/1.1\r\nHost: x\r\nX: ", std::string(70'000, 'a'), "\r\n\r\n"));
  EXPECT_EQ(answer.substr(0, 13), "HTTP/1.1 431 ");
}

TEST_F(Http, ContinuesBeforeItReadsTheBody) {
  serve(echo);
  std::string answer =
      say("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")) << answer;
}

// proves: F16
TEST_F(Http, SlowHeadersRunIntoTheDeadline) {
  serve(echo, {.header_seconds = 1});
  os::Fd socket = os::connect_unix(path, SOCK_STREAM);
  os::write_all(socket.get(), "GET / HT");
  EXPECT_EQ(os::read_all(socket.get()).substr(0, 13), "HTTP/1.1 408 ");
}

TEST_F(Http, OneConnectionTooManyIsToldSo) {
  serve(echo, {.max_connections = 1});
  os::Fd first = os::connect_unix(path, SOCK_STREAM);
  std::string answer = say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n")) << answer;
  std::size_t body = answer.find("\r\n\r\n") + 4;
  EXPECT_NE(answer.find(cat("Content-Length: ", answer.size() - body, "\r\n")), answer.npos) << answer;
  first.reset();
  while (server->connections() != 0) std::this_thread::yield();
  EXPECT_TRUE(say("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_F(Http, PipelinedRequestsAreAnsweredInOrder) {
  serve(echo);
  std::string answer = say("GET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /two HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_LT(answer.find("GET /one"), answer.find("GET /two"));
  EXPECT_NE(answer.find("GET /two"), answer.npos);
}

TEST_F(Http, HeadHasTheLengthAndNoBody) {
  serve([](Request&, Response& response) { response.whole(200, "OK"); });
  std::string answer = say("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 2\r\n"), answer.npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

// proves: 61
TEST(Listen, RefusesTcpBeyondLoopback) {
  EXPECT_THROW(open_listeners("tcp://0.0.0.0:0", ""), Error);
  EXPECT_EQ(open_listeners("tcp://127.0.0.1:0", "").size(), 1u);
}

TEST(Head, ChunkSizes) {
  EXPECT_EQ(parse_chunk_size("1a"), 26u);
  EXPECT_EQ(parse_chunk_size("1A;name=value"), 26u);
  for (const char* bad : {"", "0x1", "g", " 1", "1 1"}) EXPECT_THROW(parse_chunk_size(bad), Error) << bad;
}

TEST(Query, BooleansAreDockers) {
  Query query = Query::parse("a=0&b=False&c=none&d=no&e=&f=1&g=true&h=anything");
  for (const char* name : {"a", "b", "c", "d", "e", "missing"}) EXPECT_FALSE(query.boolean(name)) << name;
  for (const char* name : {"f", "g", "h"}) EXPECT_TRUE(query.boolean(name)) << name;
}

TEST(Reason, IsWhatRfc9110Calls) {
  EXPECT_EQ(reason_of(202), "Accepted");
  EXPECT_EQ(reason_of(206), "Partial Content");
  EXPECT_EQ(reason_of(405), "Method Not Allowed");
  EXPECT_EQ(reason_of(416), "Range Not Satisfiable");
  EXPECT_EQ(reason_of(502), "Bad Gateway");
}

}  // namespace
}  // namespace proa::http
