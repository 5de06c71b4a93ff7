// Each thing that can be done to a world, as the action of the plan language that it is.
#include <utility>

#include "sim/world.h"
#include "sim/world_state.h"

namespace dynamo::sim {

namespace {

Action action_of(std::string act, std::vector<NodeId> nodes = {}, std::vector<NodeId> peers = {}) {
  Action action;
  action.act = std::move(act);
  action.nodes = std::move(nodes);
  action.peers = std::move(peers);
  return action;
}

}  // namespace

/// What is done as long as one lives was decided on together.
struct World::NeverOptional {
  explicit NeverOptional(World& world) : optional(world.state_->optional), before(optional) {
    optional = 0;
  }
  ~NeverOptional() { optional = before; }
  NeverOptional(const NeverOptional&) = delete;
  NeverOptional& operator=(const NeverOptional&) = delete;
  std::size_t& optional;
  const std::size_t before;
};

void World::start(const NodeId& node, bool bootstrap) {
  Action action = action_of("start", {node});
  action.bootstrap = bootstrap;
  act(std::move(action));
}
Operation World::add(const NodeId& at, const NodeId& subject) {
  act(action_of("add", {at}, {subject}));
  return operations().back();
}
Operation World::remove(const NodeId& at, const NodeId& subject) {
  act(action_of("remove", {at}, {subject}));
  return operations().back();
}
void World::crash(const NodeId& node) { act(action_of("crash", {node})); }
void World::crash_before_commit(const NodeId& node) {
  Action action = action_of("crash", {node});
  action.commit = "before";
  act(std::move(action));
}
void World::crash_after_commit(const NodeId& node) {
  Action action = action_of("crash", {node});
  action.commit = "after";
  act(std::move(action));
}
void World::restart(const NodeId& node) { act(action_of("restart", {node})); }
void World::wipe(const NodeId& node) { act(action_of("wipe", {node})); }
void World::pause(const NodeId& node) { act(action_of("pause", {node})); }
void World::resume(const NodeId& node) { act(action_of("resume", {node})); }
void World::cut(const std::vector<NodeId>& from, const std::vector<NodeId>& to) {
  act(action_of("cut", from, to));
}
void World::part(const std::vector<NodeId>& these, const std::vector<NodeId>& those) {
  if (state_->leaves_out_action()) return;
  const NeverOptional both(*this);  // cut in one direction only it would be another fault
  cut(these, those);
  cut(those, these);
}
void World::isolate(const NodeId& node) {
  std::vector<NodeId> others = nodes();
  std::erase(others, node);
  part({node}, others);
}
void World::heal() { act(action_of("heal")); }
void World::set_links(const LinkModel& model) {
  Action action = action_of("link");
  action.link = model;
  act(std::move(action));
}
void World::set_link(const NodeId& from, const NodeId& to, const LinkModel& model) {
  Action action = action_of("link", {from}, {to});
  action.link = model;
  act(std::move(action));
}
void World::drop_next(const NodeId& from, const NodeId& to, const std::string& message,
                      std::uint32_t count) {
  Action action = action_of("drop", {from}, {to});
  action.message = message;
  action.count = count;
  act(std::move(action));
}
void World::skew(const NodeId& node, std::chrono::milliseconds by) {
  Action action = action_of("skew", {node});
  action.skew = std::to_string(by.count());
  act(std::move(action));
}
void World::fill_disk(const NodeId& node) { act(action_of("disk_full", {node})); }
void World::free_disk(const NodeId& node) { act(action_of("disk_freed", {node})); }

}  // namespace dynamo::sim
