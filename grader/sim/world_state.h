// The inside of a world; only world*.cpp include it.
#pragma once

#include <concepts>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sim/draws.h"
#include "sim/links.h"
#include "sim/world.h"

namespace dynamo::sim {

/// Something that happens at a node, or to the world, at a moment.
struct Happening {
  enum class Kind : std::uint8_t {
    action,
    start,
    request,
    reply,
    refused,
    timeout,
    timer,
    invoke,
    gives_up  ///< A client does.
  };
  Kind kind = Kind::action;
  bool corrupt = false;          ///< request, reply
  bool bootstrap = false;        ///< start
  bool console = false;          ///< invoke: by the operator; else by the check
  bool client = false;           ///< request: by a client; else by the peer
  bool crossed = false;          ///< Its handler has run; `handled` is not applied yet.
  NodeIndex node = 0;            ///< Where it happens.
  NodeIndex peer = 0;            ///< request: who asks · reply, refused, timeout: who was asked
  std::uint64_t start = 0;       ///< Which start of `node` it is meant for; a request is for any.
  std::uint64_t peer_start = 0;  ///< request: which start of the peer waits for the reply.
  std::uint64_t id = 0;  ///< Call · timer · place in the plan's actions · operation (also a
                         ///< client's)
  MessageType type = 0;
  MethodId method = 0;     ///< invoke
  RequestToken token = 0;  ///< request: given to the node with it
  std::string bytes;       ///< The message · invoke: arguments · refused: why
  Handled handled;
};

/// What a client or the console hears from a node that is down.
inline Error nobody_listens(const NodeId& at) {
  return {ErrorCode::refused, at + " cannot be reached: nothing listens there"};
}

/// What the trusted side knows of a node.
struct NodeState {
  /// A request that the node has and has not answered.
  struct Asked {
    NodeIndex by = 0;
    std::uint64_t start = 0;  ///< Of the asker.
    CallId call = 0;          ///< Or the client's operation.
    MessageType type = 0;
    bool client = false;
  };
  struct Pending {
    NodeIndex to = 0;
    MessageType type = 0;
  };
  enum class Armed : std::uint8_t { no, before_commit, after_commit };

  NodeId id;
  std::uint64_t key = 0;  ///< Hash of its name: part of each draw.
  Life life = Life::absent;
  Crossing::Place place;
  Disk disk;  ///< On top of the image, as long as there is one.
  std::shared_ptr<const Disk> image;
  std::uint64_t commits = 0;
  bool disk_full = false;
  Incarnation incarnation = 0;  ///< 0: none drawn yet.
  std::uint64_t disks = 0;      ///< How many it has had.
  std::uint64_t starts = 0;
  std::uint64_t handlers = 0;  ///< Of this start; numbers their draws.
  std::uint64_t looks = 0;     ///< The same, of methods run by checks and console.
  std::uint64_t tokens = 0;
  std::uint64_t refusals = 0;  ///< Numbers their draws.
  Armed armed = Armed::no;
  Duration skew{0};
  std::uint64_t gathering = 0;  ///< The last crossing in which it had its turn.
  std::unordered_map<RequestToken, Asked> asked;
  std::unordered_map<CallId, Pending> calls;
  std::unordered_set<std::uint64_t> timers;
  std::deque<Happening> held;  ///< While paused: what arrived and became due, in order.
};

struct World::State {
  State(Plan plan_, Crossing& crossing_, WorldOptions options_);

  // world.cpp: actions
  void act(const Action& action);
  bool leaves_out_action();
  void perform(const Action& action);
  void start_node(NodeIndex node, bool bootstrap);
  void lose_disk(NodeIndex node);
  static Disk& own_disk(NodeState& node);
  void resume(NodeIndex node);
  void change_links(const Action& action);
  void configure(const Settings& settings);
  void ask_console(const Action& action, MethodId method);
  void refuse_at_console(const Action& action);
  NodeIndex index_of(const NodeId& node) const;
  std::vector<NodeIndex> indexes_of(const std::vector<NodeId>& names, bool none_is_all) const;

