#include "engine/names.h"

#include <array>

#include "base/error.h"
#include "base/text.h"

namespace proa::engine {
namespace {

constexpr std::array<std::string_view, 48> kAdjectives = {
    "able",   "amber",  "bold",  "brave", "bright", "brisk", "calm",   "clear",  "clever", "coral",  "crisp", "daring",
    "deft",   "eager",  "fair",  "fleet", "fond",   "frank", "gentle", "glad",   "golden", "grand",  "hardy", "honest",
    "jolly",  "keen",   "kind",  "light", "lively", "loyal", "lucid",  "mellow", "merry",  "nimble", "noble", "patient",
    "plucky", "polite", "proud", "quick", "quiet",  "ready", "sharp",  "steady", "sunny",  "swift",  "warm",  "wise"};

constexpr std::array<std::string_view, 48> kSurnames = {
    "abel",     "babbage",  "banach",  "bassi",   "bohr",       "boole",    "cantor",   "curie",   "darwin", "dijkstra",
    "einstein", "erdos",    "euclid",  "euler",   "fermat",     "feynman",  "franklin", "galois",  "gauss",  "germain",
    "godel",    "hamilton", "hawking", "hilbert", "hopper",     "huygens",  "hypatia",  "johnson", "kepler", "knuth",
    "lamarr",   "lovelace", "maxwell", "meitner", "mirzakhani", "newton",   "noether",  "pascal",  "pike",   "ptolemy",
    "raman",    "ride",     "shannon", "tesla",   "thompson",   "torvalds", "turing",   "wiles"};

bool word_character(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

}  // namespace

std::string checked_container_name(std::string_view name) {
  std::string_view bare = name;
  if (bare.starts_with('/')) bare.remove_prefix(1);
  bool good = bare.size() >= 2 && word_character(bare.front());
  for (char c : bare) good = good && (word_character(c) || c == '_' || c == '.' || c == '-');
  if (!good) {
    throw Error(ErrorKind::InvalidArgument,
                cat("Invalid container name (", name, "), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"));
  }
  return std::string(bare);
}

std::string made_up_name(std::uint64_t random, int attempt) {
  auto adjective = kAdjectives[random % kAdjectives.size()];
  auto surname = kSurnames[(random >> 16) % kSurnames.size()];
  std::string name = cat(adjective, "_", surname);
  if (attempt > 0) name += std::to_string((random >> 32) % 10);
  return name;
}

}  // namespace proa::engine
