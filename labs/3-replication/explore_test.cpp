// Explored: writes, and keys that move, in every order of messages, timers, kills and losses.
#include "explored_store.h"

using namespace dynamo;
using namespace dynamo::sim;

namespace {

/// Properties 3.1, 3.3, 3.4 and 3.8, under last write wins. What a client writes at a node after it
/// was answered there has the larger stamp; of other writes either may have.
class LastWrites : public StoreOracle {
 public:
  using StoreOracle::StoreOracle;

 private:
  bool replaces(const Scope& scope, const Ask& newer, const std::string& value) override {
    for (const Ask& ask : scope.asks) {
      if (ask.value != value) continue;
      return &ask < &newer || ask.client != newer.client || ask.at != newer.at;
    }
    return true;
  }
};

constexpr const char* kHeld = "milk";  // under a key that moves

/// Property 3.7: the key moves to `owners` from nodes of which some own it no more.
class Moving final : public LastWrites {
 public:
  Moving(const std::vector<NodeId>& owners, std::vector<NodeId> leavers)
      : LastWrites(owners), owners_(owners), leavers_(std::move(leavers)) {}

  void state(const Sight& sight) override {
    LastWrites::state(sight);
    const Scope& scope = sight.scope();
    for (std::size_t node = 0; node < sight.nodes(); ++node) {
      const std::string& self = scope.plan.nodes[node];
      if (!contains(leavers_, self) || !copy(sight, node).own.empty()) continue;
      for (std::size_t owner = 0; owner < sight.nodes(); ++owner) {
        if (!owns(scope, owner) || covered(scope, kHeld, copy(sight, owner).own)) continue;
        throw Violation(self + " drops the key when each of its owners, " + list(owners_) +
                            ", has confirmed it, and not before",
                        self + " has dropped it, and " + scope.plan.nodes[owner] + " holds " +
                            list(copy(sight, owner).own));
      }
    }
    for (std::size_t i = 0; i < scope.asks.size(); ++i) {
      const Sight::Asked get = sight.asked(i);
      if (get.outcome != Sight::Asked::Outcome::read || !get.client->absent()) continue;
      throw Violation(
          sight.question(i) + " finds the key, or is told that nobody can say: it was never away",
          "it shows " + to_string(*get.client));
    }
  }

  std::string restless(const Sight& sight) override {
    std::string wrong = LastWrites::restless(sight);
    for (std::size_t node = 0; node < sight.nodes() && wrong.empty(); ++node) {
      if (owns(sight.scope(), node) || copy(sight, node).own.empty()) continue;
      wrong = sight.scope().plan.nodes[node] + ", which does not own the key, still holds it";
    }
    return wrong;
  }
  std::string rest() const override {
    return "every client has its answer, all owners hold the same, what was there before among it "
           "or what replaced it, and nobody else holds the key";
  }

 private:
  const Copies& copy(const Sight& sight, std::size_t node) {
    return copies(sight.scope(), sight.node(node))[0];
  }
  std::string missing(const Sight& sight, const std::vector<Copies>& held) override {
    if (!covered(sight.scope(), kHeld, held[0].own)) {
      return std::string(kHeld) + " was there before, and all owners hold " + list(held[0].own);
    }
    return LastWrites::missing(sight, held);
  }
  void judge_copy(const Scope& scope, const std::string& key, const Copies& before,
                  const Copies& after, std::size_t node) override {
    if (owns(scope, node)) return LastWrites::judge_copy(scope, key, before, after, node);
    for (const std::string& value : after.own) {
      if (contains(before.own, value)) continue;
      throw Violation(list(owners_) + " own " + key + ", and nobody else takes it",
                      scope.plan.nodes[node] + " holds " + list(after.own));
    }
  }

