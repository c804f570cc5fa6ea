#include <gtest/gtest.h>

#include "base/error.h"
#include "runtime/criu_message.h"

namespace proa::runtime::criu {
namespace {

using namespace std::string_literals;

// What pycriu makes of the same fields.
TEST(CriuMessage, RequestIsWhatTheProtocolSays) {
  EXPECT_EQ(encode_request(Kind::Version, nullptr), "\x08\x0a"s);
  EXPECT_EQ(encode_request(Kind::Features, nullptr), "\x08\x09\x2a\x04\x08\x01\x10\x01"s);
  EXPECT_EQ(encode_notified(true), "\x08\x06\x18\x01"s);

  Options options;
  options.images_dir_fd = 5;
  options.pid = 300;
  options.ext_mnt = {{"/mnt", "name"}};
  options.inherit_fd = {{"pipe:[7]", 10}};
  options.lsm_mount_context = "c";
  std::string expected =
      "\x08\x05"                              // images_dir_fd
      "\x10\xac\x02"                          // pid
      "\x48\x04"                              // log_level
      "\x60\x01"                              // notify_scripts
      "\xba\x01\x0c\x0a\x04/mnt\x12\x04name"  // ext_mnt
      "\xc0\x01\x01"                          // manage_cgroups
      "\xda\x01\x0c\x0a\x08pipe:[7]\x10\x0a"  // inherit_fd
      "\x90\x02\x03"                          // manage_cgroups_mode: soft
      "\x90\x03\x01"                          // orphan_pts_master
      "\xfa\x03\x01"
      "c";  // lsm_mount_context
  EXPECT_EQ(encode_request(Kind::Dump, &options), "\x08\x01\x12"s + static_cast<char>(expected.size()) + expected);
}

TEST(CriuMessage, AnswersAreRead) {
  auto note = decode_answer("\x08\x06\x10\x01\x2a\x0f\x0a\x0bpost-resume\x10\x2a"s);
  EXPECT_EQ(note.kind, Kind::Notify);
  EXPECT_TRUE(note.success);
  EXPECT_EQ(note.script, "post-resume");
  EXPECT_EQ(note.pid, 42);

  auto restored = decode_answer("\x08\x02\x10\x01\x22\x03\x08\xac\x02"s);
  EXPECT_EQ(restored.kind, Kind::Restore);
  EXPECT_EQ(restored.pid, 300);

  auto failed = decode_answer("\x08\x01\x10\x00\x38\x11\x4a\x03why"s);
  EXPECT_FALSE(failed.success);
  EXPECT_EQ(failed.error, 17);
  EXPECT_EQ(failed.message, "why");

  EXPECT_EQ(decode_answer("\x08\x0a\x10\x01\x52\x06\x08\x03\x10\x11\x20\x01"s).version, 31701);
  EXPECT_TRUE(decode_answer("\x08\x09\x10\x01\x42\x02\x08\x01"s).mem_track);
}

TEST(CriuMessage, BrokenAnswersAreRefused) {
  for (const auto& bytes : {"\x08"s, "\x2a\x7f"s, "\x0f"s, std::string(11, '\xff'), "\x0d\x01\x02"s}) {
    EXPECT_THROW(decode_answer(bytes), Error);
  }
}

}  // namespace
}  // namespace proa::runtime::criu
