// The world as checks see it: actions, the console, methods, and what there is to see.
#include "sim/world.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "core/json.h"
#include "core/keys.h"
#include "sim/methods_text.h"
#include "sim/plan_json.h"
#include "sim/world_state.h"

namespace dynamo::sim {

namespace {

constexpr std::uint64_t kPlenty = std::uint64_t{1}
                                  << 40;  // bytes of room on a disk that is not full
constexpr std::uint64_t kIncarnations = std::uint64_t{1}
                                        << 48;  // JSON readers keep such numbers exact

Plan checked(Plan plan) {
  validate(plan, "plan");
  return plan;
}

}  // namespace

std::string to_string(const Operation& operation) {
  switch (operation.outcome) {
    case Operation::Outcome::pending:
      return "nothing yet: the node is paused";
    case Operation::Outcome::done:
      return "done";
    case Operation::Outcome::error:
      return name_of(operation.error.code) + ": " + operation.error.message;
    case Operation::Outcome::unknown:
      return "nothing: the node died";
  }
  return "";
}

World::State::State(Plan plan_, Crossing& crossing_, WorldOptions options_)
    : plan(checked(std::move(plan_))),
      config(plan.config),
      crossing(crossing_),
      options(std::move(options_)),
      links(plan.seed, plan.nodes, plan.links),
      trace(options.record),
      choices(options.schedule, options.list_choices) {
  nodes.resize(plan.nodes.size());
  for (NodeIndex i = 0; i < nodes.size(); ++i) {
    nodes[i].id = plan.nodes[i];
    nodes[i].key = hash_of(plan.nodes[i]);
    nodes[i].place = crossing.place(i);
    by_name.emplace(plan.nodes[i], i);
  }
  std::stable_sort(plan.actions.begin(), plan.actions.end(),
                   [](const Action& a, const Action& b) { return a.at < b.at; });
  for (std::size_t i = 0; i < plan.actions.size(); ++i) {
    Happening action;
    action.id = i;
    push(Instant(plan.actions[i].at), std::move(action));
  }
}

NodeIndex World::State::index_of(const NodeId& node) const {
  const auto found = by_name.find(node);
  if (found == by_name.end()) throw std::logic_error("the plan has no node \"" + node + "\"");
  return found->second;
}

std::vector<NodeIndex> World::State::indexes_of(const std::vector<NodeId>& names,
                                                bool none_is_all) const {
  std::vector<NodeIndex> indexes;
  indexes.reserve(names.size());
  for (const NodeId& name : names) indexes.push_back(index_of(name));
  if (names.empty() && none_is_all) {
    for (NodeIndex i = 0; i < nodes.size(); ++i) indexes.push_back(i);
  }
  return indexes;
}

void World::State::start_node(NodeIndex index, bool bootstrap) {
  NodeState& node = nodes[index];
  const bool first = node.starts == 0;
  if (node.incarnation == 0) {
    node.incarnation = 1 + Key(plan.seed, Draw::incarnation)
                               .with(node.key)
                               .with(++node.disks)
                               .below(kIncarnations - 1);
  }
  node.life = Life::up;
  ++node.starts;
  node.handlers = 0;
  record(first ? Step::Kind::start : Step::Kind::restart, node.id,
         bootstrap ? "as the first of a new cluster" : "");
  const NodeSetup setup{node.id, node.incarnation, config};
  const std::uint64_t room = node.disk_full ? 0 : kPlenty;
  if (node.image && node.disk.empty()) {
    node.place.host->make_from(node.image, node.place.slot, setup, room);
  } else {
    node.place.host->make(node.place.slot, setup, own_disk(node), room);
  }
  std::vector<Happening> begins(1);
  begins[0].kind = Happening::Kind::start;
  begins[0].node = begins[0].peer = index;
  begins[0].start = node.starts;
  begins[0].bootstrap = bootstrap;
  execute_now(begins);
}

/// All that is on the disk. From now on the node shares it with nobody.
Disk& World::State::own_disk(NodeState& node) {
  if (const auto image = std::exchange(node.image, nullptr)) {
    node.disk.insert(image->begin(), image->end());  // what it wrote over stays
  }
  return node.disk;
}

void World::State::lose_disk(NodeIndex index) {
  NodeState& node = nodes[index];
  crash(index, "kill -9: its disk is lost");
  node.disk.clear();
  node.image.reset();
  node.incarnation = 0;
  record(Step::Kind::wipe, node.id);
}

void World::State::resume(NodeIndex index) {
  NodeState& node = nodes[index];
  if (node.life != Life::paused) return;
  record(Step::Kind::resume, node.id);
  node.life = Life::up;
  for (Happening& happening : std::exchange(node.held, {})) push(now, std::move(happening));
}

void World::State::change_links(const Action& action) {
  const auto from = indexes_of(action.nodes, true);
  const auto to = indexes_of(action.peers, true);
  Step::Kind kind = Step::Kind::cut;
  std::string text;
  if (action.act == "heal") kind = Step::Kind::heal;
  if (action.act == "link") {
    kind = Step::Kind::link;
    if (trace.recording()) text = json::text(json::to(action.link));
  }
  if (action.act == "drop") {
    kind = Step::Kind::forget;
    text = std::to_string(action.count);
  }
  const bool all = action.nodes.empty() && action.peers.empty();
  if (all && action.act == "link" && links.all_have(action.link)) return;
  if (all) record(kind, "", text);
  if (all && action.act == "heal") return links.heal_all();
  if (all && action.act == "link") return links.set_all(action.link);
  const std::optional<MessageName> message = message_called(action.message);
  for (const NodeIndex a : from) {
    for (const NodeIndex b : to) {
      if (a == b && (from.size() > 1 || to.size() > 1)) continue;
      if (action.act == "cut") links.cut(a, b);
      if (action.act == "heal") links.heal(a, b);
      if (action.act == "link") links.set_model(a, b, action.link);
      if (action.act == "drop") {
        const auto type = message ? std::optional(message->type) : std::nullopt;
        links.drop_next(a, b, type, message && message->reply, action.count);
      }
      if (all) continue;
      record(kind, nodes[a].id, [&](Step& step) {
        step.peer = nodes[b].id;
        step.message = action.message;
        step.text = text;
      });
    }
  }
}

void World::State::configure(const Settings& settings) {
  config.mode = settings.mode;
  config.r = settings.r;
  config.w = settings.w;
  record(Step::Kind::configure, "", json::text(json::to(settings)));
}

void World::State::ask_console(const Action& action, MethodId method) {
  for (const NodeId& at : action.nodes) {
    for (const NodeId& subject : action.peers) {
      NodeState& node = nodes[index_of(at)];
      Operation operation;
      operation.what = action.act;
      operation.at = at;
      operation.subject = subject;
      operation.asked = now;
      operations.push_back(operation);
      std::vector<Happening> asks(1);
      Happening& ask = asks[0];
      ask.kind = Happening::Kind::invoke;
      ask.console = true;
      ask.node = ask.peer = index_of(at);
      ask.start = node.starts;
      ask.id = operations.size() - 1;
      ask.method = method;
      ask.bytes = codec::encode(std::tuple<NodeId>(subject));
      if (node.life == Life::up) {
        execute_now(asks);
      } else if (node.life == Life::paused) {
        node.held.push_back(std::move(ask));
      } else {
        record(Step::Kind::console, at, [&](Step& step) {
          step.message = action.act;
          step.text = subject;
        });
        const Status refused = nobody_listens(at);
        answer(operations.size() - 1, codec::encode(refused));
      }
    }
  }
}

/// An operation that nobody hears of, though somebody asked for it.
void World::State::refuse_at_console(const Action& action) {
  for (const NodeId& at : action.nodes) {
    for (const NodeId& subject : action.peers) {
      Operation operation;
      operation.what = action.act;
      operation.at = at;
      operation.subject = subject;
      operation.asked = operation.answered = now;
      operation.outcome = Operation::Outcome::error;
      operation.error = nobody_listens(at);
      operations.push_back(std::move(operation));
    }
  }
}

/// Whether an optional action stays undone. It is named by its place, not by what it is: who draws
/// lots after something was left out draws other ones.
bool World::State::leaves_out_action() {
  if (optional == 0 || !choices.at_work()) return false;
  return choices.leaves_out(Choice::Kind::action, "step " + std::to_string(optional_step.number) +
                                                      " action " +
                                                      std::to_string(++optional_step.actions));
}

void World::State::act(const Action& action) {
  if (!leaves_out_action()) return perform(action);
  const std::string& act = action.act;
  if (act == "put" || act == "delete" || act == "get") ask_client(action, true);
  if (act == "add" || act == "remove") refuse_at_console(action);
}

void World::State::perform(const Action& action) {
  executed.push_back(action);
  executed.back().at = now.time_since_epoch();
  trace.mix_in(hash_of(action.act));
  const std::string& act = action.act;
  if (act == "add") return ask_console(action, method_id<&Membership::add>);
  if (act == "remove") return ask_console(action, method_id<&Membership::remove>);
  if (act == "put" || act == "delete" || act == "get") return ask_client(action);
  if (act == "cut" || act == "heal" || act == "link" || act == "drop") return change_links(action);
  if (act == "configure") return configure(action.settings);
  for (const NodeId& name : action.nodes) {
    const NodeIndex index = index_of(name);
    NodeState& node = nodes[index];
    if (act == "start") {
      if (node.life == Life::up || node.life == Life::paused) {
        throw std::logic_error("start: " + name + " runs already");
      }
      start_node(index, action.bootstrap);
    } else if (act == "restart") {
      crash(index, "kill -9");
      start_node(index, false);
    } else if (act == "crash") {
      if (action.commit.empty()) {
        crash(index, "kill -9");
      } else if (node.life == Life::up || node.life == Life::paused) {
        node.armed = action.commit == "before" ? NodeState::Armed::before_commit
                                               : NodeState::Armed::after_commit;
      }
    } else if (act == "wipe") {
      lose_disk(index);
    } else if (act == "pause") {
      if (node.life == Life::up) {
        node.life = Life::paused;
        record(Step::Kind::pause, name);
      }
    } else if (act == "resume") {
      resume(index);
    } else if (act == "skew") {
      node.skew = std::chrono::milliseconds(std::stoll(action.skew));
      record(Step::Kind::skew, name, action.skew);
    } else if (act == "disk_full" || act == "disk_freed") {
      node.disk_full = act == "disk_full";
      record(node.disk_full ? Step::Kind::disk_full : Step::Kind::disk_freed, name);
      if (node.life == Life::up || node.life == Life::paused) {
        node.place.host->set_room(node.place.slot, node.disk_full ? 0 : kPlenty);
      }
    }
  }
}

World::World(Plan plan, Crossing& crossing, WorldOptions options)
    : state_(std::make_unique<State>(std::move(plan), crossing, std::move(options))) {}

World::~World() {
  if (state_->hosts_died) return;  // and began anew, without any node
  for (NodeState& node : state_->nodes) {
    if (node.life == Life::up || node.life == Life::paused)
      node.place.host->destroy(node.place.slot);
  }
}

Instant World::now() const { return state_->now; }
void World::run_for(Duration time) { state_->run(state_->now + time); }
void World::run_until(Instant then) { state_->run(then); }

bool World::run_until(const std::function<bool()>& predicate, Duration within, Duration step) {
  const Instant deadline = now() + within;
  while (!predicate()) {
    if (now() >= deadline) return false;
    run_until(std::min(deadline, now() + std::max(step, Duration(1))));
  }
  return true;
}

void World::act(const Action& action) {
  validate(action, plan().nodes, "action");
  state_->act(action);
}

World::Optional::Optional(World& world)
    : world_(world),
      outer_number_(world.state_->optional_step.number),
      outer_actions_(world.state_->optional_step.actions) {
  ++world_.state_->optional;
  world_.state_->optional_step = {++world_.state_->optional_steps, 0};
}
World::Optional::~Optional() {
  --world_.state_->optional;
  world_.state_->optional_step = {outer_number_, outer_actions_};
}

bool World::leaves_out(const std::string& part) {
  return state_->choices.leaves_out_next(Choice::Kind::part, part);
}
const Choices& World::choices() const { return state_->choices; }

std::vector<std::string> World::invoke_raw(const std::vector<NodeId>& names, MethodId method,
                                           const std::string& args) {
  std::vector<Happening> looks(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const NodeIndex index = state_->index_of(names[i]);
    const NodeState& node = state_->nodes[index];
    if (node.life != Life::up) {
      throw std::logic_error("the check asks " + names[i] + ", which does not run, for its " +
                             method_name(method));
    }
    looks[i].kind = Happening::Kind::invoke;
    looks[i].node = looks[i].peer = index;
    looks[i].start = node.starts;
    looks[i].method = method;
    looks[i].bytes = args;
  }
  if (looks.empty()) return {};
  state_->execute_now(looks);
  std::vector<std::string> results;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    if (looks[i].handled.result) {
      results.push_back(std::move(*looks[i].handled.result));
    } else if (!up(names[i])) {
      throw std::logic_error(names[i] +
                             " died, as it was armed to, in a method that the check ran");
    } else {
      throw SolutionDied(names[i] + " gave no answer to " + method_name(method) +
                         "(): the module is not at work in this plan");
    }
  }
  return results;
}

