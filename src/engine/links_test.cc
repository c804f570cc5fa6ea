// Expectations are what dockerd 28 does.
#include "engine/links.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace proa::engine {
namespace {

std::string parsed(std::string_view text) {
  try {
    LinkText link = parse_link(text);
    return cat(link.name, "|", link.alias);
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(Links, AreParsed) {
  EXPECT_EQ(parsed("db:thedb"), "db|thedb");
  EXPECT_EQ(parsed("db"), "db|db");
  EXPECT_EQ(parsed(":"), "|");
  EXPECT_EQ(parsed("/db:/web/thedb"), "db|thedb") << "as inspect shows it";
  EXPECT_EQ(parsed(""), "empty string specified for links");
  EXPECT_EQ(parsed("a:b:c"), "bad format for links: a:b:c");
  EXPECT_EQ(parsed("db:a\nb"), "bad format for links: \"db:a\\nb\"") << "nothing gets into /etc/hosts this way";
}

TEST(Links, SayWhatTheOtherExposes) {
  api::ContainerConfig db;
  db.exposed_ports = {{"53/udp", {}}, {"5432/tcp", {}}};
  db.env = {"FOO=bar", "EMPTY=", "PATH=/bin", "HOME=/x", "BARE"};
  std::vector<std::string> expected = {"THE_DB_PORT=tcp://172.17.0.2:5432",
                                       "THE_DB_PORT_5432_TCP=tcp://172.17.0.2:5432",
                                       "THE_DB_PORT_5432_TCP_ADDR=172.17.0.2",
                                       "THE_DB_PORT_5432_TCP_PORT=5432",
                                       "THE_DB_PORT_5432_TCP_PROTO=tcp",
                                       "THE_DB_PORT_53_UDP=udp://172.17.0.2:53",
                                       "THE_DB_PORT_53_UDP_ADDR=172.17.0.2",
                                       "THE_DB_PORT_53_UDP_PORT=53",
                                       "THE_DB_PORT_53_UDP_PROTO=udp",
                                       "THE_DB_NAME=/web/the-db",
                                       "THE_DB_ENV_FOO=bar",
                                       "THE_DB_ENV_EMPTY="};
  EXPECT_EQ(link_environment("/web/the-db", "172.17.0.2", db), expected);
  EXPECT_EQ(link_environment("/web/db", "172.17.0.2", {}), std::vector<std::string>{"DB_NAME=/web/db"});
}

TEST(Links, GiveARunOfPortsAsAWhole) {
  api::ContainerConfig db;
  db.exposed_ports = {{"80/tcp", {}}, {"81/tcp", {}}, {"82/tcp", {}}, {"84/tcp", {}}};
  auto all = link_environment("/web/db", "10.0.0.2", db);
  std::vector<std::string> run(all.begin() + 1, all.begin() + 7);
  EXPECT_EQ(run, (std::vector<std::string>{"DB_PORT_80_TCP_START=tcp://10.0.0.2:80", "DB_PORT_80_TCP_ADDR=10.0.0.2",
                                           "DB_PORT_80_TCP_PROTO=tcp", "DB_PORT_80_TCP_PORT_START=80",
                                           "DB_PORT_80_TCP_END=tcp://10.0.0.2:82", "DB_PORT_80_TCP_PORT_END=82"}));
}

}  // namespace
}  // namespace proa::engine
