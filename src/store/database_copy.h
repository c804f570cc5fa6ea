// The copy of the state database that lies beside it: what is lost of a damaged one is taken from there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace proa::store {

struct Row {
  std::string kind, name, body;
};

// The row of the database, and so of its copy, that says how many copies there have been.
inline constexpr const char* kCopies = "copies";

// What can still be read of a database, damaged or not: from both ends of the table up to the damage. Nothing where
// there is no file.
std::vector<Row> readable_rows(const std::string& path);

// How many copies there had been when this database, or copy, was written; 0 where it cannot be read.
std::int64_t copies_of(const std::string& path);

// Publishes the rows of the database at `path` under `copy`, durable. Throws where they are not all there: the last
// copy stays. `copies` is what the database says, so that an empty file is not taken for it.
void write_copy(const std::string& path, const std::string& copy, std::int64_t copies);

}  // namespace proa::store
