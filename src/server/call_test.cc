#include "server/call.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace proa::server {
namespace {

using Parts = std::vector<std::string>;

Parts parts_of(std::string_view pattern, std::string_view path) {
  Parts parts;
  return matches(pattern, path, parts) ? parts : Parts{"no match"};
}

TEST(Route, BracesStandForOnePart) {
  EXPECT_EQ(parts_of("/containers/{}/json", "/containers/web/json"), Parts{"web"});
  EXPECT_EQ(parts_of("/containers/{}/json", "/containers//json"), Parts{"no match"});
  EXPECT_EQ(parts_of("/containers/{}/json", "/containers/a/b/json"), Parts{"no match"});
  EXPECT_EQ(parts_of("/containers/{}", "/containers/a/json"), Parts{"no match"});
  EXPECT_EQ(parts_of("/containers/json", "/containers/json"), Parts{});
  EXPECT_EQ(parts_of("/containers/{}/checkpoints/{}", "/containers/a/checkpoints/b"), (Parts{"a", "b"}));
}

TEST(Route, AStarMayHoldSlashes) {
  EXPECT_EQ(parts_of("/images/{*}/json", "/images/localhost:5000/team/app:v1/json"),
            Parts{"localhost:5000/team/app:v1"});
  EXPECT_EQ(parts_of("/images/{*}/json", "/images/json/json"), Parts{"json"});
  EXPECT_EQ(parts_of("/images/{*}", "/images/"), Parts{"no match"});
}

// Every documented path of the containers, images, networks and volumes of the API has one route, and only one.
TEST(Route, EachPathHasOneRoute) {
  const std::pair<const char*, const char*> paths[] = {
      {"GET", "/containers/json"},
      {"POST", "/containers/create"},
      {"GET", "/containers/x/json"},
      {"GET", "/containers/x/top"},
      {"GET", "/containers/x/logs"},
      {"GET", "/containers/x/changes"},
      {"GET", "/containers/x/export"},
      {"GET", "/containers/x/stats"},
      {"POST", "/containers/x/resize"},
      {"POST", "/containers/x/start"},
      {"POST", "/containers/x/stop"},
      {"POST", "/containers/x/restart"},
      {"POST", "/containers/x/kill"},
      {"POST", "/containers/x/update"},
      {"POST", "/containers/x/rename"},
      {"POST", "/containers/x/pause"},
      {"POST", "/containers/x/unpause"},
      {"POST", "/containers/x/attach"},
      {"GET", "/containers/x/attach/ws"},
      {"POST", "/containers/x/wait"},
      {"DELETE", "/containers/x"},
      {"HEAD", "/containers/x/archive"},
      {"GET", "/containers/x/archive"},
      {"PUT", "/containers/x/archive"},
      {"POST", "/containers/prune"},
      {"POST", "/containers/x/exec"},
      {"POST", "/exec/x/start"},
      {"POST", "/exec/x/resize"},
      {"GET", "/exec/x/json"},
      {"GET", "/images/json"},
      {"POST", "/images/create"},
      {"GET", "/images/a/b:c/json"},
      {"GET", "/images/a/b:c/history"},
      {"POST", "/images/a/b:c/push"},
      {"POST", "/images/a/b:c/tag"},
      {"DELETE", "/images/a/b:c"},
      {"GET", "/images/search"},
      {"POST", "/images/prune"},
      {"GET", "/images/a/b:c/get"},
      {"GET", "/images/get"},
      {"POST", "/images/load"},
      {"POST", "/commit"},
      {"GET", "/networks"},
      {"GET", "/networks/x"},
      {"DELETE", "/networks/x"},
      {"POST", "/networks/create"},
      {"POST", "/networks/x/connect"},
      {"POST", "/networks/x/disconnect"},
      {"POST", "/networks/prune"},
      {"GET", "/volumes"},
      {"POST", "/volumes/create"},
      {"GET", "/volumes/x"},
      {"DELETE", "/volumes/x"},
      {"POST", "/volumes/prune"},
      {"GET", "/_ping"},
      {"HEAD", "/_ping"},
      {"GET", "/version"},
      {"GET", "/info"},
      {"GET", "/events"},
      {"GET", "/system/df"},
      {"POST", "/auth"},
      {"GET", "/plugins"},
      {"GET", "/swarm"},
      {"GET", "/distribution/a/b/json"},
  };
  for (auto [method, path] : paths) {
    int found = 0;
    for (auto routes : {container_routes(), container_stream_routes(), exec_routes(), image_routes(),
                        image_transfer_routes(), network_routes(), volume_routes(), system_routes(), absent_routes()}) {
      for (const Route& route : routes) {
        Parts parts;
        found += (route.method == method || route.method == "*") && matches(route.pattern, path, parts);
      }
    }
    EXPECT_EQ(found, 1) << method << " " << path;
  }
}

TEST(Status, EachKindHasDockersCode) {
  EXPECT_EQ(status_of(ErrorKind::InvalidArgument), 400);
  EXPECT_EQ(status_of(ErrorKind::NotFound), 404);
  EXPECT_EQ(status_of(ErrorKind::Conflict), 409);
  EXPECT_EQ(status_of(ErrorKind::NotModified), 304);
  EXPECT_EQ(status_of(ErrorKind::NotImplemented), 501);
  EXPECT_EQ(status_of(ErrorKind::Unavailable), 503);
  EXPECT_EQ(status_of(ErrorKind::Deadline), 500);
}

}  // namespace
}  // namespace proa::server
