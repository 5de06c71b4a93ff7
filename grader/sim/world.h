// A cluster in virtual time: nodes of a solution, the network between them, their disks, and all
// that goes wrong. A plan, a seed and the solution decide everything that happens.
//
// Virtual time moves only in run_for, run_until and what is built on them; everything else happens
// at the moment that has been reached. What a node cannot do (a call to a node that is down, a
// check that asks a paused node) is a std::logic_error: a bug of the check, never a solution's
// fault.
#pragma once

#include <concepts>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "node/methods.h"
#include "sim/client_operation.h"
#include "sim/crossing.h"
#include "sim/host.h"
#include "sim/plan.h"
#include "sim/schedule.h"
#include "sim/trace.h"
#include "sim/violation.h"

namespace dynamo::sim {

using namespace std::chrono_literals;  // NOLINT: scenarios speak of 300ms and 2s

/// What the operator asked at a node's console, and what he heard.
struct Operation {
  enum class Outcome : std::uint8_t {
    pending,  ///< Not answered yet: the node is paused.
    done,     ///< "Done": it must survive from now on.
    error,  ///< Refused, with an error: it must not have happened. A node that is down: `refused`.
    unknown,  ///< The node died in the middle: it may have happened.
  };
  std::string what;  ///< "add" or "remove"
  NodeId at;         ///< The node asked.
  NodeId subject;
  Instant asked{};
  Instant answered{};
  Outcome outcome = Outcome::pending;
  Error error;  ///< If outcome is error.

