// Lab 6, part B: n1 begins exchanges, and the check plays its co-owners.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "invented_peers.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

/// The vnodes of a question, sorted.
std::vector<VnodeId> vnodes_of(const CompareRoots& question) {
  std::vector<VnodeId> vnodes;
  for (const VnodeRoot& root : question.roots) vnodes.push_back(root.vnode);
  std::sort(vnodes.begin(), vnodes.end());
  return vnodes;
}

std::string counted(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

/// "3 CompareRoots, 2 AskNodes, …"
std::string summary(const Peers& peers) {
  return std::to_string(peers.all<CompareRoots>().size()) + " CompareRoots, " +
         std::to_string(peers.all<AskNodes>().size()) + " AskNodes, " +
         std::to_string(peers.all<AskCopies>().size()) + " AskCopies, " +
         std::to_string(peers.all<Update>().size()) + " Updates";
}

/// n2 takes three periods for one answer.
void judge_an_exchange_that_takes_long() {
  Pair pair;
  pair.peers.n2().hold("cart1", version("milk", 1));
  const auto open = [&](MessageType type) {
    const auto& calls = pair.node.lone.calls();
    return std::find_if(calls.begin(), calls.end(),
                        [&](const auto& call) { return call.type == type; });
  };
  const auto none = [&] { return pair.node.lone.calls().end(); };
  for (int i = 0; i < 40 && open(message_number<AskNodes>) == none(); ++i) {
    pair.node.lone.advance(kPeriod / 10);
    const auto roots = open(message_number<CompareRoots>);
    if (roots != none()) pair.peers.answer(Lone::Call(*roots));
  }
  if (open(message_number<AskNodes>) == none()) {
    violation("a root differs, so n1 asks n2 what stands there", "it sends " + summary(pair.peers));
  }
  pair.node.lone.advance(3 * kPeriod);
  const std::string late = "n2 takes three periods for one answer, and these begin no exchange: ";
  if (open(message_number<CompareRoots>) != none()) {
    violation(late + "the last one is not over yet", "n1 sends another CompareRoots");
  }
  pair.peers.forget_said();
  pair.peers.run(kPeriod / 2);
  if (pair.peers.all<CompareRoots>().empty()) return;
  violation(late + "when it is over, the next period looks again",
            "half a period later n1 sends another CompareRoots");
}

TEST(sync, equal_trees_cost_one_question_for_roots) {
  Pair pair;
  pair.peers.run(kPeriod * 9 / 10);
  if (!pair.peers.said().empty()) {
    violation("the first exchange begins one period after the start, of one second",
              "after 0.9 s n1 has sent " + summary(pair.peers));
  }
  pair.both_hold(some_keys(500));
  constexpr std::size_t kPeriods = 3;
  pair.peers.run(kPeriods * kPeriod + kPeriod / 2);
  const auto questions = pair.peers.all<CompareRoots>();
  if (pair.peers.said().size() != questions.size()) {
    violation("n1 and n2 hold the same 500 keys, so their exchange is one question for roots",
              "in " + counted(kPeriods, "period") + " n1 sends " + summary(pair.peers));
  }
  if (questions.size() < kPeriods || questions.size() > kPeriods + 1) {
    violation(
        "each period, of one second, an exchange with n2 begins: three or four of them in "
        "three and a half periods, with one message each",
        counted(questions.size(), "message"));
  }
  for (const CompareRoots& question : questions) {
    const std::vector<VnodeId> vnodes = vnodes_of(question);
    for (VnodeId vnode = 0; vnode < kQ; ++vnode) {
      if (std::count(vnodes.begin(), vnodes.end(), vnode) == 1) continue;
      violation(
          "both own all 16 vnodes, so one message carries the roots of all of them, once each",
          "vnode " + std::to_string(vnode) + " comes " +
              counted(static_cast<std::size_t>(std::count(vnodes.begin(), vnodes.end(), vnode)),
                      "time"));
    }
    for (const VnodeRoot& root : question.roots) {
      if (root.root == pair.peers.n2().trees().root(root.vnode)) continue;
      violation("n1 sends the root of each vnode's tree",
                "that of vnode " + std::to_string(root.vnode) + " is another");
    }
  }
  judge_an_exchange_that_takes_long();
}

TEST(sync, a_message_carries_at_most_so_many_roots) {
  NodeSetup setup = sync_setup(kPeriod);
  setup.config.q = CompareRoots::kMostRoots + 904;
  Pair pair(setup);
  pair.node.hold_all(some_keys(20));
  for (const std::string& key : some_keys(20)) pair.peers.n2().hold(key, version("milk", 1));
  pair.peers.run(2 * kPeriod + kPeriod / 2);
  std::set<VnodeId> seen;
  for (const CompareRoots& question : pair.peers.all<CompareRoots>()) {
    if (question.roots.size() > CompareRoots::kMostRoots) {
      violation("a CompareRoots carries at most 4096 roots",
                "one carries " + std::to_string(question.roots.size()));
    }
    for (const VnodeRoot& root : question.roots) seen.insert(root.vnode);
  }
  if (seen.size() != setup.config.q) {
    violation(
        "of 5000 vnodes that both own all are compared within two periods, in as many "
        "messages as that takes",
        std::to_string(seen.size()) + " of them are");
  }
}

/// What may have to move of one key.
struct Difference {
  std::string what;
  std::optional<State> here;   // nothing: as before
  std::optional<State> there;  // the same
  State right;
  bool new_key = false;
};

TEST(sync, the_one_key_that_differs_is_found_and_moved) {
  Pair pair;
  pair.both_hold(some_keys(2000));
  const std::vector<Difference> differences = {
      {"n2 has a newer version of one key in 2000", {}, version("tea", 2), version("tea", 2)},
      {"n1 has a newer version of one key in 2000", version("tea", 3), {}, version("tea", 3)},
      {"n2 has a key that n1 lacks", {}, version("tea", 4), version("tea", 4), true},
      {"n1 has a key that n2 lacks", version("tea", 5), {}, version("tea", 5), true},
      {"n2 has deleted one key",
       {},
       written(std::nullopt, stamp(6)),
       written(std::nullopt, stamp(6))}};
  std::size_t number = 100;
  for (const Difference& difference : differences) {
    const std::string key = (difference.new_key ? "new" : "cart") + std::to_string(++number);
    pair.node.lone.say(difference.what + ", " + key);
    if (difference.here) pair.node.hold(key, *difference.here);
    if (difference.there) pair.peers.n2().hold(key, *difference.there);
    pair.peers.forget_said();
    pair.peers.run(2 * kPeriod);
    pair.expect_merged({{key, difference.right}}, "two periods later; " + difference.what);
    if (pair.peers.moved() != std::vector<std::string>{key}) {
      violation(difference.what + ": that key is asked for or sent, and no other",
                "these are: " + list(pair.peers.moved()));
    }
    const std::size_t updates = pair.peers.all<Update>().size();
    if (!difference.here && updates > 0) {
      violation(difference.what +
                    ": n1 fetches that state and merges it; after that it holds what "
                    "n2 holds, and sends nothing back",
                "n1 sends " + summary(pair.peers));
    }
    const std::size_t questions = pair.peers.all<AskCopies>().size();
    if (difference.here && difference.new_key && questions > 0) {
      violation(difference.what + ": n1 sends it, and asks for no copy of what n2 does not hold",
                "n1 sends " + summary(pair.peers));
    }
    std::size_t places = 0;
    for (const AskNodes& question : pair.peers.all<AskNodes>()) {
      places += question.paths.size();
      if (question.vnode == vnode_of(kQ, key)) continue;
      violation(
          "n1 looks only into the vnode whose roots differ, " + std::to_string(vnode_of(kQ, key)),
          "it asks for places of vnode " + std::to_string(question.vnode));
    }
    if (places > 2 * kMostDepth) {
      violation("one key is found on one way from the root down: a place a level, " +
                    std::to_string(2 * kMostDepth) + " at most",
                "n1 asks for " + std::to_string(places) + " places");
    }
  }
}

/// The bytes that property 6.3 allows for these differences, before a factor.
std::size_t formula(const InventedPeer& peer, const std::vector<std::string>& keys) {
  constexpr std::size_t kHash = 20;  // 16 bytes, as they are encoded
  std::map<VnodeId, std::size_t> differing;
  std::size_t bytes = kQ * (kHash + 3);
  for (const std::string& key : keys) {
    ++differing[vnode_of(kQ, key)];
    const std::size_t copy = key.size() + kHash + 2;
    bytes += kLeafKeys * copy + copy + peer.held().at(key).bytes.size();
  }
  for (const auto& [vnode, d] : differing) {
    std::size_t levels = 0;
    for (const TreePath& path : peer.trees().places(vnode)) levels = std::max(levels, path.size());
    std::size_t rows = 0;
    std::size_t places = 1;
    for (std::size_t level = 0; level < levels; ++level) {
      rows += std::min(places, d);
      places *= kFanout;
    }
    bytes += kHash * (1 + kFanout * rows);
  }
  return bytes;
}

TEST(sync, what_moves_grows_with_the_differences_and_not_with_the_keys) {
  constexpr std::size_t kFactor = 3;
  std::uint64_t number = 1;
  for (const std::size_t n : {500, 4000}) {
    Pair pair;
    const std::vector<std::string> keys = some_keys(n);
    pair.both_hold(keys, std::string(200, 'x'), ++number);
    pair.peers.run(kPeriod + kPeriod / 2);
    for (const std::size_t d : {1, 10, 100}) {
      std::vector<std::string> some;
      ++number;
      for (std::size_t i = 0; i < d; ++i) {
        some.push_back(keys[(7 * i + 3) % n]);
        pair.peers.n2().hold(some.back(), version(std::string(200, 'y'), number));
      }
      pair.node.lone.say("of " + std::to_string(n) + " keys n2 has " + std::to_string(d) +
                         " in a newer version");
      pair.peers.forget_said();
      pair.peers.run(2 * kPeriod);  // n1 may let a little time pass between its messages
      const std::size_t bytes = pair.peers.bytes();
      const std::size_t most = kFactor * formula(pair.peers.n2(), some);
      if (bytes > most) {
        violation("of " + std::to_string(n) + " keys " + std::to_string(d) +
                      " differ: their states, their leaves' keys, and a row of 16 hashes for each "
                      "inner node on the way take up to " +
                      std::to_string(most / kFactor) + " bytes; three times that is allowed",
                  std::to_string(bytes) + " bytes: " + summary(pair.peers));
      }
      for (const std::string& key : some) {
        pair.expect_merged({{key, version(std::string(200, 'y'), number)}}, "two periods later");
      }
    }
  }
}

TEST(sync, a_sync_is_a_merge_both_ways) {
  Pair pair;
  Random random(64);
  std::map<std::string, State> right;
  const auto set = [&](const std::string& key, const State& here, const State& there, bool here_too,
                       bool there_too) {
    if (here_too) pair.node.hold(key, here);
    if (there_too) pair.peers.n2().hold(key, there);
  };
  // In vnode 1 n1 has a deep tree and n2 few keys, in vnode 2 it is the other way round.
  std::vector<std::string> keys = some_keys(300);
  for (const std::string& key : keys_of(1, 450, "mine")) keys.push_back(key);
  for (const std::string& key : keys_of(2, 450, "yours")) keys.push_back(key);
  std::uint64_t number = 10;
  for (const std::string& key : keys) {
    const bool mine = key.starts_with("mine");
    const bool yours = key.starts_with("yours");
    const std::uint64_t what = mine ? 1 : yours ? 2 : random.below(6);
    const std::uint64_t older = ++number;
    const std::uint64_t newer = ++number;
    const bool deleted = random.below(4) == 0;
    const State next =
        written(deleted ? std::nullopt : std::optional<std::string>("new"), stamp(newer));
    const State old = version("old", older);
    right[key] = next;
    if (what == 0) set(key, next, next, true, true);
    if (what == 1) set(key, next, next, true, false);
    if (what == 2) set(key, next, next, false, true);
    if (what == 3 || what == 4) set(key, next, old, true, true);
    if (what == 5) set(key, old, next, true, true);
  }
  pair.peers.run(3 * kPeriod);
  pair.expect_merged(right,
                     "after an exchange: of two versions the newer one stays, whoever had "
                     "it, and what one side lacked it has");
  pair.node.expect_trees("after an exchange");
  pair.peers.forget_said();
  pair.peers.run(2 * kPeriod);
  if (!pair.peers.moved().empty() || !pair.peers.all<AskNodes>().empty()) {
    violation("both sides are equal now, so the next exchange is a question for roots and no more",
              "n1 sends " + summary(pair.peers));
  }
}

TEST(sync, what_changes_during_an_exchange_is_not_undone) {
  Pair pair;
  pair.both_hold(some_keys(200));
  const std::vector<std::string> keys = some_keys(40);
  std::map<std::string, State> right;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i % 2 == 0) pair.node.hold(keys[i], version("from n1", 10));
    if (i % 2 == 1) pair.peers.n2().hold(keys[i], version("from n2", 10));
  }
  // Before each answer, clients write at both nodes what is newer than all.
  std::uint64_t number = 100;
  std::size_t next = 0;
  pair.peers.instead = [&](const Lone::Call& call) {
    if (call.type == message_number<CompareRoots> || next >= keys.size()) return false;
    for (int i = 0; i < 4 && next < keys.size(); ++i, ++next) {
      const State state = version("newest", ++number);
      right[keys[next]] = state;
      if (next % 4 < 2) pair.node.hold(keys[next], state);
      if (next % 4 >= 2) pair.peers.n2().hold(keys[next], state);
    }
    return false;
  };
  pair.peers.run(6 * kPeriod);
  if (next == 0) {
    violation("n1 and n2 hold 40 keys otherwise, so n1 asks n2 for more than its roots",
              "n1 sends " + summary(pair.peers));
  }
  pair.expect_merged(right, "which was written in the middle of an exchange, and is the newest");
}

