// Blobs, leases and the database, through crashes.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "base/text.h"
#include "os/file.h"
#include "store/blobs.h"
#include "store/database.h"
#include "store/lease.h"

namespace proa::store {
namespace {

class Store : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/proa-store-test-XXXXXX";
    root_ = ::mkdtemp(path);
  }
  void TearDown() override { os::remove_tree(root_); }
  std::string db() const { return root_ + "/proa.db"; }
  std::string root_;
};

// sha256 of "hello" (FIPS 180-4 implementation: sha256sum)
const std::string kHello = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

TEST_F(Store, BlobsAreFoundByTheirDigest) {
  Blobs blobs(root_ + "/content");
  EXPECT_EQ(blobs.put("hello").text(), kHello);
  auto digest = oci::Digest::parse(kHello);
  EXPECT_EQ(blobs.read(digest, 100), "hello");
  EXPECT_EQ(blobs.size(digest), 5u);
  EXPECT_EQ(os::read_file(root_ + "/content/oci-layout"), R"({"imageLayoutVersion":"1.0.0"})");
  EXPECT_THROW(blobs.put(digest, "hullo"), Error);
  os::write_file(blobs.path(digest), "hellO");
  EXPECT_THROW(blobs.read(digest, 100), Error);
}

TEST_F(Store, AnIngestGoesOnWhereItWasLeft) {
  Blobs blobs(root_ + "/content");
  auto digest = oci::Digest::parse(kHello);
  { blobs.ingest(digest, 5).append(bytes("hel")); }
  Ingest again = blobs.ingest(digest, 5);
  EXPECT_EQ(again.kept(), 3u);
  std::byte buffer[10];
  EXPECT_EQ(again.replay(buffer), 3u);
  EXPECT_EQ(again.replay(buffer), 0u);
  again.append(bytes("lo"));
  again.verify();
  EXPECT_FALSE(blobs.has(digest));
  again.commit();
  EXPECT_EQ(blobs.read(digest, 10), "hello");
  EXPECT_TRUE(blobs.ingests().empty());
}

// proves: I16
TEST_F(Store, AnIngestThatIsWrongIsNotPublished) {
  Blobs blobs(root_ + "/content");
  auto digest = oci::Digest::parse(kHello);
  Ingest wrong = blobs.ingest(digest, 5);
  wrong.append(bytes("hullo"));
  EXPECT_THROW(wrong.verify(), Error);
  EXPECT_TRUE(blobs.ingests().empty());
  Ingest longer = blobs.ingest(digest, 5);
  EXPECT_THROW(longer.append(bytes("hello!")), Error);
  Ingest shorter = blobs.ingest(digest, 6);
  EXPECT_THROW(shorter.verify(), Error);
}

TEST_F(Store, DatabaseKeepsDocumentsOverReopening) {
  {
    Database database(db());
    database.put("containers", "b", JsonObject{{"n", 2}});
    database.put("containers", "a", JsonObject{{"n", 1}});
    database.put("containers", "a", JsonObject{{"n", 3}});
    database.put("other", "a", JsonObject{});
  }
  Database database(db());
  auto rows = database.list("containers");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].first, "a");
  EXPECT_EQ(json::int_at(rows[0].second, "n"), 3);
  EXPECT_EQ(database.list("containers", "b").size(), 1u);
  EXPECT_TRUE(database.erase("containers", "a"));
  EXPECT_FALSE(database.erase("containers", "a"));
  EXPECT_FALSE(database.get("containers", "a"));
}

TEST_F(Store, RowsAreShownByPrefixAndFromAKeyOn) {
  Database database(db());
  for (const char* key : {"a", "a:", "a:1", "a:2", "a:\xc3\xa9", "a;", "b:1"}) database.put("t", key, Json(1));
  database.put("u", "a:3", Json(1));
  auto keys = [&](std::string_view prefix, std::string_view after, std::size_t most = 100) {
    std::vector<std::string> out;
    database.each("t", prefix, after, [&](const std::string& key, Json&&) {
      out.push_back(key);
      return out.size() < most;
    });
    return out;
  };
  using Keys = std::vector<std::string>;
  EXPECT_EQ(keys("a:", ""), (Keys{"a:", "a:1", "a:2", "a:\xc3\xa9"}));
  EXPECT_EQ(keys("a:", "a:1"), (Keys{"a:2", "a:\xc3\xa9"}));
  EXPECT_EQ(keys("a:", "a:0", 2), (Keys{"a:1", "a:2"}));
  EXPECT_EQ(keys("a:", "A"), keys("a:", ""));
  EXPECT_EQ(keys("a:", "b"), Keys());
  EXPECT_EQ(keys("", "a:2"), (Keys{"a:\xc3\xa9", "a;", "b:1"}));
  EXPECT_EQ(keys("", "").size(), 7u);
}

