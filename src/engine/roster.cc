#include "engine/roster.h"

#include <algorithm>

#include "base/id.h"
#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"
#include "engine/names.h"

namespace proa::engine {
namespace {
constexpr std::string_view kIntentPrefix = "container/";
}

void Roster::load() {
  std::map<std::string, Json> states;
  for (auto& [id, value] : database_.list(kStates)) states.emplace(id, std::move(value));
  auto index = index_.lock();
  for (const auto& [id, value] : database_.list(kTable)) {
    try {
      auto definition = definition_from_json(value);
      auto state = states.contains(id) ? state_from_json(states.at(id)) : State{};
      index->names[definition.name] = definition.id;
      if (!definition.links.empty()) has_links_ = true;
      index->by_id[id] = std::make_shared<Container>(std::move(definition), std::move(state));
    } catch (const Error& error) {
      log::error("a container's record cannot be read; it is left out",
                 {{"container", id}, {"error", error.message()}});
    }
  }
  for (const auto& [key, value] : database_.list(kIntents, kIntentPrefix)) database_.erase(kIntents, key);
}

ContainerPtr Roster::by_id(const std::string& id) const {
  auto index = index_.lock();
  auto it = index->by_id.find(id);
  return it == index->by_id.end() ? nullptr : it->second;
}

ContainerPtr Roster::find(std::string_view reference) const {
  auto index = index_.lock();
  if (auto it = index->by_id.find(reference); it != index->by_id.end()) return it->second;
  std::string_view name = reference;
  if (name.starts_with('/')) name.remove_prefix(1);
  if (auto it = index->names.find(name); it != index->names.end()) {
    auto entry = index->by_id.find(it->second);
    return entry == index->by_id.end() ? nullptr : entry->second;
  }
  if (std::size_t slash = name.rfind('/'); slash != name.npos) {
    auto linking = index->names.find(name.substr(0, slash));
    auto entry = linking == index->names.end() ? index->by_id.end() : index->by_id.find(linking->second);
    if (entry == index->by_id.end()) return nullptr;
    for (const Link& link : entry->second->definition()->links) {
      if (link.alias != name.substr(slash + 1)) continue;
      auto linked = index->by_id.find(link.container_id);
      return linked == index->by_id.end() ? nullptr : linked->second;
    }
    return nullptr;
  }
  if (reference.empty()) return nullptr;
  auto it = index->by_id.lower_bound(reference);
  if (it == index->by_id.end() || !it->first.starts_with(reference)) return nullptr;
  if (auto next = std::next(it); next != index->by_id.end() && next->first.starts_with(reference)) {
    throw Error(ErrorKind::InvalidArgument, cat("Multiple IDs found with provided prefix: ", reference));
  }
  return it->second;
}

ContainerPtr Roster::get(std::string_view reference) const {
  if (auto found = find(reference)) return found;
  throw Error(ErrorKind::NotFound, cat("No such container: ", reference));
}

std::vector<ContainerPtr> Roster::all() const {
  std::vector<ContainerPtr> out;
  {
    auto index = index_.lock();
    out.reserve(index->by_id.size());
    for (const auto& [id, container] : index->by_id) out.push_back(container);
  }
  std::stable_sort(out.begin(), out.end(), [](const ContainerPtr& a, const ContainerPtr& b) {
    return a->definition()->created > b->definition()->created;
  });
  return out;
}

std::string Roster::reserve_name(const std::string& name, const std::string& id) {
  auto index = index_.lock();
  if (!name.empty()) {
    if (auto it = index->names.find(name); it != index->names.end() && it->second != id) {
      throw Error(ErrorKind::Conflict,
                  cat("Conflict. The container name \"/", name, "\" is already in use by container \"", it->second,
                      "\". You have to remove (or rename) that container to be able to reuse that name."));
    }
    index->names[name] = id;
    return name;
  }
  for (int attempt = 0; attempt < 6; ++attempt) {
    auto made = made_up_name(random_u64(), attempt);
    if (index->names.emplace(made, id).second) return made;
  }
  std::string last(short_id(id));
  index->names[last] = id;
  return last;
}

void Roster::free_name(const std::string& name, const std::string& id) {
  auto index = index_.lock();
  if (auto it = index->names.find(name); it != index->names.end() && it->second == id) index->names.erase(it);
}

void Roster::record_intent(const std::string& id) { database_.put(kIntents, cat(kIntentPrefix, id), JsonObject{}); }
void Roster::drop_intent(const std::string& id) { database_.erase(kIntents, cat(kIntentPrefix, id)); }

ContainerPtr Roster::add(Definition definition) {
  auto container = std::make_shared<Container>(std::move(definition), State{});
  auto snapshot = container->snapshot();
  database_.transaction([&] {
    database_.put(kTable, container->id(), to_json(*snapshot->definition));
    database_.put(kStates, container->id(), to_json(snapshot->state));
    database_.erase(kIntents, cat(kIntentPrefix, container->id()));
  });
  if (!snapshot->definition->links.empty()) has_links_ = true;
  index_.lock()->by_id[container->id()] = container;
  return container;
}

void Roster::rename(Container& container, const std::string& new_name) {
  auto old_name = container.name();
  reserve_name(new_name, container.id());
  try {
    change_definition(container, [&](Definition& definition) { definition.name = new_name; });
  } catch (...) {
    free_name(new_name, container.id());
    throw;
  }
  free_name(old_name, container.id());
}

void Roster::change_definition(Container& container, const std::function<void(Definition&)>& f) {
  container.change(f, nullptr,
                   [&](const Snapshot& next) { database_.put(kTable, container.id(), to_json(*next.definition)); });
}

void Roster::change_state(Container& container, const std::function<void(State&)>& f) {
  trace::Span span("engine.commit");
  container.change(nullptr, f, [&](const Snapshot& next) {
    database_.put(kStates, container.id(), to_json(next.state));
    span.set("status", std::string(to_string(next.state.status)));
  });
}

std::set<std::string, std::less<>> Roster::unreadable() const {
  auto keys = database_.keys(kTable);
  std::erase_if(keys, [&](const std::string& id) { return by_id(id) != nullptr; });
  return keys;
}

void Roster::erase_rows(const std::string& id) {
  database_.transaction([&] {
    database_.erase(kTable, id);
    database_.erase(kStates, id);
  });
}

void Roster::erase(Container& container) {
  erase_rows(container.id());
  auto index = index_.lock();
  if (auto it = index->names.find(container.name()); it != index->names.end() && it->second == container.id()) {
    index->names.erase(it);
  }
  index->by_id.erase(container.id());
}

}  // namespace proa::engine
