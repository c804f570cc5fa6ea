// Files and directories: whole reads and writes, and publication that survives a crash.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "os/fd.h"

namespace proa::os {

// open(2) and openat(2), always with O_CLOEXEC. Throw an Error that names the path.
Fd open_file(std::string_view path, int flags, mode_t mode = 0);
Fd open_at(int dirfd, std::string_view path, int flags, mode_t mode = 0);
// nullopt where there is no such file.
std::optional<Fd> try_open(std::string_view path, int flags);

// Writes or reads all of it, over short transfers and EINTR. Throw.
void write_all(int fd, std::string_view bytes);
// Up to `limit` bytes to the end of the file; one byte more is an Error(InvalidArgument).
std::string read_all(int fd, std::size_t limit = 64 << 20);
std::string read_file(std::string_view path, std::size_t limit = 64 << 20);
std::optional<std::string> try_read_file(std::string_view path, std::size_t limit = 64 << 20);
// The file's whole content, in place and without durability: for /proc, /sys and /run, and for files that are made anew
// when they are missing or torn.
void write_file(std::string_view path, std::string_view bytes, mode_t mode = 0644);

// Publishes `bytes` under `path`: temporary file, write, fsync, rename, fsync of the directory.
void write_file_atomic(std::string_view path, std::string_view bytes, mode_t mode = 0644);
// The same without the two fsync: atomic against readers and our own death, not against loss of power.
void replace_file(std::string_view path, std::string_view bytes, mode_t mode = 0644);
void fsync_fd(int fd, std::string_view name);
void fsync_dir(std::string_view path);

bool exists(std::string_view path);                  // follows links
void make_dir(std::string_view path, mode_t mode);   // an existing directory is no error
void make_dirs(std::string_view path, mode_t mode);  // parents too
// Tells the file system that the directories in `path` have nothing to do with each other, so that each gets a place of
// its own (chattr(1), T). Without effect where there is no such hint.
void spread_subdirectories(std::string_view path);
void rename_path(std::string_view from, std::string_view to);
void link_file(std::string_view file, std::string_view name);  // link(2)
// A missing file is no error.
void remove_file(std::string_view path);
// The whole tree, without following links or crossing into what is mounted there; a missing one is no error.
void remove_tree(std::string_view path);
// Names in the directory but "." and "..", sorted.
std::vector<std::string> list_dir(std::string_view path);

// "a/b", "/c" -> "a/b/c" whatever slashes the two have at the seam.
std::string path_join(std::string_view a, std::string_view b);
// The lexical clean-up of Go's path.Clean: no "//", ".", or inner "..".
std::string clean_path(std::string_view path);
std::string_view base_name(std::string_view path);
std::string_view dir_name(std::string_view path);

}  // namespace proa::os
