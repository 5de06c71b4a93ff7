// Grader code, not for you to use. What lab 5's simulated checks share: plans, what a put promises,
// and what must be true in the end.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "../3-replication/store_world.h"
#include "quorum_messages.h"

namespace dynamo::sim {

/// Static members, siblings.
inline Plan quorum_plan(std::size_t count, const std::string& mode) {
  Plan plan = store_plan(count);
  plan.config.modules = {"membership", "ring", "versioning", "quorum"};
  plan.config.mode = mode;
  return plan;
}

/// A put with this w, and a get with this r, answered.
inline const ClientOperation& put(World& world, const NodeId& at, const std::string& key,
                                  const std::string& value, std::uint32_t w,
                                  const std::string& context = {}) {
  return world.answer(world.write(at, key, value, context, {}, w));
}
inline const ClientOperation& get(World& world, const NodeId& at, const std::string& key,
                                  std::uint32_t r) {
  return world.answer(world.read(at, key, r));
}

/// How many hosts a request was about.
inline std::uint32_t hosts_of(const World& world, const ClientOperation& operation) {
  const NodeConfig& config = world.plan().config;
  if (operation.hosts != 0) return operation.hosts;
  const std::uint32_t configured = operation.write() ? config.w : config.r;
  return configured != 0 ? configured : config.n / 2 + 1;
}

/// "with w=2"
inline std::string with_hosts(const World& world, const ClientOperation& operation) {
  return question(operation) + (operation.write() ? " with w=" : " with r=") +
         std::to_string(hosts_of(world, operation));
}

inline void must_be_done(World& world, const ClientOperation& write, const std::string& why) {
  world.expect(write.done(), with_hosts(world, write) + " is done: " + why,
               [&] { return "the client is told: " + to_string(write); });
}
inline void must_answer(World& world, const ClientOperation& read, const std::string& why) {
  world.expect(!read.unknown() && !read.pending() && read.error.message.empty(),
               with_hosts(world, read) + " has an answer: " + why,
               [&] { return "the client is told: " + to_string(read); });
}

/// Property 5.1, now: who has the value on its disk, among its own keys or (`hints`) those that it
/// keeps for others.
inline std::vector<NodeId> holders(const World& world, const std::string& key,
                                   const std::string& value, bool hints) {
  std::vector<NodeId> found;
  for (const NodeId& node : world.nodes()) {
    for (const std::string_view space : {kStateSpace, kHintSpace}) {
      if (space == kHintSpace && !hints) continue;
      const auto held = held_on(world.disk(node), node, key, space);
      const auto values = held ? values_in(held->state) : std::nullopt;
      if (values && contains(*values, value) && !contains(found, node)) found.push_back(node);
    }
  }
  return found;
}

/// Properties 5.3 and 5.5: no hints are left, all owners become equal, nobody else holds anything.
inline void all_is_delivered(World& world, const std::string& when, Duration within = kRest) {
  converges(
      world, within,
      [&]() -> std::string {
        const std::string hints = hints_left(world);
        return hints.empty() ? replicas_differ(world) : hints;
      },
      "no hints are left, and each key lies equal on all its owners and nowhere else, " + when,
      200ms);
}

/// At rest nobody sends any message of this lab.
inline void is_quiet(World& world, const std::string& when) {
  const auto sent = [&] {
    return std::map<std::string, std::uint64_t>{
        {"Updates", world.sent(message_number<Update>).messages},
        {"StoreHints", world.sent(message_number<StoreHints>).messages},
        {"Reads", world.sent(message_number<Read>).messages},
        {"Coordinates", world.sent(message_number<Coordinate>).messages}};
  };
  auto before = sent();
  world.run_for(2s);
  converges(
      world, kRest,
      [&]() -> std::string {
        const auto now = sent();
        std::string more;
        for (const auto& [name, count] : now) {
          if (count == before[name]) continue;
          more += (more.empty() ? "" : ", ") + std::to_string(count - before[name]) + " " + name;
        }
        before = now;
        return more.empty() ? "" : "in the last two seconds there were " + more + " and replies";
      },
      "nothing is owed any more, so no message of this lab is sent, " + when, 2s);
}

/// What lies on the disks at rest is what clients may expect; `again`: as expected_with_siblings
/// has it. A put that two nodes executed has left two versions of one value.
inline void expect_what_was_put(World& world, bool again = false) {
  std::set<std::string> keys;
  for (const ClientOperation& operation : world.client_operations()) {
    if (operation.write()) keys.insert(operation.key);
  }
  for (const std::string& key : keys) {
    const NodeId owner = preference_list(world, key).front();
    const auto held = held_for(world, owner, key);
    auto values = held ? values_in(held->state).value_or(std::vector<std::string>{"no state"})
                       : std::vector<std::string>{};
    if (again) values.erase(std::unique(values.begin(), values.end()), values.end());
    const std::string wrong = contradicts(values, expected_with_siblings(world, key, again));
    world.expect(wrong.empty(), "no put that a client was told is done has got lost, of " + key,
                 owner + ", an owner: " + wrong);
  }
}

/// What the writer of each value had seen, from what clients asked and heard alone. Each put has a
/// value of its own; a context stands for what the gets showed that returned it.
class Seen {
 public:
  explicit Seen(const World& world) {
    for (const ClientOperation& operation : world.client_operations()) {
      if (!operation.write()) {
        shown_[operation.key + operation.read_context].insert(operation.values.begin(),
                                                              operation.values.end());
      } else if (operation.value && !operation.context.empty()) {
        context_[*operation.value] = operation.key + operation.context;
      }
    }
  }

  /// Also through others, whose values it had seen.
  const std::set<std::string>& by_writer_of(const std::string& value) {
    const auto [known, fresh] = seen_.try_emplace(value);
    const auto context = context_.find(value);
    if (!fresh || context == context_.end()) return known->second;
    for (const std::string& read : shown_[context->second]) {
      const std::set<std::string> before = by_writer_of(read);
      known->second.insert(read);
      known->second.insert(before.begin(), before.end());
    }
    return known->second;
  }

 private:
  std::map<std::string, std::set<std::string>> shown_;  ///< By key and context.
  std::map<std::string, std::string> context_;          ///< By value: key and context of its put.
  std::map<std::string, std::set<std::string>> seen_;   ///< By value.
};

/// Property 5.2: each get sees every put that was acknowledged before it began, if their hosts are
/// more than N together. Nobody deletes. How many such pairs there were.
inline std::size_t every_get_is_fresh(World& world) {
  Seen seen(world);
  std::size_t pairs = 0;
  for (const ClientOperation& read : world.client_operations()) {
    using Outcome = ClientOperation::Outcome;
    if (read.outcome != Outcome::found && read.outcome != Outcome::absent) continue;
    for (const ClientOperation& write : world.client_operations()) {
      const bool meets = hosts_of(world, read) + hosts_of(world, write) > world.plan().config.n;
      if (!write.done() || write.key != read.key || !meets) continue;
      if (!(write.answered < read.asked)) continue;
      ++pairs;
      const bool fresh =
          std::any_of(read.values.begin(), read.values.end(), [&](const std::string& value) {
            return value == *write.value || seen.by_writer_of(value).contains(*write.value);
          });
      world.expect(fresh,
                   with_hosts(world, read) + " sees " + with_hosts(world, write) +
                       ", which was done before it began: it shows that value, or one whose " +
                       "writer had seen it",
                   [&] { return "it shows " + to_string(read); });
    }
  }
  return pairs;
}

}  // namespace dynamo::sim
