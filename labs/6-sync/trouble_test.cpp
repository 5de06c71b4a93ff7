// Lab 6, part C: co-owners who fall silent, answer nonsense, or know other members.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "invented_peers.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

constexpr Duration kSoon = 4 * kPeriod;  // a few exchanges

/// Room on a disk for small records, and not for 20 kB beside what LocalStore leaves to them.
constexpr std::uint64_t kNearlyFull = 70'000;

/// n1 and n2 hold 200 equal keys, and some that each has newer than the other; a deep tree, a leaf.
std::map<std::string, State> differ_somewhere(Pair& pair, std::uint64_t number,
                                              std::size_t many = 6) {
  std::map<std::string, State> right;
  const std::string series = std::string("new").append(std::to_string(number)).append(".");
  for (const std::string& key : some_keys(many, series + "here")) {
    right[key] = version("from n1", number);
    pair.node.hold(key, right[key]);
  }
  for (const std::string& key : some_keys(many, series + "there")) {
    right[key] = version("from n2", number);
    pair.peers.n2().hold(key, right[key]);
  }
  for (std::size_t i = 0; i < many; ++i) {
    const std::string key = std::string("cart").append(std::to_string(i));
    right[key] = version("newer", number);
    if (i % 2 == 0) pair.node.hold(key, right[key]);
    if (i % 2 == 1) pair.peers.n2().hold(key, right[key]);
  }
  return right;
}

// ---- Silence ------------------------------------------------------------------------------------

