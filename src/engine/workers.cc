#include "engine/workers.h"

#include <chrono>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"

namespace proa::engine {

Workers::Workers(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { loop(); });
}

Workers::~Workers() { stop(); }

void Workers::stop() {
  {
    std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  threads_.clear();
}

void Workers::run_after(const char* what, std::int64_t delay_nanoseconds, std::function<void()> job) {
  {
    std::lock_guard guard(mutex_);
    if (stopping_) return;
    jobs_.emplace(monotonic_now() + delay_nanoseconds, Job{what, std::move(job)});
  }
  changed_.notify_one();
}

void Workers::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    auto time = monotonic_now();
    if (!jobs_.empty() && jobs_.begin()->first <= time) {
      Job job = std::move(jobs_.begin()->second);
      jobs_.erase(jobs_.begin());
      lock.unlock();
      try {
        job.body();
      } catch (const std::exception& error) {
        log::warn("background work failed", {{"work", job.what}, {"error", error.what()}});
      }
      job.body = nullptr;
      lock.lock();
      continue;
    }
    if (stopping_) return;
    if (jobs_.empty()) {
      changed_.wait(lock);
    } else {
      changed_.wait_for(lock, std::chrono::nanoseconds(jobs_.begin()->first - time));
    }
  }
}

}  // namespace proa::engine
