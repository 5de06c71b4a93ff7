// The explorer: every order in which a small scope can run, not only those that seeds happen to
// draw. A check says what there is (nodes, disks, what clients ask) and what may go wrong
// (budgets), and an oracle says what must hold; the explorer visits the states breadth first, so
// that a counterexample is a shortest one.
//
// A node is a deterministic state machine: its state follows from its disk at its start and the
// events that it took since. So the explorer keeps *local* states, each made once, by one event
// from another one, and a state of the whole is a local state of each node, the messages in flight,
// what clients have heard, and the budgets left. Only an event that no such local state has taken
// yet crosses to the host; all new ones of a piece of the frontier cross together.
//
// Two local states are the same if their disks, calls, timers, unanswered requests and views are,
// and the same events did the same on the way there, in whatever order. A solution writes no digest
// for that. It could hide a difference in memory from all of these; then a path is missed, but no
// verdict is wrong: a counterexample counts only if it happens again in nodes that run nothing
// else.
//
// Time: a node's clock is its own, a millisecond a message; timers and timeouts of calls fire in
// the order in which they are due on it, and at no fixed moment of another node's clock.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/coordinator.h"
#include "node/methods.h"
#include "sim/client_operation.h"
#include "sim/host.h"
#include "sim/violation.h"
#include "sim/world.h"

namespace dynamo::sim {

inline constexpr std::size_t kMostExploredNodes = 4;
inline constexpr std::size_t kMostAsks = 6;

/// What may go wrong, and how much time may pass, along one path.
struct Budgets {
  std::uint8_t drops = 0;       ///< Messages that vanish.
  std::uint8_t duplicates = 0;  ///< Messages that arrive twice.
  std::uint8_t crashes = 0;     ///< kill -9, also between a commit and what should leave after it.
  std::uint8_t timers = 0;      ///< Timers and timeouts of calls that fire, of each node.
  FIELDS(drops, duplicates, crashes, timers)
};

/// Something that the operator or a client asks a node. One that is named by the same client is
/// asked after the one before it has an answer; others may be asked in any order.
struct Ask {
  std::string client = "client";
  NodeId at;
  std::string what;  ///< "add" or "remove", with `subject`; "put", "delete" or "get", with `key`
  NodeId subject{};
  std::string key{};
  std::string value{};
  bool with_context =
      false;                ///< put, delete: sends what the client's last get of the key returned.
  std::uint32_t hosts = 0;  ///< w or r (lab 5)
};

/// A method whose result the oracle looks at, in each local state.
struct Glance {
  MethodId method = 0;
  std::string args;
};
template <auto M, class... A>
Glance glance(const A&... args) {
  return {method_id<M>, codec::encode(typename MethodTraits<decltype(M)>::Arguments(args...))};
}

/// Where it begins: nodes that start on these disks, which the nodes of a world left behind.
struct Beginning {
  struct Start {
    NodeId id;
    Incarnation incarnation = 0;
    Disk disk;
  };
  Plan plan;
  std::vector<Start> nodes;  ///< At most kMostExploredNodes.
};

/// A scope: what is explored, and how far.
struct Scope {
  Plan plan;                              ///< Nodes and config.
  std::function<void(World&)> beginning;  ///< Makes the disks; then all nodes are killed and start.
  std::size_t left_nodes = 0;  ///< Only so many go on from there, the first ones; 0: all of them.
  bool started = false;        ///< They start one after the other, before anything else happens.
  std::string begins;          ///< What it left there, for the story; empty: nothing.
  std::vector<Ask> asks;       ///< At most kMostAsks.
  /// Instead of these, where they depend on which nodes own which key: of the world's end.
  std::function<std::vector<Ask>(World&)> asking;
  Budgets budgets;
  std::uint32_t draws = 1;            ///< How many random draws a timer's handler is tried with.
  std::size_t most_states = 200'000;  ///< Where a search ends that has found no end.
  std::size_t completions = 60;       ///< Paths that are run on without faults, to their rest.
  std::size_t rest_rounds = 40;       ///< How often each node's timers fire on the way there.
  Budgets deep;                       ///< Of random schedules, which go further.
  std::size_t schedules = 0;          ///< How many of these.
  std::size_t schedule_moves = 80;    ///< The longest of these.
  std::vector<Glance> glances;
};

/// A node's state, as the trusted side and the glances know it.
struct Local {
  struct Call {
    CallId id = 0;
    std::uint8_t to = 0;
    MessageType type = 0;
    Instant due{};
  };
  struct Timer {
    std::uint64_t id = 0;
    Instant due{};
  };
  struct Asked {
    RequestToken token = 0;
    std::uint8_t by = 0;
    bool client = false;
    std::uint32_t start = 0;
    std::uint64_t call = 0;  ///< Or the number of the ask.
    MessageType type = 0;
  };
  std::uint32_t number = 0;  ///< Each has its own: for what an oracle works out once of each.
  std::uint32_t parent = 0;
  std::uint32_t event = 0;  ///< That led here from `parent`.
  std::uint8_t node = 0;
  bool up = false;
  std::uint32_t starts = 0;
  std::uint32_t handlers = 0;  ///< Since the start.
  Instant now{};
  std::shared_ptr<const Disk> disk;
  std::uint64_t disk_hash = 0;
  std::vector<Call> calls;  ///< By id; so are these:
  std::vector<Timer> timers;
  std::vector<Asked> asked;       ///< By token.
  std::uint64_t memory = 0;       ///< Of the events since the start, and what they did.
  std::uint64_t did = 0;          ///< Of what the last handler did: it must do it again.
  std::vector<std::string> seen;  ///< Results of the glances, if it is up.