const Plan& World::plan() const { return state_->plan; }
Life World::life(const NodeId& node) const { return state_->nodes[state_->index_of(node)].life; }
std::vector<NodeId> World::up_nodes() const {
  std::vector<NodeId> names;
  for (const NodeState& node : state_->nodes) {
    if (node.life == Life::up) names.push_back(node.id);
  }
  return names;
}
const Disk& World::disk(const NodeId& node) const {
  return state_->own_disk(state_->nodes[state_->index_of(node)]);
}
std::uint64_t World::commits(const NodeId& node) const {
  return state_->nodes[state_->index_of(node)].commits;
}
void World::give_disk(const NodeId& name, std::shared_ptr<const Disk> image) {
  NodeState& node = state_->nodes[state_->index_of(name)];
  if (node.life == Life::up || node.life == Life::paused) {
    throw std::logic_error("give_disk: " + name + " runs");
  }
  node.disk.clear();
  node.image = std::move(image);
}
bool World::armed(const NodeId& node) const {
  return state_->nodes[state_->index_of(node)].armed != NodeState::Armed::no;
}
Incarnation World::incarnation(const NodeId& node) const {
  return state_->nodes[state_->index_of(node)].incarnation;
}
std::uint64_t World::starts(const NodeId& node) const {
  return state_->nodes[state_->index_of(node)].starts;
}
const std::vector<Operation>& World::operations() const { return state_->operations; }
Traffic World::sent(MessageType type) const { return state_->links.traffic_of_type(type); }
Traffic World::sent(const NodeId& from, const NodeId& to, MessageType type, bool reply) const {
  return state_->links.traffic(state_->index_of(from), state_->index_of(to), type, reply);
}
Traffic World::sent_by(const NodeId& from) const {
  return state_->links.traffic_of_sender(state_->index_of(from));
}
void World::on_send(std::function<void(const Sent&)> hook) { state_->hook = std::move(hook); }
std::uint64_t World::events() const { return state_->handlers; }
void World::phase(const std::string& text) { state_->record(Step::Kind::phase, "", text); }
const Trace& World::trace() const { return state_->trace; }
const std::vector<Action>& World::executed() const { return state_->executed; }

}  // namespace dynamo::sim
