// Lab 3, part A: whom one node asks for a client, in which order, and whom it believes. It is n1,
// and the others are whoever the check says.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "one_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

constexpr Duration kPatience = 4s;  // a client's

/// What a host says to one request; an error: nothing, or a refusal.
template <class Reply>
using Says = Result<Reply>;

const Error kSilence{ErrorCode::timed_out, "no answer"};
const Error kRefusal{ErrorCode::refused, "nobody listens there"};

/// A client's request at n1: whom n1 asked for it, in which order, and what the client was told.
template <class Asked, class Request>
struct Walked {
  std::vector<NodeId> asked;
  std::vector<Request> requests;  ///< The same, as they were sent.
  std::optional<typename Asked::Reply> outcome;

  /// `says`: NodeId → Says<Request::Reply>. One host may be at work at a time.
  template <class Answer>
  Walked(OneNode& node, const Asked& request, Answer says) {
    const RequestToken token = node.lone.ask("n1", request);
    for (Duration passed{0}; passed < kPatience; passed += 10ms) {
      outcome = node.lone.answered<Asked>(token);
      if (outcome) return;
      const auto open = node.sent<Request>();
      if (open.size() > 1) {
        violation("n1 asks one host after the other: the next one when the last one did not do",
                  "it asks " + open[0].first.to + " and " + open[1].first.to + " at once");
      }
      for (const auto& [call, sent] : open) {
        asked.push_back(call.to);
        requests.push_back(sent);
        const Says<typename Request::Reply> said = says(call.to);
        if (said.ok()) {
          node.lone.answer<Request>(call.id, *said);
        } else {
          node.lone.end_call(call.id, said.error());
        }
      }
      node.lone.advance(10ms);
    }
  }
};

using Put = Walked<ClientWrite, Write>;
using Get = Walked<ClientRead, Read>;

std::string told(const std::optional<WriteOutcome>& outcome) {
  if (!outcome) return "it is told nothing at all";
  const std::string status = outcome->status.ok() ? "done" : name_of(outcome->status.error().code);
  return "it is told " + status + ", needed " + std::to_string(outcome->needed) + ", got " +
         std::to_string(outcome->got);
}

void expect_told(const Put& put, const WriteOutcome& right, const std::string& why) {
  const bool same =
      put.outcome && put.outcome->needed == right.needed && put.outcome->got == right.got &&
      put.outcome->status.ok() == right.status.ok() &&
      (right.status.ok() || put.outcome->status.error().code == right.status.error().code);
  if (same) return;
  std::string expected = told(right);
  expected.replace(0, 2, "the client");
  violation(why + ": " + expected, told(put.outcome));
}

void expect_asked(const std::vector<NodeId>& asked, const std::vector<NodeId>& right,
                  const std::string& why) {
  if (asked != right) violation(why + ": " + list(right), "n1 asks " + list(asked));
}

TEST(replication, a_write_walks_the_list_in_order_suspects_last) {
  OneNode node;
  const std::string key = node.key(false);
  const std::vector<NodeId> owners = node.owners(key);
  const auto reply = [&](const Status& status) { return WriteReply{node.known(), true, status}; };
  const Error full{ErrorCode::no_room, "the disk is full"};
  std::map<NodeId, Says<WriteReply>> says = {
      {owners[0], kSilence}, {owners[1], kRefusal}, {owners[2], reply(Done{})}};
  const auto answer = [&](const NodeId& host) { return says.at(host); };
  std::uint64_t number = 0;
  const auto put = [&] { return Put(node, client_write(key, "milk", ++number), answer); };

  node.lone.say(key + " belongs to " + list(owners) + "; " + owners[0] +
                " does not answer, and nobody listens at " + owners[1]);
  const Put first = put();
  expect_asked(first.asked, owners, "n1 tries the owners in the order of the list");
  expect_told(first, {Done{}, 1, 1}, owners[2] + " holds it");

  says.at(owners[2]) = reply(full);
  node.lone.say("now the disk of " + owners[2] + " is full, and the others are as they were");
  const Put second = put();
  expect_asked(second.asked, {owners[2], owners[0], owners[1]},
               "who did not answer last time is asked last, in the order of the list");
  expect_told(second, {Error{ErrorCode::unavailable, ""}, 1, 0},
              "two did not answer, so nobody knows what has become of it");

  for (const ErrorCode code : {ErrorCode::too_large, ErrorCode::invalid_argument}) {
    says.at(owners[2]) = reply(Error{code, "this write never goes"});
    const Put refused = put();
    expect_asked(refused.asked, {owners[2]},
                 "what one owner calls " + name_of(code) + " no other one takes");
    expect_told(refused, {Error{code, ""}, 1, 0}, "the owner's word is passed on");
  }
}

