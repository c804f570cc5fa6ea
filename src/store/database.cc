#include "store/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <map>
#include <mutex>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "os/file.h"
#include "store/database_copy.h"
#include "store/sqlite_text.h"

namespace proa::store {

namespace {

// Raised with every change that an older Proa could not read. 1: one table of documents.
constexpr std::int64_t kSchemaVersion = 1;
// "Proa" in ASCII, so that file(1) and we know our own.
constexpr std::string_view kApplicationId = "1349676897";
// The row that says what was set aside, until somebody has seen to the losses.
constexpr const char* kSetAside = "set_aside";

struct Damaged {
  std::string reason;
  bool outdated = false;  // sound, but older than its copy
};

bool means_damage(int code) {
  int primary = code & 0xff;
  return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
}

// 0 where that row could not be read.
std::int64_t copies_in(const std::vector<Row>& rows) {
  for (const Row& row : rows)
    if (row.kind == kCopies) return parse_int<std::int64_t>(row.body).value_or(0);
  return 0;
}

ErrorKind kind_of(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorKind::Unavailable;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return ErrorKind::Forbidden;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorKind::DataLoss;
    default:
      return ErrorKind::Internal;
  }
}

}  // namespace

struct Database::Connection {
  std::string path;
  std::string set_aside;
  sqlite3* db = nullptr;
  std::map<std::string, sqlite3_stmt*, std::less<>> statements;
  mutable std::recursive_mutex mutex;
  int depth = 0;  // of transactions of the thread that holds the mutex
  std::mutex copying;
  std::int64_t copies = 0;
  int copied_changes = -1;  // sqlite3_total_changes() at the last copy

  ~Connection() { close(); }

  void close() {
    for (auto& [sql, statement] : statements) sqlite3_finalize(statement);
    statements.clear();
    if (db) sqlite3_close_v2(db);
    db = nullptr;
  }

  [[noreturn]] void fail(int code, std::string_view what) {
    std::string reason = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    if ((code & 0xff) == SQLITE_FULL) reason = "no space left on device";  // as all else that finds no room says it
    throw Error(kind_of(code), cat(path, ": ", what, ": ", reason));
  }
  void expect(int code, std::string_view what) {
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW) fail(code, what);
  }

  void execute(std::string_view sql) {
    expect(sqlite3_exec(db, std::string(sql).c_str(), nullptr, nullptr, nullptr), sql);
  }

  // From the cache; bound to `text...` in order.
  sqlite3_stmt* prepare(std::string_view sql, std::initializer_list<std::string_view> text) {
    auto found = statements.find(sql);
    if (found == statements.end()) {
      sqlite3_stmt* statement = nullptr;
      expect(sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                                nullptr),
             sql);
      found = statements.emplace(std::string(sql), statement).first;
    }
    sqlite3_stmt* statement = found->second;
    sqlite3_reset(statement);
    int index = 0;
    for (std::string_view one : text) {
      expect(sqlite3_bind_text64(statement, ++index, one.data(), one.size(), SQLITE_STATIC, SQLITE_UTF8), sql);
    }
    return statement;
  }

  // A statement is left reset, whatever happens: an open cursor would hold the read transaction.
  struct Reset {
    sqlite3_stmt* statement;
    ~Reset() {
      sqlite3_reset(statement);
      sqlite3_clear_bindings(statement);
    }
  };

  void open();
  void open_checked();
  void expect_no_less_than_the_copy(std::int64_t version);
  void reserve_room();
  void build_anew(const Damaged& damage);
  void put_in_place(const std::string& fresh);
  void take_over(const std::vector<Row>& rows);
  std::string scalar(std::string_view sql);
  std::string copy_path() const { return cat(path, ".copy"); }
};

