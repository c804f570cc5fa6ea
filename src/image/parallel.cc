#include "image/parallel.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/trace.h"

namespace proa::image {

void in_parallel(std::size_t count, std::size_t width, std::stop_source& stop,
                 const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr first_failure;
  trace::Recorder* recorder = trace::current();
  int parent = trace::current_parent();
  auto run = [&] {
    std::optional<trace::Scope> scope;
    if (recorder) scope.emplace(*recorder, parent);
    for (std::size_t i = next++; i < count && !stop.stop_requested(); i = next++) {
      try {
        work(i);
      } catch (...) {
        std::lock_guard guard(mutex);
        if (!first_failure) first_failure = std::current_exception();  // what follows is its consequence
        stop.request_stop();
      }
    }
  };
  std::vector<std::thread> workers;
  for (std::size_t i = 1; i < std::min(count, width); ++i) workers.emplace_back(run);
  run();
  for (std::thread& worker : workers) worker.join();
  if (first_failure) std::rethrow_exception(first_failure);
  if (stop.stop_requested()) throw Error(ErrorKind::Cancelled, "context canceled");
}

}  // namespace proa::image
