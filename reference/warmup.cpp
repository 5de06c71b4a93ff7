// Lab 0: a ping with retry and a durable counter. labs/0-warmup/README.md says what is asked for.
#include "warmup.h"

#include <charconv>
#include <stdexcept>
#include <string>

namespace dynamo {
namespace {

// BEGIN SOLUTION
constexpr std::string_view kSpace = "warmup";
constexpr std::string_view kCounted = "counted";
constexpr Duration kTimeout = std::chrono::milliseconds(200);
constexpr Duration kPause =
    std::chrono::milliseconds(100);  // a refusal comes at once: do not flood

class RetryingWarmup final : public Warmup {
 public:
  explicit RetryingWarmup(Env& env) : env_(env) {}

  void start() override {
    const std::optional<std::string> text = env_.storage().get(kSpace, kCounted);
    if (!text) return;  // a new disk: nothing was counted
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), counted_);
    if (error != std::errc{} || end != text->data() + text->size()) {
      throw std::runtime_error("the count on disk is no number: " + *text);
    }
  }

  void ping(const NodeId& peer) override { attempt(peer, ++last_number_); }

  void handle(const Ping& /*request*/, Responder<Pong> responder) override {
    ++counted_;
    env_.storage().put(kSpace, kCounted, std::to_string(counted_));
    responder.reply({counted_});  // leaves only after the count is on disk
  }

  std::uint64_t counted() const override { return counted_; }
  std::uint64_t answered() const override { return answered_; }

 private:
  void attempt(const NodeId& peer, std::uint64_t number) {
    env_.call(peer, Ping{number}, kTimeout, [this, peer, number](Result<Pong> pong) {
      if (pong.ok()) {
        ++answered_;
        return;
      }
      env_.note("no answer from " + peer + " to ping " + std::to_string(number) + ": once more");
      env_.after(kPause, [this, peer, number] { attempt(peer, number); });
    });
  }

  Env& env_;
  std::uint64_t counted_ = 0;      ///< The same as on disk.
  std::uint64_t answered_ = 0;     ///< Own pings that got an answer since this start.
  std::uint64_t last_number_ = 0;  ///< Of the newest own ping.
};
// END SOLUTION
// BEGIN SKELETON
// class RetryingWarmup final : public Warmup {
//  public:
//   explicit RetryingWarmup(Env& env) : env_(env) {}
//
//   void start() override {
//     // Rules 1 and 4: what does the disk know from before?  env_.storage().get(…)
//     throw std::logic_error("TODO(lab0): start: read the counter from env_.storage()");
//   }
//
//   void ping(const NodeId& /*peer*/) override {
//     // Rules 5 and 6: env_.call(…), and in its callback: was there an answer?
//     throw std::logic_error("TODO(lab0): ping: call the peer, and try again until it answers");
//   }
//
//   void handle(const Ping& /*request*/, Responder<Pong> /*responder*/) override {
//     // Rules 1 to 3: count it, put the count into env_.storage(), answer.
//     throw std::logic_error("TODO(lab0): handle: count the ping, durably, and answer");
//   }
//
//   std::uint64_t counted() const override { return counted_; }
//   std::uint64_t answered() const override { return answered_; }
//
//  private:
//   [[maybe_unused]] Env& env_;
//   std::uint64_t counted_ = 0;
//   std::uint64_t answered_ = 0;
// };
// END SKELETON

}  // namespace

std::unique_ptr<Warmup> make_warmup(Env& env) { return std::make_unique<RetryingWarmup>(env); }

}  // namespace dynamo
