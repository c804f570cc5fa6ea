// The floor of a pull or load: layers are fetched, hashed, inflated, hashed and written to one file each by one small
// program that does nothing else. As many layers at a time as there are processors, two threads for each.
//   image_floor DIRECTORY SOURCE...  ->  milliseconds     (a SOURCE is a file or http://ADDRESS:PORT/PATH, gzip or
//   zstd)
// Nothing is checked and nothing but the tar is kept. One fdatasync and one rename publish a file.
#include <arpa/inet.h>
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <openssl/evp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "measure.h"

namespace {

constexpr size_t kPiece = 256 << 10, kPieces = 8;

// A layer's bytes. Of an answer, what follows the head.
class Source {
 public:
  explicit Source(const std::string& name) {
    if (name.starts_with("http://")) {
      ask(name.substr(7));
    } else {
      fd_ = static_cast<int>(check(open(name.c_str(), O_RDONLY | O_CLOEXEC), name.c_str()));
    }
  }
  ~Source() { close(fd_); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  size_t read(char* to, size_t size) {
    if (!head_.empty()) {
      size_t got = head_.copy(to, size);
      head_.erase(0, got);
      return got;
    }
    return static_cast<size_t>(check(::read(fd_, to, size), "read"));
  }

 private:
  void ask(const std::string& where) {
    size_t colon = where.find(':'), slash = where.find('/');
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(atoi(where.c_str() + colon + 1)));
    inet_pton(AF_INET, where.substr(0, colon).c_str(), &address.sin_addr);
    fd_ = static_cast<int>(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    check(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), "connect");
    std::string request = "GET " + where.substr(slash) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    check(write(fd_, request.data(), request.size()), "request");
    size_t end;
    char buffer[4096];
    while ((end = head_.find("\r\n\r\n")) == head_.npos) {
      ssize_t got = check(::read(fd_, buffer, sizeof buffer), "answer");
      if (got == 0) die("answer");
      head_.append(buffer, static_cast<size_t>(got));
    }
    if (head_.compare(8, 5, " 200 ") != 0) die(where.c_str());
    head_.erase(0, end + 4);
  }
  int fd_ = -1;
  std::string head_;
};

class Hash {
 public:
  Hash() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
  ~Hash() { EVP_MD_CTX_free(context_); }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;
  void add(const char* bytes, size_t size) { EVP_DigestUpdate(context_, bytes, size); }
  std::string hex() {
    unsigned char digest[32];
    EVP_DigestFinal_ex(context_, digest, nullptr);
    std::string out;
    char text[3];
    for (unsigned char byte : digest) snprintf(text, sizeof text, "%02x", byte), out += text;
    return out;
  }

 private:
  EVP_MD_CTX* context_;
};

// Either decoder: from `in` what it takes, to `out` what there is room for.
class Inflate {
 public:
  explicit Inflate(bool is_zstd) : zstd_(is_zstd ? ZSTD_createDStream() : nullptr) {
    isal_inflate_init(&gzip_);
    gzip_.crc_flag = ISAL_GZIP;
  }
  ~Inflate() { ZSTD_freeDStream(zstd_); }
  Inflate(const Inflate&) = delete;
  Inflate& operator=(const Inflate&) = delete;
  void run(ZSTD_inBuffer& in, ZSTD_outBuffer& out) {
    if (zstd_) {
      if (ZSTD_isError(ZSTD_decompressStream(zstd_, &out, &in))) die("zstd");
      return;
    }
    gzip_.next_in = static_cast<uint8_t*>(const_cast<void*>(in.src)) + in.pos;
    gzip_.avail_in = static_cast<uint32_t>(in.size - in.pos);
    gzip_.next_out = static_cast<uint8_t*>(out.dst) + out.pos;
    gzip_.avail_out = static_cast<uint32_t>(out.size - out.pos);
    if (isal_inflate(&gzip_) < 0) die("gzip");
    in.pos = in.size - gzip_.avail_in;
    out.pos = out.size - gzip_.avail_out;
  }

 private:
  ZSTD_DStream* zstd_;
  inflate_state gzip_{};
};

class Layer {
 public:
  Layer(const std::string& source, std::string file) : source_(source), file_(std::move(file)), ring_(kPieces) {
    for (auto& piece : ring_) piece.bytes.resize(kPiece);
  }
  void run() {
    std::thread inflater([this] { inflate(); });
    write_tar();
    inflater.join();
  }

 private:
  struct Piece {
    std::vector<char> bytes;
    size_t size = 0;
  };

  void inflate() {
    std::vector<char> in(kPiece);
    size_t got = source_.read(in.data(), in.size());
    Inflate inflate(got > 1 && in[0] == '\x28');
    ZSTD_inBuffer input{in.data(), got, 0};
    blob_.add(in.data(), got);
    while (true) {
      Piece& piece = room();
      ZSTD_outBuffer output{piece.bytes.data(), piece.bytes.size(), 0};
      while (output.pos < output.size) {
        size_t before = output.pos;
        inflate.run(input, output);
        if (input.pos < input.size || output.pos > before) continue;
        input = {in.data(), source_.read(in.data(), in.size()), 0};
        if (input.size == 0) break;
        blob_.add(in.data(), input.size);
      }
      piece.size = output.pos;
      std::lock_guard lock(mutex_);
      ++filled_;
      changed_.notify_all();
      if (piece.size == 0) return;
    }
  }
  Piece& room() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return filled_ - written_ < kPieces; });
    return ring_[filled_ % kPieces];
  }
  void write_tar() {
    int fd = static_cast<int>(check(open(file_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), "create"));
    off_t at = 0, started = 0;
    for (;; ++written_) {
      std::unique_lock lock(mutex_);
      changed_.notify_all();
      changed_.wait(lock, [&] { return filled_ > written_; });
      Piece& piece = ring_[written_ % kPieces];
      lock.unlock();
      if (piece.size == 0) break;
      tar_.add(piece.bytes.data(), piece.size);
      if (check(write(fd, piece.bytes.data(), piece.size), "write") != static_cast<ssize_t>(piece.size)) die("write");
      at += static_cast<off_t>(piece.size);
      if (at - started < 8 << 20) continue;
      sync_file_range(fd, started, at - started, SYNC_FILE_RANGE_WRITE);
      started = at;
    }
    check(fdatasync(fd), "fdatasync");
    check(rename(file_.c_str(), (file_ + "-" + tar_.hex()).c_str()), "rename");
    close(fd);
  }

  Source source_;
  std::string file_;
  Hash blob_, tar_;
  std::vector<Piece> ring_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<size_t> filled_ = 0, written_ = 0;
};

}  // namespace

int main(int count, char** words) {
  if (count < 3) return 2;
  double begin = now_ms();
  std::atomic<int> next = 2;
  auto work = [&] {
    for (int i = next++; i < count; i = next++) Layer(words[i], std::string(words[1]) + "/" + std::to_string(i)).run();
  };
  std::vector<std::thread> workers;
  for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) workers.emplace_back(work);
  work();
  for (auto& worker : workers) worker.join();
  printf("%.3f\n", now_ms() - begin);
}
