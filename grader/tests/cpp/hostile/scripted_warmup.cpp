// A warm-up module that does what the name of the pinged peer says: for tests of the simulator.
#include <stdexcept>
#include <string>

#include "warmup.h"

namespace dynamo {
namespace {

class ScriptedWarmup final : public Warmup {
 public:
  explicit ScriptedWarmup(Env& env) : env_(env) {}

  void start() override {
    if (const auto stored = env_.storage().get("count", "pings")) {
      counted_ = from_bytes<std::uint64_t>(*stored).value();
    }
  }

  void ping(const NodeId& peer) override {
    if (peer == "throw") throw std::runtime_error("scripted to throw");
    if (peer == "clock")
      return env_.note("wall " + std::to_string(env_.wall_clock().time_since_epoch().count()));
    if (peer == "random") return env_.note("drew " + std::to_string(env_.random(1'000'000)));
    if (peer == "global") {
      static int calls = 0;  // what a solution must not have: it outlives the node
      return env_.note("call " + std::to_string(++calls));
    }
    if (peer == "storm") return storm();
    if (peer == "tick")
      return every(env_, std::chrono::milliseconds(100), [this] { env_.note("tick"); });
    if (peer == "grow") return env_.storage().put("ballast", "x", std::string(1000, 'x'));
    if (peer == "shrink") return env_.storage().erase("ballast", "x");
    env_.call(peer, Ping{++sent_}, std::chrono::milliseconds(50), [this](Result<Pong> reply) {
      if (reply.ok()) ++answered_;
      env_.note(reply.ok() ? "answered" : name_of(reply.error().code));
    });
  }

  /// Counts without asking for room: a full disk must stop it.
  void handle(const Ping& request, Responder<Pong> responder) override {
    env_.storage().put("count", "pings", to_bytes(++counted_));
    env_.storage().put("seen", std::to_string(request.number), "");
    responder.reply({counted_});
  }

  std::uint64_t counted() const override { return counted_; }
  std::uint64_t answered() const override { return answered_; }

 private:
  void storm() {
    env_.after(Duration(0), [this] { storm(); });
  }

  Env& env_;
  std::uint64_t counted_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
};

}  // namespace

std::unique_ptr<Warmup> make_warmup(Env& env) { return std::make_unique<ScriptedWarmup>(env); }

}  // namespace dynamo
