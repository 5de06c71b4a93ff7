// Lab 4, part C: the shopping cart as judge. Two sessions, each of which reads the cart, adds or
// removes an item, and puts it back, while nodes die and links are cut. Each item has a name of its
// own, so that the check needs no clock: an item that no session removed is there in the end.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "store_scenarios.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

using Cart = std::set<std::string>;

/// Items with a blank behind each.
std::string value_of(const Cart& cart) {
  std::string value;
  for (const std::string& item : cart) value += item + " ";
  return value;
}

/// The application's reconciliation: all that is in any of the siblings.
Cart together(const std::vector<std::string>& values) {
  Cart cart;
  for (const std::string& value : values) {
    for (std::size_t from = 0; from < value.size();) {
      const std::size_t blank = value.find(' ', from);
      cart.insert(value.substr(from, blank - from));
      from = blank + 1;
    }
  }
  return cart;
}

/// Adds to the cart and removes from it, as people do with two browsers.
class Sessions {
 public:
  Sessions(World& world, Random& random) : world_(world), random_(random) {}

  /// Both sessions read, at the same node or at two, and then both write.
  void act() {
    std::vector<NodeId> nodes = {pick()};
    nodes.push_back(random_.below(3) == 0 ? pick() : nodes.front());
    std::vector<ClientNumber> reads;
    reads.reserve(nodes.size());
    for (const NodeId& node : nodes) reads.push_back(world_.read(node, "cart"));
    std::vector<ClientNumber> writes;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const ClientOperation& read = world_.answer(reads[i]);
      // A session that could not read goes on without: a blind put.
      Cart cart = together(read.values);
      std::string added;
      if (!cart.empty() && random_.below(4) == 0) {
        auto item = cart.begin();
        std::advance(item, random_.below(cart.size()));
        removed_.insert(*item);
        cart.erase(item);
      } else {
        added = std::to_string(++items_);  // short, so that a story shows the whole cart
        cart.insert(added);
      }
      writes.push_back(world_.write(nodes[i], "cart", value_of(cart), read.read_context));
      added_.push_back({added, writes.back()});
    }
    for (const ClientNumber write : writes) (void)world_.answer(write);
  }

  void judge() {
    const ClientOperation& get = world_.get("n1", "cart");
    const Cart cart = together(get.values);
    for (const auto& [item, write] : added_) {
      if (item.empty() || removed_.count(item) != 0 || !world_.client(write).done()) continue;
      world_.expect(cart.count(item) != 0,
                    "item " + item + " is in the cart: its put (" + question(world_.client(write)) +
                        ") was acknowledged, and no session removed it",
                    "the cart is " + text(cart));
    }
  }

 private:
  NodeId pick() { return world_.nodes()[random_.below(world_.nodes().size())]; }

  struct Added {
    std::string item;  ///< Empty: this write removed one.
    ClientNumber write;
  };

  World& world_;
  Random& random_;
  std::size_t items_ = 0;
  std::vector<Added> added_;
  std::set<std::string> removed_;
};

/// One fault or none. Disks are never lost here: a lazy write is on one disk at first.
void disturb(World& world, Random& random) {
  const NodeId node = world.nodes()[random.below(world.nodes().size())];
  switch (random.below(10)) {
    case 0:
      if (world.up(node)) world.crash(node);
      break;
    case 1:
      if (world.up(node)) world.crash_after_commit(node);
      break;
    case 2:
      if (world.up(node)) world.pause(node);
      break;
    case 3:
      world.isolate(node);
      break;
    case 4:
      world.cut({node}, {world.nodes()[random.below(world.nodes().size())]});
      break;
    case 5:
      world.heal();
      break;
    default:
      if (world.life(node) == Life::down) world.restart(node);
      if (world.life(node) == Life::paused) world.resume(node);
  }
}

void repair(World& world) {
  world.phase("all faults end");
  world.heal();
  restart_all(world);  // nobody is to die later
}

TEST(versioning, carts_lose_nothing_that_no_session_removed) {
  Plan plan = store_plan();
  plan.links.loss_ppm = 20'000;
  plan.links.duplicate_ppm = 20'000;
  for_each_seed(40, plan, [](World& world) {
    form_cluster(world);
    Random random(world.seed());
    Sessions sessions(world, random);
    const std::uint64_t steps = 4 + 4 * (world.seed() % 4);  // some have short stories
    for (std::uint64_t step = 0; step < steps; ++step) {
      const World::Optional optional(world);
      disturb(world, random);
      sessions.act();
      world.run_for(random.below(400) * 1ms);
    }
    repair(world);
    converges(
        world, kRest, [&] { return replicas_differ(world); },
        "all replicas become equal, byte for byte");
    sessions.judge();
  });
}

}  // namespace