/// n1 takes its own client's put, and is an owner of `key`.
void expect_executed(OneNode& node, const std::string& key, const std::string& value,
                     std::uint64_t number) {
  const auto outcome = node.lone.request("n1", client_write(key, value, number));
  if (!node.sent<Write>().empty()) {
    violation("an owner, wherever on the list, executes a client's put itself",
              "n1 hands it to " + node.sent<Write>().front().first.to);
  }
  if (!outcome || !outcome->status.ok() || outcome->got != 1) {
    violation("n1 has written it, and tells the client in the same handler: done, needed 1, got 1",
              told(outcome));
  }
  if (node.value(key) != "[" + value + "]") {
    violation("when the client is told, n1's disk holds [" + value + "]" +
                  (value.empty() ? ": the client put an empty value, and deleted nothing" : ""),
              "it holds " + node.value(key));
  }
}

TEST(replication, an_owner_executes_what_its_own_client_asks) {
  OneNode node;
  std::string key;
  for (std::size_t i = 0; key.empty(); ++i) {
    if (node.owners(node.key(true, i)).back() == "n1") key = node.key(true, i);
  }
  node.lone.say("n1 is the last of the owners " + list(node.owners(key)) + " of " + key);
  expect_executed(node, key, "milk", 1);
  expect_executed(node, key, "", 2);  // no delete
}

/// n1 and five more are members, n7 and n8 were removed; nobody owns everything.
struct Searched {
  Searched() : node(6) {
    History events = node.history;
    for (const char* gone : {"n7", "n8"}) events = then(events, gone, Change::join);
    for (const char* gone : {"n7", "n8"}) events = then(events, gone, Change::leave);
    node.learn(events);
    key = node.key(false);
    owners = node.owners(key);
    for (const Event& event : joined(6)) {
      if (event.subject != "n1" && !among(owners, event.subject)) {
        members.push_back(event.subject);
      }
    }
    node.lone.say(key + " belongs to " + list(owners) + "; " + list(members) +
                  " are members, too, and n7 and n8 were once");
  }

  ReadReply says_nothing() const { return {node.known(), Holding::not_mine, std::nullopt, false}; }

  /// In which part of its walk n1 asks for `host`.
  std::size_t part(const NodeId& host) const {
    return among(owners, host) ? 0 : among(members, host) ? 1 : 2;
  }

  /// All are asked, the owners first, then the members, then the removed.
  void expect_all_asked(std::vector<NodeId> asked) const {
    asked.resize(std::min(asked.size(), owners.size() + members.size() + 2));  // one round
    const std::vector<NodeId> in_order = asked;
    std::sort(asked.begin(), asked.end());
    asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
    if (asked.size() == owners.size() + members.size() + 2 &&
        std::is_sorted(in_order.begin(), in_order.end(),
                       [&](const NodeId& a, const NodeId& b) { return part(a) < part(b); })) {
      return;
    }
    violation(
        "no owner can say, so the key may be on its way, and anybody may hold it: n1 asks the "
        "owners, then the other members " +
            list(members) + ", then n7 and n8, which may not have handed it over yet",
        "n1 asks " + list(in_order));
  }

  OneNode node;
  std::string key;
  std::vector<NodeId> owners;
  std::vector<NodeId> members;  ///< The others, without n1.
};

std::string told(const std::optional<ReadOutcome>& outcome) {
  if (!outcome) return "it is told nothing at all";
  if (!outcome->state.ok()) return "it is told " + name_of(outcome->state.error().code);
  if (!outcome->state.value()) return "it is told that there is no such key";
  return "it is told " + list(values_in(**outcome->state).value_or(std::vector<std::string>{}));
}

void expect_found(const Get& get, const State& state, const std::string& why) {
  if (get.outcome && get.outcome->state.ok() && *get.outcome->state &&
      **get.outcome->state == state && get.outcome->got == 1) {
    return;
  }
  violation(why + ": the client gets [milk], needed 1, got 1", told(get.outcome));
}

