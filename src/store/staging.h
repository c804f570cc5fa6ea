// A blob whose digest is known only when all of it is there.
#pragma once

#include <cstdint>
#include <memory>

#include "archive/hash.h"
#include "base/stream.h"
#include "oci/digest.h"
#include "os/fd.h"
#include "os/write_back.h"
#include "store/blobs.h"

namespace proa::store {

class Staging : public ByteSink {
 public:
  explicit Staging(Blobs& blobs);
  ~Staging() override;  // what was not committed is gone

  void write(std::span<const std::byte> bytes) override;
  std::uint64_t size() const { return size_; }
  os::Fd reader() const;  // the file, to read what was written while more is
  // Ends the writing: the digest of all of it.
  const oci::Digest& finish();
  // Publishes it durably, unless it is there already. After finish().
  void commit();

 private:
  Blobs& blobs_;
  std::string path_;
  os::Fd file_;
  archive::Sha256 hash_;
  std::uint64_t size_ = 0;
  os::WriteBack write_back_;
  oci::Digest digest_;
};

}  // namespace proa::store
