// What the benchmark's programs share.
#pragma once

#include <time.h>

#include <cstdio>
#include <cstdlib>

[[noreturn]] inline void die(const char* what) {
  perror(what);
  exit(1);
}

template <typename Result>
Result check(Result result, const char* what) {
  if (result < 0) die(what);
  return result;
}

inline long long now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

inline double now_ms() { return static_cast<double>(now_ns()) / 1e6; }
