// Lab 0 with errands: each ping is an object of its own that lives as long as a callback holds it,
// and the node keeps no list of them. An errand walks in step: its tries begin 0.7 s after one
// another if they time out, and 1.9 s if the peer refuses (who is down will not be back at once).
// The disk holds the last answer itself, in the encoding of messages; before a ping is counted the
// disk is asked anew, so memory cannot say anything else.
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "warmup.h"

namespace dynamo {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kSpace = "answers";
constexpr std::string_view kKey = "last";
constexpr Duration kPatience = milliseconds(170);  // there and back take at most 160 ms
constexpr Duration kStep = milliseconds(700);
constexpr Duration kStepIfRefused = milliseconds(1900);

/// One ping, from its first try to its answer.
class Errand : public std::enable_shared_from_this<Errand> {
 public:
  Errand(Env& env, NodeId peer, Ping ping, Env::Callback answered)
      : env_(env), peer_(std::move(peer)), ping_(ping), answered_(std::move(answered)) {}

  void go() {
    const Instant began = env_.now();
    env_.call(peer_, ping_, kPatience, [self = shared_from_this(), began](Result<Pong> pong) {
      if (pong.ok()) return self->answered_();
      const bool refused = pong.error().code == ErrorCode::refused;
      self->go_at(began + (refused ? kStepIfRefused : kStep));
    });
  }

 private:
  void go_at(Instant next) {
    const Duration rest = std::max<Duration>(next - env_.now(), milliseconds(100));
    env_.after(rest, [self = shared_from_this()] { self->go(); });
  }

  Env& env_;
  const NodeId peer_;
  const Ping ping_;
  const Env::Callback answered_;
};

class ErrandWarmup final : public Warmup {
 public:
  explicit ErrandWarmup(Env& env) : env_(env) {}

  void start() override { last_ = on_disk(); }

  void ping(const NodeId& peer) override {
    std::make_shared<Errand>(env_, peer, Ping{sent_++}, [this] { ++answered_; })->go();
  }

  void handle(const Ping& /*request*/, Responder<Pong> responder) override {
    last_ = Pong{on_disk().count + 1};
    env_.storage().put(kSpace, kKey, to_bytes(last_));
    responder.reply(last_);
  }

  std::uint64_t counted() const override { return last_.count; }
  std::uint64_t answered() const override { return answered_; }

 private:
  /// The last answer that was given; on a new disk one with count 0.
  Pong on_disk() const {
    const std::optional<std::string> bytes = env_.storage().get(kSpace, kKey);
    if (!bytes) return {};
    return from_bytes<Pong>(*bytes).value();  // nobody else writes here
  }

  Env& env_;
  Pong last_;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
};

}  // namespace

std::unique_ptr<Warmup> make_warmup(Env& env) { return std::make_unique<ErrandWarmup>(env); }

}  // namespace dynamo
