#include "store/blobs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "archive/hash.h"
#include "base/failpoint.h"
#include "base/id.h"
#include "base/text.h"
#include "os/file.h"
#include "os/file_walk.h"
#include "os/write_back.h"

namespace proa::store {

namespace {

constexpr std::string_view kLayout = R"({"imageLayoutVersion":"1.0.0"})";
constexpr std::string_view kStaged = "staged-";  // of put(); a crash leaves one, the next start removes it

oci::Digest digest_of(std::string_view bytes) {
  archive::Sha256 hash;
  hash.update(std::as_bytes(std::span(bytes.data(), bytes.size())));
  return oci::Digest::from_hex(hash.hex());
}

std::vector<oci::Digest> digests_in(const std::string& directory) {
  std::vector<oci::Digest> out;
  for (const std::string& name : os::list_dir(directory)) {
    if (is_hex_id(name)) out.push_back(oci::Digest::from_hex(name));
  }
  return out;
}

}  // namespace

Blobs::Blobs(std::string directory) : directory_(std::move(directory)) {
  os::make_dirs(directory_, 0700);
  os::make_dir(os::path_join(directory_, "blobs"), 0700);
  os::make_dir(os::path_join(directory_, "blobs/sha256"), 0700);
  os::make_dir(os::path_join(directory_, "ingest"), 0700);
  std::string layout = os::path_join(directory_, "oci-layout");
  if (os::try_read_file(layout, 4096) != kLayout) os::write_file_atomic(layout, kLayout);
  for (const std::string& name : os::list_dir(os::path_join(directory_, "ingest"))) {
    if (name.starts_with(kStaged)) os::remove_file(cat(directory_, "/ingest/", name));
  }
}

std::string Blobs::path(const oci::Digest& digest) const { return cat(directory_, "/blobs/sha256/", digest.hex()); }
std::string Blobs::ingest_path(const oci::Digest& digest) const { return cat(directory_, "/ingest/", digest.hex()); }

std::optional<std::uint64_t> Blobs::size(const oci::Digest& digest) const {
  struct stat info {};
  if (digest.empty() || ::stat(path(digest).c_str(), &info) < 0) return std::nullopt;
  return static_cast<std::uint64_t>(info.st_size);
}

os::Fd Blobs::open(const oci::Digest& digest) const { return os::open_file(path(digest), O_RDONLY); }

std::string Blobs::read(const oci::Digest& digest, std::size_t limit) const {
  std::string bytes = os::read_file(path(digest), limit);
  if (digest_of(bytes) != digest)
    throw Error(ErrorKind::DataLoss, cat("stored content ", digest.text(), " is damaged"));
  return bytes;
}

oci::Digest Blobs::put(std::string_view bytes) {
  oci::Digest digest = digest_of(bytes);
  put(digest, bytes);
  return digest;
}

void Blobs::put(const oci::Digest& expected, std::string_view bytes) {
  if (oci::Digest actual = digest_of(bytes); actual != expected) {
    throw Error(ErrorKind::DataLoss, cat("content has digest ", actual.text(), ", not ", expected.text()));
  }
  if (size(expected) == bytes.size()) return;
  std::string staged = staging_path();
  os::Fd file = os::open_file(staged, O_WRONLY | O_CREAT | O_EXCL, 0600);
  try {
    os::write_all(file.get(), bytes);
    os::fsync_fd(file.get(), staged);
    FAILPOINT("blob.put.before_rename");
    os::rename_path(staged, path(expected));
  } catch (...) {
    ::unlink(staged.c_str());
    throw;
  }
  os::fsync_dir(cat(directory_, "/blobs/sha256"));
  FAILPOINT("blob.put.after_rename");
}

void Blobs::adopt(const std::string& file, const oci::Digest& digest) {
  os::Fd fd = os::open_file(file, O_RDONLY);
  os::fsync_fd(fd.get(), file);
  FAILPOINT("blob.adopt.before_rename");
  os::rename_path(file, path(digest));
  os::fsync_dir(cat(directory_, "/blobs/sha256"));
}

std::string Blobs::staging_path() const { return cat(directory_, "/ingest/", kStaged, random_u64()); }

void Blobs::remove(const oci::Digest& digest) { os::remove_file(path(digest)); }

std::vector<oci::Digest> Blobs::list() const { return digests_in(cat(directory_, "/blobs/sha256")); }
std::uint64_t Blobs::disk_blocks(const oci::Digest& digest) const { return os::disk_blocks(path(digest)); }
std::uint64_t Blobs::disk_blocks() const { return os::disk_blocks(directory_); }
std::vector<oci::Digest> Blobs::ingests() const { return digests_in(cat(directory_, "/ingest")); }

std::vector<std::string> Blobs::strays() const {
  std::vector<std::string> out;
  for (std::string_view part : {"/blobs/sha256", "/ingest"}) {
    std::string directory = cat(directory_, part);
    for (const std::string& name : os::list_dir(directory)) {
      if (!is_hex_id(name) && !name.starts_with(kStaged)) out.push_back(os::path_join(directory, name));
    }
  }
  return out;
}

void Blobs::drop_ingest(const oci::Digest& digest) { os::remove_file(ingest_path(digest)); }

struct Ingest::State {
  std::string path;       // under ingest/
  std::string published;  // under blobs/
  oci::Digest digest;
  std::uint64_t size = 0;
  os::Fd file;
  std::uint64_t kept = 0, received = 0;
  os::WriteBack write_back;
  bool synced = false;  // since the last append
  archive::Sha256 hash;
};

Ingest::Ingest(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ingest::Ingest(Ingest&&) noexcept = default;
Ingest::~Ingest() = default;

Ingest Blobs::ingest(const oci::Digest& digest, std::uint64_t size) {
  auto state = std::make_unique<Ingest::State>();
  state->path = ingest_path(digest);
  state->published = path(digest);
  state->digest = digest;
  state->size = size;
  state->file = os::open_file(state->path, O_RDWR | O_CREAT, 0600);
  struct stat info {};
  os::check(::fstat(state->file.get(), &info), "stat of an ingest file");
  state->kept = static_cast<std::uint64_t>(info.st_size);
  Ingest ingest(std::move(state));
  if (ingest.kept() > size) ingest.restart();
  return ingest;
}

std::uint64_t Ingest::kept() const { return state_->kept; }
std::uint64_t Ingest::received() const { return state_->received; }

os::Fd Ingest::reader() const { return os::open_file(state_->path, O_RDONLY); }

std::size_t Ingest::replay(std::span<std::byte> buffer) {
  State& s = *state_;
  std::size_t want = std::min<std::uint64_t>(buffer.size(), s.kept - s.received);
  if (want == 0) return 0;
  ssize_t got;
  do {
    got = ::pread(s.file.get(), buffer.data(), want, static_cast<off_t>(s.received));
  } while (got < 0 && errno == EINTR);
  os::check(got, cat("read ", s.path));
  if (got == 0) throw Error(ErrorKind::DataLoss, cat(s.path, " became shorter while it was read"));
  s.hash.update(buffer.first(static_cast<std::size_t>(got)));
  s.received += static_cast<std::uint64_t>(got);
  return static_cast<std::size_t>(got);
}

void Ingest::append(std::span<const std::byte> bytes) {
  State& s = *state_;
  if (bytes.size() > s.size - s.received) {
    throw Error(ErrorKind::DataLoss,
                cat("size mismatch for ", s.digest.text(), ": more than the expected ", s.size, " bytes"));
  }
  std::size_t done = 0;
  while (done < bytes.size()) {
    ssize_t wrote =
        ::pwrite(s.file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(s.received + done));
    if (wrote < 0 && errno == EINTR) continue;
    os::check(wrote, cat("write ", s.path));
    done += static_cast<std::size_t>(wrote);
  }
  s.hash.update(bytes);
  s.received += bytes.size();
  s.synced = false;
  s.write_back.written(s.file.get(), s.received);
}

void Ingest::restart() {
  State& s = *state_;
  os::check(::ftruncate(s.file.get(), 0), cat("truncate ", s.path));
  s.kept = s.received = 0;
  s.write_back = os::WriteBack();
  s.synced = false;
  s.hash = archive::Sha256();
}

void Ingest::verify() {
  State& s = *state_;
  std::string problem;
  if (s.received != s.size) {
    problem = cat("size mismatch for ", s.digest.text(), ": got ", s.received, " bytes, expected ", s.size);
  } else if (oci::Digest actual = oci::Digest::from_hex(s.hash.hex()); actual != s.digest) {
    problem = cat("filesystem layer verification failed for digest ", s.digest.text(), ": digest mismatch, content is ",
                  actual.text());
  } else {
    return;
  }
  os::remove_file(s.path);
  throw Error(ErrorKind::DataLoss, std::move(problem));
}

void Ingest::sync() {
  if (state_->synced) return;
  os::fsync_fd(state_->file.get(), state_->path);
  state_->synced = true;
}

void Ingest::drop() { os::remove_file(state_->path); }

void Ingest::commit() {
  State& s = *state_;
  sync();
  FAILPOINT("blob.commit.before_rename");
  os::rename_path(s.path, s.published);
  os::fsync_dir(os::dir_name(s.published));
  FAILPOINT("blob.commit.after_rename");
}

}  // namespace proa::store
