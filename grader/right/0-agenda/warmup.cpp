// Lab 0 with an agenda: all own pings that wait for their next try stand in one list by the moment
// at which they are due, and one alarm, set to the earliest of them, serves them all. Pauses double
// from try to try, and chance shortens each, so that pings which failed together do not come back
// together. The count lies on the disk as eight bytes, in two places that take turns; the larger is
// the newer.
#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "warmup.h"

namespace dynamo {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kSpace = "pings";
constexpr std::string_view kPlaces[] = {"even", "odd"};
constexpr Duration kPatience = milliseconds(350);
constexpr Duration kShortestPause = milliseconds(100);
constexpr Duration kLongestPause = milliseconds(1600);  // with kPatience less than 2 s

std::string eight_bytes(std::uint64_t number) {
  std::string bytes;
  for (int i = 0; i < 8; ++i, number >>= 8) bytes.push_back(static_cast<char>(number & 0xff));
  return bytes;
}

std::uint64_t from_eight_bytes(const std::string& bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    number = (number << 8) | static_cast<unsigned char>(bytes[i]);
  }
  return number;
}

/// A ping of our own that has no answer yet.
struct Open {
  NodeId peer;
  std::uint64_t number = 0;
  Duration pause = kShortestPause;  ///< The longest that it rests after its next try.
};

class AgendaWarmup final : public Warmup {
 public:
  explicit AgendaWarmup(Env& env) : env_(env) {}

  void start() override {
    for (const std::string_view place : kPlaces) {
      const std::optional<std::string> bytes = env_.storage().get(kSpace, place);
      if (bytes) counted_ = std::max(counted_, from_eight_bytes(*bytes));
    }
    next_number_ = env_.incarnation();
  }

  void ping(const NodeId& peer) override { attempt(Open{peer, next_number_++}); }

  void handle(const Ping& /*request*/, Responder<Pong> responder) override {
    ++counted_;
    env_.storage().put(kSpace, kPlaces[counted_ % 2], eight_bytes(counted_));
    responder.reply({counted_});
  }

  std::uint64_t counted() const override { return counted_; }
  std::uint64_t answered() const override { return answered_; }

 private:
  void attempt(const Open& open) {
    env_.call(open.peer, Ping{open.number}, kPatience, [this, open](Result<Pong> pong) {
      if (pong.ok()) {
        ++answered_;
      } else {
        put_on_agenda(open);
      }
    });
  }

  void put_on_agenda(Open open) {
    const Duration more = open.pause - kShortestPause;
    const auto some = env_.random(static_cast<std::uint64_t>(more.count()) + 1);
    const Instant due = env_.now() + kShortestPause + Duration(some);
    open.pause = std::min(2 * open.pause, kLongestPause);
    agenda_.emplace(due, std::move(open));
    set_alarm();
  }

  /// One timer, for whoever is first on the agenda.
  void set_alarm() {
    if (alarm_) env_.cancel(*alarm_);
    alarm_.reset();
    if (agenda_.empty()) return;
    const Duration left = std::max(agenda_.begin()->first - env_.now(), Duration(0));
    alarm_ = env_.after(left, [this] {
      alarm_.reset();
      serve();
    });
  }

  void serve() {
    while (!agenda_.empty() && agenda_.begin()->first <= env_.now()) {
      attempt(agenda_.extract(agenda_.begin()).mapped());
    }
    set_alarm();
  }

  Env& env_;
  std::uint64_t counted_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t next_number_ = 0;
  std::multimap<Instant, Open> agenda_;  // by the moment of the next try; none is under way
  std::optional<TimerId> alarm_;         // set exactly if the agenda is not empty
};

}  // namespace

std::unique_ptr<Warmup> make_warmup(Env& env) { return std::make_unique<AgendaWarmup>(env); }

}  // namespace dynamo