void expect_few_paths(const Peers& peers, const std::string& when) {
  for (const AskNodes& question : peers.all<AskNodes>()) {
    if (question.paths.size() <= AskNodes::kMostPaths) continue;
    violation("an AskNodes asks for at most 64 places" + when,
              "one asks for " + std::to_string(question.paths.size()));
  }
}

/// Of one vnode all keys differ, so that hundreds of places do.
void a_large_vnode_takes_many_questions() {
  Pair large;
  const std::vector<std::string> many = keys_of(3, 1500);
  large.both_hold(many);
  for (const std::string& key : many) large.peers.n2().hold(key, version("newer", 2));
  large.node.lone.say("n2 has a newer version of each of 1500 keys of one vnode");
  std::map<std::string, State> newer;
  for (const std::string& key : many) newer[key] = version("newer", 2);
  const auto lacks_some = [&] {
    return std::any_of(newer.begin(), newer.end(), [&](const auto& one) {
      return !(large.node.held(one.first)->state == one.second);
    });
  };
  for (int i = 0; i < 12 && lacks_some(); ++i) large.peers.run(kPeriod);
  expect_few_paths(large.peers, ", though hundreds of places of one vnode differ");
  large.expect_merged(newer, "of one vnode, in which all 1500 keys differed");
  const std::size_t exchanges = large.peers.all<CompareRoots>().size();
  if (exchanges <= 2) return;
  violation("two exchanges are two passes: after them n1 has all 1500 keys",
            "that takes " + counted(exchanges, "exchange"));
}

