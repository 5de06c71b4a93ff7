// An Env that a test drives: its clock, its timers, and the answers of its peers.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/env.h"
#include "storage/memory_store.h"

namespace dynamo::testing {

class ScriptedEnv final : public Env {
 public:
  /// A call that nobody has answered yet.
  struct Call {
    NodeId to;
    std::string type;
    std::string request;
    Duration timeout;
    RawDone done;
  };

  const NodeId& self() const override { return self_; }
  Incarnation incarnation() const override { return 1; }
  Instant now() const override { return now_; }
  Instant wall_clock() const override { return wall; }
  std::uint64_t random(std::uint64_t /*bound*/) override { return 0; }
  void cancel(TimerId timer) override { timers_.erase(timer); }
  MemoryStore& storage() override { return storage_; }
  void note(std::string_view /*text*/) override {}

  TimerId after(Duration delay, Callback callback) override {
    const TimerId id{++last_timer_};
    timers_[id] = {now_ + delay, std::move(callback)};
    return id;
  }

  /// Timers fire in order of time; of equal ones the older first.
  void advance(Duration time) {
    const Instant until = now_ + time;
    for (;;) {
      const auto next =
          std::min_element(timers_.begin(), timers_.end(),
                           [](const auto& a, const auto& b) { return a.second.at < b.second.at; });
      if (next == timers_.end() || next->second.at > until) break;
      Timer timer = std::move(next->second);
      timers_.erase(next);
      now_ = timer.at;
      timer.callback();
    }
    now_ = until;
  }
  std::size_t timers() const { return timers_.size(); }

  /// A new process on the same disk.
  void restart() {
    timers_.clear();
    calls.clear();
  }

  /// Ends the oldest call of all.
  template <class Reply>
  void answer(const Reply& reply) {
    end(Result<std::string>(to_bytes(reply)));
  }
  void time_out() {
    const Duration timeout = calls.at(0).timeout;
    advance(timeout);
    end(Error{ErrorCode::timed_out, "no answer"});
  }

  std::vector<Call> calls;
  Instant wall{};

 protected:
  void call_raw(const NodeId& to, std::string_view type, std::string request, Duration timeout,
                RawDone done) override {
    calls.push_back({to, std::string(type), std::move(request), timeout, std::move(done)});
  }

 private:
  struct Timer {
    Instant at;
    Callback callback;
  };

  void end(Result<std::string> outcome) {
    Call call = std::move(calls.at(0));
    calls.erase(calls.begin());
    call.done(std::move(outcome));
  }

  NodeId self_ = "n1";
  Instant now_{};
  std::uint64_t last_timer_ = 0;
  std::map<TimerId, Timer> timers_;
  MemoryStore storage_{16u << 20};
};

}  // namespace dynamo::testing