  const std::vector<NodeId> owners_;
  const std::vector<NodeId> leavers_;
};

Ask put_at(const NodeId& node, const std::string& client, const std::string& value) {
  return client_ask(client, node, "put", "cart", value);
}
Ask get_at(const NodeId& node, const std::string& client) {
  return client_ask(client, node, "get", "cart");
}

/// Members that stay, of which the first ones own the key, as many as N.
struct Cluster {
  std::size_t nodes = 3;
  std::vector<NodeId> owners;

  Scope scope(const std::vector<Ask>& asks, const Budgets& budgets) const {
    Scope scope = store_scope(store_plan(nodes));
    scope.plan.config.n = static_cast<std::uint32_t>(owners.size());
    scope.begins = "the key is owned by " + list(owners);
    scope.asking = [owners = owners, asks](World& world) {
      world.run_for(2s);
      std::vector<Ask> asked = asks;
      for (Ask& ask : asked) ask.key = key_of(world, owners);
      return asked;
    };
    scope.budgets = budgets;
    return scope;
  }
  void explored(const std::vector<Ask>& asks, const Budgets& budgets) const {
    explore(scope(asks, budgets), oracle());
  }
  MakeOracle oracle() const {
    return [owners = owners](const Beginning&) { return std::make_unique<LastWrites>(owners); };
  }
};

/// A key that `before` hold when `subject` joins or leaves, and `after` own from then on. All have
/// heard of that; nothing has moved yet.
struct Move {
  std::size_t nodes = 2;
  Change change = Change::join;
  NodeId subject;
  std::vector<NodeId> before;
  std::vector<NodeId> after;

  Scope scope(const std::vector<Ask>& asks, const Budgets& budgets) const {
    Scope scope = store_scope(store_plan(nodes));
    scope.plan.config.modules.emplace_back("transfer");
    scope.plan.config.q = 4;
    scope.plan.config.n = static_cast<std::uint32_t>(after.size());
    scope.begins = list(before) + " hold " + kHeld + "; " + subject +
                   (change == Change::join ? " has joined" : " was removed") +
                   ", and now the key is owned by " + list(after);
    scope.beginning = nullptr;
    scope.asking = [move = *this, asks](World& world) {
      const std::string key = move.begin(world);
      std::vector<Ask> asked = asks;
      for (Ask& ask : asked) ask.key = key;
      return asked;
    };
    scope.budgets = budgets;
    scope.most_states = 50'000;
    scope.completions = 500;
    return scope;
  }
  void explored(const std::vector<Ask>& asks, const Budgets& budgets) const {
    explore(scope(asks, budgets), oracle());
  }
  MakeOracle oracle() const {
    std::vector<NodeId> leavers = before;
    std::erase_if(leavers, [&](const NodeId& node) { return contains(after, node); });
    return [owners = after, leavers](const Beginning&) {
      return std::make_unique<Moving>(owners, leavers);
    };
  }

