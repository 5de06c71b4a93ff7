// Lab 6: the tree while keys come, change and go, and over restarts; and what keeping it up costs.
#include <functional>
#include <string>
#include <vector>

#include "core/random.h"
#include "crowded_keys.h"
#include "sync_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

// ---- Part A -------------------------------------------------------------------------------------

/// A put or delete of a client, or a state from a peer, newer or older than what is held.
void change_something(SyncNode& node, Random& random, std::uint64_t number,
                      const std::vector<std::string>& keys) {
  const std::string& key = keys[random.below(keys.size())];
  const std::uint64_t what = random.below(10);
  const std::string text = std::string("v").append(std::to_string(number));
  if (what < 3) {
    (void)node.ask(write_of(node.known(), key, text, number));
  } else if (what < 5) {
    (void)node.ask(write_of(node.known(), key, std::nullopt, number));
  } else if (what < 9) {
    node.hold(key, version(text, number));
  } else {
    node.hold(key, version("old", 1));
  }
}

TEST(sync, puts_deletes_and_merges_keep_the_tree_up) {
  SyncNode node;
  Random random(6);
  std::vector<std::string> keys = keys_of(4, 70);
  for (const std::string& key : keys_of(11, 10)) keys.push_back(key);
  for (const std::string& key : some_keys(40, "elsewhere")) keys.push_back(key);
  for (std::uint64_t number = 2; number < 400; ++number) {
    change_something(node, random, number, keys);
    // Each time the roots; the whole of the trees now and then.
    node.expect_trees("after " + std::to_string(number - 1) + " puts, deletes and merges",
                      number % 40 == 0);
  }
  node.expect_trees("after 398 puts, deletes and merges");
}

/// Every owner confirms at once what n1 hands over.
void hand_over(SyncNode& node) {
  const Duration step = std::chrono::milliseconds(50);
  for (Duration passed{0}; passed < std::chrono::seconds(5); passed += step) {
    while (!node.lone.calls().empty()) {
      const Lone::Call call = node.lone.calls().front();
      if (call.type == message_number<Update>) {
        const auto update = codec::decode<Update>(call.bytes);
        node.lone.answer<Update>(call.id, confirmed(node.known(), update.value()));
      } else if (call.type == message_number<AskTransfer>) {
        node.lone.answer<AskTransfer>(call.id, {node.known()});
      } else if (call.type == message_number<SentAll>) {
        node.lone.answer<SentAll>(call.id, {node.known()});
      } else {
        node.lone.end_call(call.id, Error{ErrorCode::timed_out, "no answer"});
      }
    }
    node.lone.advance(step);
  }
}

/// One after the other: between two of them a tree may need to lose an inner node, or at once a
/// whole way of them: the last keys of all, which go first, lie side by side on the circle.
void expect_trees_at_each_drop() {
  SyncNode node;
  std::vector<std::string> keys = keys_of(5, 2 * kLeafKeys + 4);
  for (const std::string& key : keys_within(5, "5a5", kQ, kLeafKeys + 1)) keys.push_back(key);
  node.hold_all(keys);
  for (std::size_t left = keys.size(); left-- > 0;) {
    const std::string& key = keys[left];
    (void)node.lone.invoke<&LocalStore::drop>(key, hash_of(key, version("milk", 1)));
    node.expect_trees("of which " + std::to_string(left) + " are left in vnode 5");
  }
  node.lone.restart();
  node.expect_trees("after all keys were dropped, and a restart");
}

TEST(sync, keys_that_were_handed_over_leave_the_tree) {
  NodeSetup setup = sync_setup();
  setup.config.modules = {"membership", "ring", "replication", "transfer", "sync"};
  SyncNode node(3, setup);
  node.hold_all(some_keys(400));
  node.expect_trees("before other nodes join");
  History later = node.history;
  for (std::size_t i = 4; i <= 8; ++i) later = then(later, node_name(i), Change::join);
  node.learn(later);
  node.lone.say("five nodes have joined, and n1 hands over what it owns no more");
  hand_over(node);
  std::vector<std::string> kept = some_keys(400);
  std::erase_if(kept, [&](const std::string& key) { return !node.held(key); });
  if (kept.size() == 400) {
    throw std::logic_error("the check cannot judge: the transfer handed nothing over");
  }
  node.expect_trees("after the keys of some vnodes were handed over, and dropped");
  node.hold_all(kept, "again", 2);
  node.expect_trees("after some more updates");
  node.lone.restart();
  node.expect_trees("after the keys of some vnodes were dropped, and a restart");
  expect_trees_at_each_drop();
}

// ---- Part C -------------------------------------------------------------------------------------

constexpr std::size_t kMany = 2000;

/// Restarts it, and asks it for all roots.
void expect_a_cheap_restart(SyncNode& node, std::uint64_t keys, const std::string& what) {
  node.lone.restart();
  std::vector<std::tuple<VnodeId>> vnodes;
  for (VnodeId vnode = 0; vnode < kQ; ++vnode) vnodes.emplace_back(vnode);
  (void)node.lone.map<&Sync::root>(vnodes);
  const std::uint64_t visited = node.visited();
  if (visited <= keys / 4) return;
  violation(what + ": it visits few of the " + std::to_string(keys) + " keys, " +
                std::to_string(keys / 4) + " at most",
            std::to_string(visited) + " visits of keys (LocalStore::visited)");
}

