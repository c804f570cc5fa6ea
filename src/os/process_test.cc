#include "os/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"
#include "os/file.h"

namespace proa::os {
namespace {

RunResult shell(std::string script, RunOptions options = {}) {
  options.spawn.argv = {"/bin/sh", "-c", std::move(script)};
  return run_program(options);
}

TEST(Process, GivesOutputAndExitCodeOfAProgram) {
  auto result = shell("echo out; echo err >&2; exit 3");
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(result.exit.code, 3);
  EXPECT_EQ(shell("kill -9 $$").exit.signal, SIGKILL);
  EXPECT_EQ(shell("kill -9 $$").exit.code, 137);
}

TEST(Process, FeedsInputLargerThanAPipe) {
  RunOptions options;
  options.input = std::string(1 << 20, 'x');
  EXPECT_EQ(trim(shell("wc -c", options).out), "1048576");
  EXPECT_EQ(shell("exit 0", options).exit.code, 0);  // it reads nothing of it: no SIGPIPE for us
}

TEST(Process, KeepsOnlyTheFirstBytesOfTooMuchOutput) {
  RunOptions options;
  options.output_limit = 10;
  auto result = shell("head -c 100000 /dev/zero | tr '\\0' a", options);
  EXPECT_EQ(result.out, "aaaaaaaaaa");
  EXPECT_TRUE(result.truncated);
}

TEST(Process, KillsAProgramThatTakesTooLong) {
  RunOptions options;
  options.timeout_ms = 50;
  try {
    shell("sleep 10", options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Deadline);
  }
}

TEST(Process, DoesNotWaitForGrandchildrenThatKeepThePipe) {
  auto since = monotonic_now();
  EXPECT_EQ(shell("sleep 5 & echo done").out, "done\n");
  EXPECT_LT(monotonic_now() - since, 2 * kSecond);
}

TEST(Process, SaysWhyAProgramCouldNotBeStarted) {
  SpawnOptions options;
  options.argv = {"/no/such/program"};
  try {
    spawn(options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.errno_code(), ENOENT);
    EXPECT_EQ(error.message(), "exec /no/such/program: no such file or directory");
  }
  options.argv = {"/bin/true"};
  options.cwd = "/no/such/dir";
  EXPECT_THROW(spawn(options), Error);
  options.argv = {"no-such-program-anywhere"};
  EXPECT_THROW(spawn(options), Error);
}

TEST(Process, PassesDescriptorsUnderTheirNewNumbersAndNoOthers) {
  auto [reader, writer] = make_pipe();
  Fd leak(::open("/dev/null", O_RDONLY));  // not close-on-exec
  SpawnOptions options;
  options.argv = {"/bin/sh", "-c", "ls /proc/self/fd | tr '\\n' ' ' >&5; echo x >&6"};
  options.env = std::vector<std::string>{"PATH=/bin:/usr/bin"};
  // 6 is written over while it may be a source: both must come from where they were.
  options.fds = {{writer.get(), 5}, {writer.get(), 6}};
  auto child = spawn(options);
  writer.reset();
  std::string out = read_all(reader.get());
  EXPECT_EQ(wait_exit(child.pidfd.get())->code, 0);
  EXPECT_EQ(out, "0 1 2 3 5 6 x\n");  // 3 is ls reading the directory
}

TEST(Process, SwapsDescriptors) {
  auto [a_read, a_write] = make_pipe();
  auto [b_read, b_write] = make_pipe();
  SpawnOptions options;
  options.argv = {"/bin/sh", "-c", cat("echo a >&", b_write.get(), "; echo b >&", a_write.get())};
  options.fds = {{a_write.get(), b_write.get()}, {b_write.get(), a_write.get()}};
  auto child = spawn(options);
  a_write.reset();
  b_write.reset();
  EXPECT_EQ(read_all(a_read.get()), "a\n");
  EXPECT_EQ(read_all(b_read.get()), "b\n");
  wait_exit(child.pidfd.get());
}

TEST(Process, StartsWithSignalsAsTheyWereMade) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  auto old = ::signal(SIGPIPE, SIG_IGN);
  auto result = shell("grep -E 'Sig(Blk|Ign)' /proc/self/status");
  ::signal(SIGPIPE, old);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(result.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(Process, KnowsSignalsByNameAndNumber) {
  EXPECT_EQ(parse_signal("SIGTERM"), SIGTERM);
  EXPECT_EQ(parse_signal("term"), SIGTERM);
  EXPECT_EQ(parse_signal("9"), SIGKILL);
  EXPECT_EQ(parse_signal("SIGRTMIN+3"), 37);
  EXPECT_EQ(parse_signal("RTMAX"), 64);
  EXPECT_EQ(parse_signal("0"), std::nullopt);
  EXPECT_EQ(parse_signal("65"), std::nullopt);
  EXPECT_EQ(parse_signal("SIGNOPE"), std::nullopt);
  EXPECT_EQ(signal_name(SIGHUP), "SIGHUP");
}

// proves: F8
TEST(Process, NamesAProcessForGood) {
  EXPECT_TRUE(start_time_ticks(::getpid()).has_value());
  EXPECT_EQ(start_time_ticks(0x7ffffff0), std::nullopt);
}

}  // namespace
}  // namespace proa::os
