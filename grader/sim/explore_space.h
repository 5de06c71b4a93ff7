// The inside of the explorer: states and the steps between them; only explore*.cpp include it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "sim/explore.h"
#include "sim/explore_choice.h"
#include "sim/trace.h"

namespace dynamo::sim {

using LocalId = std::uint32_t;
using EventId = std::uint32_t;
using PacketId = std::uint32_t;
using AnswerId = std::uint32_t;

/// What a node is given.
struct Given {
  enum class Kind : std::uint8_t {
    start,
    request,
    client,
    reply,
    refused,
    timeout,
    timer,
    console
  };
  Kind kind = Kind::start;
  std::uint8_t peer = 0;
  std::uint32_t peer_start = 0;  ///< request: which start waits for the reply
  std::uint64_t id = 0;          ///< Call · timer · ask
  std::uint64_t token = 0;       ///< request, client
  MessageType type = 0;
  MethodId method = 0;     ///< console
  std::uint32_t draw = 0;  ///< timer: which of the random draws
  std::string bytes;
};

/// A message on its way, or the news that nobody will answer.
struct Packet {
  enum class Kind : std::uint8_t { request, reply, refusal };
  Kind kind = Kind::request;
  std::uint8_t from = 0;
  std::uint8_t to = 0;
  std::uint32_t start = 0;  ///< request: of the sender · else: of the receiver, who waits for it
  std::uint64_t call = 0;
  MessageType type = 0;
  std::uint8_t copy = 0;  ///< 1: of a message that arrived before.
  std::string bytes;      ///< refusal: why
};

/// What leaves a node, in order: a packet, or an answer to the ask of a client or the operator.
struct Output {
  bool answer = false;
  std::uint32_t id = 0;  ///< PacketId, AnswerId
  std::uint32_t ask = 0;
};

/// What an event makes of a local state.
struct Deed {
  LocalId after = 0;
  bool wrote = false;
  std::vector<Output> outputs;
  std::shared_ptr<const Handled> handled;  ///< For the trace.
};

/// Of answers: what a client never hears, and what has not come yet.
inline constexpr AnswerId kNoAnswer = 0;
inline constexpr AnswerId kUnknownAnswer = 1;

/// One state of the whole.
struct Whole {
  struct Asked {
    AnswerId answer = kNoAnswer;
    std::uint16_t after = 0;
    bool asked = false;
  };
  std::array<LocalId, kMostExploredNodes> locals{};
  std::array<std::uint8_t, kMostExploredNodes> timers{};  ///< Left for each node.
  std::uint8_t drops = 0;
  std::uint8_t duplicates = 0;
  std::uint8_t crashes = 0;
  std::array<Asked, kMostAsks> asks{};
  std::vector<PacketId> flight;  ///< Sorted.

  std::uint64_t hash() const;
  std::uint64_t hash_without_budgets() const;
};

/// One step from a state of the whole.
struct Move {
  enum class Kind : std::uint8_t { ask, deliver, duplicate, drop, timer, crash, restart };
  static constexpr std::uint8_t kAll = 255;
  Kind kind = Kind::ask;
  std::uint8_t node = 0;  ///< Where it happens.
  std::uint8_t left =
      kAll;  ///< Else: the node dies after its commit, when so many outputs had left.
  std::uint8_t draw = 0;
  std::uint32_t id = 0;  ///< Ask, packet
};

/// Of all that a handler did.
std::uint64_t hash_of_deeds(const Handled& handled);

/// The call or timer of this number.
template <class Container, class Id>
auto with_id(Container& list, Id id) {
  return std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.id == id; });
}

/// A node's clock goes on by this much with each message.
inline constexpr Duration kHandlerTime = std::chrono::milliseconds(1);
/// Nodes that a host keeps at once.
inline constexpr std::size_t kSeats = 1024;

/// The solution does not do the same twice.
class NotTheSame : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// All that has been met: local states, events, packets and answers, each once.
class Space {
 public:
  /// `exact`: no two local states are the same unless the same events led there in the same order;
  /// and handlers' effects are kept for a trace.
  Space(const Scope& scope, const Beginning& beginning, Host& host, bool exact);
  ~Space();
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;

