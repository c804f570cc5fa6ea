#include "store/database_copy.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <memory>

#include "base/error.h"
#include "base/rollback.h"
#include "base/text.h"
#include "os/file.h"
#include "store/sqlite_text.h"

namespace proa::store {
namespace {

struct Close {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Handle = std::unique_ptr<sqlite3, Close>;
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

// nullptr where it cannot be opened. With a handle of its own nobody waits for it.
Handle opened(const std::string& path, int flags) {
  sqlite3* db = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &db, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Handle out(db);
  if (code != SQLITE_OK) return nullptr;
  sqlite3_busy_timeout(db, 5000);
  return out;
}

Statement prepared(sqlite3* db, const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  return Statement(sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK ? statement : nullptr);
}

}  // namespace

std::vector<Row> readable_rows(const std::string& path) {
  std::vector<Row> rows;
  Handle db = opened(path, SQLITE_OPEN_READWRITE);
  if (!db) return rows;
  for (const char* order : {"kind,name", "kind DESC,name DESC"}) {
    Statement statement = prepared(db.get(), cat("SELECT kind,name,body FROM documents ORDER BY ", order));
    if (!statement) break;
    int code;
    while ((code = sqlite3_step(statement.get())) == SQLITE_ROW)
      rows.push_back(
          {column_text(statement.get(), 0), column_text(statement.get(), 1), column_text(statement.get(), 2)});
    if (code == SQLITE_DONE) break;
  }
  return rows;
}

std::int64_t copies_of(const std::string& path) {
  Handle db = opened(path, SQLITE_OPEN_READWRITE);
  if (!db) return 0;
  Statement statement = prepared(db.get(), cat("SELECT body FROM documents WHERE kind='", kCopies, "'"));
  if (!statement || sqlite3_step(statement.get()) != SQLITE_ROW) return 0;
  return parse_int<std::int64_t>(column_text(statement.get(), 0)).value_or(0);
}

void write_copy(const std::string& path, const std::string& copy, std::int64_t copies) {
  std::string next = cat(copy, ".new");
  os::remove_file(next);
  Rollback rollback;
  rollback.add([&] { os::remove_file(next); });
  {
    Handle db = opened(path, SQLITE_OPEN_READONLY);
    if (!db) throw Error(ErrorKind::Unavailable, cat(path, ": it cannot be opened for a copy"));
    sqlite3_exec(db.get(), "PRAGMA cache_size=-256", nullptr, nullptr, nullptr);
    Statement statement = prepared(db.get(), "VACUUM INTO ?1");
    if (statement) sqlite3_bind_text64(statement.get(), 1, next.data(), next.size(), SQLITE_STATIC, SQLITE_UTF8);
    if (!statement || sqlite3_step(statement.get()) != SQLITE_DONE)
      throw Error(ErrorKind::DataLoss, cat(path, ": no copy of it could be made: ", sqlite3_errmsg(db.get())));
  }
  if (copies_of(next) != copies)
    throw Error(ErrorKind::DataLoss, cat(path, ": no copy of it could be made: its rows are not there"));
  os::fsync_fd(os::open_file(next, O_RDONLY).get(), next);
  os::rename_path(next, copy);
  rollback.commit();
  os::fsync_dir(os::dir_name(copy));
}

}  // namespace proa::store
