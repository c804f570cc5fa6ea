#include "registry/client.h"

#include <algorithm>

#include "archive/hash.h"
#include "base/error.h"
#include "base/text.h"
#include "http/range.h"
#include "registry/client_state.h"

namespace proa::registry {

namespace {

constexpr int kMirrorAttempts =
    2;  // of a blob, in a row, without a byte more: then the next place is asked for the rest
constexpr int kBlobAttempts = 100;

std::string hash_of(std::string_view bytes) {
  archive::Sha256 hash;
  hash.update(std::as_bytes(std::span(bytes.data(), bytes.size())));
  return hash.hex();
}

// "bytes 100-999/1000" must begin at `offset`.
bool continues_at(const std::string& content_range, std::uint64_t offset) {
  auto range = http::parse_content_range(content_range);
  return content_range.starts_with("bytes ") && range && range->first == offset;
}

}  // namespace

Client::Client(const Options& options, const oci::Reference& repository, Credentials credentials, std::stop_token stop,
               Access access, const std::vector<std::string>& mount_from)
    : state_(std::make_unique<State>(options, repository, credentials, std::move(stop), access, mount_from)) {}

Client::~Client() = default;

FetchedManifest Client::State::fetch(const std::string& tag_or_digest, std::size_t limit) {
  Request request;
  request.max_body = limit;
  request.total_timeout_ms = kDocumentTimeoutMs;
  for (std::string_view type : {oci::media_type::kIndex, oci::media_type::kManifest, oci::media_type::kDockerList,
                                oci::media_type::kDockerManifest}) {
    request.headers.push_back(cat("Accept: ", type));
  }
  Response response = send("manifest", request, cat("/v2/", reference.path, "/manifests/", tag_or_digest));
  FetchedManifest out;
  out.media_type = response.header("content-type");
  out.digest = oci::Digest::from_hex(hash_of(response.body));
  out.bytes = std::move(response.body);
  // By a tag nothing else tells a damaged document from a sound one.
  auto claimed = oci::Digest::try_parse(response.header("docker-content-digest"));
  auto asked = oci::Digest::try_parse(tag_or_digest);
  for (const auto& expected : {claimed, asked}) {
    if (expected && *expected != out.digest) {
      throw Error(ErrorKind::DataLoss, cat("manifest verification failed for digest ", expected->text(),
                                           ": digest mismatch, content is ", out.digest.text()));
    }
  }
  return out;
}

FetchedManifest Client::manifest(const std::string& tag_or_digest) {
  return state_->verified([&] { return state_->fetch(tag_or_digest, oci::kMaxManifest); });
}

FetchedManifest Client::manifest(const oci::Descriptor& descriptor) {
  if (descriptor.size > static_cast<std::int64_t>(oci::kMaxManifest)) {
    throw Error(ErrorKind::InvalidArgument,
                cat("manifest ", descriptor.digest.text(), " is larger than ", oci::kMaxManifest, " bytes"));
  }
  FetchedManifest out = manifest(descriptor.digest.text());
  if (static_cast<std::int64_t>(out.bytes.size()) != descriptor.size) {
    throw Error(ErrorKind::DataLoss, cat("size mismatch for ", descriptor.digest.text(), ": got ", out.bytes.size(),
                                         " bytes, expected ", descriptor.size));
  }
  // The descriptor, the response and the document itself must name one type.
  if (oci::manifest_type(out.bytes, out.media_type) != oci::manifest_type(out.bytes, descriptor.media_type)) {
    throw Error(ErrorKind::InvalidArgument,
                cat("media type of ", descriptor.digest.text(), " is not ", descriptor.media_type));
  }
  out.media_type = descriptor.media_type;
  return out;
}

std::optional<oci::Descriptor> Client::resolve(const std::string& tag_or_digest) {
  Request request;
  request.method = "HEAD";
  request.total_timeout_ms = kDocumentTimeoutMs;
  for (std::string_view type : {oci::media_type::kIndex, oci::media_type::kManifest, oci::media_type::kDockerList,
                                oci::media_type::kDockerManifest}) {
    request.headers.push_back(cat("Accept: ", type));
  }
  Response response =
      state_->send("manifest", request, cat("/v2/", state_->reference.path, "/manifests/", tag_or_digest));
  auto digest = oci::Digest::try_parse(response.header("docker-content-digest"));
  if (!digest) return std::nullopt;
  oci::Descriptor out;
  out.digest = *digest;
  out.media_type = response.header("content-type");
  out.size = parse_int<std::int64_t>(response.header("content-length")).value_or(0);
  return out;
}

std::string Client::blob(const oci::Descriptor& descriptor, std::size_t limit) {
  std::string_view name = descriptor.digest.text();
  if (descriptor.size > static_cast<std::int64_t>(limit)) {
    throw Error(ErrorKind::InvalidArgument, cat("content ", name, " is larger than ", limit, " bytes"));
  }
  std::string bytes;
  BlobReceiver receiver{
      .restart = [&] { bytes.clear(); },
      .data =
          [&](std::span<const std::byte> piece) {
            if (piece.size() > static_cast<std::size_t>(descriptor.size) - bytes.size()) {
              throw Error(ErrorKind::DataLoss,
                          cat("size mismatch for ", name, ": more than the expected ", descriptor.size, " bytes"));
            }
            bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
          }};
  return state_->verified([&] {
    bytes.clear();
    stream_blob(descriptor, 0, receiver);
    if (std::string hex = hash_of(bytes); hex != descriptor.digest.hex()) {
      throw Error(ErrorKind::DataLoss,
                  cat("content verification failed for digest ", name, ": digest mismatch, content is sha256:", hex));
    }
    return std::move(bytes);
  });
}

void Client::stream_blob(const oci::Descriptor& descriptor, std::uint64_t offset, const BlobReceiver& receiver) {
  State& s = *state_;
  const auto size = static_cast<std::uint64_t>(descriptor.size);
  std::string path = cat("/v2/", s.reference.path, "/blobs/", descriptor.digest.text());
  auto start_again = [&] {
    receiver.restart();
    offset = 0;
  };
  int fruitless = 0;
  bool refused_range = false;
  for (int attempt = 1; attempt == 1 || offset < size; ++attempt) {
    std::uint64_t before = offset;
    Request request;
    if (offset > 0) request.headers.push_back(cat("Range: bytes=", offset, "-"));
    request.on_head = [&](const Response& head) {
      if (offset == 0) return;
      if (head.status == 200) return start_again();  // it does not do ranges
      if (!continues_at(head.header("content-range"), offset))
        throw TransportError(Failure::Protocol, "the registry answered with another range than asked for");
    };
    request.on_data = [&](std::span<const std::byte> piece) {
      receiver.data(piece);
      offset += piece.size();
    };
    std::string problem;
    try {
      Response response = s.send("blob", request, path);
      if (response.status == 416) {
        if (refused_range) throw TransportError(Failure::Protocol, "the registry refuses the range again");
        refused_range = true;
        start_again();
        continue;
      }
      problem = "the response ended early";
    } catch (const TransportError& error) {
      problem = error.what();
      bool hopeless = error.failure() == Failure::Limit || error.failure() == Failure::Certificate ||
                      error.failure() == Failure::Alert;
      if (hopeless) fruitless = s.download_attempts;
    }
    if (offset >= size) return;
    fruitless = offset > before ? 0 : fruitless + 1;
    if (fruitless >= kMirrorAttempts && s.leave_mirror()) fruitless = 0;
    if (fruitless >= s.download_attempts || attempt >= kBlobAttempts) {
      throw Error(ErrorKind::Unavailable, cat("download of ", descriptor.digest.text(), " was cut after ", offset,
                                              " of ", size, " bytes: ", problem, " (", attempt, " attempts)"));
    }
    wait(200LL << std::min(fruitless, 4), s.stop);
  }
}

std::optional<std::uint64_t> Client::blob_size(const oci::Digest& digest) {
  Request request;
  request.method = "HEAD";
  try {
    Response response = state_->send("blob", request, cat("/v2/", state_->reference.path, "/blobs/", digest.text()));
    return parse_int<std::uint64_t>(response.header("content-length")).value_or(0);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::NotFound) return std::nullopt;
    throw;
  }
}

bool Client::leave_mirror() { return state_->leave_mirror(); }

}  // namespace proa::registry
