#include "shim/control.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/socket.h"
#include "shim/attach.h"
#include "shim/backlog.h"
#include "shim/detach_keys.h"

namespace proa::shim {
namespace {

TEST(Control, CreateRequestSurvivesTheWire) {
  CreateRequest request;
  request.id = "abc";
  request.run_dir = "/run/proa/shims/abc";
  request.spec.process.args = {"sh", "-c", "echo \"\xe6\x97\xa5\""};
  request.spec.hostname = "host";
  request.spec.linux.namespaces = {{"pid", ""}, {"network", "/proc/self/fd/7"}};
  request.open_stdin = request.terminal = true;
  request.console_height = 40;
  request.console_width = 65535;
  request.log.max_size = -1;
  request.log.max_file = 3;
  request.log.attributes = {{"tag", "x"}};
  request.runtime = {"/usr/sbin/runc", "--debug"};
  request.attach.push_back({.use_stdin = true,
                            .use_stdout = false,
                            .use_stderr = true,
                            .framing = Framing::Raw,
                            .detach_keys = std::string("\x10\x00\xff", 3),
                            .early_stdin = std::string("\x80\n\0", 3),
                            .client_id = "c"});
  request.fds = {"rootfs", "attach:0"};

  auto [a, b] = os::make_socket_pair(SOCK_SEQPACKET);
  send_packet(a.get(), to_json(request), {a.get(), b.get()});
  auto packet = receive_packet(b.get());
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->fds.size(), 2U);
  auto got = create_request_from_json(packet->body);
  EXPECT_EQ(got.id, request.id);
  EXPECT_EQ(got.run_dir, request.run_dir);
  EXPECT_EQ(got.spec.process.args, request.spec.process.args);
  EXPECT_EQ(got.spec.linux.namespaces.at(1).path, "/proc/self/fd/7");
  EXPECT_TRUE(got.open_stdin && got.terminal && !got.stdin_once);
  EXPECT_EQ(got.console_width, 65535);
  EXPECT_EQ(got.log.max_size, -1);
  EXPECT_EQ(got.log.max_file, 3);
  EXPECT_EQ(got.log.attributes, request.log.attributes);
  EXPECT_EQ(got.runtime, request.runtime);
  ASSERT_EQ(got.attach.size(), 1U);
  EXPECT_EQ(got.attach[0].detach_keys, request.attach[0].detach_keys);
  EXPECT_EQ(got.attach[0].early_stdin, request.attach[0].early_stdin);
  EXPECT_EQ(got.attach[0].framing, Framing::Raw);
  EXPECT_EQ(got.fds, request.fds);
}

TEST(Control, PacketLargerThanASocketTakesIsStillOnePacket) {
  auto [a, b] = os::make_socket_pair(SOCK_SEQPACKET);
  std::string large(3 << 20, 'e');
  send_packet(a.get(), JsonObject{{"large", large}}, {a.get()});
  auto packet = receive_packet(b.get());
  ASSERT_TRUE(packet);
  EXPECT_EQ(json::string_at(packet->body, "large"), large);
  EXPECT_EQ(packet->fds.size(), 1U);
}

TEST(Control, ClosedPeerIsNoPacketAndNonsenseIsAnError) {
  auto [a, b] = os::make_socket_pair(SOCK_SEQPACKET);
  os::send_message(a.get(), "{not json");
  EXPECT_THROW(receive_packet(b.get()), Error);
  os::send_message(a.get(), "@");
  EXPECT_THROW(receive_packet(b.get()), Error);
  a.reset();
  EXPECT_FALSE(receive_packet(b.get()));
}

TEST(Control, ErrorsArriveAsThemselvesAndSpansJoin) {
  trace::Recorder theirs("shim");
  {
    trace::Scope scope(theirs);
    trace::Span outer("shim.stdio");
    trace::Span inner("shim.pipe");
  }
  trace::Recorder ours("proad");
  trace::Scope scope(ours);
  trace::Span span("launch");
  try {
    unwrap_reply(reply(Error(ErrorKind::NotFound, "exec: \"x\"", 2), theirs.events()));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::NotFound);
    EXPECT_EQ(error.errno_code(), 2);
    EXPECT_EQ(error.message(), "exec: \"x\"");
  }
  auto events = ours.events();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[1].name, "shim.stdio");
  EXPECT_EQ(events[1].parent, 0);
  EXPECT_EQ(events[2].parent, 1);
  EXPECT_EQ(events[2].process, "shim");
}

