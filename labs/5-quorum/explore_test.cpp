// Explored: puts and gets in a small cluster, in every order of messages, timers, kills and losses.
#include "../3-replication/explored_store.h"
#include "quorum_world.h"

using namespace dynamo;
using namespace dynamo::sim;

namespace {

/// Properties 5.1, 5.2, 5.3 and 5.5. No put has a context, so all of them stay as siblings.
class StrictQuorums final : public StoreOracle {
 public:
  using StoreOracle::StoreOracle;

  void state(const Sight& sight) override {
    StoreOracle::state(sight);
    const Scope& scope = sight.scope();
    for (std::size_t i = 0; i < scope.asks.size(); ++i) {
      if (scope.asks[i].what != "get") continue;
      const Sight::Asked get = sight.asked(i);
      if (get.outcome == Sight::Asked::Outcome::read) sees_what_was_done(sight, i, get);
    }
  }

 private:
  static void sees_what_was_done(const Sight& sight, std::size_t index, const Sight::Asked& get) {
    const Scope& scope = sight.scope();
    for (std::size_t k = 0; k < scope.asks.size(); ++k) {
      const Ask& put = scope.asks[k];
      const bool before = (get.after >> k & 1U) != 0;
      const bool meets = put.hosts + scope.asks[index].hosts > scope.plan.config.n;
      if (put.what != "put" || !before || !meets) continue;
      if (sight.asked(k).outcome != Sight::Asked::Outcome::done) continue;
      if (contains(get.client->values, put.value)) continue;
      throw Violation(sight.question(index) + " sees " + sight.question(k) +
                          ", which was done before it began: their hosts overlap",
                      "it shows " + to_string(*get.client));
    }
  }
};

/// Properties 5.1, 5.3, 5.4 and 5.5. A hint goes only when its owner holds the state; so with a w
/// of 2 or less no fewer disks ever hold a put than when it was done.
class SloppyQuorums final : public StoreOracle {
 public:
  using StoreOracle::StoreOracle;

 private:
  bool hints_count() const override { return true; }
};

/// "milk", put by `client` at this node with this w.
Ask put_at(const NodeId& node, const std::string& client, const std::string& value,
           std::uint32_t w) {
  return client_ask(client, node, "put", "cart", value, w);
}
Ask get_at(const NodeId& node, const std::string& client, std::uint32_t r) {
  return client_ask(client, node, "get", "cart", "", r);
}

/// So many nodes, of which these own the key, as many as N.
struct Cluster {
  std::size_t nodes = 3;
  std::vector<NodeId> owners;

  Scope scope(const std::string& mode, const std::vector<Ask>& asks, const Budgets& budgets) const {
    Scope scope = store_scope(quorum_plan(nodes, mode));
    scope.plan.config.n = static_cast<std::uint32_t>(owners.size());
    scope.asking = [owners = owners, asks](World& world) {
      std::vector<Ask> asked = asks;
      for (Ask& ask : asked) ask.key = key_of(world, owners);
      return asked;
    };
    scope.begins = "the key is owned by " + list(owners);
    scope.budgets = budgets;
    return scope;
  }
  void strict(const std::vector<Ask>& asks, const Budgets& budgets) const {
    explore(scope("strict", asks, budgets), oracle<StrictQuorums>());
  }
  void sloppy(const std::vector<Ask>& asks, const Budgets& budgets) const {
    explore(scope("sloppy", asks, budgets), oracle<SloppyQuorums>());
  }
  template <class T>
  MakeOracle oracle() const {
    return [owners = owners](const Beginning&) { return std::make_unique<T>(owners); };
  }
};

const Cluster kThree{3, {"n1", "n2", "n3"}};
const Cluster kTwo{2, {"n1", "n2"}};
const Cluster kStranger{3, {"n1", "n2"}};  // n3 does not own the key
const Cluster kOneStranger{2, {"n1"}};     // n2 does not
const Cluster kFour{4, {"n1", "n2", "n3"}};

/// Writers and a reader at four nodes, far beyond what can be tried in every order.
Scope far(const Cluster& cluster, const std::string& mode) {
  Scope scope = cluster.scope(
      mode,
      {put_at("n1", "amy", "milk", 2), put_at("n4", "bob", "eggs", 2), get_at("n2", "eve", 2),
       put_at("n2", "amy", "bread", 2), get_at("n4", "eve", 2)},
      {1, 0, 1, 1});
  scope.most_states = 10'000;
  scope.completions = 30;
  scope.deep = {3, 2, 3, 8};
  scope.schedules = 192;
  scope.schedule_moves = 100;
  return scope;
}

}  // namespace

TEST(quorum, a_strict_get_sees_the_put_before_it_in_every_order) {
  const std::vector<Ask> asks = {put_at("n1", "amy", "milk", 2), get_at("n2", "bob", 2)};
  kThree.strict(asks, {1, 0, 0, 1});
  kThree.strict(asks, {0, 0, 1, 0});
  kStranger.strict({put_at("n1", "amy", "milk", 2), get_at("n3", "bob", 1)}, {1, 0, 0, 1});
  kTwo.strict(
      {put_at("n1", "amy", "milk", 1), put_at("n1", "bob", "eggs", 1), get_at("n2", "eve", 2)},
      {1, 0, 0, 1});
}

TEST(quorum, puts_that_cross_are_on_all_owners_in_the_end_in_every_order) {
  kTwo.strict({put_at("n1", "amy", "milk", 1), put_at("n1", "amy", "eggs", 2)}, {1, 0, 1, 1});
  kTwo.strict({put_at("n1", "amy", "milk", 1), put_at("n2", "bob", "eggs", 1)}, {1, 1, 0, 1});
  kThree.strict({put_at("n1", "amy", "milk", 3), put_at("n1", "bob", "eggs", 1)}, {1, 0, 0, 0});
  explore(far(kFour, "strict"), kFour.oracle<StrictQuorums>());
}

TEST(quorum, a_hint_goes_only_when_its_owner_has_it_in_every_order) {
  const std::vector<Ask> one = {put_at("n1", "amy", "milk", 2)};
  kStranger.sloppy(one, {1, 0, 1, 1});
  kStranger.sloppy(one, {1, 0, 0, 2});
  kOneStranger.sloppy({put_at("n2", "amy", "milk", 1)}, {1, 0, 1, 2});
  kOneStranger.sloppy({put_at("n2", "amy", "milk", 1), put_at("n2", "bob", "eggs", 1)},
                      {1, 1, 0, 1});
  kStranger.sloppy({put_at("n1", "amy", "milk", 2), put_at("n1", "bob", "eggs", 2)}, {0, 0, 1, 0});
  explore(far(kFour, "sloppy"), kFour.oracle<SloppyQuorums>());
}
