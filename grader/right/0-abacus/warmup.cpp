// Lab 0 with an abacus: memory holds no count at all. The disk has a row for each binary digit that
// is 1, and whoever wants the count reads it off. Own pings stand in a table by their number; one
// round, every 40 ms from the start on, looks through it and tries again whoever has rested. A try
// waits long: a slow answer is better than a second question.
#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "core/random.h"
#include "warmup.h"

namespace dynamo {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kSpace = "abacus";
constexpr Duration kRound = milliseconds(40);
constexpr Duration kRest = milliseconds(130);
constexpr Duration kPatience = milliseconds(1500);  // with kRest and kRound less than 2 s

/// The row of a binary digit; a digit that is 0 has none.
std::string row_of(unsigned digit) { return "digit " + std::to_string(digit); }

class AbacusWarmup final : public Warmup {
 public:
  explicit AbacusWarmup(Env& env) : env_(env) {}

  void start() override {
    every(env_, kRound, [this] { look_through(); });
  }

  void ping(const NodeId& peer) override {
    const std::uint64_t number = mix(++pings_);  // no two are equal: it can be undone
    open_.emplace(number, Open{peer, {}});
    attempt(number, peer);
  }

  void handle(const Ping& /*request*/, Responder<Pong> responder) override {
    Storage& disk = env_.storage();
    unsigned digit = 0;
    for (; disk.get(kSpace, row_of(digit)); ++digit) disk.erase(kSpace, row_of(digit));
    disk.put(kSpace, row_of(digit), "1");
    responder.reply({counted()});
  }

  std::uint64_t counted() const override {
    std::uint64_t count = 0;
    for (unsigned digit = 0; digit < 64; ++digit) {
      if (env_.storage().get(kSpace, row_of(digit))) count |= std::uint64_t{1} << digit;
    }
    return count;
  }

  std::uint64_t answered() const override { return pings_ - open_.size(); }

 private:
  struct Open {
    NodeId peer;
    std::optional<Instant> rests_since;  ///< Nothing: a try is under way.
  };

  void attempt(std::uint64_t number, const NodeId& peer) {
    env_.call(peer, Ping{number}, kPatience, [this, number](Result<Pong> pong) {
      if (pong.ok()) {
        open_.erase(number);
      } else {
        open_.at(number).rests_since = env_.now();
      }
    });
  }

  void look_through() {
    for (auto& [number, open] : open_) {
      if (!open.rests_since || env_.now() - *open.rests_since < kRest) continue;
      open.rests_since.reset();
      attempt(number, open.peer);
    }
  }

  Env& env_;
  std::uint64_t pings_ = 0;             // own ones, since this start
  std::map<std::uint64_t, Open> open_;  // those of them that have no answer yet
};

}  // namespace

std::unique_ptr<Warmup> make_warmup(Env& env) { return std::make_unique<AbacusWarmup>(env); }

}  // namespace dynamo
