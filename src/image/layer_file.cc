#include "image/layer_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "archive/erofs.h"
#include "archive/tar_reader.h"
#include "archive/tar_writer.h"
#include "base/id.h"
#include "base/rollback.h"
#include "base/text.h"
#include "base/time.h"
#include "base/trace.h"
#include "image/inflater.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/overlay.h"
#include "os/write_back.h"

namespace proa::image {
namespace {

// What passes is written to the tar's place in a layer file and hashed.
class Copy : public ByteSource {
 public:
  Copy(ByteSource& from, int file) : from_(from), file_(file) {}
  std::size_t read(std::span<std::byte> buffer) override {
    std::size_t got = from_.read(buffer);
    hash_.update(buffer.first(got));
    os::write_all(file_, {reinterpret_cast<const char*>(buffer.data()), got});
    size_ += got;
    write_back_.written(file_, archive::kErofsTar + size_);
    return got;
  }
  std::uint64_t size() const { return size_; }
  oci::Digest digest() { return oci::Digest::from_hex(hash_.hex()); }

 private:
  ByteSource& from_;
  int file_;
  archive::Sha256 hash_;
  std::uint64_t size_ = 0;
  os::WriteBack write_back_{archive::kErofsTar};
};

class HashedFile : public ByteSink {
 public:
  explicit HashedFile(int file) : file_(file) {}
  void write(std::span<const std::byte> bytes) override {
    hash.update(bytes);
    os::write_all(file_, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  archive::Sha256 hash;

 private:
  int file_;
};

void write_at(int file, std::string_view bytes, std::uint64_t offset) {
  os::check(::lseek(file, static_cast<off_t>(offset), SEEK_SET), "seek");
  os::write_all(file, bytes);
}

// The kernel's part of the head, whose hash goes into the caller's.
std::span<const std::byte> superblock(const std::string& head) {
  return std::as_bytes(std::span(head)).subspan(archive::kErofsCallersPart);
}

// 16 of the 32 bytes: enough to tell layers apart.
std::string uuid_of(const oci::Digest& diff_id) {
  std::string out;
  for (std::size_t i = 0; i < 32; i += 2) {
    out += static_cast<char>(std::stoi(std::string(diff_id.hex().substr(i, 2)), nullptr, 16));
  }
  return out;
}

Json read_record(const os::Fd& file) {
  std::string text(archive::kErofsCallersPart, '\0');
  ssize_t got = os::check(::pread(file.get(), text.data(), text.size(), 0), "read");
  text.resize(static_cast<std::size_t>(got));
  return json::parse(text.substr(0, text.find('\0')));
}

}  // namespace

LayerFileWriter::LayerFileWriter(const std::string& path)
    : file_(os::open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600)) {}

void LayerFileWriter::take(ByteSource& from, const std::stop_token& stop) {
  trace::Span span("layer.index");
  std::int64_t start = monotonic_now();
  os::check(::lseek(file_.get(), archive::kErofsTar, SEEK_SET), "seek");
  Copy copy(from, file_.get());
  archive::TarReader reader(copy);
  while (const archive::TarEntry* entry = reader.next()) {
    if (stop.stop_requested()) throw Error(ErrorKind::Cancelled, "unpacking was cancelled");
    tree_.add(*entry, reader.position());
  }
  reader.drain();
  size_ = copy.size();
  diff_id_ = copy.digest();
  span.set("entries", static_cast<std::int64_t>(tree_.entries()));
  span.set("bytes", static_cast<std::int64_t>(size_));
  span.set("MB/s", megabytes_per_second(size_, monotonic_now() - start));
}

FileSource LayerFileWriter::tar() const {
  return FileSource(file_.duplicate(), archive::kErofsTar, archive::kErofsTar + size_);
}

LayerInfo LayerFileWriter::finish() {
  std::uint64_t metadata = archive::erofs_metadata_start(size_);
  os::check(::lseek(file_.get(), static_cast<off_t>(metadata), SEEK_SET), "seek");
  HashedFile to(file_.get());
  std::string head = archive::write_erofs(tree_, size_, uuid_of(diff_id_), to);
  auto end = static_cast<std::uint64_t>(os::check(::lseek(file_.get(), 0, SEEK_CUR), "seek"));
  LayerInfo info{diff_id_, size_, (end + 4095) / 4096 * 4096, LayerForm::Erofs};
  to.hash.update(superblock(head));
  JsonObject record = to_json(info);
  record["end"] = end;
  record["metadata"] = to.hash.hex();
  std::string text = json::text(record);
  write_at(file_.get(), head.replace(0, text.size(), text), 0);
  return info;
}

void LayerFileWriter::sync() {
  trace::Span span("layer.sync");
  os::check(::fdatasync(file_.get()), "fdatasync");
}

LayerInfo read_layer_file(const std::string& path) {
  os::Fd file = os::open_file(path, O_RDONLY);
  Json record = read_record(file);
  struct stat info {};
  os::check(::fstat(file.get(), &info), "stat");
  if (json::int_at(record, "end") != info.st_size) throw Error(ErrorKind::DataLoss, "it is not as long as it was");
  return layer_info_from_json(record, LayerForm::Erofs);
}

FileSource open_layer_tar(const std::string& path, const LayerInfo& info) {
  return FileSource(os::open_file(path, O_RDONLY), archive::kErofsTar, archive::kErofsTar + info.size);
}

bool is_whole(const std::string& path, const LayerInfo& info) {
  std::vector<std::byte> piece(1 << 20);
  auto hash_of = [&](FileSource source, archive::Sha256& hash) {
    while (std::size_t got = source.read(piece)) hash.update(std::span(piece).first(got));
  };
  archive::Sha256 tar, metadata;
  hash_of(open_layer_tar(path, info), tar);
  os::Fd file = os::open_file(path, O_RDONLY);
  Json record = read_record(file);
  hash_of(FileSource(file.duplicate(), archive::erofs_metadata_start(info.size)), metadata);
  hash_of(FileSource(std::move(file), archive::kErofsCallersPart, archive::kErofsTar), metadata);
  return tar.hex() == info.diff_id.hex() && metadata.hex() == json::string_at(record, "metadata");
}

os::Fd mount_layer_file(const std::string& path) {
  os::Fd file = os::open_file(path, O_PATH);  // a path may be too long for an option
  return os::make_filesystem("erofs", os::fd_path(file.get()), {}, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV);
}

void try_layer_file(const std::string& directory) {
  struct Tar : ByteSink, ByteSource {
    std::string text;
    std::size_t at = 0;
    void write(std::span<const std::byte> bytes) override {
      text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    std::size_t read(std::span<std::byte> buffer) override {
      std::size_t got = text.copy(reinterpret_cast<char*>(buffer.data()), buffer.size(), at);
      at += got;
      return got;
    }
  } tar;
  archive::TarWriter writer(tar);
  writer.add({.path = "probe", .mode = 0644, .size = 5}, "erofs");
  writer.finish();
  std::string path = cat(directory, "/.staging-", random_u64());
  Rollback rollback;
  rollback.add([&] { os::remove_file(path); });
  LayerFileWriter file(path);
  file.take(tar, {});
  file.finish();
  os::Fd lower = mount_layer_file(path);
  std::string top = os::fd_path(lower.get()) + "/.";
  os::Fd merged = os::mount_overlay({.lowers = {top, directory}});
  if (os::read_file(os::fd_path(merged.get()) + "/probe") != "erofs")
    throw Error(ErrorKind::DataLoss, "the kernel reads something else than was written");
}

}  // namespace proa::image
