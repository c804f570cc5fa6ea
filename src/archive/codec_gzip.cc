// gzip by ISA-L: twice zlib's speed (dependencies.md, section 4).
#include <isa-l/igzip_lib.h>

#include "archive/codec.h"
#include "base/error.h"
#include "base/text.h"

namespace proa::archive {
namespace {

class GzipCodec : public Codec {
 public:
  GzipCodec() : state_(std::make_unique<inflate_state>()) {
    isal_inflate_init(state_.get());
    reset();
  }

  Step run(std::span<const std::byte> in, std::span<std::byte> out) override {
    // ISA-L only reads from next_in.
    state_->next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(in.data()));
    state_->avail_in = static_cast<std::uint32_t>(in.size());
    state_->next_out = reinterpret_cast<std::uint8_t*>(out.data());
    state_->avail_out = static_cast<std::uint32_t>(out.size());
    int result = isal_inflate(state_.get());
    if (result < 0) throw Error(ErrorKind::InvalidArgument, cat("gzip: ", reason(result)));
    return {in.size() - state_->avail_in, out.size() - state_->avail_out, state_->block_state == ISAL_BLOCK_FINISH};
  }

  void reset() override {
    isal_inflate_reset(state_.get());
    state_->crc_flag = ISAL_GZIP;
  }

 private:
  static std::string_view reason(int result) {
    switch (result) {
      case ISAL_INVALID_WRAPPER:
      case ISAL_UNSUPPORTED_METHOD:
        return "invalid header";
      case ISAL_INCORRECT_CHECKSUM:
        return "invalid checksum";
      default:
        return "invalid data";
    }
  }

  std::unique_ptr<inflate_state> state_;
};

}  // namespace

std::unique_ptr<Codec> make_gzip_codec() { return std::make_unique<GzipCodec>(); }

}  // namespace proa::archive
