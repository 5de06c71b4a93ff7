// Env: all that a module may do to the world. There is no other way out of a module.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "core/storage.h"
#include "core/time.h"

namespace dynamo {

/// Names one timer of one node until it fires or is cancelled.
enum class TimerId : std::uint64_t {};

/// Handlers of a node (start, a request, an answer, a timer) run one at a time, each to its end.
/// What is set up here (timers, calls) dies with the node; only storage() survives a crash.
class Env {
 public:
  using Callback = std::function<void()>;

  virtual ~Env() = default;

  virtual const NodeId& self() const = 0;
  virtual Incarnation incarnation() const = 0;

  /// Monotonic; stands still during a handler; begins anew with the process.
  virtual Instant now() const = 0;

  /// Since 1970, and may be wrong, jump, or run backwards. Only for last-write-wins (lab 3).
  virtual Instant wall_clock() const = 0;

  /// Uniform in [0, bound); bound ≥ 1. The seed of a simulated world decides it.
  virtual std::uint64_t random(std::uint64_t bound) = 0;

  /// Runs `callback` once, `delay` from now, in a handler of its own.
  virtual TimerId after(Duration delay, Callback callback) = 0;

  /// Forgets a timer. One that has fired or was cancelled already is no error.
  virtual void cancel(TimerId timer) = 0;

  /// Sends `request` to `to` and runs `done` exactly once, later, never inside call(): with the
  /// reply, with `refused`, or with `timed_out` after `timeout`. A timeout means *unknown*.
  template <class Request>
  void call(const NodeId& to, const Request& request, Duration timeout,
            std::function<void(Result<typename Request::Reply>)> done);

  virtual Storage& storage() = 0;

  /// Adds a line to the trace, for you to read when you replay a failure.
  virtual void note(std::string_view text) = 0;

 protected:
  using RawDone = std::function<void(Result<std::string>)>;
  virtual void call_raw(const NodeId& to, std::string_view type, std::string request_bytes,
                        Duration timeout, RawDone done) = 0;
};

/// The way back to whoever sent a request. Keep it and answer in a later handler if you must; a
/// second answer is a bug and stops the node.
template <class Reply>
class Responder {
 public:
  using Send = std::function<void(std::string reply_bytes)>;
  explicit Responder(Send send) : send_(std::move(send)) {}
  void reply(const Reply& reply) const { send_(to_bytes(reply)); }

 private:
  Send send_;
};

/// Runs `callback` every `period`, the first time one period from now, until the node dies.
void every(Env& env, Duration period, Env::Callback callback);

/// Calls each of `peers`; `on_each` runs once for each of them, in the order of their answers.
/// Counts nothing for you.
template <class Request, class OnEach>
void call_each(Env& env, const std::vector<NodeId>& peers, const Request& request, Duration timeout,
               OnEach on_each) {
  for (const NodeId& peer : peers) {
    env.call(peer, request, timeout, [peer, on_each](Result<typename Request::Reply> reply) {
      on_each(peer, std::move(reply));
    });
  }
}

template <class Request>
void Env::call(const NodeId& to, const Request& request, Duration timeout,
               std::function<void(Result<typename Request::Reply>)> done) {
  using Reply = typename Request::Reply;
  call_raw(to, Request::type_name, to_bytes(request), timeout,
           [done = std::move(done)](Result<std::string> raw) {
             if (!raw.ok()) return done(Result<Reply>(raw.error()));
             std::optional<Reply> reply = from_bytes<Reply>(raw.value());
             if (reply) return done(Result<Reply>(std::move(*reply)));
             done(Error{ErrorCode::refused, "the peer's answer is malformed"});
           });
}

}  // namespace dynamo
