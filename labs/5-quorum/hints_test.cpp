// Lab 5, part C: hints, as one node keeps them for others. n1 is one of five members, sloppy mode.
#include <string>
#include <vector>

#include "keeper.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;
using namespace std::chrono_literals;

/// A node that sends none may be sent one all the same: its sender has another mode, or had.
void judge_a_hint_in_strict_mode() {
  QuorumNode node("strict");
  const Keeper keeper(node);
  if (node.hint(keeper.key)) return;
  violation("in strict mode, too, n1 keeps a hint that comes", "`hints` has nothing for it");
}

/// "Or do you hold this already?"
void judge_a_hint_without_a_state(const Keeper& keeper) {
  Copy copy = copy_of(keeper.key, version_of("n4", "tea"));
  copy.state.reset();
  if (!keeps(keeper.node.ask(StoreHints{keeper.node.known(), {{keeper.owner, copy}}}), copy)) {
    return;
  }
  violation("a hint without a state, and with the hash of one that n1 does not keep: n1 cannot " +
                std::string("keep it, and does not confirm it"),
            "it confirms it");
}

TEST(quorum, a_hint_is_kept_apart_and_confirmed_when_it_is_durable) {
  judge_a_hint_in_strict_mode();
  QuorumNode node("sloppy");
  Keeper keeper(node);
  judge_a_hint_without_a_state(keeper);
  const auto kept = node.hint(keeper.key);
  if (!kept || !(kept->state == keeper.state)) {
    violation("when n1 confirms a hint, its state is on n1's disk, in `hints`: [milk]",
              node.held(keeper.key) ? "it is in `store`, among n1's own keys"
                                    : "`hints` has " + node.hint_value(keeper.key));
  }
  const State other = version_of("n3", "eggs");
  keeper.give(other);
  const State both = siblings_of({keeper.state, other});
  if (node.hint_value(keeper.key) != "[eggs, milk]" || !(node.hint(keeper.key)->state == both)) {
    violation("a second hint for the key is merged into the first: [eggs, milk]",
              "`hints` has " + node.hint_value(keeper.key));
  }
  if (node.held(keeper.key)) {
    violation("n1 is no owner of " + keeper.key + ": nothing of it is in `store`",
              "`store` has " + node.value(keeper.key));
  }
  const ReadReply read = node.ask(Read{node.known(), keeper.key});
  if (read.holding != Holding::found || read.state != both) {
    violation("a Read finds what n1 keeps for others: [eggs, milk]",
              "n1 answers \"" + name_of(read.holding) + "\"" +
                  (read.state ? ", " + shown(*read.state) : ""));
  }
  const std::string mine = node.key(true);
  const Copy own = copy_of(mine, keeper.state);
  const StoreHintsReply reply = node.ask(StoreHints{node.known(), {{node.others(mine)[0], own}}});
  if (!keeps(reply, own) || node.value(mine) != "[milk]" || node.hint(mine)) {
    violation("n1 is an owner of " + mine + " itself: it takes a hint of it as an Update, into " +
                  "`store`, and confirms it",
              "`store` has " + node.value(mine) + ", `hints` has " + node.hint_value(mine) +
                  (keeps(reply, own) ? "" : ", and it is not confirmed"));
  }
}

