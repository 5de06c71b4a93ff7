// A disk that is slow at will: syncs that a test holds back, lets go, or lets fail.
#pragma once

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace dynamo::testing {

/// Outlives the store that has its function. Nobody waits for longer than a busy machine ever
/// should: then a sync fails, and a test's wait is false.
class HeldSync {
 public:
  /// For LmdbOptions and JournalOptions.
  std::function<int(int)> function() {
    return [this](int /*file*/) { return sync(); };
  }

  /// From the next one on each waits for a word.
  void hold() {
    set([this] { allowed_ = 0; });
  }
  void let_one_go() {
    set([this] { ++allowed_; });
  }
  void let_go() {
    set([this] { allowed_ = kAny; });
  }
  /// Those that are let go fail from now on.
  void fail_with(int error) {
    set([this, error] { error_ = error; });
  }

  /// True once `count` syncs in all have begun.
  bool begun(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kLongest, [&] { return begun_ >= count; });
  }
  int begun() const {
    const std::lock_guard lock(mutex_);
    return begun_;
  }
  int done() const {
    const std::lock_guard lock(mutex_);
    return done_;
  }

 private:
  static constexpr std::chrono::seconds kLongest{20};
  static constexpr int kAny = 1 << 30;

  template <class Change>
  void set(Change&& change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }

  int sync() {
    std::unique_lock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    const bool let = changed_.wait_for(lock, kLongest, [this] { return allowed_ > 0; });
    if (let && allowed_ != kAny) --allowed_;
    if (let && error_ == 0) {
      ++done_;
      return 0;
    }
    errno = let ? error_ : ETIMEDOUT;
    return -1;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int allowed_ = kAny;
  int begun_ = 0;
  int done_ = 0;
  int error_ = 0;
};

}  // namespace dynamo::testing
