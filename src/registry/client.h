// The distribution protocol from the client's side, for one registry and one repository (OCI distribution spec 1.1).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/stream.h"
#include "oci/image_spec.h"
#include "oci/reference.h"
#include "registry/credentials.h"

namespace proa::registry {

// From daemon.json and flags; the names are dockerd's.
struct Options {
  std::vector<std::string> insecure_registries;  // "host:port", "host", "10.0.0.0/8"; loopback always is
  std::vector<std::string> registry_mirrors;     // for docker.io: "https://mirror.example"
  std::string user_agent = "proa/" PROA_VERSION;
  int download_attempts = 5;  // of a blob, in a row, without a byte more
  std::int64_t connect_timeout_ms = 10'000;
  std::int64_t stall_timeout_ms = 60'000;         // without a byte
  std::string certs_dir = "/etc/docker/certs.d";  // <host>/*.crt, <host>/hosts.toml
  std::string http_proxy, https_proxy, no_proxy;  // "": what the environment says
};

struct FetchedManifest {
  std::string media_type;
  oci::Digest digest;  // of `bytes`, computed here and checked against what was asked for
  std::string bytes;
};

// Where the bytes of a blob go. `restart` is called first if the registry ignored the offset: begin again from byte 0.
struct BlobReceiver {
  std::function<void()> restart;
  std::function<void(std::span<const std::byte>)> data;
};

enum class Access { Pull, Push, Delete };

// A blob on its way to the registry.
struct BlobUpload {
  oci::Digest digest;
  std::uint64_t size = 0;
  std::function<std::unique_ptr<ByteSource>(std::uint64_t offset)> open;
  std::function<void(std::uint64_t sent)> progress = {};
};

class Client {
 public:
  // Nothing is sent yet. `stop` ends every wait within a second (Cancelled). Access::Push asks no mirror and, where
  // tokens are used, for the right to push here and to pull from the repositories `mount_from`.
  Client(const Options& options, const oci::Reference& repository, Credentials credentials, std::stop_token stop,
         Access access = Access::Pull, const std::vector<std::string>& mount_from = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Throws NotFound, Forbidden, Unavailable... with the texts docker's users know.
  FetchedManifest manifest(const std::string& tag_or_digest);
  // A manifest named by a descriptor: its size, digest and media type are checked.
  FetchedManifest manifest(const oci::Descriptor& descriptor);
  // HEAD: only who it is; nullopt where the registry does not say.
  std::optional<oci::Descriptor> resolve(const std::string& tag_or_digest);
  // A small blob (a configuration), verified.
  std::string blob(const oci::Descriptor& descriptor, std::size_t limit);
  // A large one, from `offset` on, in order, each byte once, over cut connections (Range). Size and digest are the
  // receiver's to check. Thread-safe: several at a time.
  void stream_blob(const oci::Descriptor& descriptor, std::uint64_t offset, const BlobReceiver& receiver);
  bool has_blob(const oci::Digest& digest) { return blob_size(digest).has_value(); }
  std::optional<std::uint64_t> blob_size(const oci::Digest& digest);  // nullopt: it is not there
  std::vector<std::string> tags();
  // Manifests that name `subject` as theirs, of one artifact type or ("") all; by the referrers endpoint, or by the tag
  // that stands for it where the registry is older than distribution 1.1.
  std::vector<oci::Descriptor> referrers(const oci::Digest& subject, const std::string& artifact_type);
  // With Access::Delete. By its digest it goes with all its tags; by a tag, where the registry does that, the tag
  // alone.
  void remove_manifest(const std::string& tag_or_digest);
  // What came last is no good: true where it came from a mirror, which is not asked any more.
  bool leave_mirror();

  // With Access::Push. Uploads, unless the registry can take the blob from one of its repositories `from`: which one
  // is returned then, else "". One request with the whole where the registry takes it, else in chunks; goes on where it
  // was cut.
  std::string put_blob(const BlobUpload& upload, const std::vector<std::string>& from = {});
  void put_manifest(const std::string& tag_or_digest, const std::string& media_type, const std::string& bytes);

  struct State;  // client_state.h

 private:
  std::unique_ptr<State> state_;
};

}  // namespace proa::registry