TEST_F(Store, ATransactionIsAllOrNothing) {
  Database database(db());
  EXPECT_THROW(database.transaction([&] {
    database.put("t", "1", Json(1));
    database.transaction([&] { database.put("t", "2", Json(2)); });
    throw Error(ErrorKind::Internal, "no");
  }),
               Error);
  EXPECT_TRUE(database.list("t").empty());
  database.transaction([&] { database.put("t", "1", Json(1)); }, Durability::Full);
  EXPECT_EQ(database.list("t").size(), 1u);
}

// proves: I1
TEST_F(Store, CommittedRowsSurviveTheDeathOfTheProcess) {
  pid_t child = ::fork();
  if (child == 0) {
    Database database(db());
    for (int i = 0; i < 50; ++i) database.put("t", std::to_string(i), Json(i));
    database.transaction([&] {
      database.put("t", "half", Json(true));
      ::_exit(0);  // as kill -9 would: nothing is closed
    });
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  Database database(db());
  EXPECT_EQ(database.list("t").size(), 50u);
  EXPECT_FALSE(database.get("t", "half"));
  EXPECT_EQ(database.set_aside(), "");
}

// proves: I19
TEST_F(Store, ADamagedDatabaseIsSetAside) {
  {
    Database database(db());
    for (int i = 0; i < 500; ++i) database.put("t", std::to_string(i), Json(std::string(200, 'x')));
  }
  std::string content = os::read_file(db());
  for (std::size_t at = 4096; at < content.size(); at += 7) content[at] = '\x5a';
  os::write_file(db(), content);
  Database database(db());
  EXPECT_NE(database.set_aside(), "");
  EXPECT_TRUE(os::exists(database.set_aside()));
  EXPECT_TRUE(database.list("t").empty());
  database.put("t", "new", Json(1));
}

// What a loss of power leaves of the log: all its beginnings, with nothing, zeroes or garbage where the rest was.
TEST_F(Store, OpensWithAPrefixOfItsRowsAfterALossOfPower) {
  constexpr int kRows = 24;
  pid_t child = ::fork();
  if (child == 0) {
    Database database(db());
    for (int i = 0; i < kRows; ++i) database.put("t", cat(i / 10, i % 10), Json(std::string(3000, 'x')));
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  std::string file = os::read_file(db()), log = os::read_file(cat(db(), "-wal"));
  ASSERT_GT(log.size(), 100000u);
  std::size_t most = 0, number = 0;
  for (std::size_t cut = 0; cut <= log.size(); cut += 2077, ++number) {
    std::string left = log.substr(0, cut);
    if (number % 3 > 0) left.resize(log.size(), number % 3 == 1 ? '\0' : '\x5a');
    os::write_file(db(), file);
    os::write_file(cat(db(), "-wal"), left);
    os::remove_file(cat(db(), "-shm"));
    Database database(db());
    EXPECT_EQ(database.set_aside(), "") << cut;
    auto rows = database.list("t");
    for (std::size_t i = 0; i < rows.size(); ++i) ASSERT_EQ(rows[i].first, cat(i / 10, i % 10)) << cut;
    ASSERT_GE(rows.size(), most) << cut;
    most = rows.size();
  }
  EXPECT_GT(most, kRows - 3u);
}

TEST_F(Store, WhatCanBeReadOfADamagedDatabaseIsKept) {
  {
    Database database(db());
    for (int i = 0; i < 500; ++i)
      database.put("t", cat(1000 + i), JsonObject{{"n", i}, {"text", std::string(200, 'x')}});
  }
  std::string sound = os::read_file(db());
  // The page of a row in the middle.
  std::size_t page = sound.find("\"n\":250,") / 4096 * 4096;
  ASSERT_GT(page, 4096u);
  os::write_file(db(), sound.substr(0, page) + std::string(4096, '\x5a') + sound.substr(page + 4096));
  Database database(db());
  EXPECT_NE(database.set_aside(), "");
  auto rows = database.list("t");
  EXPECT_GT(rows.size(), 450u);
  EXPECT_LT(rows.size(), 500u);
  EXPECT_EQ(rows.front().first, "1000");
  EXPECT_EQ(rows.back().first, "1499");
  for (const auto& [key, row] : rows) EXPECT_EQ(cat(1000 + json::int_at(row, "n")), key);
}

TEST_F(Store, KeysAreThoseOfUnreadableRowsToo) {
  Database database(db());
  database.put("t", "a", Json(1));
  database.put("t", "b", Json(2));
  ASSERT_EQ(::system(cat("sqlite3 ", db(), " \"UPDATE documents SET body='{' WHERE name='b'\"").c_str()), 0);
  EXPECT_EQ(database.list("t").size(), 1u);
  EXPECT_EQ(database.keys("t"), (std::set<std::string, std::less<>>{"a", "b"}));
}

// proves: I19
TEST_F(Store, WhatIsLostComesFromTheCopy) {
  {
    Database database(db());
    database.put("t", "a", Json("old"));
    database.put("t", "b", Json("old"));
    database.keep_copy();
    auto first = os::read_file(cat(db(), ".copy"));
    database.keep_copy();
    EXPECT_EQ(os::read_file(cat(db(), ".copy")), first) << "nothing had changed";
    database.put("t", "a", Json("new"));
  }
  for (const char* damage : {"", "no database"}) {
    os::write_file(db(), damage);
    Database database(db());
    EXPECT_NE(database.set_aside(), "");
    EXPECT_EQ(json::text(*database.get("t", "a")), "\"old\"");
    EXPECT_EQ(json::text(*database.get("t", "b")), "\"old\"");
    os::remove_file(cat(database.set_aside(), ".copy"));
    os::remove_file(database.set_aside());
  }
}

TEST_F(Store, LossesAreToldUntilTheyAreSeenTo) {
  os::write_file(db(), "no database");
  std::string aside = Database(db()).set_aside();
  EXPECT_NE(aside, "");
  {
    Database again(db());
    EXPECT_EQ(again.set_aside(), aside);
    again.accept_losses();
    EXPECT_EQ(again.set_aside(), aside);
  }
  EXPECT_EQ(Database(db()).set_aside(), "");
}

// A copy that cannot be made whole leaves the last one where it is.
TEST_F(Store, ABadCopyIsNotKept) {
  {
    Database database(db());
    database.put("t", "a", Json(1));
    database.keep_copy();
  }
  Database database(db());
  auto first = os::read_file(cat(db(), ".copy"));
  ASSERT_EQ(::truncate(db().c_str(), 4096), 0);
  EXPECT_THROW(database.keep_copy(), Error);
  EXPECT_EQ(os::read_file(cat(db(), ".copy")), first);
}

// proves: I19
TEST_F(Store, AFileThatIsNoDatabaseIsSetAside) {
  os::write_file(db(), "this is not a database, and long enough to be looked at as one by those who read the header");
  Database database(db());
  EXPECT_NE(database.set_aside(), "");
}

// proves: I25
TEST_F(Store, ADatabaseOfANewerProaIsLeftAlone) {
  { Database database(db()); }
  ASSERT_EQ(::system(cat("sqlite3 ", db(), " 'PRAGMA user_version=99' >/dev/null 2>&1").c_str()), 0);
  try {
    Database database(db());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Conflict);
  }
}

TEST_F(Store, ManyThreadsWriteAtOnce) {
  Database database(db());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) database.put("t", cat(t, "-", i), Json(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(database.list("t").size(), 400u);
}

TEST_F(Store, LeasesHoldUntilTheyAreReleasedOrLapse) {
  Database database(db());
  Leases leases(database);
  auto digest = oci::Digest::parse(kHello);
  leases.hold("pull-1", {digest});
  EXPECT_TRUE(leases.held().contains(digest));
  leases.release("pull-1");
  EXPECT_TRUE(leases.held().empty());
  database.put("leases", "old", JsonObject{{"renewed", now() - 2 * kLeaseLife}, {"digests", JsonArray{kHello}}});
  EXPECT_TRUE(leases.held().empty());
  leases.drop_lapsed();
  EXPECT_TRUE(database.list("leases").empty());
}

}  // namespace
}  // namespace proa::store