  /// All nodes down, with the disks of the beginning.
  Whole first(const Budgets& budgets);

  /// What can happen next, in an order that depends on nothing but the state.
  std::vector<Move> moves(const Whole& whole) const;
  /// The event that a move gives to a node; nothing if it runs no handler.
  std::optional<EventId> event(const Whole& whole, const Move& move);
  /// The state after it; its handler's outcome must be known.
  Whole apply(const Whole& whole, const Move& move);
  /// The moves that die in the middle of this one, which is known.
  void torn(const Whole& whole, const Move& move, std::vector<Move>& more);

  struct Want {
    LocalId local = 0;
    EventId event = 0;
  };
  bool known(LocalId local, EventId event) const { return outcomes_.contains(key(local, event)); }
  /// Runs what is not known yet, all in one crossing. Throws SolutionDied, NotTheSame; `culprit` is
  /// then the want that was at work.
  void run(const std::vector<Want>& wants);
  std::size_t culprit() const { return culprit_; }
  const Deed& outcome(LocalId local, EventId event) const {
    return outcomes_.at(key(local, event));
  }

  const Scope& scope() const { return scope_; }
  const Local& local(LocalId id) const { return locals_[id]; }
  const Packet& packet(PacketId id) const { return packets_[id]; }
  const Given& given(EventId id) const { return events_[id]; }
  std::size_t locals() const { return locals_.size(); }
  std::size_t handlers() const { return handlers_; }
  /// New local states since the last call, for the oracle.
  std::vector<LocalId> take_fresh() { return std::exchange(fresh_, {}); }

  Sight::Asked asked(const Whole& whole, std::size_t index);
  /// The trusted side's view of a client's answer.
  const ClientOperation& client(std::size_t ask, AnswerId answer);
  const std::string& answer(AnswerId id) const { return answers_[id]; }

 private:
  static std::uint64_t key(LocalId local, EventId event) {
    return std::uint64_t{local} << 32 | event;
  }
  EventId event_of(PacketId packet);
  EventId intern(Given given);
  PacketId intern(Packet packet);
  AnswerId intern_answer(const std::string& bytes);
  LocalId intern(Local local);
  LocalId down(const Local& local);
  Given timed(const Local& local, std::uint32_t draw) const;
  std::string ask_bytes(const Whole& whole, std::size_t index);
  void queue(Slot slot, const Local& before, const Given& given);
  void queue_path(Slot slot, LocalId local, std::vector<std::uint64_t>& expected);
  void run_piece(const std::vector<Want>& wants, std::size_t begin, std::size_t end);
  void take(const Want& want, Slot slot, Handled handled, std::vector<std::string> seen);
  Slot slot_for(LocalId local, bool& live);
  Deed derive(const Local& before, EventId event, Handled handled, std::vector<std::string> seen);
  static void come(Local& after, const Given& given);
  static void write(Local& after, const std::vector<DiskWrite>& writes);
  void carry_out(Local& after, const Effect& effect, std::vector<Output>& outputs);
  void send_call(Local& after, const Effect& effect, std::vector<Output>& outputs);
  void send_reply(Local& after, const Effect& effect, std::vector<Output>& outputs);
  void die(Whole& whole, std::uint8_t node);
  void prune(Whole& whole) const;
  static void hear(Whole& whole, std::size_t ask, AnswerId answer);
  void leave(Whole& whole, const Deed& outcome, std::uint8_t left);

  const Scope& scope_;
  const Beginning& beginning_;
  Host& host_;
  const bool exact_;
  std::deque<Local> locals_;
  std::deque<Given> events_;
  std::deque<Packet> packets_;
  std::deque<std::string> answers_;
  std::vector<EventId> packet_events_;  ///< By packet; UINT32_MAX: none made yet.
  std::unordered_map<std::uint64_t, std::uint32_t> local_ids_;  // by key; never walked
  std::unordered_map<std::uint64_t, std::uint32_t> event_ids_;
  std::unordered_map<std::uint64_t, std::uint32_t> packet_ids_;
  std::unordered_map<std::uint64_t, std::uint32_t> answer_ids_;
  std::unordered_map<std::uint64_t, Deed> outcomes_;
  std::map<std::pair<std::size_t, AnswerId>, ClientOperation> clients_;
  std::vector<LocalId> fresh_;

