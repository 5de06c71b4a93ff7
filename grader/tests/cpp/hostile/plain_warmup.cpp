// A well-behaved warm-up module, small: for round trips and for the benchmark of the host.
#include "warmup.h"

namespace dynamo {
namespace {

class PlainWarmup final : public Warmup {
 public:
  explicit PlainWarmup(Env& env) : env_(env) {}

  void start() override {
    if (const auto stored = env_.storage().get("count", "pings")) {
      counted_ = from_bytes<std::uint64_t>(*stored).value();
    }
    env_.note("started with " + std::to_string(counted_));
  }

  void ping(const NodeId& peer) override {
    env_.call(peer, Ping{++sent_}, std::chrono::milliseconds(50), [this](Result<Pong> reply) {
      if (reply.ok()) ++answered_;
      env_.note(reply.ok() ? "answered " + std::to_string(reply->count) : reply.error().message);
    });
    timer_ = env_.after(std::chrono::milliseconds(100), [this] { env_.note("timer"); });
  }

  void handle(const Ping& request, Responder<Pong> responder) override {
    if (request.number == 0) env_.cancel(timer_);
    if (!env_.storage().room(16)) return env_.note("no room");
    env_.storage().put("count", "pings", to_bytes(++counted_));
    if (request.number == 9) env_.storage().erase("count", "pings");
    responder.reply({counted_});
  }

  std::uint64_t counted() const override { return counted_; }
  std::uint64_t answered() const override { return answered_; }

 private:
  Env& env_;
  std::uint64_t counted_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
  TimerId timer_{};
};

}  // namespace

std::unique_ptr<Warmup> make_warmup(Env& env) { return std::make_unique<PlainWarmup>(env); }

}  // namespace dynamo
