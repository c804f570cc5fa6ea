#include "registry_server/uploads.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <vector>

#include "base/failpoint.h"
#include "base/id.h"
#include "base/text.h"
#include "os/file.h"
#include "registry_server/refusal.h"

namespace proa::registry_server {

namespace {

constexpr std::size_t kPiece = 256 << 10;
constexpr std::int64_t kLife = 7 * 24 * 3600;

std::string hex_of(std::string_view text) {
  archive::Sha256 hash;
  hash.update(std::as_bytes(std::span(text.data(), text.size())));
  return hash.hex();
}

// An ID is good in its own repository only.
std::string key_of(const std::string& repository, const std::string& id) {
  return cat(id, "-", hex_of(repository).substr(0, 32));
}

[[noreturn]] void unknown() { throw Refusal{404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"}; }

}  // namespace

Uploads::Uploads(std::string directory, store::Blobs& blobs) : directory_(std::move(directory)), blobs_(blobs) {
  os::make_dirs(directory_, 0700);
  for (const std::string& name : os::list_dir(directory_)) {
    auto upload = std::make_shared<Upload>();
    upload->path = os::path_join(directory_, name);
    struct stat info {};
    if (::stat(upload->path.c_str(), &info) != 0) continue;
    if (::time(nullptr) - info.st_mtime > kLife) {
      os::remove_file(upload->path);
      continue;
    }
    upload->file = os::open_file(upload->path, O_RDWR);
    upload->size = static_cast<std::uint64_t>(info.st_size);
    all_[name] = upload;
  }
}

std::string Uploads::begin(const std::string& repository) {
  std::string id = new_id().substr(0, 32), key = key_of(repository, id);
  auto upload = std::make_shared<Upload>();
  upload->path = os::path_join(directory_, key);
  upload->file = os::open_file(upload->path, O_RDWR | O_CREAT | O_EXCL, 0600);
  upload->hash.emplace();
  std::lock_guard guard(mutex_);
  all_[key] = upload;
  return id;
}

std::shared_ptr<Uploads::Upload> Uploads::find(const std::string& repository, const std::string& id) {
  std::lock_guard guard(mutex_);
  auto found = all_.find(key_of(repository, id));
  if (found == all_.end()) unknown();
  return found->second;
}

void Uploads::forget(const std::string& key) {
  std::lock_guard guard(mutex_);
  all_.erase(key);
}

std::uint64_t Uploads::size(const std::string& repository, const std::string& id) {
  auto upload = find(repository, id);
  std::lock_guard guard(upload->mutex);
  return upload->size;
}

std::uint64_t Uploads::append(const std::string& repository, const std::string& id, std::optional<std::uint64_t> offset,
                              ByteSource& body) {
  auto upload = find(repository, id);
  std::lock_guard guard(upload->mutex);
  if (upload->done) unknown();
  if (offset && *offset != upload->size)
    throw Refusal{416, "RANGE_INVALID", cat("the upload has ", upload->size, " bytes")};
  std::vector<std::byte> piece(kPiece);
  while (std::size_t got = body.read(piece)) {
    std::size_t done = 0;
    while (done < got) {
      ssize_t wrote =
          ::pwrite(upload->file.get(), piece.data() + done, got - done, static_cast<off_t>(upload->size + done));
      done += static_cast<std::size_t>(os::check(wrote, "write of an upload"));
    }
    if (upload->hash) upload->hash->update(std::span(piece).first(got));
    upload->size += got;
    FAILPOINT("registry.upload.piece");
  }
  return upload->size;
}

std::size_t Uploads::count() {
  std::lock_guard guard(mutex_);
  return all_.size();
}

void Uploads::finish(const std::string& repository, const std::string& id, const oci::Digest& digest,
                     const std::function<void()>& proved) {
  auto upload = find(repository, id);
  std::lock_guard guard(upload->mutex);
  if (upload->done) unknown();
  upload->done = true;
  if (!upload->hash) {
    upload->hash.emplace();
    std::vector<std::byte> piece(kPiece);
    for (std::uint64_t at = 0; at < upload->size;) {
      ssize_t got = ::pread(upload->file.get(), piece.data(), piece.size(), static_cast<off_t>(at));
      if (os::check(got, "read of an upload") == 0) break;
      upload->hash->update(std::span(piece).first(static_cast<std::size_t>(got)));
      at += static_cast<std::uint64_t>(got);
    }
  }
  bool right = upload->hash->hex() == digest.hex();
  if (right) proved();
  if (right && !blobs_.has(digest)) {
    blobs_.adopt(upload->path, digest);
  } else {
    os::remove_file(upload->path);
  }
  forget(key_of(repository, id));
  if (!right)
    throw Refusal{400, "DIGEST_INVALID", "provided digest did not match uploaded content", Json(digest.text())};
}

void Uploads::cancel(const std::string& repository, const std::string& id) {
  auto upload = find(repository, id);
  std::lock_guard guard(upload->mutex);
  upload->done = true;
  os::remove_file(upload->path);
  forget(key_of(repository, id));
}

}  // namespace proa::registry_server
