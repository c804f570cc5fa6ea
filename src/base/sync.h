// A value and the mutex that guards it, in one: it cannot be reached without the lock.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

namespace proa {

template <class T>
class Sync {
 public:
  Sync() = default;
  explicit Sync(T value) : value_(std::move(value)) {}

  class Locked {
   public:
    T& operator*() { return *value_; }
    T* operator->() { return value_; }
    // Waits on `condition` with the lock released.
    void wait(std::condition_variable& condition) { condition.wait(lock_); }
    template <class Duration, class Predicate>
    bool wait_for(std::condition_variable& condition, Duration duration, Predicate ready) {
      return condition.wait_for(lock_, duration, ready);
    }
    template <class Predicate>
    void wait(std::condition_variable& condition, Predicate ready) {
      condition.wait(lock_, ready);
    }

   private:
    friend class Sync;
    Locked(std::mutex& mutex, T& value) : lock_(mutex), value_(&value) {}
    std::unique_lock<std::mutex> lock_;
    T* value_;
  };

  Locked lock() { return Locked(mutex_, value_); }
  // A copy taken under the lock.
  T copy() const {
    std::lock_guard guard(mutex_);
    return value_;
  }

 private:
  mutable std::mutex mutex_;
  T value_{};
};

}  // namespace proa
