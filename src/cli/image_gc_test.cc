#include "cli/image_gc.h"

#include <gtest/gtest.h>

namespace proa::cli {
namespace {

std::vector<GcImage> store() {
  return {{"new", {"app:3"}, 30, 100, 10, false},  {"mid", {"app:2"}, 20, 100, 20, false},
          {"old", {"app:1"}, 10, 100, 40, false},  {"run", {"app:0", "web:1"}, 5, 100, 80, true},
          {"lone", {"web:2"}, 6, 100, 160, false}, {"none", {}, 40, 100, 320, false}};
}

std::vector<std::string> removed(const GcPolicy& policy) {
  std::vector<std::string> out;
  for (const GcImage& image : plan_image_gc(store(), policy).removed) out.push_back(image.id);
  return out;
}

using List = std::vector<std::string>;

TEST(ImageGc, KeepsTheNewestOfEachRepositoryAndWhatIsUsed) {
  EXPECT_EQ(removed({.keep = 1, .to_free = {}}), (List{"none", "old", "mid"}));
  EXPECT_EQ(removed({.keep = 2, .to_free = {}}), (List{"none", "old"}));
  EXPECT_EQ(removed({.keep = 0, .to_free = {}}), (List{"none", "lone", "old", "mid", "new"}));
}

TEST(ImageGc, TakesNoMoreThanTheBudgetWants) {
  EXPECT_EQ(removed({.keep = {}, .to_free = 0}), List{});
  EXPECT_EQ(removed({.keep = {}, .to_free = 321}), (List{"none", "lone"}));
  EXPECT_EQ(removed({.keep = 1, .to_free = 321}), (List{"none", "old"}));
  EXPECT_EQ(plan_image_gc(store(), {.keep = {}, .to_free = 321}).freed, 480);
}

TEST(ImageGc, SaysWhereItIsNotEnough) {
  GcPlan plan = plan_image_gc(store(), {.keep = 1, .to_free = 1000});
  EXPECT_FALSE(plan.enough);
  EXPECT_EQ(plan.freed, 380);
  EXPECT_TRUE(plan_image_gc(store(), {.keep = 1, .to_free = 380}).enough);
}

}  // namespace
}  // namespace proa::cli
