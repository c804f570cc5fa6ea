// Pushing: blobs in one request, in chunks where the registry wants that, on from where a connection was cut.
#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "base/trace.h"
#include "registry/client_state.h"

namespace proa::registry {

namespace {

constexpr int kFruitlessAttempts = 4;  // in a row, without a byte more
constexpr int kUploadAttempts = 100;
constexpr std::uint64_t kChunk = 16 << 20;

// At most `limit` bytes of another source; each piece is told.
class PartSource : public ByteSource {
 public:
  PartSource(std::unique_ptr<ByteSource> from, std::uint64_t at, std::uint64_t limit,
             const std::function<void(std::uint64_t)>& progress)
      : from_(std::move(from)), at_(at), left_(limit), progress_(progress) {}
  std::size_t read(std::span<std::byte> buffer) override {
    std::size_t got = from_->read(buffer.first(std::min<std::uint64_t>(buffer.size(), left_)));
    left_ -= got, at_ += got;
    if (got > 0 && progress_) progress_(at_);
    return got;
  }

 private:
  std::unique_ptr<ByteSource> from_;
  std::uint64_t at_, left_;
  const std::function<void(std::uint64_t)>& progress_;
};

// One blob's upload session: where it goes on and how far it came.
class Upload {
 public:
  Upload(Client::State& state, const BlobUpload& blob) : state_(state), blob_(blob) {}

  // False: the registry took the blob from `from`.
  bool begin(const std::string& from) {
    std::string path = cat("/v2/", state_.reference.path, "/blobs/uploads/");
    if (!from.empty()) path += cat("?mount=", percent_encode(blob_.digest.text()), "&from=", percent_encode(from));
    Request request;
    request.method = "POST";
    request.total_timeout_ms = kDocumentTimeoutMs;
    Response response = state_.send("upload", request, path);
    if (response.status == 201) return false;
    sent_ = 0;
    Url asked = state_.place().host.base;
    asked.target = state_.place().host.target(path);
    follow(asked, response);
    chunk_ = kChunk;
    if (auto least = parse_int<std::uint64_t>(response.header("oci-chunk-min-length")))
      chunk_ = std::max(chunk_, std::min<std::uint64_t>(*least, 1 << 30));
    return true;
  }

  // Everything that is left, with the digest: the end.
  Response finish() {
    Request request;
    request.method = "PUT";
    request.url = place_;
    request.url.target +=
        cat(place_.target.find('?') == std::string::npos ? "?" : "&", "digest=", percent_encode(blob_.digest.text()));
    request.headers.push_back("Content-Type: application/octet-stream");
    send_from(request, blob_.size - sent_);
    return state_.exchange(state_.place(), request);
  }

  // The next chunk. False: the registry refuses chunks, too.
  Response chunk() {
    std::uint64_t size = std::min(chunk_, blob_.size - sent_);
    Request request;
    request.method = "PATCH";
    request.url = place_;
    request.headers.push_back("Content-Type: application/octet-stream");
    if (size > 0) request.headers.push_back(cat("Content-Range: ", sent_, "-", sent_ + size - 1));
    send_from(request, size);
    Response response = state_.exchange(state_.place(), request);
    if (response.status >= 200 && response.status < 300) {
      sent_ += size;
      follow(place_, response);
    }
    return response;
  }

  // Asks how far it came. False: the session is gone.
  bool ask() {
    Request request;
    request.url = place_;
    request.total_timeout_ms = kDocumentTimeoutMs;
    Response response = state_.patiently(state_.place(), request);
    if (response.status < 200 || response.status > 299) return false;
    std::string range = response.header("range");  // "0-1023" or "bytes=0-1023"; "0-0" also for nothing
    auto last = cut(std::string_view(range), '-').second;
    auto number = last ? parse_int<std::uint64_t>(trim(*last)) : std::nullopt;
    sent_ = number && *number > 0 ? *number + 1 : 0;
    if (sent_ > blob_.size) return false;
    follow(place_, response);
    return true;
  }

  bool is_done() const { return sent_ == blob_.size; }
  std::uint64_t sent() const { return sent_; }
  const Url& place() const { return place_; }

 private:
  void follow(const Url& asked, const Response& response) {
    std::string location = response.header("location");
    if (location.empty()) {
      if (place_.host.empty()) throw Error(ErrorKind::Unavailable, "the registry names no place for the upload");
      return;
    }
    Url next = asked.resolve(location);
    check_redirect(state_.place().host, asked, next);
    place_ = next;
  }

  void send_from(Request& request, std::uint64_t size) const {
    request.upload_size = size;
    request.open_upload = [this, at = sent_, size] {
      return std::make_unique<PartSource>(blob_.open(at), at, size, blob_.progress);
    };
  }

  Client::State& state_;
  const BlobUpload& blob_;
  Url place_;
  std::uint64_t sent_ = 0, chunk_ = kChunk;
};

// Statuses of a registry, or of a proxy before it, that may take smaller requests.
bool wants_chunks(int status) { return status == 413 || status == 411 || status == 400; }
bool is_good(int status) { return status >= 200 && status < 300; }

}  // namespace

std::string Client::put_blob(const BlobUpload& blob, const std::vector<std::string>& from) {
  State& s = *state_;
  trace::Span span("push.blob");
  span.set("digest", blob.digest.text());
  Upload upload(s, blob);
  for (const std::string& repository : from) {
    if (upload.begin(repository)) continue;
    span.set("mounted_from", repository);
    return repository;
  }
  if (from.empty()) upload.begin("");
  bool chunked = false;
  int fruitless = 0;
  std::uint64_t before = 0;
  for (int attempt = 1;; ++attempt) {
    std::string problem;
    try {
      bool last = !chunked || upload.is_done();
      Response response = last ? upload.finish() : upload.chunk();
      if (is_good(response.status)) {
        if (last) return "";
        fruitless = 0;
        continue;
      }
      if (wants_chunks(response.status) && !chunked && parse_error_body(response).code != "DIGEST_INVALID") {
        chunked = true;
        if (!upload.ask()) upload.begin("");
        continue;
      }
      Request request;
      request.method = "PUT", request.url = upload.place();
      if (response.status < 500 && response.status != 404 && response.status != 416)
        throw_status(response, s.failed("upload", request));
      problem = status_words(response.status);
    } catch (const TransportError& error) {
      problem = error.what();
      if (error.failure() == Failure::Certificate) fruitless = kFruitlessAttempts;
    }
    if (++fruitless >= kFruitlessAttempts || attempt >= kUploadAttempts) {
      throw Error(ErrorKind::Unavailable, cat("upload of ", blob.digest.text(), " was cut after ", upload.sent(),
                                              " of ", blob.size, " bytes: ", problem, " (", attempt, " attempts)"));
    }
    wait(200LL << std::min(fruitless, 4), s.stop);
    if (!upload.ask()) upload.begin("");
    if (upload.sent() > before) fruitless = 0;
    before = upload.sent();
  }
}

void Client::put_manifest(const std::string& tag_or_digest, const std::string& media_type, const std::string& bytes) {
  Request request;
  request.method = "PUT";
  request.headers.push_back(cat("Content-Type: ", media_type));
  request.body = bytes;
  request.total_timeout_ms = kDocumentTimeoutMs;
  state_->send("manifest", request, cat("/v2/", state_->reference.path, "/manifests/", tag_or_digest));
}

}  // namespace proa::registry