  struct Seat {
    LocalId local = 0;
    bool taken = false;  ///< A node is there.
    std::size_t batch = 0;
  };
  std::vector<Seat> seats_;
  std::unordered_map<LocalId, Slot> live_;  ///< Seats whose node is in that state now.
  std::size_t next_seat_ = 0;
  std::size_t batch_ = 0;
  std::size_t handlers_ = 0;
  std::size_t culprit_ = 0;
};

/// The sight of one state.
class WholeSight final : public Sight {
 public:
  WholeSight(Space& space, const Whole& whole) : space_(space), whole_(whole) {}
  const Scope& scope() const override { return space_.scope(); }
  const Local& node(std::size_t index) const override {
    return space_.local(whole_.locals.at(index));
  }
  Asked asked(std::size_t index) const override { return space_.asked(whole_, index); }

 private:
  Space& space_;
  const Whole& whole_;
};

/// A move as it is saved and told: it means the same after a rebuild.
Pick choice_of(const Space& space, const Move& move);

/// What a search found.
struct Found {
  std::vector<Pick> schedule;  ///< The last one may be "rest": from there on nothing goes wrong.
  std::string expected;
  std::string actual;
  bool died = false;
};

/// The way of one state to its rest: nodes come back, all is delivered, timers go round.
class Rest {
 public:
  Rest(const Scope& scope, Whole whole) : scope_(scope), whole_(std::move(whole)) {}
  /// What happens next; nothing: at rest, or `wrong()` says what is missing after all that time.
  std::optional<Move> next(Space& space, Oracle& oracle);
  void went(Whole whole) { whole_ = std::move(whole); }
  const Whole& whole() const { return whole_; }
  const std::string& wrong() const { return wrong_; }

 private:
  const Scope& scope_;
  Whole whole_;
  std::size_t moves_ = 0;
  std::size_t round_ = 0;
  std::size_t node_ = 0;
  std::string wrong_;
};

/// Breadth first, until the end or scope.most_states; then completions.
std::optional<Found> search(Space& space, Oracle& oracle, Explored& explored);
/// Random schedules: with priorities that change at few points (PCT), and with few delays.
std::optional<Found> wander(const Scope& scope, const Beginning& beginning, Host& host,
                            const MakeOracle& make, Explored& explored);

/// One run of a schedule in nodes that run nothing else, step by step.
struct Rerun {
  std::optional<Found> found;
  std::vector<Step> steps;
  std::uint64_t hash = 0;
  std::vector<Pick> followed;  ///< The choices that could be made.
};
/// `lenient`: leaves out what cannot be chosen; else ends there.
Rerun follow(const Scope& scope, const Beginning& beginning, Host& host, const MakeOracle& make,
             const std::vector<Pick>& schedule, bool lenient);

/// Writes down moves as the steps of a trace; the same as a world's, but for the time: there is no
/// common clock, so each move takes as long as on the node at which it happens.
class Recorder {
 public:
  explicit Recorder(Space& space, const Beginning& beginning);
  /// Before apply(); the outcome is known, unless the solution died in it.
  void move(const Whole& whole, const Move& move);
  /// After it: what clients have heard since.
  void heard(const Whole& before, const Whole& after);
  void phase(const std::string& text);
  std::vector<Step>& steps() { return steps_; }
  std::uint64_t hash() const { return hash_; }

 private:
  Step& add(Step::Kind kind, const NodeId& node);
  void come(const Whole& whole, const Move& move, const Given& given, bool taken,
            std::size_t writes);
  void message(Step& step, const Packet& packet, const NodeId& peer);
  void outputs(const Deed& outcome, const Move& move);

  Space& space_;
  const Beginning& beginning_;
  Instant now_{};
  std::vector<Step> steps_;
  std::uint64_t hash_ = 1;
};

}  // namespace dynamo::sim
