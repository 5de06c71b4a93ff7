// Explored: exchanges between two nodes, in every order of messages, timers, kills and losses.
#include "../3-replication/explored_store.h"
#include "sync_world.h"

using namespace dynamo;
using namespace dynamo::sim;

namespace {

/// What both nodes must come to hold of each key, sorted. What a client puts meanwhile comes
/// beside.
using Join = std::map<std::string, std::vector<std::string>>;

/// Properties 6.1 and 6.4.
class Joined : public StoreOracle {
 public:
  explicit Joined(Join join) : join_(std::move(join)) {}

  void step(const Scope& scope, const Local& before, const Local& after) override {
    StoreOracle::step(scope, before, after);
    const bool started = after.up && !before.up;
    if (!after.up || (!started && after.disk_hash == before.disk_hash)) return;
    const MerkleTrees right = trees_of(*after.disk, scope.plan.config.q);
    for (VnodeId vnode = 0; vnode < right.q(); ++vnode) {
      if (after.glanced<&Sync::root>(vnode) == right.root(vnode)) continue;
      throw Violation(
          "the root of each vnode is that of a tree made afresh from the keys that the "
          "node holds",
          "on " + scope.plan.nodes[after.node] + " the root of vnode " + std::to_string(vnode) +
              " is another one");
    }
  }

 private:
  std::vector<std::string> keys(const Scope& /*scope*/) const override {
    std::vector<std::string> all;
    for (const auto& [key, values] : join_) all.push_back(key);
    return all;
  }
  /// Values that the join has not are old: they may go, and do not come back.
  void judge_copy(const Scope& scope, const std::string& key, const Copies& before,
                  const Copies& after, std::size_t node) override {
    const std::string& self = scope.plan.nodes[node];
    for (const std::string& value : before.own) {
      if (contains(after.own, value) || !stays(scope, key, value)) continue;
      throw Violation("a sync is a merge: " + self + " keeps what it holds of " + key + ", " +
                          value + " among it",
                      "it holds " + list(after.own));
    }
    for (const std::string& value : after.own) {
      if (before.bytes.empty() || contains(before.own, value) || stays(scope, key, value)) continue;
      throw Violation("newer is never overwritten by older: " + value + " of " + key +
                          " does not come back to " + self,
                      "it held " + list(before.own) + " and holds " + list(after.own));
    }
  }
  bool stays(const Scope& scope, const std::string& key, const std::string& value) const {
    return contains(join_.at(key), value) ||
           std::any_of(scope.asks.begin(), scope.asks.end(),
                       [&](const Ask& ask) { return ask.key == key && ask.value == value; });
  }
  std::string missing(const Sight& sight, const std::vector<Copies>& held) override {
    const std::vector<std::string>& keys = keys_of(sight.scope());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      for (const std::string& value : join_.at(keys[i])) {
        if (contains(held[i].own, value)) continue;
        return "one of them held " + value + " of " + keys[i] + ", and now all hold " +
               list(held[i].own);
      }
    }
    return StoreOracle::missing(sight, held);
  }

  const Join join_;
};

/// Property 6.3, of two that are equal: roots are compared, and nothing else is asked or sent.
class Equal final : public Joined {
 public:
  using Joined::Joined;

  void step(const Scope& scope, const Local& before, const Local& after) override {
    Joined::step(scope, before, after);
    for (const Local::Call& call : after.calls) {
      if (call.type != message_number<AskNodes> && call.type != message_number<AskCopies> &&
          call.type != message_number<Update>) {
        continue;
      }
      throw Violation("both hold the same: one question for roots is the whole exchange",
                      scope.plan.nodes[after.node] + " sends " + name_of_message(call.type));
    }
  }
};

/// The number-th key of the vnode whose path begins with `path`.
std::string key_at(std::uint32_t q, VnodeId vnode, const TreePath& path, std::size_t number = 0) {
  for (std::size_t i = 0;; ++i) {
    std::string key = "cart" + std::to_string(i);
    if (vnode_of(q, key) != vnode || !path_of(key, q).starts_with(path)) continue;
    if (number-- == 0) return key;
  }
}

