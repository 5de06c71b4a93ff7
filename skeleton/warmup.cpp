// Lab 0: a ping with retry and a durable counter. labs/0-warmup/README.md says what is asked for.
#include "warmup.h"

#include <charconv>
#include <stdexcept>
#include <string>

namespace dynamo {
namespace {

class RetryingWarmup final : public Warmup {
 public:
  explicit RetryingWarmup(Env& env) : env_(env) {}

  void start() override {
    // Rules 1 and 4: what does the disk know from before?  env_.storage().get(…)
    throw std::logic_error("TODO(lab0): start: read the counter from env_.storage()");
  }

  void ping(const NodeId& /*peer*/) override {
    // Rules 5 and 6: env_.call(…), and in its callback: was there an answer?
    throw std::logic_error("TODO(lab0): ping: call the peer, and try again until it answers");
  }

  void handle(const Ping& /*request*/, Responder<Pong> /*responder*/) override {
    // Rules 1 to 3: count it, put the count into env_.storage(), answer.
    throw std::logic_error("TODO(lab0): handle: count the ping, durably, and answer");
  }

  std::uint64_t counted() const override { return counted_; }
  std::uint64_t answered() const override { return answered_; }

 private:
  [[maybe_unused]] Env& env_;
  std::uint64_t counted_ = 0;
  std::uint64_t answered_ = 0;
};

}  // namespace

std::unique_ptr<Warmup> make_warmup(Env& env) { return std::make_unique<RetryingWarmup>(env); }

}  // namespace dynamo