std::string Database::Connection::scalar(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (means_damage(code)) throw Damaged{sqlite3_errmsg(db)};
  expect(code, sql);
  code = sqlite3_step(statement);
  std::string value = code == SQLITE_ROW ? column_text(statement, 0) : "";
  std::string reason = sqlite3_errmsg(db);
  sqlite3_finalize(statement);
  if (means_damage(code)) throw Damaged{reason};
  if (code != SQLITE_ROW && code != SQLITE_DONE) throw Error(kind_of(code), cat(path, ": ", sql, ": ", reason));
  return value;
}

// Throws Damaged where the file is not a sound database.
void Database::Connection::open_checked() {
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  int code = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  if (code != SQLITE_OK) fail(code, "open");
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, 5000);
  scalar("PRAGMA journal_mode=WAL");
  // What this Proa cannot read is left alone, damaged or not.
  auto version = parse_int<std::int64_t>(scalar("PRAGMA user_version")).value_or(0);
  if (version > kSchemaVersion) {
    throw Error(ErrorKind::Conflict, cat(path, " was written by a newer version of Proa (schema ", version,
                                         ", this one knows ", kSchemaVersion, ")"));
  }
  std::string verdict = scalar("PRAGMA quick_check(1)");
  if (verdict != "ok") throw Damaged{verdict};
  execute("PRAGMA synchronous=NORMAL");
  execute("PRAGMA cache_size=-1024");  // KiB; all reads are at start
  execute(cat("PRAGMA application_id=", kApplicationId));
  execute(
      "CREATE TABLE IF NOT EXISTS documents(kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, "
      "PRIMARY KEY(kind, name)) WITHOUT ROWID");
  expect_no_less_than_the_copy(version);
  if (version != kSchemaVersion) execute(cat("PRAGMA user_version=", kSchemaVersion));
  if (auto mark = scalar(cat("SELECT body FROM documents WHERE kind='", kSetAside, "'")); !mark.empty())
    set_aside = mark;
  reserve_room();
}

// An emptied file is a sound database, and so is one whose log is lost.
void Database::Connection::expect_no_less_than_the_copy(std::int64_t version) {
  copies = parse_int<std::int64_t>(scalar(cat("SELECT body FROM documents WHERE kind='", kCopies, "'"))).value_or(0);
  if (copies_of(copy_path()) <= copies) return;
  throw Damaged{version == 0 ? "it is empty or was missing" : "it is older than its copy", true};
}

// On a full disk containers can still be stopped and removed: free pages in the file, and a log that has room for some
// dozens of changes, are there from the start. Without effect where the disk is full already.
void Database::Connection::reserve_room() {
  sqlite3_exec(db,
               "INSERT OR REPLACE INTO documents VALUES('reserve', '', zeroblob(524288));"
               "DELETE FROM documents WHERE kind = 'reserve';"
               "PRAGMA wal_checkpoint(PASSIVE);"
               "PRAGMA shrink_memory",
               nullptr, nullptr, nullptr);
}

// The damaged one keeps its place until the new one is whole; what is of both is as the damaged one has it.
void Database::Connection::build_anew(const Damaged& damage) {
  close();
  std::int64_t second = now() / kSecond;
  do set_aside = cat(path, ".damaged-", second++);
  while (os::exists(set_aside) || os::exists(cat(set_aside, ".copy")));
  log::error("the state database is damaged; it is set aside and one made anew of what can be read of it and its copy",
             {{"path", path}, {"set_aside", set_aside}, {"reason", damage.reason}});
  auto own = readable_rows(path), copied = readable_rows(copy_path());
  // What is older than the copy, perhaps for its log is lost, has nothing to add.
  bool older = copies_in(own) > 0 && copies_in(own) < copies_in(copied);
  if (damage.outdated || older) own.clear();
  std::string fresh = cat(path, ".new");
  for (std::string_view suffix : {"", "-wal", "-shm"}) os::remove_file(cat(fresh, suffix));
  {
    Connection made;
    made.path = fresh;
    try {
      made.open_checked();
    } catch (const Damaged& again) {
      throw Error(ErrorKind::DataLoss, cat(fresh, ": a fresh database is damaged: ", again.reason));
    }
    // The number also where its row is not among the readable.
    made.take_over({{kCopies, "", cat(copies_of(copy_path()))}, {kSetAside, "", set_aside}});
    made.take_over(own);
    made.take_over(copied);
  }
  put_in_place(fresh);
  log::warn("rows of the damaged database and of its copy were taken over; what changed after the copy may be lost",
            {{"damaged", cat(own.size())}, {"copy", cat(copied.size())}});
}

