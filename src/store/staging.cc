#include "store/staging.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::store {

Staging::Staging(Blobs& blobs)
    : blobs_(blobs), path_(blobs.staging_path()), file_(os::open_file(path_, O_WRONLY | O_CREAT | O_EXCL, 0600)) {}

Staging::~Staging() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

void Staging::write(std::span<const std::byte> bytes) {
  os::write_all(file_.get(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  hash_.update(bytes);
  size_ += bytes.size();
  write_back_.written(file_.get(), size_);
}

os::Fd Staging::reader() const { return os::open_file(path_, O_RDONLY); }

const oci::Digest& Staging::finish() {
  if (digest_.empty()) digest_ = oci::Digest::from_hex(hash_.hex());
  return digest_;
}

void Staging::commit() {
  if (blobs_.size(finish()) == size_) return;
  os::fsync_fd(file_.get(), path_);
  FAILPOINT("blob.staging.before_rename");
  std::string published = blobs_.path(digest_);
  os::rename_path(path_, published);
  path_.clear();
  os::fsync_dir(os::dir_name(published));
  FAILPOINT("blob.staging.after_rename");
}

}  // namespace proa::store