void states_are_moved_in_batches() {
  NodeSetup setup = sync_setup(kPeriod);
  setup.config.batch_bytes = 3000;
  Pair pair(setup);
  std::map<std::string, State> right;
  const std::vector<std::string> keys = some_keys(80);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    right[keys[i]] = version(std::string(i % 20 == 0 ? 5000 : 400, 'x'), 1);
    if (i < 40) pair.node.hold(keys[i], right[keys[i]]);
    if (i >= 40) pair.peers.n2().hold(keys[i], right[keys[i]]);
  }
  // n2 answers one key at a time, as a node with large states does.
  pair.peers.instead = [&](const Lone::Call& call) {
    if (call.type != message_number<AskCopies>) return false;
    const auto question = codec::decode<AskCopies>(call.bytes).value();
    if (question.keys.empty()) violation("an AskCopies asks for a key", "one asks for none");
    AskCopiesReply reply{pair.node.known(), 1, {}};
    const auto found = pair.peers.n2().held().find(question.keys.front());
    if (found != pair.peers.n2().held().end()) {
      reply.copies.push_back(copy_of(found->first, found->second));
    }
    pair.peers.reply<AskCopies>(call, reply);
    return true;
  };
  pair.peers.run(3 * kPeriod);
  pair.expect_merged(right, "of which n2 answered one key in a message, and n1 asked for the rest");
  for (const Update& update : pair.peers.all<Update>()) {
    const std::size_t bytes = bytes_but_the_last(update.copies);
    if (bytes <= setup.config.batch_bytes) continue;
    violation("an Update carries about 3000 bytes of states, as the config says, at least one",
              counted(update.copies.size(), "state") + ", and " + std::to_string(bytes) +
                  " bytes without the last one");
  }
  expect_few_paths(pair.peers, "");
}

TEST(sync, states_travel_in_batches) {
  states_are_moved_in_batches();
  a_large_vnode_takes_many_questions();
}

}  // namespace