// At each moment there is the one or the other.
void Database::Connection::put_in_place(const std::string& fresh) {
  os::fsync_fd(os::open_file(fresh, O_RDONLY).get(), fresh);
  if (os::exists(copy_path())) os::link_file(copy_path(), cat(set_aside, ".copy"));
  for (std::string_view suffix : {"-wal", "-shm"}) {
    if (os::exists(cat(path, suffix))) os::rename_path(cat(path, suffix), cat(set_aside, suffix));
  }
  if (os::exists(path)) os::link_file(path, set_aside);
  FAILPOINT("database.before_replace");
  os::rename_path(fresh, path);
  os::fsync_dir(os::dir_name(path));
}

void Database::Connection::open() {
  try {
    return open_checked();
  } catch (const Damaged& damage) {
    build_anew(damage);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::DataLoss) throw;
    build_anew({error.message()});
  }
  try {
    open_checked();
  } catch (const Damaged& damage) {
    throw Error(ErrorKind::DataLoss, cat(path, ": a fresh database is damaged: ", damage.reason));
  }
}

void Database::Connection::take_over(const std::vector<Row>& rows) {
  execute("BEGIN");
  for (const Row& row : rows) {
    sqlite3_stmt* statement =
        prepare("INSERT OR IGNORE INTO documents(kind,name,body) VALUES(?1,?2,?3)", {row.kind, row.name, row.body});
    Reset reset{statement};
    expect(sqlite3_step(statement), "insert");
  }
  execute("COMMIT");
}

Database::Database(std::string path) : connection_(std::make_unique<Connection>()) {
  connection_->path = std::move(path);
  connection_->open();
}

Database::~Database() = default;

const std::string& Database::set_aside() const { return connection_->set_aside; }

void Database::accept_losses() { erase(kSetAside, ""); }

void Database::put(std::string_view table, std::string_view key, const Json& value) {
  std::string body = json::text(value);
  std::lock_guard guard(connection_->mutex);
  sqlite3_stmt* statement = connection_->prepare(
      "INSERT INTO documents(kind,name,body) VALUES(?1,?2,?3) ON CONFLICT(kind,name) DO UPDATE SET body=?3",
      {table, key, body});
  Connection::Reset reset{statement};
  connection_->expect(sqlite3_step(statement), cat("put ", table, " ", key));
}

std::optional<Json> Database::get(std::string_view table, std::string_view key) const {
  std::lock_guard guard(connection_->mutex);
  sqlite3_stmt* statement = connection_->prepare("SELECT body FROM documents WHERE kind=?1 AND name=?2", {table, key});
  Connection::Reset reset{statement};
  int code = sqlite3_step(statement);
  connection_->expect(code, cat("get ", table, " ", key));
  if (code != SQLITE_ROW) return std::nullopt;
  return json::parse(column_text(statement, 0));
}

bool Database::erase(std::string_view table, std::string_view key) {
  std::lock_guard guard(connection_->mutex);
  sqlite3_stmt* statement = connection_->prepare("DELETE FROM documents WHERE kind=?1 AND name=?2", {table, key});
  Connection::Reset reset{statement};
  connection_->expect(sqlite3_step(statement), cat("erase ", table, " ", key));
  return sqlite3_changes(connection_->db) > 0;
}

