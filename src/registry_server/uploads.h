// Blobs on their way in: a file each, which outlives the process; whole ones move to the store.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "archive/hash.h"
#include "base/stream.h"
#include "os/fd.h"
#include "store/blobs.h"

namespace proa::registry_server {

class Uploads {
 public:
  // Finds again what an earlier process received; what is older than a week is removed.
  Uploads(std::string directory, store::Blobs& blobs);

  std::string begin(const std::string& repository);
  // The number of bytes there. Throws Refusal BLOB_UPLOAD_UNKNOWN.
  std::uint64_t size(const std::string& repository, const std::string& id);
  // Appends all of `body` (what came before a broken connection stays). `offset`: where the sender believes to be;
  // throws Refusal 416 where that is wrong.
  std::uint64_t append(const std::string& repository, const std::string& id, std::optional<std::uint64_t> offset,
                       ByteSource& body);
  // Throws Refusal DIGEST_INVALID; the upload is gone then. `proved` is called before the blob is published.
  void finish(const std::string& repository, const std::string& id, const oci::Digest& digest,
              const std::function<void()>& proved);
  std::size_t count();
  void cancel(const std::string& repository, const std::string& id);

 private:
  struct Upload {
    std::mutex mutex;
    std::string path;
    os::Fd file;
    std::uint64_t size = 0;
    std::optional<archive::Sha256> hash;  // of all of it; none: after a restart
    bool done = false;
  };
  std::shared_ptr<Upload> find(const std::string& repository, const std::string& id);
  void forget(const std::string& key);

  std::string directory_;
  store::Blobs& blobs_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Upload>> all_;  // by file name: ID and a digest of the repository
};

}  // namespace proa::registry_server