TEST(quorum, a_full_disk_keeps_no_hint) {
  QuorumNode node("sloppy");
  const std::string key = node.key(false);
  const Copy copy = copy_of(key, version_of("n2", std::string(20'000, 'v')));
  const StoreHints keep{node.known(), {{node.owners(key)[0], copy}}};
  node.lone.set_room(kNearlyFull);
  if (keeps(node.ask(keep), copy) || node.hint(key)) {
    violation("the disk of n1 has no room for the hint: it keeps none, and confirms none",
              node.hint(key) ? "it writes on a full disk" : "it confirms it");
  }
  node.lone.set_room(1 << 30);
  if (!keeps(node.ask(keep), copy) || !node.hint(key)) {
    violation("the disk has room again: n1 keeps the hint, and confirms it", "it does not");
  }
  const auto bytes = [&] {
    std::size_t sum = 0;
    for (const auto& [at, value] : node.lone.disk()) {
      sum += at.first.size() + at.second.size() + value.size();
    }
    return sum;
  };
  node.lone.set_room(0);
  const std::size_t before = bytes();
  (void)node.ask(StoreHints{node.known(), {{node.owners(key)[1], copy}}});
  if (bytes() > before) {
    violation("n1 keeps this state, and is told now that another owner is to have it, too; its " +
                  std::string("disk is full, and has no room for the name: nothing is written"),
              std::to_string(bytes() - before) + " bytes more are on the disk");
  }
}

/// One state, which two peers have sent, each for another owner. `killed`: n1 is killed then.
void judge_a_hint_for_two_owners(bool killed) {
  QuorumNode node("sloppy");
  Keeper keeper(node);
  const NodeId first = keeper.owner;
  keeper.owner = keeper.owners[2];
  keeper.give(keeper.state);
  if (killed) node.kill_and_restart();
  node.lone.say(keeper.owner + " is back; n1 was given the same hint for " + first);
  node.peers[keeper.owner].conduct = Conduct::confirms;
  node.pass(3s);
  const std::string why = "n1 was given the state for " + first + " and for " + keeper.owner + ": ";
  if (!node.hint(keeper.key)) {
    violation(why + "it keeps the hint, since " + first + " has not confirmed it", "it is gone");
  }
  node.peers[first].conduct = Conduct::confirms;
  node.pass(3s);
  for (const NodeId& owner : {first, keeper.owner}) {
    if (was_sent(node.peers[owner], keeper.key, keeper.state)) continue;
    violation(why + "both are sent it", owner + " is not");
  }
  if (node.hint(keeper.key))
    violation(why + "both have confirmed it: it goes", "it is still there");
}

TEST(quorum, a_hint_goes_when_its_owner_has_confirmed_the_very_state_kept) {
  judge_a_hint_for_two_owners(false);
  QuorumNode node("sloppy");
  Keeper keeper(node);
  const auto must_keep = [&](const std::string& why) {
    if (node.hint(keeper.key)) return;
    violation(why + ": n1 keeps the hint", "`hints` has nothing for " + keeper.key + " any more");
  };
  node.lone.say(keeper.owner + " is back, and confirms the first state late");
  node.peers[keeper.owner].conduct = Conduct::confirms;
  node.peers[keeper.owner].delay = 200ms;
  const auto was_offered = [&] { return was_sent(node.peers[keeper.owner], keeper.key); };
  const auto is_on_its_way = [&] {
    return std::any_of(node.lone.calls().begin(), node.lone.calls().end(), [&](const auto& call) {
      return call.to == keeper.owner && call.type == message_number<Update>;
    });
  };
  if (!node.pass_until(is_on_its_way, 5s)) {
    violation("the hint is sent to " + keeper.owner + " with an Update, every retry_period",
              "in 5 s no Update went to it");
  }
  keeper.give(version_of("n3", "eggs"));
  const State both = node.hint(keeper.key)->state;
  if (!node.pass_until(was_offered, 1s)) violation("the Update is answered", "it is not");
  must_keep("the owner has confirmed [milk], and n1 keeps [eggs, milk] now");
  for (const auto& [conduct, why] : std::vector<std::pair<Conduct, std::string>>{
           {Conduct::another_history, "the owner confirmed under another digest"},
           {Conduct::another_hash, "the owner confirmed another hash"},
           {Conduct::says_nothing_of, "the owner confirmed nothing"}}) {
    node.peers[keeper.owner].conduct = conduct;
    node.pass(3s);
    must_keep(why);
  }
  node.look_anew();
  node.peers[keeper.owner].conduct = Conduct::confirms;
  node.pass(3s);
  if (!was_sent(node.peers[keeper.owner], keeper.key, both)) {
    violation("the owner is sent all that n1 keeps for it: [eggs, milk]", "it is not");
  }
  if (node.hint(keeper.key)) {
    violation("the owner has confirmed exactly the state that n1 keeps: the hint goes",
              "`hints` still has " + node.hint_value(keeper.key));
  }
  node.look_anew();
  node.pass(3s);
  if (const auto sent = receivers(node, keeper.key, keeper.owners); !sent.empty()) {
    violation("the hint has gone: nothing more is sent for it", "an Update goes to " + list(sent));
  }
}

void judge_a_hint_of_a_killed_node(QuorumNode& node, const std::string& key,
                                   const std::vector<std::string>& restarts) {
  const Keeper keeper(node, key);
  const auto still_there = [&](const std::string& when) {
    if (node.hint(keeper.key) && node.hint(keeper.key)->state == keeper.state) return;
    violation(when + " n1 still keeps the hint", "`hints` has " + node.hint_value(keeper.key));
  };
  node.pass(20s);
  still_there("its owner has been away for 20 s:");
  for (const std::string& restart : restarts) {
    node.kill_and_restart();
    still_there("after kill -9 and a " + restart);
    node.pass(10s);
    still_there("10 s after the " + restart + ", its owner still being away,");
  }
  node.lone.say(keeper.owner + " is back");
  node.peers[keeper.owner].conduct = Conduct::confirms;
  node.pass(4s);
  if (!was_sent(node.peers[keeper.owner], keeper.key, keeper.state)) {
    violation("the owner that the hint names, " + keeper.owner + ", is sent it when it is back",
              "it is sent nothing");
  }
  if (node.hint(keeper.key)) {
    violation("the owner has confirmed: the hint goes", "`hints` still has it");
  }
}

/// A hint of n1's for a node that is removed now, such that n1 does not become an owner by that.
Keeper kept_for_a_removed_node(QuorumNode& node) {
  const NodeId gone = Keeper(node).owner;
  std::vector<Keeper> keepers;
  for (std::size_t i = 0; keepers.size() < 8; ++i) {
    const std::string key = node.key(false, i);
    if (node.owners(key)[1] == gone) keepers.emplace_back(node, key);
  }
  node.pass(2s);
  node.lone.say(gone + " is removed");
  node.learn(then(node.history, gone, Change::leave));
  for (const Keeper& keeper : keepers) {
    if (!among(node.owners(keeper.key), "n1")) return keeper;
  }
  throw std::logic_error("n1 becomes an owner of each of eight keys");
}

/// `killed`: n1 is killed when some of them have confirmed it.
void judge_a_hint_for_a_removed_node(QuorumNode& node, const Keeper& keeper, bool killed) {
  const std::vector<NodeId> today = node.owners(keeper.key);
  node.all(Conduct::confirms);
  node.peers[keeper.owner].conduct = Conduct::is_silent;
  const NodeId& slow = today.back();
  node.peers[slow].conduct = Conduct::is_silent;
  node.look_anew();
  node.pass(4s);
  if (!node.hint(keeper.key)) {
    violation("the history grew, so the hint is owed to all of today's owners, " + list(today) +
                  ", and kept until each of them has confirmed it",
              "it is gone, and " + slow + " has not confirmed it");
  }
  if (killed) node.kill_and_restart();
  node.peers[slow].conduct = Conduct::confirms;
  node.pass(4s);
  for (const NodeId& owner : today) {
    if (was_sent(node.peers[owner], keeper.key, keeper.state)) continue;
    violation("the hint's owner was removed: all owners of today, " + list(today) + ", are sent it",
              owner + " is not sent it");
  }
  if (node.hint(keeper.key)) {
    violation("all owners of today have confirmed: the hint goes, though the node that it named " +
                  std::string("has not"),
              "`hints` still has it");
  }
}

TEST(quorum, a_hint_for_a_removed_node_goes_to_the_owners_of_today) {
  QuorumNode node("sloppy", 6);
  const Keeper keeper = kept_for_a_removed_node(node);
  judge_a_hint_for_a_removed_node(node, keeper, false);
  const std::vector<NodeId> today = node.owners(keeper.key);
  NodeId stranger;
  for (const NodeId& name : node.strangers(keeper.key)) {
    if (name != keeper.owner) stranger = name;
  }
  for (const NodeId& named : {keeper.owner, stranger}) {
    node.lone.say("a peer whose view is old sends a hint that names " + named +
                  ", which is no owner");
    node.look_anew();
    const Copy late = copy_of(keeper.key, version_of(named, "eggs"));
    (void)node.ask(StoreHints{node.known(), {{named, late}}});
    node.pass(4s);
    for (const NodeId& owner : today) {
      if (!node.hint(keeper.key) && was_sent(node.peers[owner], keeper.key)) continue;
      violation("such a hint, too, goes to all owners of today, and is kept no longer than that",
                node.hint(keeper.key) ? "`hints` still has it" : owner + " is not sent it");
    }
  }
}

/// A reader asks a removed node until that is empty.
void judge_a_keeper_that_is_removed() {
  QuorumNode node("sloppy");
  const Keeper keeper(node);
  node.lone.say("n1 is removed, and still keeps a hint");
  node.learn(then(node.history, "n1", Change::leave));
  const auto judge = [&](bool empty, const std::string& why) {
    if (node.ask(Read{node.known(), "bread"}).empty == empty) return;
    violation("n1 is no member, and " + why,
              empty ? "it does not say that it is empty" : "it says that it is empty");
  };
  judge(false, "keeps a hint: it is not empty");
  node.all(Conduct::confirms);
  node.pass(4s);
  judge(true, "all owners have confirmed what it kept: it is empty");
}

/// n1 has become an owner of what it keeps, and has no room for it in `store`.
struct FullKeeper {
  FullKeeper() : node("sloppy", 4), keeper(node) {
    keeper.give(large);
    node.lone.set_room(kNearlyFull);
    node.lone.say(keeper.owner + " is removed, and n1 becomes an owner, with a disk that is full");
    node.learn(then(node.history, keeper.owner, Change::leave));
    node.pass(3s);
    if (node.hint(keeper.key)) return;
    violation("n1 has no room in `store` for what it kept: it keeps the hint", "it is gone");
  }

  State large = version_of("n3", std::string(20'000, 'v'));
  QuorumNode node;
  Keeper keeper;
};

/// There is some room later. `killed`: n1 is killed before that.
void judge_a_keeper_without_room(bool killed) {
  FullKeeper full;
  QuorumNode& node = full.node;
  const std::string key = full.keeper.key;
  if (killed) node.kill_and_restart();
  node.lone.set_room(1 << 30);
  node.pass(3s);
  if (node.held(key) && !node.hint(key)) return;
  violation("the disk has room again: within a few retry periods n1 has in `store` what it kept, " +
                std::string("and `hints` is empty"),
            node.hint(key) ? "the hint is still there" : "`store` has nothing");
}

/// It is sent something small, as an owner.
void judge_a_keeper_that_holds_more() {
  constexpr std::uint64_t kForTea = 140'000;  // what LocalStore leaves free, and 9 kB
  FullKeeper full;
  QuorumNode& node = full.node;
  const std::string key = full.keeper.key;
  node.lone.set_room(kForTea);
  const Copy tea = copy_of(key, version_of("n4", "tea"));
  const bool confirmed = confirms(node.ask(Update{node.known(), {tea}}), tea);
  const auto read = node.ask(Read{node.known(), key}).state;
  if (confirmed && read == siblings_of({full.keeper.state, full.large, *tea.state})) return;
  violation(
      "n1 has room for tea, and merges it into `store`; `hints` has what was kept before: a " +
          std::string("Read finds what they hold together"),
      !confirmed ? "n1 does not confirm tea"
                 : (read ? beginning(shown(*read)) : std::string("it finds nothing")));
}

TEST(quorum, a_keeper_that_becomes_an_owner_owns_what_it_kept) {
  judge_a_keeper_that_is_removed();
  judge_a_keeper_without_room(false);
  judge_a_keeper_that_holds_more();
  QuorumNode node("sloppy", 4);
  Keeper keeper(node);
  node.lone.say(keeper.owner + " is removed, and n1 becomes an owner");
  node.learn(then(node.history, keeper.owner, Change::leave));
  const std::vector<NodeId> others = node.others(keeper.key);
  node.all(Conduct::confirms);
  node.peers[keeper.owner].conduct = Conduct::is_silent;
  node.look_anew();
  node.pass(4s);
  if (node.value(keeper.key) != "[milk]" || node.hint(keeper.key)) {
    violation("n1 is an owner of " + keeper.key + " now: what it kept for others is its own, in " +
                  "`store`, and `hints` is empty",
              "`store` has " + node.value(keeper.key) + ", `hints` " + node.hint_value(keeper.key));
  }
  for (const NodeId& owner : others) {
    if (was_sent(node.peers[owner], keeper.key, keeper.state)) continue;
    violation("the other owners of today, " + list(others) + ", are owed it",
              owner + " is not sent it");
  }
}

TEST(quorum, a_hint_survives_a_kill_and_is_delivered_however_long_it_takes) {
  QuorumNode sloppy("sloppy");
  judge_a_hint_of_a_killed_node(sloppy, sloppy.key(false), {"restart"});
  QuorumNode strict("strict");
  judge_a_hint_of_a_killed_node(strict, odd_key(strict, false), {"restart", "second restart"});
  judge_a_hint_for_two_owners(true);
  judge_a_keeper_without_room(true);
  QuorumNode node("sloppy", 6);
  const Keeper keeper = kept_for_a_removed_node(node);
  judge_a_hint_for_a_removed_node(node, keeper, true);
}

}  // namespace
