#pragma once

#include <sqlite3.h>

#include <string>

namespace proa::store {

// "" for NULL.
inline std::string column_text(sqlite3_stmt* statement, int column) {
  auto text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  return text ? std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))) : std::string();
}

}  // namespace proa::store
