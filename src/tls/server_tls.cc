#include "tls/server_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "os/fd.h"
#include "os/reloaded.h"

namespace proa::tls {

namespace {

constexpr int kHandshakeSeconds = 10;
constexpr std::size_t kPiece = 64 << 10;

// Of what went wrong the first is the cause, the others what came of it.
std::string cause() {
  unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  if (ERR_SYSTEM_ERROR(code)) return os::errno_text(ERR_GET_REASON(code));
  const char* reason = ::ERR_reason_error_string(code);
  return reason ? reason : "unknown error";
}

[[noreturn]] void gone(std::string_view why) {
  throw Error(ErrorKind::Cancelled, cat("the connection was closed by its other side: ", why));
}

struct FreeContext {
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
};
struct FreeSession {
  void operator()(SSL* session) const { ::SSL_free(session); }
};
using Context = std::shared_ptr<SSL_CTX>;

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned int size, void*) {
  static constexpr unsigned char kHttp[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (::SSL_select_next_proto(&chosen, out_size, kHttp, sizeof kHttp - 1, offered, size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Context make_context(const ServerFiles& files) {
  Context context(::SSL_CTX_new(::TLS_server_method()), FreeContext());
  if (!context) throw Error(ErrorKind::Internal, cat("TLS: ", cause()));
  auto check = [](int result, const std::string& what) {
    if (result != 1) throw Error(ErrorKind::InvalidArgument, cat("TLS: ", what, ": ", cause()));
  };
  SSL_CTX* raw = context.get();
  ::SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  ::SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_ENABLE_KTLS |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  ::SSL_CTX_set_mode(raw,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
  check(::SSL_CTX_use_certificate_chain_file(raw, files.certificate.c_str()), cat("certificate ", files.certificate));
  check(::SSL_CTX_use_PrivateKey_file(raw, files.key.c_str(), SSL_FILETYPE_PEM), cat("key ", files.key));
  check(::SSL_CTX_check_private_key(raw), cat("key ", files.key, " does not belong to ", files.certificate));
  if (!files.client_authorities.empty()) {
    check(::SSL_CTX_load_verify_locations(raw, files.client_authorities.c_str(), nullptr),
          cat("authorities ", files.client_authorities));
    ::SSL_CTX_set_client_CA_list(raw, ::SSL_load_client_CA_file(files.client_authorities.c_str()));
    ::SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    ::SSL_CTX_set_session_id_context(raw, reinterpret_cast<const unsigned char*>("proa"), 4);
  }
  return context;
}

class Session : public http::Channel {
 public:
  Session(Context context, int fd) : context_(std::move(context)), fd_(fd), session_(::SSL_new(context_.get())) {
    if (!session_ || ::SSL_set_fd(session_.get(), fd) != 1) throw Error(ErrorKind::Internal, cat("TLS: ", cause()));
    os::set_nonblocking(fd, true);
    accept();
  }
  // Says goodbye, but waits for nobody.
  ~Session() override {
    if (sound_) ::SSL_shutdown(session_.get());
    ::ERR_clear_error();
  }

  std::size_t read(char* into, std::size_t size, std::int64_t deadline) override {
    int most = static_cast<int>(std::min<std::size_t>(size, 1 << 30));
    int got = patiently([&] { return ::SSL_read(session_.get(), into, most); }, deadline, true);
    return static_cast<std::size_t>(std::max(got, 0));
  }

  void write(std::string_view bytes) override {
    while (!bytes.empty()) {
      int most = static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 30));
      int sent = patiently([&] { return ::SSL_write(session_.get(), bytes.data(), most); }, 0, false);
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  void write_file(int file, std::uint64_t offset, std::uint64_t length) override {
    bool kernel = BIO_get_ktls_send(::SSL_get_wbio(session_.get()));
    std::vector<char> piece(kernel ? 0 : kPiece);
    while (length > 0) {
      if (kernel) {
        auto most = static_cast<std::size_t>(std::min<std::uint64_t>(length, 1 << 30));
        int sent = patiently(
            [&] {
              auto done = ::SSL_sendfile(session_.get(), file, static_cast<off_t>(offset), most, 0);
              return static_cast<int>(done);
            },
            0, false);
        offset += static_cast<std::uint64_t>(sent), length -= static_cast<std::uint64_t>(sent);
        continue;
      }
      ssize_t got =
          ::pread(file, piece.data(), std::min<std::uint64_t>(length, piece.size()), static_cast<off_t>(offset));
      if (os::check(got, "read") == 0) throw Error(ErrorKind::DataLoss, "a file became shorter while it was sent");
      write({piece.data(), static_cast<std::size_t>(got)});
      offset += static_cast<std::uint64_t>(got), length -= static_cast<std::uint64_t>(got);
    }
  }

 private:
  void accept() {
    try {
      patiently([&] { return ::SSL_accept(session_.get()); }, monotonic_now() + kHandshakeSeconds * kSecond, false);
    } catch (const Error&) {
      // As Go's server answers it: the words by which clients find out.
      constexpr std::string_view kPlain =
          "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
      if (plain_) [[maybe_unused]]
        ssize_t sent = ::send(fd_, kPlain.data(), kPlain.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      part();
      throw;
    }
  }

  // What was sent and not read would turn the close into a reset that may overtake the alert.
  void part() {
    ::shutdown(fd_, SHUT_WR);
    char scrap[4096];
    pollfd one{fd_, POLLIN, 0};
    for (int i = 0; i < 16 && ::poll(&one, 1, 1000) > 0; ++i)
      if (::recv(fd_, scrap, sizeof scrap, MSG_DONTWAIT) <= 0) break;
  }

  // Repeats `step` until it has done something; its result, or, where `may_end`, 0 at the end of the stream.
  template <class Step>
  int patiently(Step step, std::int64_t deadline, bool may_end) {
    for (;;) {
      ::ERR_clear_error();
      errno = 0;
      int result = step();
      if (result > 0) return result;
      int reason = ::SSL_get_error(session_.get(), result);
      if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) {
        wait(reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline);
        continue;
      }
      sound_ = reason == SSL_ERROR_ZERO_RETURN;
      if (may_end && (sound_ || (reason == SSL_ERROR_SYSCALL && ::ERR_peek_error() == 0))) return 0;
      unsigned long code = ::ERR_peek_error();
      plain_ = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST;
      if (may_end && ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return 0;
      gone(cause());
    }
  }

  void wait(short events, std::int64_t deadline) {
    int timeout = -1;
    if (deadline)
      timeout = static_cast<int>(std::max<std::int64_t>(0, (deadline - monotonic_now()) / kMillisecond + 1));
    pollfd one{fd_, events, 0};
    int ready = ::poll(&one, 1, timeout);
    if (ready == 0) throw Error(ErrorKind::Deadline, "timed out waiting for the connection's other side");
    if (ready < 0 && errno != EINTR) os::fail("poll");
  }

  Context context_;
  int fd_;
  std::unique_ptr<SSL, FreeSession> session_;
  bool sound_ = true, plain_ = false;
};

}  // namespace

http::Protect protect(const ServerFiles& files) {
  std::vector<std::string> names{files.certificate, files.key};
  if (!files.client_authorities.empty()) names.push_back(files.client_authorities);
  auto context = std::make_shared<os::Reloaded<SSL_CTX>>(std::move(names), [files] { return make_context(files); });
  return [context](int fd) -> std::unique_ptr<http::Channel> { return std::make_unique<Session>(context->get(), fd); };
}

}  // namespace proa::tls
