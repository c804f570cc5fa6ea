#include "cli/upload.h"

#include <unistd.h>

#include "base/stream.h"
#include "cli/progress.h"
#include "os/fd.h"

namespace proa::cli {
namespace {

class FdSource : public ByteSource {
 public:
  explicit FdSource(int fd) : fd_(fd) {}
  std::size_t read(std::span<std::byte> buffer) override {
    return static_cast<std::size_t>(os::check(::read(fd_, buffer.data(), buffer.size()), "read"));
  }

 private:
  int fd_;
};

}  // namespace

void upload_tar(Session& session, StreamRequest request, int fd) {
  FdSource source(fd);
  request.method = "POST";
  request.upload = &source;
  request.content_type = "application/x-tar";
  ProgressView view(STDOUT_FILENO);
  session.documents(request, [&](const Json& message) {
    view.show(message);
    return true;
  });
}

}  // namespace proa::cli