 private:
  /// Puts the key at rest; then all hear of the change, and nothing that they send arrives.
  std::string begin(World& world) const {
    world.start("n1", true);
    for (const NodeId& node : world.nodes()) {
      if (node != "n1") world.start(node);
    }
    History events = world.invoke<&Membership::history>("n1");
    const auto happen = [&](const NodeId& node, Change what) {
      events.push_back({node, what, {events.size() + 1, "n1", world.incarnation("n1")}});
    };
    for (const NodeId& node : world.nodes()) {
      if (node != "n1" && (change == Change::leave || node != subject)) happen(node, Change::join);
    }
    world.invoke_each<&Membership::merge>(world.nodes(), events);
    world.run_for(3s);
    happen(subject, change);
    world.isolate(subject);
    if (change == Change::join) world.invoke<&Membership::merge>(subject, events);
    const std::string key = moving_key(world);
    if (change == Change::leave) world.heal();
    world.put("n1", key, kHeld);
    world.run_for(2s);
    for (const NodeId& node : world.nodes()) world.isolate(node);
    world.invoke_each<&Membership::merge>(world.nodes(), events);
    return key;
  }
  /// The one who joins knows the ring of afterwards.
  std::string moving_key(World& world) const {
    for (std::size_t i = 0; i < 1000; ++i) {
      std::string key = i == 0 ? "cart" : "cart" + std::to_string(i);
      if (preference_list(world, key, "n1") != before) continue;
      if (change == Change::leave || preference_list(world, key, subject) == after) return key;
    }
    throw GraderTrouble("no key moves from " + list(before) + " to " + list(after));
  }
};

const Cluster kTwo{2, {"n1", "n2"}};
const Cluster kThree{3, {"n1", "n2", "n3"}};
const Cluster kStranger{3, {"n1", "n2"}};  // n3 does not own the key
const Cluster kFour{4, {"n1", "n2", "n3"}};

const Move kJoin{2, Change::join, "n2", {"n1"}, {"n2"}};
const Move kLeave{2, Change::leave, "n2", {"n2"}, {"n1"}};
const Move kThirdJoins{3, Change::join, "n3", {"n1", "n2"}, {"n3", "n1"}};
const Move kThirdLeaves{3, Change::leave, "n3", {"n3", "n1"}, {"n1", "n2"}};

/// Further than can be tried in every order: at random.
Scope far(Scope scope, const Budgets& deep) {
  scope.most_states = 10'000;
  scope.completions = 30;
  scope.deep = deep;
  scope.schedules = 192;
  scope.schedule_moves = 100;
  return scope;
}

}  // namespace

TEST(replication, a_put_that_is_done_reaches_all_owners_in_every_order) {
  kTwo.explored({put_at("n1", "amy", "milk"), put_at("n1", "amy", "eggs")}, {1, 0, 1, 1});
  kTwo.explored({put_at("n1", "amy", "milk"), put_at("n1", "bob", "eggs")}, {1, 0, 1, 1});
  kTwo.explored({put_at("n1", "amy", "milk"), put_at("n2", "bob", "eggs")}, {1, 1, 0, 1});
  kThree.explored({put_at("n1", "amy", "milk")}, {1, 0, 1, 1});
  kStranger.explored({put_at("n3", "amy", "milk"), put_at("n3", "amy", "eggs")}, {1, 0, 0, 1});
  const std::vector<Ask> puts = {put_at("n1", "amy", "milk"), put_at("n4", "bob", "eggs"),
                                 put_at("n2", "eve", "bread"), put_at("n1", "amy", "tea")};
  explore(far(kFour.scope(puts, {1, 0, 1, 1}), {3, 2, 3, 8}), kFour.oracle());
}

TEST(replication, a_new_owner_never_says_absent_too_early_in_every_order) {
  kJoin.explored({get_at("n2", "amy")}, {0, 0, 1, 0});
  kJoin.explored({get_at("n2", "amy")}, {1, 0, 0, 1});
  kJoin.explored({get_at("n1", "amy")}, {0, 0, 1, 0});
  kJoin.explored({get_at("n2", "amy"), put_at("n1", "bob", "eggs")}, {1, 0, 0, 0});
  const std::vector<Ask> asks = {get_at("n3", "amy"), put_at("n1", "bob", "eggs"),
                                 get_at("n2", "amy")};
  explore(far(kThirdJoins.scope(asks, {1, 0, 1, 1}), {3, 1, 3, 8}), kThirdJoins.oracle());
}

TEST(replication, a_removed_node_drops_only_what_all_owners_have_in_every_order) {
  kLeave.explored({get_at("n1", "amy")}, {1, 1, 0, 0});
  kLeave.explored({put_at("n1", "amy", "eggs")}, {1, 0, 0, 1});
  kLeave.explored({put_at("n1", "amy", "eggs")}, {0, 0, 1, 0});
  const std::vector<Ask> asks = {get_at("n2", "amy"), put_at("n1", "bob", "eggs"),
                                 get_at("n2", "amy")};
  explore(far(kThirdLeaves.scope(asks, {1, 0, 1, 1}), {3, 1, 3, 8}), kThirdLeaves.oracle());
}
