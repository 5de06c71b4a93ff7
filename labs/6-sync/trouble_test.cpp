// Lab 6, part C: co-owners who fall silent, answer nonsense, or know other members; turns and rate.
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

TEST(sync, a_peer_that_dies_in_the_middle_costs_a_retry) {
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
    pair.peers.run(kSoon);
    pair.expect_merged(right,
                       "when n2, which for two periods " + one.what + ", answers right again");
    pair.node.expect_trees("after n2 " + one.what, number % 4 == 0);
  }
}

TEST(sync, what_was_not_asked_for_is_not_taken_in) {
  SyncNode node(5, sync_setup(kPeriod));
  Peers peers(node, 5);
  const std::string foreign = node.key(false);
  const State state = version("foreign", 9);
  const std::vector<std::string> mine = {node.key(true, 0), node.key(true, 1)};
  for (std::size_t i = 2; i <= 5; ++i) {
    for (const std::string& key : mine) peers.at(node_name(i)).hold(key, version("milk", 1));
  }
  std::size_t sent = 0;
  peers.instead = [&](const Lone::Call& call) {
    if (call.type != message_number<AskCopies>) return false;
    const auto request = codec::decode<AskCopies>(call.bytes).value();
    AskCopiesReply reply = peers.at(call.to).answer(node.known(), request);
    reply.copies.push_back(copy_of(foreign, state));
    peers.reply<AskCopies>(call, reply);
    ++sent;
    return true;
  };
  peers.run(8 * kPeriod);
  if (sent == 0) {
    violation("n1 asks its co-owners for " + list(mine) + ", which it lacks", "it asks nobody");
  }
  if (node.held(foreign)) {
    violation("a peer sends " + foreign +
                  ", too, which n1 has not asked for and does not own: n1 "
                  "does not keep it",
              "it holds " + node.value(foreign));
  }
}

TEST(sync, a_vnode_that_n1_does_not_own_is_nobodys_business) {
  SyncNode node(3);
  const std::vector<std::string> keys = some_keys(300);
  node.hold_all(keys);
  History later = node.history;
  for (std::size_t i = 4; i <= 7; ++i) later = then(later, node_name(i), Change::join);
  node.learn(later);
  const auto stray = std::find_if(keys.begin(), keys.end(), [&](const std::string& key) {
    return !among(node.owners(key), "n1");
  });
  if (stray == keys.end()) throw std::logic_error("four joins took nothing from n1");
  const VnodeId vnode = vnode_of(kQ, *stray);
  node.lone.say("four nodes have joined: n1 still holds " + *stray + ", and owns it no more");
  const auto copies = node.ask(AskCopies{node.known(), {*stray}}).copies;
  const auto nodes = node.ask(AskNodes{node.known(), vnode, {""}}).nodes;
  const auto roots = node.ask(CompareRoots{node.known(), {{vnode, {1, 2}}}}).differing;
  if (!copies.empty() || !nodes.empty() || !roots.empty()) {
    violation("a peer asks for a vnode that n1 does not own, and gets no root, no node and no copy",
              "it gets " + std::to_string(roots.size()) + " roots, " +
                  std::to_string(nodes.size()) + " nodes, " + std::to_string(copies.size()) +
                  " copies");
  }
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

// ---- Turns and rate -----------------------------------------------------------------------------

TEST(sync, peers_come_up_in_turn) {
  constexpr std::size_t kMembers = 5;
  constexpr std::size_t kRounds = 3;
  SyncNode node(kMembers, sync_setup(kPeriod));
  Peers peers(node, kMembers);
  const auto questions = [&](const NodeId& peer) { return peers.all<CompareRoots>(peer).size(); };
  peers.run(kRounds * (kMembers - 1) * kPeriod);
  for (std::size_t i = 2; i <= kMembers; ++i) {
    const NodeId peer = node_name(i);
    if (questions(peer) + 1 >= kRounds && questions(peer) <= kRounds + 1) continue;
    violation(
        "in 12 periods, with four co-owners that take turns, n1 begins three exchanges with " +
            peer,
        "it begins " + std::to_string(questions(peer)));
  }
  node.lone.say("n3 answers no more");
  peers.instead = [&](const Lone::Call& call) {
    if (call.to != "n3") return false;
    peers.silence(call);
    return true;
  };
  peers.forget_said();
  peers.run(2 * kRounds * (kMembers - 1) * kPeriod);
  for (std::size_t i = 2; i <= kMembers; ++i) {
    const NodeId peer = node_name(i);
    if (questions(peer) >= (peer == "n3" ? 1 : kRounds)) continue;
    violation(
        "in 24 periods, of which n3 answers in none, all others have their turns, and n3 is "
        "tried now and then",
        "n1 begins " + std::to_string(questions(peer)) +
            (questions(peer) == 1 ? " exchange with " : " exchanges with ") + peer);
  }
}

/// 200 kB have to move, and the rate is 20 kB a second.
void judge_rate(bool push) {
  constexpr std::size_t kRate = 20'000;
  constexpr std::size_t kBatch = 4'000;
  constexpr std::size_t kMessage = 4'096;  // a batch's last state, a row of hashes for each path
  NodeSetup setup = sync_setup(kPeriod);
  setup.config.sync_bytes_per_second = kRate;
  setup.config.batch_bytes = kBatch;
  Pair pair(setup);
  pair.peers.run(10 * kPeriod);  // nothing to do: what is not used then is not saved up
  for (std::size_t i = 0; i < 200; ++i) {
    const std::string key = std::string("cart").append(std::to_string(i));
    const State state = version(std::string(1000, 'x'), 1);
    if (push) pair.node.hold(key, state);
    if (!push) pair.peers.n2().hold(key, state);
  }
  pair.node.lone.say(push ? "n2 lacks 200 keys, of 1000 bytes each"
                          : "n1 lacks 200 keys, of 1000 bytes each");
  pair.peers.run(30s, 50ms);
  const auto& said = pair.peers.said();
  for (std::size_t begin = 0; begin < said.size(); ++begin) {
    std::size_t bytes = 0;
    for (std::size_t i = begin; i < said.size(); ++i) {
      bytes += said[i].bytes;
      const auto ms = static_cast<std::size_t>((said[i].at - said[begin].at) / 1ms);
      if (bytes <= kRate * ms / 1000 * 11 / 10 + 2 * kBatch + 2 * kMessage) continue;
      violation(
          "the requests of n1's exchanges and their replies have 20000 bytes a second, and "
          "bursts of about one batch of 4000 bytes",
          "in " + std::to_string(ms) + " ms there are " + std::to_string(bytes) + " bytes");
    }
  }
  std::size_t early = 0;
  for (const auto& one : said) {
    if (one.at <= 20s) early += one.bytes;
  }
  if (early < 10 * kRate / 4) {
    violation("there is enough to do, so in 10 s much of the 200000 bytes that are allowed is used",
              std::to_string(early) + " bytes are");
  }
  std::map<std::string, State> right;
  for (std::size_t i = 0; i < 200; ++i) {
    right[std::string("cart").append(std::to_string(i))] = version(std::string(1000, 'x'), 1);
  }
  pair.expect_merged(right, "after 30 s");
}

TEST(sync, an_exchange_keeps_to_the_rate) {
  judge_rate(false);
  judge_rate(true);
}

}  // namespace
