// Links between containers on the default bridge (--link): the linking one finds the other in its /etc/hosts, and what
// the other exposes in its environment. On user-defined networks a link is a name in the embedded DNS instead
// (network/names.h).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/container.h"

namespace proa::engine {

struct Rooms;
class Roster;

struct LinkText {  // "name:alias"; "name"; as inspect shows it: "/name:/self/alias"
  std::string name, alias;
};
// Throws InvalidArgument with docker's texts.
LinkText parse_link(std::string_view text);

// At the creation: what host.links name, and host.links emptied; none on a user-defined network. Throws
// InvalidArgument with docker's texts: NotFound says of a create that the image is missing, which clients then pull.
std::vector<Link> take_links(const Roster& roster, api::HostConfig& host);
// As inspect shows them: "/db:/web/thedb".
std::vector<std::string> shown_links(const Roster& roster, const Definition& definition);
// By container: the names that its links give it, "/web/thedb", sorted.
std::map<std::string, std::vector<std::string>> link_names(const Roster& roster);

struct Linked {
  std::vector<std::string> environment;                    // DB_PORT=tcp://172.17.0.2:5432, ...
  std::vector<std::pair<std::string, std::string>> hosts;  // address, names
};
// At the start. Throws with docker's texts where one that is linked to does not run or is not on the default bridge.
Linked linked_containers(const Rooms& rooms, const Definition& definition);
// What one link puts into the environment (pure). `name` is "/web/thedb".
std::vector<std::string> link_environment(std::string_view name, std::string_view address,
                                          const api::ContainerConfig& linked);

// The container has started, perhaps with another address: those that link to it and run learn it.
void tell_linking(const Rooms& rooms, const Container& container);

}  // namespace proa::engine
