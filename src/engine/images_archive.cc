// Images as archives: save and load.
#include "base/rollback.h"
#include "base/text.h"
#include "base/trace.h"
#include "engine/events.h"
#include "engine/housekeeping.h"
#include "engine/image_progress.h"
#include "engine/images.h"
#include "engine/rooms.h"
#include "image/load.h"
#include "image/save.h"

namespace proa::engine {

namespace {

class SinkTo : public ByteSink {
 public:
  explicit SinkTo(Sink sink) : sink_(std::move(sink)) {}
  void write(std::span<const std::byte> bytes) override {
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    // Headers of small files are gathered; a large piece goes as it is.
    if (buffer_.size() + text.size() < kGathered) {
      buffer_ += text;
      return;
    }
    flush();
    sink_(text);
  }
  void flush() {
    if (!buffer_.empty()) sink_(buffer_);
    buffer_.clear();
  }

 private:
  static constexpr std::size_t kGathered = 64 << 10;
  Sink sink_;
  std::string buffer_;
};

std::vector<oci::Platform> parse_platforms(const std::vector<std::string>& texts) {
  std::vector<oci::Platform> out;
  for (const std::string& text : texts) out.push_back(oci::Platform::parse(text));
  return out;
}

}  // namespace

void Images::save(const std::vector<std::string>& names, const std::vector<std::string>& platforms,
                  const std::function<Sink()>& begin, std::stop_token stop) {
  trace::Span span("engine.save");
  image::Saving saving(*rooms_.images, *rooms_.blobs, names, parse_platforms(platforms));
  SinkTo out(begin());
  saving.write(out, std::move(stop));
  out.flush();
  for (const std::string& name : saving.saved()) rooms_.events->emit("image", "save", name, {{"name", name}});
}

void Images::load(ByteSource& archive, const std::vector<std::string>& platforms, bool quiet,
                  const ProgressSink& progress, std::stop_token stop) {
  trace::Span span("engine.load");
  image::Loader loader(*rooms_.images, *rooms_.blobs, *rooms_.layers);
  std::vector<oci::Platform> wanted = parse_platforms(platforms);
  Rollback rollback;
  rollback.add([this] { empty_trash_soon(rooms_); });  // the layers of what failed went there
  auto loaded = loader.load(archive, wanted, quiet ? image::Progress{} : forward_to(progress), std::move(stop));
  rollback.commit();
  for (const image::LoadedImage& image : loaded) {
    std::vector<std::string> said;
    for (const std::string& name : image.names) said.push_back(cat("Loaded image: ", name, "\n"));
    if (said.empty()) said.push_back(cat("Loaded image ID: ", image.id.text(), "\n"));
    for (const std::string& line : said) {
      api::ProgressMessage message;
      message.stream = line;
      progress(message);
    }
    rooms_.events->emit("image", "load", image.id.text(), {{"name", image.id.text()}});
  }
}

}  // namespace proa::engine
