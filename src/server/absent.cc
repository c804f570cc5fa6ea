// What a Docker daemon may have and this one has not: each gets an answer that says so.
#include "base/text.h"
#include "server/call.h"

namespace proa::server {
namespace {

void no_swarm(Call&) {
  throw Error(ErrorKind::Unavailable,
              "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this "
              "node to swarm "
              "and try again.");
}

void no_plugins(Call& call) { call.reply(200, JsonArray{}); }

void no_such_plugin(Call& call) { throw Error(ErrorKind::NotFound, cat("plugin ", quoted(call.part()), " not found")); }

void absent(Call& call) {
  throw Error(ErrorKind::NotImplemented,
              cat("this version of Proa does not implement ", call.request.method, " ", call.request.path));
}

void no_build(Call&) { throw Error(ErrorKind::NotImplemented, "this version of Proa does not build images"); }

constexpr Route kRoutes[] = {
    {"GET", "/plugins", no_plugins},
    {"GET", "/plugins/{*}/json", no_such_plugin},
    {"*", "/plugins/{*}", absent},
    {"*", "/swarm", no_swarm},
    {"*", "/swarm/{*}", no_swarm},
    {"*", "/nodes", no_swarm},
    {"*", "/nodes/{*}", no_swarm},
    {"*", "/services", no_swarm},
    {"*", "/services/{*}", no_swarm},
    {"*", "/tasks", no_swarm},
    {"*", "/tasks/{*}", no_swarm},
    {"*", "/secrets", no_swarm},
    {"*", "/secrets/{*}", no_swarm},
    {"*", "/configs", no_swarm},
    {"*", "/configs/{*}", no_swarm},
    {"PUT", "/volumes/{}", no_swarm},
    {"POST", "/build", no_build},
    {"POST", "/build/{*}", no_build},
    {"POST", "/session", no_build},
    {"POST", "/grpc", no_build},
    {"GET", "/images/{*}/attestations", absent},
    {"GET", "/containers/{}/attach/ws", absent},
    {"*", "/containers/{}/checkpoints", absent},
    {"*", "/containers/{}/checkpoints/{}", absent},
};

}  // namespace

std::span<const Route> absent_routes() { return kRoutes; }

}  // namespace proa::server