TEST(replication, a_read_asks_owners_then_members_then_the_removed) {
  Searched searched;
  OneNode& node = searched.node;
  const Get nowhere(node, ClientRead{searched.key},
                    [&](const NodeId&) -> Says<ReadReply> { return searched.says_nothing(); });
  searched.expect_all_asked(nowhere.asked);
  if (!nowhere.outcome || nowhere.outcome->state.ok() ||
      nowhere.outcome->state.error().code != ErrorCode::unavailable) {
    violation("nobody could say: the client is told \"unavailable\"", told(nowhere.outcome));
  }
  const State state = written("milk", stamp(1));
  std::vector<NodeId> holders = searched.members;
  holders.insert(holders.end(), {"n7", "n8"});
  for (const NodeId& holder : holders) {
    node.lone.say("only " + holder + " holds the key");
    const Get get(node, ClientRead{searched.key}, [&](const NodeId& host) -> Says<ReadReply> {
      if (host == holder) return ReadReply{node.known(), Holding::found, state, false};
      return searched.says_nothing();
    });
    expect_found(get, state, "n1 finds the key at " + holder);
  }
}

TEST(replication, a_key_on_its_way_is_found_in_the_end) {
  const State state = written("milk", stamp(1));
  OneNode node;
  OneNode later;
  later.learn(joined(10));
  std::size_t i = 0;
  while (among(later.owners(node.key(true, i)), "n1")) ++i;
  const std::string key = node.key(true, i);
  retell_all("n1 starts; the members are n1 to n5, and it is an owner of " + key);
  (void)node.ask(Update{node.known(), {copy_of(key, state)}});
  node.learn(joined(10));
  const auto says_nothing = [&] {
    return ReadReply{node.known(), Holding::not_mine, std::nullopt, false};
  };
  node.lone.say("n6 to n10 have joined, and n1 does not own " + key + " any more, but holds it");
  expect_found(
      Get(node, ClientRead{key}, [&](const NodeId&) { return Says<ReadReply>(says_nothing()); }),
      state, "the owners are still receiving it, and n1 has it");
  const std::string foreign = node.key(false, 100);
  std::map<NodeId, int> asked;
  node.lone.say("the first owner of " + foreign + " receives it while a client asks n1 for it");
  const NodeId first = node.owners(foreign).front();
  expect_found(Get(node, ClientRead{foreign},
                   [&](const NodeId& host) -> Says<ReadReply> {
                     if (++asked[host] == 1 || host != first) return says_nothing();
                     return ReadReply{node.known(), Holding::found, state, false};
                   }),
               state, "an owner said \"not mine\", so n1 goes round again after a while");
  node.lone.say("now it has it, and its digest is not n1's");
  expect_found(Get(node, ClientRead{foreign},
                   [&](const NodeId&) -> Says<ReadReply> {
                     return ReadReply{{{5, 6}, {}}, Holding::found, state, false};
                   }),
               state, "what is found is found under any history");
}

TEST(replication, a_read_asks_suspects_last) {
  Searched searched;
  OneNode& node = searched.node;
  const std::vector<NodeId>& owners = searched.owners;
  const ReadReply absent{node.known(), Holding::absent, std::nullopt, false};
  const auto says = [&](const NodeId& host) -> Says<ReadReply> {
    if (host == owners[2]) return absent;
    return host == owners[0] ? kSilence : kRefusal;
  };
  node.lone.say(owners[0] + " does not answer, and nobody listens at " + owners[1]);
  const Get first(node, ClientRead{searched.key}, says);
  expect_asked(first.asked, owners, "n1 asks the owners in the order of the list");
  const Get second(node, ClientRead{searched.key}, says);
  expect_asked(second.asked, {owners[2]},
               "who did not answer last time is asked last, and " + owners[2] + " can say");
  for (const Get* get : {&first, &second}) {
    if (get->outcome && get->outcome->state.ok() && !*get->outcome->state) continue;
    violation(owners[2] + " is an owner and surely has nothing: there is no such key",
              told(get->outcome));
  }
  const State state = written("milk", stamp(1));
  const NodeId& holder = searched.members.back();
  (void)Get(node, ClientRead{searched.key},
            [](const NodeId&) { return Says<ReadReply>(kSilence); });
  node.lone.say("nobody has answered n1; now " + holder + ", no owner, is back, and has the key");
  expect_found(Get(node, ClientRead{searched.key},
                   [&](const NodeId& host) -> Says<ReadReply> {
                     if (host != holder) return kRefusal;
                     return ReadReply{node.known(), Holding::found, state, false};
                   }),
               state, "a suspect is asked last, not never, whether it is an owner or not");
}

