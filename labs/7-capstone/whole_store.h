// What lab 7's simulated checks share: a store of all six modules, clients that carry contexts, and
// what must be true when every fault is over.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "sim/check.h"
#include "sim/store_checks.h"

namespace dynamo::sim {

/// After this time of the cluster's own without faults, the store is at rest.
inline constexpr Duration kRest = 60s;

inline Plan whole_plan(std::size_t count, const std::string& mode = "sloppy") {
  Plan plan = cluster_plan(count);
  plan.config.modules = {"membership", "ring", "transfer", "versioning", "quorum", "sync"};
  plan.config.q = 32;
  plan.config.mode = mode;
  return plan;
}

inline bool contains(const std::vector<NodeId>& names, const NodeId& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// When the first fault began, or the first change of members after the forming: from then on a put
/// may be executed twice, since whoever executed it was not heard in time.
inline Instant first_fault(const World& world) {
  const LinkModel& links = world.plan().links;
  if (links.loss_ppm != 0 || links.corrupt_ppm != 0) return {};
  bool formed = false;  // clients come when the cluster is there
  for (const Action& action : world.executed()) {
    const bool client = action.act == "put" || action.act == "delete" || action.act == "get";
    formed = formed || client;
    const bool forms = !formed && action.act == "add";
    if (!client && !forms && action.act != "start") return Instant(action.at);
  }
  return Instant::max();
}

/// What is wrong with what clients see of `key` now, asked at `node`: empty if nothing is. Judged
/// when the store is at rest, from what clients wrote and heard alone.
inline std::string wrong_values(World& world, const std::string& key, const NodeId& node) {
  const ClientOperation& get = world.get(node, key);
  if (get.outcome != ClientOperation::Outcome::found && !get.absent()) {
    return question(get) + " is answered " + to_string(get);
  }
  // A request that was tried at two coordinators may have left two versions of one value.
  const std::set<std::string> values(get.values.begin(), get.values.end());
  const Expected expected = expected_with_siblings(world, key, true, first_fault(world));
  const std::string wrong = contradicts({values.begin(), values.end()}, expected);
  return wrong.empty() ? "" : question(get) + ": " + wrong;
}

/// Ends every fault: links as at first, all nodes run, all disks have room.
inline void end_all_faults(World& world) {
  std::set<NodeId> full;
  std::set<NodeId> armed;  // to die at a commit that may not have come yet: they die now
  for (const Action& action : world.executed()) {
    for (const NodeId& node : action.nodes) {
      if (action.act == "disk_full") full.insert(node);
      if (action.act == "disk_freed") full.erase(node);
      if (action.act == "crash" && !action.commit.empty()) armed.insert(node);
      if (action.act == "restart") armed.erase(node);
    }
  }
  world.phase("all faults end");
  world.heal();
  world.set_links(world.plan().links);
  for (const NodeId& node : world.nodes()) {
    if (full.count(node) != 0) world.free_disk(node);
    if (world.life(node) == Life::paused) world.resume(node);
    if (world.life(node) == Life::down || armed.count(node) != 0) world.restart(node);
  }
}

/// A member that runs: without one there is nobody who could be asked for anything.
inline NodeId some_member(World& world) {
  for (const NodeId& node : world.up_nodes()) {
    if (contains(members(world, node), node)) return node;
  }
  throw Violation("at least one node is a member", "no node that runs takes itself for one");
}

/// After all faults: equal replicas where they belong and nowhere else, no hints, and every key as
/// its clients may expect it.
inline void everything_is_in_its_place(World& world) {
  (void)some_member(world);
  converges(
      world, kRest,
      [&]() -> std::string {
        std::string wrong = replicas_differ(world);
        return wrong.empty() ? hints_left(world) : wrong;
      },
      "each key lies equal on all its owners and nowhere else, and no hint is left", 500ms);
  std::set<std::string> keys;
  for (const ClientOperation& operation : world.client_operations()) keys.insert(operation.key);
  const NodeId asked = some_member(world);
  // Asked again for a while: links may go on losing messages, owners be receiving vnodes that hold
  // no key, and in sloppy mode a node may still take owners for dead and ask others.
  for (const std::string& key : keys) {
    converges(
        world, kRest, [&] { return wrong_values(world, key, asked); },
        "nothing that was acknowledged is lost, and nothing is made up", 500ms);
  }
}

/// Clients that read, and write what follows from it, at nodes of their own choice. Each is at one
/// request at a time; an answer is looked at when the next turn comes.
class Clients {
 public:
  Clients(World& world, Random& random, std::size_t count, std::size_t keys)
      : world_(world), random_(random), keys_(keys), clients_(count) {}

  /// Each client that has heard the answer to its last request makes the next one, at one of
  /// `nodes`.
  void turn(const std::vector<NodeId>& nodes) {
    if (nodes.empty()) return;
    const World::Optional optional(world_);
    for (std::size_t number = 0; number < clients_.size(); ++number) {
      Client& client = clients_[number];
      if (client.asked && world_.client(*client.asked).pending()) continue;
      const NodeId& node = nodes[random_.below(nodes.size())];
      const std::string key = "k" + std::to_string(random_.below(keys_));
      if (client.asked && !world_.client(*client.asked).write()) {
        client.asked = write(number, world_.client(*client.asked));
      } else {
        client.asked = random_.below(8) == 0 ? blind(number, node, key) : world_.read(node, key);
      }
    }
  }

  /// Lets time pass until nobody waits any more.
  void finish() {
    for (Client& client : clients_) {
      if (client.asked) (void)world_.answer(*client.asked);
    }
  }

  std::size_t done() const {
    return static_cast<std::size_t>(std::count_if(
        world_.client_operations().begin(), world_.client_operations().end(),
        [](const ClientOperation& operation) { return operation.write() && operation.done(); }));
  }

 private:
  struct Client {
    std::optional<ClientNumber> asked;
  };

  /// What follows a read: a put or a delete with its context. Who could not read goes on.
  std::optional<ClientNumber> write(std::size_t number, const ClientOperation& read) {
    const bool answered = read.outcome == ClientOperation::Outcome::found ||
                          read.outcome == ClientOperation::Outcome::absent;
    if (!answered) return std::nullopt;
    const std::string key = read.key;  // `read` may move when there are more operations
    const NodeId at = read.at;
    const std::string context = read.read_context;
    const bool deletes = read.outcome == ClientOperation::Outcome::found && random_.below(6) == 0;
    if (deletes) return world_.write(at, key, std::nullopt, context);
    return world_.write(at, key, value(number), context);
  }

  std::optional<ClientNumber> blind(std::size_t number, const NodeId& node,
                                    const std::string& key) {
    return world_.write(node, key, value(number));
  }

  /// Each value is written once: values tell writes apart.
  std::string value(std::size_t number) {
    std::string text = "c";
    return text.append(std::to_string(number)).append(".").append(std::to_string(++values_));
  }

  World& world_;
  Random& random_;
  const std::size_t keys_;
  std::vector<Client> clients_;
  std::size_t values_ = 0;
};

}  // namespace dynamo::sim
