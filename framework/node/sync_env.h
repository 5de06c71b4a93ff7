// What the exchanges of lab 6 cost and move, counted at the module's way out into the world.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/env.h"

namespace dynamo {

/// Since the start of the process.
struct SyncCounts {
  std::uint64_t comparisons = 0;    ///< Messages with roots: one begins each exchange.
  std::uint64_t bytes = 0;          ///< Of requests and the replies to them.
  std::uint64_t keys_received = 0;  ///< States that peers sent because they were asked for.
  std::uint64_t keys_sent = 0;      ///< States that were sent and confirmed.
};

/// The node's Env as the Sync module sees it. Updates are lab 3's message: only here can those that
/// an exchange sends be told from the others.
class SyncEnv final : public Env {
 public:
  /// Env's way to make a call, which is not public.
  using Call = std::function<void(const NodeId& to, std::string_view type, std::string request,
                                  Duration timeout, RawDone done)>;

  /// `env` outlives this.
  SyncEnv(Env& env, Call call) : env_(env), call_(std::move(call)) {}

  const SyncCounts& counts() const { return counts_; }

  const NodeId& self() const override { return env_.self(); }
  Incarnation incarnation() const override { return env_.incarnation(); }
  Instant now() const override { return env_.now(); }
  Instant wall_clock() const override { return env_.wall_clock(); }
  std::uint64_t random(std::uint64_t bound) override { return env_.random(bound); }
  TimerId after(Duration delay, Callback callback) override {
    return env_.after(delay, std::move(callback));
  }
  void cancel(TimerId timer) override { env_.cancel(timer); }
  Storage& storage() override { return env_.storage(); }
  void note(std::string_view text) override { env_.note(text); }

 protected:
  void call_raw(const NodeId& to, std::string_view type, std::string request, Duration timeout,
                RawDone done) override;

 private:
  void count_reply(std::string_view type, const std::string& reply);

  Env& env_;
  const Call call_;
  SyncCounts counts_;
};

}  // namespace dynamo
