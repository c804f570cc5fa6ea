// Content by digest in an OCI image layout (D/content: oci-layout, blobs/sha256/), and blobs on their way in (ingest/).
// A blob under blobs/ is whole and has its digest; it came there by write, fsync, rename, fsync of the directory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/stream.h"
#include "oci/digest.h"
#include "os/fd.h"

namespace proa::store {

class Ingest;

class Blobs {
 public:
  // Makes the layout under `directory` where it is missing.
  explicit Blobs(std::string directory);

  bool has(const oci::Digest& digest) const { return size(digest).has_value(); }
  std::optional<std::uint64_t> size(const oci::Digest& digest) const;
  std::string path(const oci::Digest& digest) const;
  os::Fd open(const oci::Digest& digest) const;  // throws NotFound
  // A small blob, checked against its digest again. Throws DataLoss if it is damaged.
  std::string read(const oci::Digest& digest, std::size_t limit) const;

  // Publishes `bytes` under their digest. The second throws DataLoss unless it is `expected`.
  oci::Digest put(std::string_view bytes);
  void put(const oci::Digest& expected, std::string_view bytes);
  // Publishes a file of this file system, whose content is known to have this digest.
  void adopt(const std::string& file, const oci::Digest& digest);
  void remove(const oci::Digest& digest);
  std::vector<oci::Digest> list() const;
  // Bytes of disk that one takes (0: it is not here), and all of them with what is on its way in.
  std::uint64_t disk_blocks(const oci::Digest& digest) const;
  std::uint64_t disk_blocks() const;
  // Paths of files in the layout that are no blobs, and of those that are on their way to none.
  std::vector<std::string> strays() const;
  // A new name for a file that put() or Staging will rename; the next start removes what is left there.
  std::string staging_path() const;

  // Opens the ingest file of `digest`, as far as it came before. One at a time for a digest: the caller sees to that.
  Ingest ingest(const oci::Digest& digest, std::uint64_t size);
  std::vector<oci::Digest> ingests() const;
  void drop_ingest(const oci::Digest& digest);

 private:
  std::string ingest_path(const oci::Digest& digest) const;
  std::string directory_;
};

// A blob being received. Left alone it stays for the next attempt; commit() publishes it.
class Ingest {
 public:
  Ingest(Ingest&&) noexcept;
  ~Ingest();

  // Bytes there from an earlier attempt. They are not trusted: read them once (replay) to hash them, then append.
  std::uint64_t kept() const;
  // Feeds the next piece of the kept bytes; 0 at their end. To be called to the end before the first append.
  std::size_t replay(std::span<std::byte> buffer);
  // Appends to the file and to the hash. Throws DataLoss past the expected size, Unavailable where the disk is full.
  void append(std::span<const std::byte> bytes);
  std::uint64_t received() const;  // replayed and appended
  os::Fd reader() const;           // the file, to read what has come while the rest comes
  // Throws away what is there and starts again from nothing.
  void restart();
  // Throws DataLoss unless size and digest are as expected (the file is dropped then).
  void verify();
  // Puts the bytes on the disk, still unpublished.
  void sync();
  // After verify(): sync(), rename, fsync of the directory.
  void commit();
  void drop();

 private:
  friend class Blobs;
  struct State;
  explicit Ingest(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace proa::store