  // world_clients.cpp
  void ask_client(Action action, bool refused = false);
  void deliver_client(Happening ask);
  std::string last_read(const std::string& client, const std::string& key) const;
  /// Nothing: the node died, or the client does not wait any longer.
  void answer_client(std::uint64_t number, const std::optional<std::string>& encoded);
  void client_heard(std::uint64_t number);

  // world_run.cpp: time
  void run(Instant limit);
  void push(Instant at, Happening happening);
  Happening pop();
  void gather(Instant limit);
  bool needs_handler(const Happening& happening) const;
  bool at_right_start(const Happening& happening) const;
  void queue_handler(Happening& happening, Instant at);
  void cross(const std::vector<Happening*>& happenings);
  void happen(Happening& happening);
  void happen_without_handler(Happening& happening);
  void execute_now(std::vector<Happening>& happenings);

  // world_apply.cpp: what handlers did
  void apply(Happening& happening);
  void begin_applying(Happening& happening);
  bool commit(NodeState& node, Happening& happening, std::size_t& outputs_left);
  void carry_out(NodeState& node, Effect& effect);
  void send_call(NodeState& node, Effect& effect);
  void send_reply(NodeState& node, Effect& effect);
  void leave_out_chance(NodeIndex from, const Happening& arrival, Fate& fate);
  void transmit(NodeIndex from, NodeIndex to, Happening arrival);
  void refuse(NodeIndex caller, std::uint64_t caller_start, CallId call, NodeIndex at,
              MessageType type, const std::string& why);
  void crash(NodeIndex node, const std::string& how);
  void answer(std::uint64_t operation, const std::optional<std::string>& result);
  void count_handler(const NodeState& node);

  /// A step of the trace, if somebody wants it.
  template <std::invocable<Step&> Fill>
  void record(Step::Kind kind, const NodeId& node, Fill&& fill) {
    if (!trace.recording()) return;
    Step step;
    step.at = now;
    step.kind = kind;
    step.node = node;
    fill(step);
    trace.add(std::move(step));
  }
  void record(Step::Kind kind, const NodeId& node, const std::string& text = {}) {
    record(kind, node, [&](Step& step) { step.text = text; });
  }

  /// Heap entry: what comes first. Equal times in the order of pushing.
  struct Entry {
    Instant at;
    std::uint64_t number = 0;
    std::uint32_t slot = 0;
    bool operator<(const Entry& other) const {  // for a heap with the earliest on top
      return other.at < at || (other.at == at && other.number < number);
    }
  };

  Plan plan;
  NodeConfig config;  ///< Of the next start: the plan's, until an action changes it.
  Crossing& crossing;
  WorldOptions options;
  Links links;
  Trace trace;
  bool hosts_died = false;  ///< Under this world or under one beside it: it cannot go on.
  Instant now{};
  std::vector<NodeState> nodes;
  std::unordered_map<NodeId, NodeIndex> by_name;
  std::vector<Entry> heap;
  std::vector<Happening> slots;
  std::vector<std::uint32_t> free_slots;
  std::uint64_t pushed = 0;
  std::uint64_t gatherings = 0;
  std::uint64_t handlers = 0;
  Instant burst_began{};  ///< For the bound on handlers per virtual millisecond.
  std::uint64_t burst = 0;
  std::vector<Operation> operations;
  std::deque<ClientOperation> clients;
  std::uint64_t client_sequences = 0;  ///< Of requests whose number the plan leaves open.
  std::vector<Action> executed;
  Choices choices;
  std::size_t optional = 0;  ///< How many World::Optional live.
  /// Of the innermost one: its number, and how many actions have come up.
  struct OptionalStep {
    std::uint64_t number = 0;
    std::uint64_t actions = 0;
  };
  OptionalStep optional_step;
  std::uint64_t optional_steps = 0;
  std::function<void(const Sent&)> hook;
};

}  // namespace dynamo::sim
