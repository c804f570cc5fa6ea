// A file that grows while it is read.
#include "image/followed_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "os/file.h"

namespace proa::image {
namespace {

class Followed : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/proa-followed-test-XXXXXX";
    to_ = os::Fd(::mkstemp(path));
    from_.emplace(os::open_file(path, O_RDONLY));
    os::remove_file(path);
  }
  void write(std::string_view text) {
    os::write_all(to_.get(), text);
    from_->grown(size_ += text.size());
  }
  std::string read(std::size_t most) {
    std::string text(most, '\0');
    text.resize(from_->read(std::as_writable_bytes(std::span(text))));
    return text;
  }

  os::Fd to_;
  std::uint64_t size_ = 0;
  std::optional<FollowedFile> from_;
};

TEST_F(Followed, GivesWhatIsToldToBeThereAndNoMore) {
  write("abc");
  os::write_all(to_.get(), "half of somethi");
  EXPECT_EQ(read(2), "ab");
  EXPECT_EQ(read(100), "c");
}

TEST_F(Followed, WaitsForTheRestUntilTheEnd) {
  std::string wanted, got;
  for (int i = 0; i < 1000; ++i) wanted += std::to_string(i) + " ";
  std::thread writer([&] {
    for (std::size_t at = 0; at < wanted.size(); at += 7) write(std::string_view(wanted).substr(at, 7));
    from_->finish();
  });
  for (std::string piece = read(64); !piece.empty(); piece = read(64)) got += piece;
  writer.join();
  EXPECT_EQ(got, wanted);
  EXPECT_EQ(read(1), "");
}

TEST_F(Followed, FailsAfterWhatCameBefore) {
  write("whole");
  from_->fail(std::make_exception_ptr(std::runtime_error("torn")));
  EXPECT_EQ(read(100), "whole");
  EXPECT_THROW(read(100), std::runtime_error);
}

}  // namespace
}  // namespace proa::image