  bool done() const { return outcome == Outcome::done; }
  bool failed_with(ErrorCode code) const { return outcome == Outcome::error && error.code == code; }
};

/// "done", "already_exists: n2 is a member already", "unknown: …": for `actual`.
std::string to_string(const Operation& operation);

/// A message at the moment at which it leaves its sender (it may be lost yet).
struct Sent {
  Instant at;
  NodeId from;
  NodeId to;
  MessageType type = 0;
  bool reply = false;
  std::string_view bytes;  ///< codec::decode<Gossip>(bytes); dead after the hook.
};

/// How many messages, and how many bytes of them.
struct Traffic {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  Traffic operator-(const Traffic& before) const {
    return {messages - before.messages, bytes - before.bytes};
  }
};

enum class Life : std::uint8_t { absent, up, down, paused };

struct WorldOptions {
  bool record = false;              ///< Keep the trace's steps.
  bool ahead = true;                ///< Let events that cannot affect each other cross together.
  Schedule schedule{};              ///< What is left out.
  bool list_choices = false;        ///< Keep what could have been left out.
  std::uint64_t most_handlers = 0;  ///< Then the run is GivenUp; 0: no such bound.
};

/// Thrown out of a world that has run as many handlers as it was given.
struct GivenUp {};

class World {
 public:
  /// Throws JsonError if the plan makes no sense. `crossing` outlives the world.
  World(Plan plan, Crossing& crossing, WorldOptions options = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Time.
  Instant now() const;
  void run_for(Duration time);
  void run_until(Instant then);
  /// Looks every `step` of virtual time, first at once; false if it did not come true in time.
  bool run_until(const std::function<bool()>& predicate, Duration within, Duration step = 100ms);

  // The operator, and what goes wrong: each is one action of the plan language (plan.h), done now.
  void act(const Action& action);  ///< `at` is set to now.
  void start(const NodeId& node, bool bootstrap = false);
  Operation add(const NodeId& at, const NodeId& subject);  ///< The console's add; its answer.
  Operation remove(const NodeId& at, const NodeId& subject);
  void crash(const NodeId& node);  ///< kill -9, now
  void crash_before_commit(
      const NodeId& node);  ///< of its next handler that writes: all of it is lost
  void crash_after_commit(
      const NodeId& node);           ///< none, some or all of that handler's outputs have left
  void restart(const NodeId& node);  ///< With the disk as it was left.
  void wipe(const NodeId& node);     ///< Its disk is lost: only while it is down.
  void pause(const NodeId& node);    ///< SIGSTOP
  void resume(const NodeId& node);
  void cut(const std::vector<NodeId>& from, const std::vector<NodeId>& to);  ///< One direction.
  void part(const std::vector<NodeId>& these,
            const std::vector<NodeId>& those);  ///< Both directions.
  void isolate(const NodeId& node);             ///< From all others, both directions.
  void heal();                                  ///< Every cut.
  void set_links(const LinkModel& model);       ///< All links.
  void set_link(const NodeId& from, const NodeId& to, const LinkModel& model);
  void drop_next(const NodeId& from, const NodeId& to, const std::string& message,
                 std::uint32_t count = 1);
  void skew(const NodeId& node, std::chrono::milliseconds by);
  void fill_disk(const NodeId& node);
  void free_disk(const NodeId& node);

  // Clients: each operation is an action of the plan language, too. They return at once; the
  // outcome comes while time passes, at the latest one second after the configured deadline.
  ClientNumber write(const NodeId& at, const std::string& key,
                     const std::optional<std::string>& value,  ///< Nothing: a delete.
                     const std::string& context = {}, const RequestId& id = {},  ///< {}: a new id.
                     std::uint32_t w = 0);
  ClientNumber read(const NodeId& at, const std::string& key, std::uint32_t r = 0);
  const ClientOperation& client(ClientNumber number) const;      ///< Lasts as long as the world.
  const std::deque<ClientOperation>& client_operations() const;  ///< All, in the order of asking.
  /// These let time pass until the operation is answered.
  const ClientOperation& answer(ClientNumber number);
  const ClientOperation& put(const NodeId& at, const std::string& key, const std::string& value,
                             const std::string& context = {});
  const ClientOperation& get(const NodeId& at, const std::string& key);
  const ClientOperation& remove_key(const NodeId& at, const std::string& key,
                                    const std::string& context = {});

  /// Puts an image into the place of what is on the disk of a node that does not run. Many nodes
  /// may begin with one image: each keeps what it writes for itself. No action of the plan
  /// language: who repeats the world has to do the same.
  void give_disk(const NodeId& node, std::shared_ptr<const Disk> image);

  /// Runs one method as a handler of `node`, now, and returns what it returned (a copy; Done for
  /// void). Its writes are committed and its messages leave. Looking changes no later draw.
  template <auto M, class... A>
  auto invoke(const NodeId& node, const A&... args);

  /// The same on many nodes in one crossing, in the order of `nodes`.
  template <auto M, class... A>
  auto invoke_each(const std::vector<NodeId>& nodes, const A&... args);

  /// The same, encoded: equal exactly when the values are.
  template <auto M, class... A>
  std::vector<std::string> invoke_each_encoded(const std::vector<NodeId>& nodes, const A&... args) {
    using Traits = MethodTraits<decltype(M)>;
    return invoke_raw(nodes, method_id<M>, codec::encode(typename Traits::Arguments(args...)));
  }

  // What there is to see without asking the solution.
  const Plan& plan() const;
  std::uint64_t seed() const { return plan().seed; }
  const std::vector<NodeId>& nodes() const { return plan().nodes; }
  Life life(const NodeId& node) const;
  bool up(const NodeId& node) const { return life(node) == Life::up; }
  bool armed(const NodeId& node) const;  ///< To die at a commit that has not come yet.
  std::vector<NodeId> up_nodes() const;
  const Disk& disk(const NodeId& node) const;
  std::uint64_t commits(const NodeId& node) const;  ///< Transactions that its disk has taken.
  Incarnation incarnation(const NodeId& node) const;
  std::uint64_t starts(const NodeId& node) const;    ///< How often it was started.
  const std::vector<Operation>& operations() const;  ///< All, in the order of asking.
  Traffic sent(MessageType type) const;              ///< Requests and replies of all links.
  Traffic sent(const NodeId& from, const NodeId& to, MessageType type, bool reply) const;
  Traffic sent_by(const NodeId& from) const;            ///< Of every type, replies too.
  void on_send(std::function<void(const Sent&)> hook);  ///< It looks; it must not act.
  std::uint64_t events() const;                         ///< Handlers that have run.

  // What the shrinker may leave out of a run that fails, to find a short one (sim/shrink.h). A
  // check says it, since only the check knows what it judges: whatever is left out, a right
  // solution must pass.

  /// As long as one lives, each action that is done is optional. One that is left out is not done:
  /// the console and clients hear `refused`, as from a node that is down. And a message that is
  /// sent meanwhile, on a link that loses some, may be lost. So use it for random requests and
  /// faults, of which any number may come; and judge no answer that you hear but by what follows
  /// from it. Make one for each turn of a loop: an action is known by its turn and its place there.
  class Optional {
   public:
    explicit Optional(World& world);
    ~Optional();
    Optional(const Optional&) = delete;
    Optional& operator=(const Optional&) = delete;

   private:
    World& world_;
    std::uint64_t outer_number_;
    std::uint64_t outer_actions_;
  };
  /// True if a part of the scenario is left out. `part` names it: "the put of cart3". Ask where the
  /// rest makes sense without it; draw random numbers before, so that the other parts keep theirs.
  bool leaves_out(const std::string& part);
  const Choices& choices() const;  ///< What could be left out, and was; if WorldOptions ask for it.

  /// Names what follows, for the story: "a node joins while the network is cut".
  void phase(const std::string& text);

  /// The property that the check is about. Throws Violation.
  void expect(bool holds, const std::string& expected, const std::string& actual) {
    if (!holds) throw Violation(expected, actual);
  }
  /// The same, where it costs something to say what is.
  template <std::invocable Actual>
  void expect(bool holds, const std::string& expected, Actual&& actual) {
    if (!holds) throw Violation(expected, actual());
  }

  const Trace& trace() const;
  const std::vector<Action>& executed() const;  ///< Plan and imperative actions, as they were done.

 private:
  struct State;
  struct NeverOptional;
  std::vector<std::string> invoke_raw(const std::vector<NodeId>& nodes, MethodId method,
                                      const std::string& args);
  std::unique_ptr<State> state_;
};

template <auto M, class... A>
auto World::invoke_each(const std::vector<NodeId>& nodes, const A&... args) {
  using Traits = MethodTraits<decltype(M)>;
  using Value =
      std::conditional_t<std::is_void_v<typename Traits::Value>, Done, typename Traits::Value>;
  std::vector<Value> values;
  for (const std::string& raw :
       invoke_raw(nodes, method_id<M>, codec::encode(typename Traits::Arguments(args...)))) {
    auto value = codec::decode<Value>(raw);
    if (!value) throw SolutionDied("a method's answer is malformed: the process was tampered with");
    values.push_back(std::move(*value));
  }
  return values;
}

template <auto M, class... A>
auto World::invoke(const NodeId& node, const A&... args) {
  auto values = invoke_each<M>(std::vector<NodeId>{node}, args...);
  using Value = typename decltype(values)::value_type;  // a vector<bool> holds no bool to return
  return Value(std::move(values.front()));
}

}  // namespace dynamo::sim
