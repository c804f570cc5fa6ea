#include "os/reloaded.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/id.h"

namespace proa::os {
namespace {

class ReloadedTest : public testing::Test {
 protected:
  ReloadedTest() : file(cat("/tmp/reloaded-test-", random_u64())) { write_file(file, "one"); }
  ~ReloadedTest() override { remove_file(file); }

  Reloaded<std::string> make() {
    return {{file}, [this] {
              ++made;
              std::string text = read_file(file);
              if (text == "bad") throw Error(ErrorKind::InvalidArgument, "bad");
              return std::make_shared<std::string>(text);
            }};
  }

  std::string file;
  int made = 0;
};

TEST_F(ReloadedTest, IsMadeAgainOnlyForAChange) {
  auto reloaded = make();
  EXPECT_EQ(*reloaded.get(), "one");
  EXPECT_EQ(*reloaded.get(), "one");
  EXPECT_EQ(made, 1);
  replace_file(file, "two");
  EXPECT_EQ(*reloaded.get(), "two");
  EXPECT_EQ(made, 2);
}

TEST_F(ReloadedTest, KeepsWhatWasGoodUntilTheFilesAreGoodAgain) {
  auto reloaded = make();
  for (const char* text : {"bad", ""}) {
    if (*text)
      replace_file(file, text);
    else
      remove_file(file);
    EXPECT_EQ(*reloaded.get(), "one");
    EXPECT_EQ(*reloaded.get(), "one");
  }
  EXPECT_EQ(made, 3) << "once for each change";
  replace_file(file, "two");
  EXPECT_EQ(*reloaded.get(), "two");
}

TEST_F(ReloadedTest, BeginsWithAnError) {
  replace_file(file, "bad");
  EXPECT_THROW(make(), Error);
}

}  // namespace
}  // namespace proa::os
