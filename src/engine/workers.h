// A few threads for what need not be waited for: clean-up after an exit, restarts after their delay, deleting trash.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace proa::engine {

class Workers {
 public:
  explicit Workers(int threads);
  ~Workers();  // jobs that are due are finished, later ones dropped

  // What `job` throws is logged with `what`.
  void run(const char* what, std::function<void()> job) { run_after(what, 0, std::move(job)); }
  void run_after(const char* what, std::int64_t delay_nanoseconds, std::function<void()> job);
  void stop();

 private:
  struct Job {
    const char* what;
    std::function<void()> body;
  };
  void loop();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<std::int64_t, Job> jobs_;  // by due time, monotonic
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace proa::engine