TEST(Control, NoticesSurviveTheWire) {
  Notice notice;
  notice.exit.exec_id = "e";
  notice.exit.exit_code = 137;
  notice.exit.signal = 9;
  notice.exit.oom_killed = true;
  notice.exit.finished_at = 1'700'000'000'123'456'789;
  auto got = notice_from_json(to_json(notice));
  EXPECT_EQ(got.exit.exit_code, 137);
  EXPECT_TRUE(got.exit.oom_killed);
  EXPECT_EQ(got.exit.finished_at, notice.exit.finished_at);
  EXPECT_EQ(got.exit.started_at, kZeroTime);
  Notice detached{.kind = NoticeKind::Detached, .exit = {}, .exec_id = "", .client_id = "7"};
  EXPECT_EQ(notice_from_json(to_json(detached)).client_id, "7");
}

TEST(Exit, CodesFollowTheShell) {
  EXPECT_EQ(exit_record_from_wait(CLD_EXITED, 3).exit_code, 3);
  EXPECT_EQ(exit_record_from_wait(CLD_KILLED, 15).exit_code, 143);
  EXPECT_EQ(exit_record_from_wait(CLD_KILLED, 15).signal, 15);
  EXPECT_TRUE(exit_record_from_wait(CLD_DUMPED, 11).core_dumped);
}

TEST(Framing, HeaderIsTypeAndBigEndianSize) {
  EXPECT_EQ(frame_header(Stream::Stdout, 1), std::string("\1\0\0\0\0\0\0\1", 8));
  EXPECT_EQ(frame_header(Stream::Stderr, 0x01020304), std::string("\2\0\0\0\1\2\3\4", 8));
}

TEST(DetachKeys, NamesBecomeBytes) {
  EXPECT_EQ(parse_detach_keys("ctrl-p,ctrl-q"), kDefaultDetachKeys);
  EXPECT_EQ(parse_detach_keys("a,ctrl-@,ctrl-[,ctrl-_,DEL"), std::string("a\0\x1b\x1f\x7f", 5));
  EXPECT_THROW(parse_detach_keys("ctrl-P"), Error);
  EXPECT_THROW(parse_detach_keys("shift-a"), Error);
  EXPECT_THROW(parse_detach_keys("a,,b"), Error);
}

TEST(DetachKeys, SequenceSplitOverPacketsDetaches) {
  DetachKeys keys{std::string(kDefaultDetachKeys)};
  auto first = keys.feed("abc\x10");
  EXPECT_EQ(first.pass, "abc");
  EXPECT_FALSE(first.detached);
  auto second = keys.feed("\x11rest");
  EXPECT_EQ(second.pass, "");
  EXPECT_TRUE(second.detached);
}

TEST(DetachKeys, AbortedSequenceIsSentAfterAll) {
  DetachKeys keys{std::string(kDefaultDetachKeys)};
  EXPECT_EQ(keys.feed("\x10").pass, "");
  EXPECT_EQ(keys.feed("x").pass, "\x10x");
  EXPECT_EQ(keys.feed("\x10\x10").pass, "\x10");  // the second may begin the sequence
  EXPECT_TRUE(keys.feed("\x11").detached);
}

TEST(DetachKeys, SequenceThatOverlapsItselfIsFound) {
  DetachKeys keys("aab");
  auto found = keys.feed("aaab");
  EXPECT_EQ(found.pass, "a");
  EXPECT_TRUE(found.detached);
  DetachKeys none("");
  EXPECT_EQ(none.feed("\x10\x11").pass, "\x10\x11");
}

TEST(Backlog, KeepsOrderThroughMemoryFileAndBack) {
  Backlog backlog("/tmp");
  std::string all;
  std::uint64_t seed = 1;
  for (int i = 0; i < 100; ++i) {
    std::string piece(50'000, static_cast<char>('a' + i % 26));
    piece[0] = static_cast<char>('0' + (seed = seed * 6364136223846793005U + 1) % 10);
    all += piece;
    backlog.put(piece);
    EXPECT_FALSE(backlog.full());
  }
  std::string got;
  while (!backlog.empty()) {
    auto bytes = backlog.front();
    ASSERT_FALSE(bytes.empty());
    std::size_t take = std::min<std::size_t>(bytes.size(), 77'777);
    got += bytes.substr(0, take);
    backlog.drop(take);
    if (got.size() < 2'000'000 && got.size() % 2) {
      backlog.put("x");
      all += "x";
    }
  }
  EXPECT_TRUE(got == all);
}

TEST(Backlog, WithoutAFileItIsFullAtItsMemory) {
  Backlog backlog("");
  std::string piece(64 << 10, 'p');
  std::size_t put = 0;
  while (!backlog.full()) {
    backlog.put(piece);
    put += piece.size();
    ASSERT_LE(put, Backlog::kMemory + 2 * piece.size());
  }
  while (!backlog.empty()) backlog.drop(backlog.front().size());
  EXPECT_FALSE(backlog.full());
}

}  // namespace
}  // namespace proa::shim
