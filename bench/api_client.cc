// A client of the Engine API that costs next to nothing: what it times is the engine.
//   api_client SOCKET start CONTAINER    starts it; writes the moment it asked (CLOCK_MONOTONIC, ns)
//   api_client SOCKET exec CONTAINER     runs `true` in it, attached; writes the wall time in ms
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "measure.h"

namespace {

[[noreturn]] void fail(const std::string& text) {
  std::fprintf(stderr, "api_client: %s\n", text.c_str());
  std::exit(1);
}

// Sends a request on a connection of its own and returns all that comes until `enough` or the end.
template <typename Enough>
std::string request(const char* path_of_socket, const std::string& path, const std::string& headers,
                    const std::string& body, Enough enough) {
  int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::strncpy(address.sun_path, path_of_socket, sizeof address.sun_path - 1);
  if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("cannot connect");
  std::string text = "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + headers +
                     "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  if (write(connection, text.data(), text.size()) != static_cast<ssize_t>(text.size())) fail("cannot send");
  std::string reply;
  char piece[4096];
  while (!enough(reply)) {
    ssize_t got = read(connection, piece, sizeof piece);
    if (got <= 0) break;
    reply.append(piece, static_cast<size_t>(got));
  }
  close(connection);
  return reply;
}

void start(const char* socket, const std::string& container) {
  long long begin = now_ns();
  auto reply = request(socket, "/containers/" + container + "/start", "", "",
                       [](const std::string& text) { return text.find("\r\n\r\n") != std::string::npos; });
  if (reply.compare(9, 3, "204") != 0) fail(reply);
  std::printf("%lld\n", begin);
}

void exec(const char* socket, const std::string& container) {
  long long begin = now_ns();
  auto created = request(socket, "/containers/" + container + "/exec", "",
                         R"({"Cmd":["true"],"AttachStdout":true,"AttachStderr":true})",
                         [](const std::string& text) { return text.find("\"}") != std::string::npos; });
  auto at = created.find("\"Id\":\"");
  if (at == std::string::npos) fail(created);
  auto reply =
      request(socket, "/exec/" + created.substr(at + 6, 64) + "/start", "Connection: Upgrade\r\nUpgrade: tcp\r\n",
              R"({"Detach":false,"Tty":false})", [](const std::string&) { return false; });
  if (reply.compare(9, 3, "101") != 0) fail(reply);
  std::printf("%.4f\n", static_cast<double>(now_ns() - begin) / 1e6);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) fail("api_client SOCKET start|exec CONTAINER");
  std::string verb = arguments[2];
  if (verb != "start" && verb != "exec") fail("unknown verb " + verb);
  (verb == "start" ? start : exec)(arguments[1], arguments[3]);
}