/// n1 has no room for what it lacks, and has some later.
void judge_a_full_disk() {
  Pair pair;
  const State large = version(std::string(20'000, 'x'), 2);
  const std::vector<std::string> keys = some_keys(4);
  std::map<std::string, State> right;
  for (const std::string& key : keys) {
    right[key] = large;
    pair.peers.n2().hold(key, large);
  }
  pair.node.lone.set_room(kNearlyFull);
  pair.node.lone.say("n2 has " + list(keys) + ", and the disk of n1 has no room for them");
  pair.peers.run(kSoon);
  std::size_t asked = 0;
  for (const AskCopies& question : pair.peers.all<AskCopies>()) asked += question.keys.size();
  const std::size_t exchanges = pair.peers.all<CompareRoots>().size();
  if (asked > exchanges * keys.size()) {
    violation("what n1 has no room for, it asks for once in an exchange: the next one tries again",
              "in " + std::to_string(exchanges) + " exchanges it asks " + std::to_string(asked) +
                  " times for one of these keys");
  }
  pair.node.lone.set_room(1 << 30);
  pair.node.lone.say("the disk has room again");
  pair.peers.run(kSoon);
  pair.expect_merged(right, "when its disk has room again: the next exchange tries once more");
}

TEST(sync, a_peer_that_dies_in_the_middle_costs_a_retry) {
  judge_a_full_disk();
  const std::vector<std::pair<MessageType, std::string>> moments = {
      {message_number<CompareRoots>, "a CompareRoots"},
      {message_number<AskNodes>, "an AskNodes"},
      {message_number<AskCopies>, "an AskCopies"},
      {message_number<Update>, "an Update"}};
  Pair pair;
  pair.both_hold(some_keys(200));
  std::uint64_t number = 1;
  for (const auto& [type, name] : moments) {
    for (const bool refused : {false, true}) {
      const auto right = differ_somewhere(pair, ++number);
      int ended = 0;
      pair.peers.instead = [&, type = type](const Lone::Call& call) {
        if (call.type != type || ended == 2) return false;
        ++ended;
        if (refused) {
          pair.node.lone.end_call(call.id, Error{ErrorCode::refused, "nobody listens there"});
        } else {
          pair.peers.silence(call);
        }
        return true;
      };
      pair.peers.run(kSoon);
      pair.peers.instead = nullptr;
      if (ended == 0) {
        violation(
            "to compare and to merge, n1 sends n2 a message of each kind, " + name + " among them",
            "it sends none");
      }
      pair.expect_merged(right, "though n2 did not answer two messages " + name +
                                    ": the next exchange, a period later, finds the same again");
    }
  }
}

// ---- Nonsense -----------------------------------------------------------------------------------

/// One wrong answer, in place of the right one; false: it has no place in this one.
struct Nonsense {
  std::string what;
  std::function<bool(Pair& pair, const Lone::Call& call)> answer;
};

template <class Request>
Nonsense nonsense(const std::string& what,
                  std::function<void(const Request&, typename Request::Reply&)> spoil) {
  return {what, [spoil](Pair& pair, const Lone::Call& call) {
            if (call.type != message_number<Request>) return false;
            const auto request = codec::decode<Request>(call.bytes).value();
            auto reply = pair.peers.n2().answer(pair.node.known(), request);
            spoil(request, reply);
            pair.peers.template reply<Request>(call, reply);
            return true;
          }};
}

TreeNode inner_node(const TreePath& path, std::size_t children) {
  TreeNode node{path, false, std::vector<TreeHash>(children), {}};
  for (std::size_t i = 0; i < children; i += 5) node.children[i] = {7, path.size()};
  return node;
}

/// One child differs, always again: a way down without an end.
TreeNode endless_node(const TreePath& path) {
  TreeNode node{path, false, std::vector<TreeHash>(kFanout), {}};
  node.children[10] = {7, 7 + path.size()};
  return node;
}

std::vector<Nonsense> all_nonsense() {
  using Places = AskNodes;
  return {
      nonsense<CompareRoots>("names vnodes that nobody asked about, and some that do not exist",
                             [](const CompareRoots&, CompareRootsReply& reply) {
                               reply.differing = {kQ, 4'000'000'000, 3, 3};
                             }),
      nonsense<Places>("gives no node", [](const auto&, auto& reply) { reply.nodes.clear(); }),
      nonsense<Places>("gives a node more than was asked for",
                       [](const auto&, auto& reply) { reply.nodes.push_back(reply.nodes[0]); }),
      nonsense<Places>("gives the node of another place",
                       [](const auto&, auto& reply) { reply.nodes[0].path += "3"; }),
      nonsense<Places>("gives an inner node with three children",
                       [](const auto& request, auto& reply) {
                         reply.nodes[0] = inner_node(request.paths[0], 3);
                       }),
      nonsense<Places>("gives an inner node with a thousand children",
                       [](const auto& request, auto& reply) {
                         reply.nodes[0] = inner_node(request.paths[0], 1000);
                       }),
      nonsense<Places>("gives inner nodes all the way down, and further",
                       [](const auto& request, auto& reply) {
                         for (std::size_t i = 0; i < request.paths.size(); ++i) {
                           reply.nodes[i] = endless_node(request.paths[i]);
                         }
                       }),
      nonsense<Places>("gives a leaf with a key that does not lie there",
                       [](const auto& request, auto& reply) {
                         const VnodeId other = (request.vnode + 1) % kQ;
                         reply.nodes[0] = {request.paths[0], true, {}, {}};
                         reply.nodes[0].copies.push_back(
                             offer_of(keys_of(other, 1, "foreign")[0], version("nonsense", 900)));
                       }),
      nonsense<Places>("gives a leaf with a key that lies elsewhere in the vnode",
                       [](const auto& request, auto& reply) {
                         for (const std::string& key : keys_of(request.vnode, 20, "foreign")) {
                           if (path_of(key, kQ).starts_with(request.paths[0])) continue;
                           reply.nodes[0] = {request.paths[0], true, {}, {}};
                           reply.nodes[0].copies.push_back(offer_of(key, version("nonsense", 900)));
                           return;
                         }
                       }),
      nonsense<AskCopies>("answers none of the keys",
                          [](const auto&, auto& reply) {
                            reply.answered = 0;
                            reply.copies.clear();
                          }),
      nonsense<AskCopies>("answers more keys than were asked for",
                          [](const auto&, auto& reply) { reply.answered = 4'000'000'000; }),
      nonsense<AskCopies>("sends states that are none",
                          [](const auto&, auto& reply) {
                            for (Copy& copy : reply.copies) copy.state = State{"\xff\xff\xff"};
                          }),
      nonsense<AskCopies>("sends copies without their states",
                          [](const auto&, auto& reply) {
                            for (Copy& copy : reply.copies) copy.state.reset();
                          }),
      nonsense<Update>("confirms nothing",
                       [](const auto&, auto& reply) { reply.confirmed.clear(); }),
  };
}

TEST(sync, nonsense_costs_a_retry) {
  Pair pair;
  pair.both_hold(some_keys(200));
  std::uint64_t number = 1;
  for (const Nonsense& one : all_nonsense()) {
    const auto right = differ_somewhere(pair, ++number);
    pair.node.lone.say("for two periods n2 " + one.what);
    pair.peers.instead = [&](const Lone::Call& call) { return one.answer(pair, call); };
    pair.peers.forget_said();
    pair.peers.run(2 * kPeriod);
    pair.peers.instead = nullptr;
    // The longest right exchange: all ways of 200 keys down to where it shows, level by level.
    constexpr std::size_t kMostCalls = 1000;
    if (pair.peers.said().size() > kMostCalls) {
      violation("an answer that makes no sense ends the exchange: n1 sends at most " +
                    std::to_string(kMostCalls) + " messages in two periods, while n2 " + one.what,
                "it sends " + std::to_string(pair.peers.said().size()));
    }
    for (const AskNodes& question : pair.peers.all<AskNodes>()) {
      const bool deep = std::any_of(question.paths.begin(), question.paths.end(),
                                    [](const TreePath& path) { return path.size() > kMostDepth; });
      if (question.vnode < kQ && !deep) continue;
      violation(
          "n1 asks about vnodes that there are, and at most 15 digits deep, though n2 " + one.what,
          "it asks about " + place_name(question.vnode, question.paths.front()));
    }
    for (const AskCopies& question : pair.peers.all<AskCopies>()) {
      for (const std::string& key : question.keys) {
        if (!key.starts_with("foreign")) continue;
        violation(
            "a leaf that names a key that does not lie there is nonsense: n1 does not ask "
            "for that key",
            "it asks for " + key);
      }
    }
    pair.peers.run(kSoon);
    pair.expect_merged(right,
                       "when n2, which for two periods " + one.what + ", answers right again");
    pair.node.expect_trees("after n2 " + one.what, number % 4 == 0);
  }
}

/// In each reply with states one copy makes no sense. `foreign`: a key that nobody asked for; else:
/// the last one has no state.
void judge_a_reply_that_is_wrong_in_part(bool foreign) {
  SyncNode node(5, sync_setup(kPeriod));
  Peers peers(node, 5);
  const std::string other = node.key(false);
  const std::vector<std::string> mine = {node.key(true, 0), node.key(true, 1)};
  for (std::size_t i = 2; i <= 5; ++i) {
    for (const std::string& key : mine) peers.at(node_name(i)).hold(key, version("milk", 1));
  }
  std::size_t sent = 0;
  peers.instead = [&](const Lone::Call& call) {
    if (call.type != message_number<AskCopies>) return false;
    const auto request = codec::decode<AskCopies>(call.bytes).value();
    AskCopiesReply reply = peers.at(call.to).answer(node.known(), request);
    if (foreign) reply.copies.push_back(copy_of(other, version("foreign", 9)));
    if (!foreign && !reply.copies.empty()) reply.copies.back().state.reset();
    peers.reply<AskCopies>(call, reply);
    ++sent;
    return true;
  };
  peers.run(8 * kPeriod);
  if (sent == 0) {
    violation("n1 asks its co-owners for " + list(mine) + ", which it lacks", "it asks nobody");
  }
  if (node.held(other)) {
    violation("a peer sends " + other +
                  ", too, which n1 has not asked for and does not own: n1 "
                  "does not keep it",
              "it holds " + node.value(other));
  }
  for (const std::string& key : mine) {
    if (!node.held(key)) continue;
    violation("in each reply with states there is a copy " +
                  std::string(foreign ? "of a key that was not asked for" : "without its state") +
                  ": nothing of such a reply is used",
              "n1 has taken " + key + " from one");
  }
}

TEST(sync, what_was_not_asked_for_is_not_taken_in) {
  judge_a_reply_that_is_wrong_in_part(true);
  judge_a_reply_that_is_wrong_in_part(false);
}

// ---- Other histories ----------------------------------------------------------------------------

bool tells_all(const Known& known, const History& history) {
  return std::all_of(history.begin(), history.end(), [&](const Event& event) {
    return std::find(known.events.begin(), known.events.end(), event) != known.events.end();
  });
}

/// n2's replies of one type show a digest that n1 does not know.
template <class Request>
void answer_under_another_digest(Pair& pair, std::uint64_t number, const std::string& name) {
  const Known other{{3, 4}, {}};
  const auto right = differ_somewhere(pair, number);
  bool shown = false;
  std::set<CallId> under_way;  // n1 may ask several things at once: these came before that reply
  std::string after;
  bool told = false;
  pair.peers.instead = [&](const Lone::Call& call) {
    if (call.type == message_number<CompareRoots> && shown) {
      const auto question = codec::decode<CompareRoots>(call.bytes).value();
      told = tells_all(question.known, pair.node.history);
      pair.peers.silence(call);
      shown = false;
      pair.peers.instead = nullptr;
      return true;
    }
    if (under_way.contains(call.id)) {
      pair.node.lone.end_call(call.id, Error{ErrorCode::refused, "nobody listens there"});
      return true;
    }
    if (shown && after.empty()) after = name_of_message(call.type);
    if (call.type != message_number<Request> || shown) return false;
    const auto request = codec::decode<Request>(call.bytes).value();
    for (const Lone::Call& open : pair.node.lone.calls()) {
      if (open.id != call.id) under_way.insert(open.id);
    }
    pair.peers.template reply<Request>(call, pair.peers.n2().answer(other, request));
    shown = true;
    return true;
  };
  pair.peers.run(3 * kPeriod);
  if (pair.peers.instead) {
    violation("n1 begins a new exchange with n2 each period, and sends " + name + " in it",
              shown ? "after that " + name + " no exchange began" : "it sends none");
  }
  if (!after.empty()) {
    violation("n2's reply to " + name +
                  " shows another history: the two may not own the same, so "
                  "that exchange is over",
              "n1 goes on with a message " + after);
  }
  if (!told) {
    violation("n2's reply to " + name +
                  " has shown another digest, so n1's next request to it "
                  "carries n1's events",
              "its next CompareRoots lacks some of them");
  }
  pair.peers.run(kSoon);
  pair.expect_merged(right, "when both know the same history again");
}

TEST(sync, under_other_histories_only_histories_are_exchanged) {
  Pair pair;
  pair.both_hold(some_keys(200));
  answer_under_another_digest<CompareRoots>(pair, 2, "a CompareRoots");
  answer_under_another_digest<AskNodes>(pair, 3, "an AskNodes");
  const Known other{{3, 4}, {}};
  const auto judge = [&](const std::string& what, const Known& known) {
    if (tells_all(known, pair.node.history)) return;
    violation("a " + what + " comes under another digest, so n1's reply carries its events",
              "it lacks some of them");
  };
  judge("CompareRoots", pair.node.ask(CompareRoots{other, {{3, {1, 2}}}}).known);
  judge("AskNodes", pair.node.ask(AskNodes{other, 3, {""}}).known);
  judge("AskCopies", pair.node.ask(AskCopies{other, {"cart1"}}).known);
  pair.node.lone.say("n2 tells of n3, of whom n1 has not heard");
  const History more = then(pair.node.history, "n3", Change::join);
  (void)pair.node.ask(CompareRoots{{digest_of(more), more}, {}});
  if (pair.node.lone.invoke<&Membership::history>() != more) {
    violation("n1 learns the events that a message carries: n3 is a member",
              "n1 knows " + list(members_of(pair.node.lone.invoke<&Membership::view>())));
  }
}

}  // namespace