TEST(sync, after_a_restart_the_trees_are_there_and_no_key_was_visited) {
  SyncNode node;
  std::vector<std::string> keys = some_keys(kMany);
  node.hold_all(keys);
  for (int round = 0; round < 2; ++round) {
    expect_a_cheap_restart(node, kMany,
                           "a restarted node reads its trees from the disk and gives its roots");
    node.expect_trees("after a restart");
    node.hold_all({keys[0], keys[1], keys[2]}, "after the restart", 2 + round);
    node.hold(keys[3], written(std::nullopt, stamp(9 + round)));
    node.hold_all(keys_of(6, 5, "new" + std::to_string(round)));
    node.expect_trees("after a restart and some more puts");
  }
}

std::size_t bytes_on(const Disk& disk) {
  std::size_t bytes = 0;
  for (const auto& [where, value] : disk) {
    bytes += where.first.size() + where.second.size() + value.size();
  }
  return bytes;
}

constexpr std::size_t kOldKeys = 300;

/// A node with keys from before there were trees; the next start makes some.
struct WithoutTrees {
  WithoutTrees() {
    node.hold_all(some_keys(kOldKeys));
    node.lone.configure(sync_setup().config);
  }
  static NodeSetup before() {
    NodeSetup setup = sync_setup();
    setup.config.modules = {"membership", "ring", "replication"};
    return setup;
  }

  SyncNode node{3, before()};
};

/// Its first trees do not fit on the disk.
void judge_first_trees_without_room() {
  WithoutTrees old;
  SyncNode& node = old.node;
  node.lone.set_room(0);
  const std::size_t bytes = bytes_on(node.lone.disk());
  node.lone.restart();
  constexpr std::size_t kSmall = 1000;  // what a start may note; trees of 300 keys take more
  if (bytes_on(node.lone.disk()) > bytes + kSmall) {
    violation("the disk is full: n1 keeps its first trees in memory",
              "it writes " + std::to_string(bytes_on(node.lone.disk()) - bytes) + " bytes");
  }
  node.expect_trees("of which the disk had no trees, and had no room for them");
  node.lone.set_room(1 << 30);
  node.hold_all(some_keys(20), "new", 2);
  node.expect_trees(
      "of which the disk had no trees, nor room for them, but for 20 that came later");
  node.lone.restart();
  node.expect_trees("after a start that had room for the trees");
  expect_a_cheap_restart(node, kOldKeys, "that start has left the trees on the disk, so the next");
}

TEST(sync, a_disk_without_trees_gets_them_at_the_start) {
  judge_first_trees_without_room();
  WithoutTrees old;
  SyncNode& node = old.node;
  node.lone.restart();
  node.expect_trees("which were put when the node had no trees yet");
  expect_a_cheap_restart(
      node, kOldKeys, "the start that found no trees has left them on the disk, so the next one");
  node.hold_all(some_keys(20), "new", 2);
  node.expect_trees("which were put when the node had no trees yet, but for 20");
  node.lone.restart();
  node.expect_trees("after one more restart");
}

TEST(sync, an_update_visits_few_keys_and_so_does_a_question) {
  NodeSetup setup = sync_setup();
  setup.config.q = 1;
  SyncNode node(3, setup);
  const std::vector<std::string> keys = some_keys(kMany);
  node.hold_all(keys);
  std::uint64_t before = node.visited();
  const auto judge = [&](std::uint64_t times, const std::string& what) {
    const std::uint64_t visits = node.visited() - before;
    if (visits > times * 4 * kLeafKeys) {
      violation(what + " visits about as many keys as a leaf has, of the " + std::to_string(kMany) +
                    " of the vnode: O(log n)",
                "on average it visits " + std::to_string(visits / times));
    }
    before = node.visited();
  };
  constexpr std::size_t kUpdates = 200;
  const std::vector<std::string> some = {keys.begin(), keys.begin() + kUpdates};
  node.hold_all(some, "tea", 2);
  judge(kUpdates, "an update of a key");
  const std::size_t bytes = bytes_on(node.lone.disk());
  for (std::size_t i = 0; i < kUpdates; ++i) (void)node.root(0);
  judge(kUpdates, "the question for the root");
  for (std::size_t i = 0; i < kUpdates; ++i) {
    (void)node.place(0, path_of(keys[i], 1).substr(0, i % 5));
  }
  judge(kUpdates, "the question for a place of the tree");
  // A log that is cut now and then may be as long as what it describes. One that is never cut has
  // at least some bytes for each of 5000 updates.
  constexpr std::size_t kMostMore = 65'536;
  for (std::uint64_t number = 3; number < 28; ++number) node.hold_all(some, "tea", number);
  const std::size_t now = bytes_on(node.lone.disk());
  if (now > bytes + kMostMore) {
    violation(
        "5000 more updates of the same keys take hardly more room on the disk: what a tree needs "
        "follows from its keys",
        "the disk holds " + std::to_string(now - bytes) + " bytes more");
  }
  node.expect_trees("after all that");
}

}  // namespace
