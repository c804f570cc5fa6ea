// The state database: JSON documents by table and key in SQLite (WAL). Everyone reads it once, at start, into an index
// of their own; after that it is written only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace proa::store {

// Normal: survives the death of the process at once and of the machine up to the last checkpoint (about 0.1 ms).
// Full: fsync before it returns (images, volumes with a name).
enum class Durability { Normal, Full };

class Database {
 public:
  // Opens or creates. A file that is no database, is damaged, or older than its copy is set aside
  // (PATH.damaged-<time>), which is logged, and one made anew of what can still be read of it and of the copy. Throws
  // Conflict if a newer version of Proa wrote it.
  explicit Database(std::string path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void put(std::string_view table, std::string_view key, const Json& value);
  std::optional<Json> get(std::string_view table, std::string_view key) const;
  bool erase(std::string_view table, std::string_view key);  // was it there?
  // Shows the rows whose keys begin with `prefix`, in the order of their keys and from behind `after` on, until `visit`
  // says false; it must not use the database. Other threads wait meanwhile.
  using Visit = std::function<bool(const std::string& key, Json&& value)>;
  void each(std::string_view table, std::string_view prefix, std::string_view after, const Visit& visit) const;
  // All of them. A row that is no JSON is passed over, and logged.
  std::vector<std::pair<std::string, Json>> list(std::string_view table, std::string_view prefix = "") const;
  // Of every row, also of those that list() passes over.
  std::set<std::string, std::less<>> keys(std::string_view table) const;

  // Everything `body` does with this database, or, if it throws, nothing. Other threads wait. One inside another joins
  // it.
  void transaction(const std::function<void()>& body, Durability durability = Durability::Normal);
  // Puts on the disk what was written with Durability::Normal. Nobody waits meanwhile.
  void sync() const;

  // Where there were changes since the last: a copy beside it (PATH.copy), durable. Nobody waits meanwhile.
  void keep_copy();
  // The same; why it could not be is logged.
  void try_keep_copy() noexcept;

  // The damaged file that was set aside at opening, "" if none was: rows may have been lost, and those of what was
  // removed after the copy may be back.
  const std::string& set_aside() const;
  // They are seen to: the next opening says nothing of them any more.
  void accept_losses();

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace proa::store