void Database::each(std::string_view table, std::string_view prefix, std::string_view after, const Visit& visit) const {
  // Keys compare as bytes: what begins with the prefix lies before the prefix whose last byte is one more (never 0xff,
  // which no UTF-8 has); the first key behind another is that with a zero byte.
  std::string from = after.empty() || after < prefix ? std::string(prefix) : std::string(after) + '\0';
  std::string to(prefix.empty() ? "\xff" : prefix);
  if (!prefix.empty()) to.back() = static_cast<char>(to.back() + 1);
  std::lock_guard guard(connection_->mutex);
  sqlite3_stmt* statement = connection_->prepare(
      "SELECT name,body FROM documents WHERE kind=?1 AND name>=?2 AND name<?3 ORDER BY name", {table, from, to});
  Connection::Reset reset{statement};
  for (;;) {
    int code = sqlite3_step(statement);
    connection_->expect(code, cat("list ", table));
    if (code != SQLITE_ROW) return;
    std::string name = column_text(statement, 0);
    Json value;
    try {
      value = json::parse(column_text(statement, 1));
    } catch (const Error& error) {
      // One bad row must not keep the daemon from starting with all others.
      log::error("a row of the state database cannot be read and is passed over",
                 {{"table", table}, {"key", name}, {"reason", error.message()}});
      continue;
    }
    if (!visit(name, std::move(value))) return;
  }
}

std::vector<std::pair<std::string, Json>> Database::list(std::string_view table, std::string_view prefix) const {
  std::vector<std::pair<std::string, Json>> rows;
  each(table, prefix, "", [&](const std::string& key, Json&& value) {
    rows.emplace_back(key, std::move(value));
    return true;
  });
  return rows;
}

std::set<std::string, std::less<>> Database::keys(std::string_view table) const {
  std::lock_guard guard(connection_->mutex);
  sqlite3_stmt* statement = connection_->prepare("SELECT name FROM documents WHERE kind=?1", {table});
  Connection::Reset reset{statement};
  std::set<std::string, std::less<>> out;
  for (;;) {
    int code = sqlite3_step(statement);
    connection_->expect(code, cat("keys of ", table));
    if (code != SQLITE_ROW) return out;
    out.insert(column_text(statement, 0));
  }
}

// Through a descriptor of its own, for SQLite's lock would be everybody's; it takes no locks on the log.
void Database::sync() const {
  std::string log = cat(connection_->path, "-wal");
  os::Fd file = os::open_file(log, O_RDONLY);
  os::check(::fdatasync(file.get()), cat("fdatasync ", log));
}

void Database::keep_copy() {
  Connection& c = *connection_;
  std::lock_guard one(c.copying);
  int changes;
  {
    std::lock_guard guard(c.mutex);
    if (sqlite3_total_changes(c.db) == c.copied_changes) return;
    put(kCopies, "", Json(c.copies + 1));
    ++c.copies;
    changes = sqlite3_total_changes(c.db);
  }
  sync();  // never older than its copy
  write_copy(c.path, c.copy_path(), c.copies);
  c.copied_changes = changes;
}

void Database::try_keep_copy() noexcept {
  try {
    keep_copy();
  } catch (const std::exception& error) {
    log::warn("the state database could not be copied", {{"error", error.what()}});
  }
}

void Database::transaction(const std::function<void()>& body, Durability durability) {
  Connection& c = *connection_;
  std::lock_guard guard(c.mutex);
  if (c.depth > 0) return body();
  if (durability == Durability::Full) c.execute("PRAGMA synchronous=FULL");
  auto back_to_normal = [&] {
    if (durability == Durability::Full) sqlite3_exec(c.db, "PRAGMA synchronous=NORMAL", nullptr, nullptr, nullptr);
  };
  try {
    c.execute("BEGIN IMMEDIATE");
    ++c.depth;
    try {
      body();
      FAILPOINT("database.before_commit");
      c.execute("COMMIT");
    } catch (...) {
      sqlite3_exec(c.db, "ROLLBACK", nullptr, nullptr, nullptr);
      --c.depth;
      throw;
    }
    --c.depth;
  } catch (...) {
    back_to_normal();
    throw;
  }
  back_to_normal();
  FAILPOINT("database.after_commit");
}

}  // namespace proa::store
