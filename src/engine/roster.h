// All containers: an index in memory over rows in the database. Lookup by id, name and unique prefix; names are unique.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/sync.h"
#include "engine/container.h"
#include "store/database.h"

namespace proa::engine {

using ContainerPtr = std::shared_ptr<Container>;

class Roster {
 public:
  explicit Roster(store::Database& database) : database_(database) {}

  // Rows of the database; those whose create did not finish are erased. Called once.
  void load();

  // By ID, its unique prefix, name, or the name that a link gives it ("web/db").
  ContainerPtr get(std::string_view reference) const;   // throws NotFound "No such container: x"
  ContainerPtr find(std::string_view reference) const;  // nullptr; throws only for an ambiguous prefix
  ContainerPtr by_id(const std::string& id) const;      // nullptr
  std::vector<ContainerPtr> all() const;                // newest first
  bool has_links() const { return has_links_; }         // some container has, or had, links to others

  // Reserves a name for `id`: throws Conflict with docker's text. An empty name: one is made up and returned.
  std::string reserve_name(const std::string& name, const std::string& id);
  void free_name(const std::string& name, const std::string& id);

  // The row that owns the directories to be made, before they are.
  void record_intent(const std::string& id);
  // The container is there from now on (one transaction: definition, state, intent gone).
  ContainerPtr add(Definition definition);
  // A create that failed.
  void drop_intent(const std::string& id);
  void rename(Container& container, const std::string& new_name);
  void change_definition(Container& container, const std::function<void(Definition&)>& f);
  void change_state(Container& container, const std::function<void(State&)>& f);
  // Of rows that load() could not read: what belongs to them is left alone until erase_rows().
  std::set<std::string, std::less<>> unreadable() const;
  void erase_rows(const std::string& id);
  // Row, name and entry; waiters are woken by the caller (mark_removed) when its files are gone too.
  void erase(Container& container);

  static constexpr std::string_view kTable = "containers", kStates = "container_states", kIntents = "intents";

 private:
  struct Index {
    std::map<std::string, ContainerPtr, std::less<>> by_id;
    std::map<std::string, std::string, std::less<>> names;  // name -> id
  };
  store::Database& database_;
  mutable Sync<Index> index_;
  std::atomic<bool> has_links_ = false;
};

}  // namespace proa::engine