  /// The result of the scope's glance number `index`, which must be one of M.
  template <auto M>
  auto glanced(std::size_t index) const {
    using Value = typename MethodTraits<decltype(M)>::Value;
    auto value = codec::decode<Value>(seen.at(index));
    if (!value) throw SolutionDied("a method's answer is malformed: the process was tampered with");
    return std::move(*value);
  }
};

/// One state of the whole, for the oracle.
class Sight {
 public:
  /// What has become of the scope's ask number `index`.
  struct Asked {
    enum class Outcome : std::uint8_t { not_asked, pending, done, error, unknown, read };
    Outcome outcome = Outcome::not_asked;
    std::uint32_t after = 0;  ///< Bit i: ask i had its answer before this one was asked.
    const ClientOperation* client = nullptr;  ///< Of a put, delete or get that has an answer.
    std::string error;
  };

  virtual ~Sight() = default;
  virtual const Scope& scope() const = 0;
  virtual const Local& node(std::size_t index) const = 0;
  virtual Asked asked(std::size_t index) const = 0;
  std::size_t nodes() const { return scope().plan.nodes.size(); }
  /// "put cart = milk at n2"
  std::string question(std::size_t index) const;
};

/// What must hold. Each method throws Violation. One oracle serves one search.
class Oracle {
 public:
  virtual ~Oracle() = default;
  /// Of each step of a node, once; also of a restart: then `before` is down.
  virtual void step(const Scope& /*scope*/, const Local& /*before*/, const Local& /*after*/) {}
  /// Of each state of the whole.
  virtual void state(const Sight& /*sight*/) {}
  /// What is missing for the rest that was promised, while all is delivered and timers go round;
  /// empty: nothing.
  virtual std::string restless(const Sight& /*sight*/) { return ""; }
  /// What should be at rest, for the story.
  virtual std::string rest() const { return "the cluster comes to rest"; }
};
using MakeOracle = std::function<std::unique_ptr<Oracle>(const Beginning& beginning)>;

/// How far a search got.
struct Explored {
  std::size_t states = 0;    ///< Distinct ones.
  std::size_t locals = 0;    ///< Distinct states of single nodes.
  std::size_t handlers = 0;  ///< That ran in hosts, replayed ones too.
  std::size_t depth = 0;     ///< Events of the longest path whose states were all visited.
  std::size_t frontier = 0;  ///< States that were not gone on from.
  std::size_t completions = 0;
  std::size_t schedules = 0;
  std::uint64_t hash = 0;  ///< Of all states in the order of visiting.
  bool finished() const { return frontier == 0; }
};
/// "all 48213 states of this scope, …" or "bounded: 200000 states, …"
std::string to_string(const Explored& explored);

/// Widens a scope that goes on at random where its search ends (--scope, grader/hidden), by a JSON
/// object: "states" is most_states, "schedules" how many random ones, "drops", "duplicates",
/// "crashes" and "timers" their budgets. What is more already stays, and so does a scope that is
/// searched to its end. Throws JsonError, naming what it does not know.
void widen(Scope& scope, const std::string& by);

/// Explores the scope in the solution's host, and says in the check's verdict how far it got. The
/// first violation is run again, becomes a story, and ends the test.
void explore(const Scope& scope, const MakeOracle& oracle);

}  // namespace dynamo::sim