TEST(replication, absent_under_another_history_says_nothing) {
  enum class Told { the_first, all, grown };
  const State state = written("milk", stamp(1));
  for (const Told which : {Told::the_first, Told::all, Told::grown}) {
    OneNode node;
    OneNode later(6);
    std::size_t i = 0;
    while (among(later.owners(node.key(false, i)), "n1")) ++i;
    const std::string key = node.key(false, i);
    retell_all("n1 starts; the members are n1 to n5");
    const Known other = which == Told::grown ? node.known() : Known{{3, 4}, {}};
    NodeId sleeper;
    node.lone.say(std::string("a client asks n1 for a key of ") + list(node.owners(key)) +
                  (which == Told::all ? "; whoever is asked" : "; the first one asked") +
                  " says \"absent\", " +
                  (which == Told::grown ? "and meanwhile n1 has heard that n6 has joined"
                                        : "and its digest is not n1's"));
    const Get get(node, ClientRead{key}, [&](const NodeId& host) -> Says<ReadReply> {
      if (sleeper.empty() && which == Told::grown) {
        node.learn(then(node.history, "n6", Change::join));
      }
      if (sleeper.empty()) sleeper = host;
      if (which == Told::all || host == sleeper) {
        return ReadReply{other, Holding::absent, std::nullopt, false};
      }
      return ReadReply{node.known(), Holding::found, state, false};
    });
    if (get.outcome && get.outcome->state.ok() && !get.outcome->state.value()) {
      violation(
          sleeper +
              " is complete in a history that is not n1's: it may have slept through a change, "
              "and lack what the others agreed on meanwhile. So n1 does not believe it: " +
              (which == Told::all ? "\"unavailable\"" : "it asks the next one, who has [milk]"),
          told(get.outcome));
    }
    const auto once_more = [&](std::size_t one) {
      return get.asked[one] == sleeper && !get.requests[one].known.events.empty();
    };
    std::size_t more = 1;
    while (more < get.asked.size() && !once_more(more)) ++more;
    if (more == get.asked.size()) {
      violation("n1 tells " + sleeper + " its events, and asks it once more",
                "n1 asks " + list(get.asked) + "; no second Read to " + sleeper + " has events");
    }
    const bool found = get.outcome && get.outcome->state.ok() && **get.outcome->state == state;
    if (which == Told::all || found) continue;
    violation("the next owner has [milk]: the client gets it", told(get.outcome));
  }
}

/// What n1 says of a key that nobody put.
ReadReply says_of_nothing(OneNode& node) { return node.ask(Read{node.known(), "nobody's"}); }

TEST(replication, a_removed_node_is_called_empty_only_while_it_is) {
  for (const bool holds : {false, true}) {
    OneNode node;
    node.lone.say(holds ? "n1 holds a key" : "n1 holds nothing");
    const std::string key = node.key(true);
    if (holds) (void)node.ask(Update{node.known(), {copy_of(key, written("milk", stamp(1)))}});
    if (says_of_nothing(node).empty) {
      violation("n1 is a member, so it may be sent keys at any time: it does not say \"empty\"",
                "it says so");
    }
    node.learn(then(node.history, "n1", Change::leave));
    node.lone.say("n1 was removed");
    const ReadReply reply = node.ask(Read{node.known(), key});
    if (holds && (reply.holding != Holding::found || !reply.state)) {
      violation("a removed node serves peers until it is empty: a Read finds what n1 holds",
                "n1 answers \"" + name_of(reply.holding) + "\"");
    }
    if (says_of_nothing(node).empty == holds) {
      violation(holds ? "n1 still holds a key, so it does not say \"empty\", whatever key it is "
                        "asked for: a reader would pass it over from then on"
                      : "n1 is no member, and holds nothing: it says \"empty\"",
                holds ? "it says so" : "it does not");
    }
  }
  Searched searched;
  OneNode& node = searched.node;
  node.lone.say("n7 and n8 say that they are empty, n8 under another history than n1's");
  const Get nowhere(node, ClientRead{searched.key}, [&](const NodeId& host) -> Says<ReadReply> {
    ReadReply reply = searched.says_nothing();
    reply.empty = host == "n7" || host == "n8";
    if (host == "n8") reply.known = {{5, 6}, {}};
    return reply;
  });
  const State state = written("milk", stamp(1));
  const auto held_by = [&](const NodeId& holder) {
    return Get(node, ClientRead{node.key(false)}, [&](const NodeId& host) -> Says<ReadReply> {
      if (host == holder) return ReadReply{node.known(), Holding::found, state, false};
      return searched.says_nothing();
    });
  };
  expect_found(held_by("n8"), state,
               "\"empty\" under another history says nothing: n1 asks n8 again");
  node.learn(then(node.history, "n9", Change::join));
  node.learn(then(node.history, "n9", Change::leave));
  node.lone.say("n9 has joined and left; whoever is no member may have got keys meanwhile");
  expect_found(held_by("n7"), state, "\"empty\" holds until n1's history grows: n1 asks n7 again");
}

}  // namespace