/// n3 coordinates all puts, and is gone when the search begins, so that nobody owes anybody
/// anything. `only_one`: puts that one of the two others misses.
Scope two_left(const std::function<void(World&)>& puts_for_both,
               const std::function<void(World&)>& puts_that_one_misses = {}) {
  Scope scope = store_scope(sync_plan(3));
  scope.plan.config.q = 2;
  scope.left_nodes = 2;
  scope.beginning = [=](World& world) {
    settle(world);
    puts_for_both(world);
    world.run_for(2s);
    if (puts_that_one_misses) puts_that_one_misses(world);
    world.run_for(2s);
    History events = history_of(world, world.nodes());
    events.push_back({"n3", Change::leave, {events.size() + 1, "n1", world.incarnation("n1")}});
    world.heal();
    world.crash("n3");
    world.invoke_each<&Membership::merge>({"n1", "n2"}, events);
  };
  for (VnodeId vnode = 0; vnode < scope.plan.config.q; ++vnode) {
    scope.glances.push_back(glance<&Sync::root>(vnode));
  }
  return scope;
}

/// Vnode 1 has a tree with inner nodes, vnode 0 does not.
constexpr std::size_t kCommon = 17;
const std::string kCart = key_at(2, 0, "");
const std::string kFirst = key_at(2, 1, "0", 5);
const std::string kLast = key_at(2, 1, "f", 5);
const std::string kDeleted = key_at(2, 1, "7", 5);

void put_common(World& world) {
  for (std::size_t i = 0; i < kCommon; ++i) world.put("n3", key_at(2, 1, "", i), "salt");
  world.put("n3", kDeleted, "old");
  world.put("n3", kCart, "milk");
}

void put_different(World& world) {
  world.run_for(100ms);
  world.isolate("n2");
  world.put("n3", kLast, "pepper");
  world.put("n3", kCart, "eggs");
  world.remove_key("n3", kDeleted, world.get("n3", kDeleted).read_context);
  world.run_for(1s);
  world.heal();
  world.isolate("n1");
  world.put("n3", kFirst, "sugar");
  world.put("n3", kCart, "bread");
}

constexpr const char* kHeld =
    "both hold 17 keys and milk; n1 holds pepper, eggs and a deletion, and n2 sugar and bread";

const Join kJoin = {
    {kCart, {"bread", "eggs", "milk"}}, {kLast, {"pepper"}}, {kFirst, {"sugar"}}, {kDeleted, {}}};

MakeOracle joined() {
  return [](const Beginning&) { return std::make_unique<Joined>(kJoin); };
}

}  // namespace

TEST(sync, both_come_to_hold_the_join_in_every_order) {
  Scope scope = two_left(put_common, put_different);
  scope.begins = kHeld;
  scope.budgets = {2, 0, 0, 1};
  explore(scope, joined());
  scope.budgets = {0, 0, 1, 1};
  scope.most_states = 30'000;
  scope.deep = {3, 2, 3, 8};
  scope.schedules = 64;
  explore(scope, joined());
}

TEST(sync, what_is_put_during_an_exchange_stays_in_every_order) {
  Scope scope = two_left(put_common, put_different);
  scope.begins = kHeld;
  scope.asks = {client_ask("amy", "n1", "put", kCart, "tea")};
  scope.budgets = {0, 0, 0, 1};
  scope.most_states = 30'000;
  scope.deep = {3, 2, 3, 8};
  scope.schedules = 64;
  explore(scope, joined());
}

TEST(sync, two_that_are_equal_compare_roots_and_nothing_else_in_every_order) {
  Scope scope = two_left(put_common);
  scope.begins = "both hold the same 19 keys";
  scope.budgets = {1, 1, 1, 2};
  explore(scope, [](const Beginning&) {
    return std::make_unique<Equal>(Join{{kCart, {"milk"}}, {kDeleted, {"old"}}});
  });
}
