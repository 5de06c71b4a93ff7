// Grader code, not for you to use: how lab 5's unit checks speak with one node. It is n1, and the
// check plays its peers.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "../3-replication/one_node.h"
#include "quorum_messages.h"

namespace dynamo::sim {

/// Room on a disk for small records, and not for 20 kB beside what LocalStore leaves to them.
inline constexpr std::uint64_t kNearlyFull = 70'000;

/// Lab 3's node, with siblings, and a QuorumCoordinator in the place of the lazy one.
inline NodeSetup quorum_setup(const std::string& mode) {
  NodeSetup setup = replication_setup({"membership", "ring", "versioning", "quorum"});
  setup.config.mode = mode;
  return setup;
}

/// How a peer treats the Updates and StoreHints that it gets.
enum class Conduct : std::uint8_t {
  confirms,         ///< All that came with its state, and offers of what had come before.
  is_silent,        ///< Nothing reaches it: each call ends after its timeout.
  reads_only,       ///< Answers Reads; Updates and StoreHints end after their timeout.
  refuses,          ///< Nothing listens there: each call ends soon, as `refused`.
  says_nothing_of,  ///< Answers, and confirms nothing.
  another_hash,     ///< Confirms each key with a hash that nobody sent.
  another_history,  ///< Confirms, and its reply shows a digest that is not n1's.
};

/// One of n1's peers. It stores nothing of what it is sent unless the check says so.
struct Peer {
  Conduct conduct = Conduct::confirms;
  Duration delay = std::chrono::milliseconds(1);  ///< Between a call and its answer.
  Holding holding = Holding::absent;              ///< What it says to a Read …
  std::optional<State> state;                     ///< … and what it says that it holds.
  std::vector<Copy> updates;                      ///< What came to it, with or without states;
                                                  ///< reads_only: what went to it.
  std::size_t largest = 0;                        ///< Bytes of states in one Update, at most.
  std::vector<Hint> hints;                        ///< What it was given to keep.
  std::size_t reads = 0;                          ///< How often it was asked.
  std::vector<Known> known;                       ///< What n1's messages to it carried.
  std::set<StateHash> had;                        ///< Of states that it confirmed.

  void finds(const State& found) {
    holding = Holding::found;
    state = found;
  }
};

/// A state of one version, which `node` made; nobody has seen anything before.
inline State version_of(const NodeId& node, const std::string& value) {
  const Dot dot{{node, kIncarnation, 1}, 1};
  return state_of({{{dot, {}, value, stamp(1)}}, {{dot}}});
}

/// What a client at `node` makes of `older`, all of which it has read.
inline State newer_of(const State& older, const NodeId& node, const std::string& value) {
  const VectorClock seen = key_state_of(older).value().clock;
  const Dot dot{{node, kIncarnation, 1}, 1};
  VectorClock clock = seen;
  clock.entries.push_back(dot);
  return state_of({{{dot, seen, value, stamp(2)}}, clock});
}

/// The merge of states none of whose writers has seen another one's.
inline State siblings_of(const std::vector<State>& states) {
  KeyState all;
  for (const State& state : states) {
    const KeyState one = key_state_of(state).value();
    all.versions.insert(all.versions.end(), one.versions.begin(), one.versions.end());
    all.clock.entries.insert(all.clock.entries.end(), one.clock.entries.begin(),
                             one.clock.entries.end());
  }
  return state_of(all);
}

/// "[eggs, milk]", "a deletion", "no state".
inline std::string shown(const State& state) {
  const auto values = values_in(state);
  if (!values) return "bytes that are no state";
  return values->empty() ? "a deletion" : list(*values);
}

/// n1 among peers that behave as the check wants, in virtual time.
struct QuorumNode : OneNode {
  explicit QuorumNode(const std::string& mode, std::size_t members = 5)
      : QuorumNode(quorum_setup(mode), members) {}
  explicit QuorumNode(const NodeSetup& setup, std::size_t members = 5)
      : OneNode(members, setup), deadline(setup.config.request_deadline) {
    for (std::size_t i = 2; i <= members; ++i) peers[node_name(i)];
  }

  /// The owners of `key` but n1, in the order of the list.
  std::vector<NodeId> others(const std::string& key) {
    std::vector<NodeId> names = owners(key);
    std::erase(names, "n1");
    return names;
  }

  /// The members that are no owners of `key`, but for n1.
  std::vector<NodeId> strangers(const std::string& key) {
    std::vector<NodeId> names;
    for (const auto& [name, peer] : peers) {
      if (!among(owners(key), name)) names.push_back(name);
    }
    return names;
  }

  /// Who takes the places of `dead` in the list of `key`, as lab 2 has it.
  std::vector<Placement> active(const std::string& key, const std::vector<NodeId>& dead) {
    std::vector<Placement> places = lone.invoke<&Ring::active_list>(vnode_of(kQ, key), dead);
    std::string told;
    for (const Placement& place : places) {
      told += (told.empty() ? "" : ", ") + place.host;
      if (!place.stands_in_for.empty()) told += " for " + place.stands_in_for;
    }
    retell(1, "with " + list(dead) + " dead, the active list of " + key + " is [" + told + "]");
    return places;
  }

  void all(Conduct conduct) {
    for (auto& [name, peer] : peers) peer.conduct = conduct;
  }

  /// Forgets what peers were sent so far.
  void look_anew() {
    for (auto& [name, peer] : peers) {
      peer.updates.clear();
      peer.hints.clear();
      peer.reads = 0;
    }
  }

  /// What n1 keeps for others.
  std::optional<Held> hint(const std::string& key) const {
    return held_on(lone.disk(), "n1", key, kHintSpace);
  }
  std::string hint_value(const std::string& key) const {
    const auto found = hint(key);
    return found ? shown(found->state) : "nothing";
  }

  RequestToken put(const std::string& key, const std::string& value, std::uint32_t w,
                   std::uint64_t number, const std::string& context = {}) {
    return lone.ask("client", ClientWrite{{"amy", 1, number}, key, value, context, w});
  }
  RequestToken get(const std::string& key, std::uint32_t r) {
    return lone.ask("client", ClientRead{key, r});
  }
  std::optional<WriteOutcome> told(RequestToken put) { return lone.answered<ClientWrite>(put); }
  std::optional<ReadOutcome> shown_to(RequestToken get) { return lone.answered<ClientRead>(get); }

  /// Lets time pass; the peers answer as they do. New calls are seen at the next glance: seldom
  /// where much time passes, so that a story stays short.
  void pass(Duration time) {
    const Instant end = now + time;
    const Duration glance = time < kLong ? kGlance : kRareGlance;
    do {
      answer_due();
      Instant next = std::min(end, now + glance);
      for (const auto& [id, began] : known_since) {
        const auto call = find(id);
        if (call) next = std::min(next, std::max(now, due(*call, began)));
      }
      lone.advance(next - now);
      now = next;
    } while (now < end);
    answer_due();
  }

  /// The same until `enough`, at most for `most`; whether it came true.
  bool pass_until(const std::function<bool()>& enough, Duration most) {
    const Instant end = now + most;
    while (!enough() && now < end) pass(std::min(kGlance, end - now));
    return enough();
  }

  /// Ends what is under way with the process; its peers live on.
  void kill_and_restart() {
    lone.restart();
    known_since.clear();
  }

  const Duration deadline;  ///< Long after it a client has been answered.
  std::map<NodeId, Peer> peers;
  Instant now{};

 private:
  static constexpr Duration kGlance = std::chrono::milliseconds(50);
  static constexpr Duration kRareGlance = std::chrono::milliseconds(200);
  static constexpr Duration kLong = std::chrono::seconds(2);

  std::optional<Lone::Call> find(CallId id) const {
    for (const Lone::Call& call : lone.calls()) {
      if (call.id == id) return call;
    }
    return std::nullopt;
  }

  static bool silent(const Peer& peer, const Lone::Call& call) {
    if (peer.conduct == Conduct::reads_only) return call.type != message_number<Read>;
    return peer.conduct == Conduct::is_silent;
  }

  Instant due(const Lone::Call& call, Instant began) {
    const Peer& peer = peers[call.to];
    if (silent(peer, call)) return began + call.timeout;
    return began + std::min(peer.delay, call.timeout);
  }

  void answer_due() {
    for (bool more = true; more;) {
      more = false;
      for (const Lone::Call& call : lone.calls()) known_since.try_emplace(call.id, now);
      const std::vector<Lone::Call> open = lone.calls();
      for (const Lone::Call& call : open) {
        if (due(call, known_since[call.id]) > now) continue;
        known_since.erase(call.id);
        answer(call);
        more = true;
      }
    }
  }

  void answer(const Lone::Call& call) {
    Peer& peer = peers[call.to];
    if (silent(peer, call) || peer.delay > call.timeout) {
      if (const auto update = codec::decode<Update>(call.bytes);
          update && peer.conduct == Conduct::reads_only && call.type == message_number<Update>) {
        peer.updates.insert(peer.updates.end(), update->copies.begin(), update->copies.end());
      }
      return lone.end_call(call.id, Error{ErrorCode::timed_out, "no answer"});
    }
    if (peer.conduct == Conduct::refuses) {
      return lone.end_call(call.id, Error{ErrorCode::refused, "nothing listens there"});
    }
    if (call.type == message_number<Update>) return take<Update>(peer, call);
    if (call.type == message_number<StoreHints>) return take<StoreHints>(peer, call);
    if (call.type == message_number<Read>) return take<Read>(peer, call);
    lone.end_call(call.id, Error{ErrorCode::refused, "this peer knows lab 5 only"});
  }

  template <class Request>
  void take(Peer& peer, const Lone::Call& call) {
    const auto request = codec::decode<Request>(call.bytes);
    if (!request) throw std::logic_error("a node sent a malformed message");
    peer.known.push_back(request->known);
    typename Request::Reply reply;
    reply.known = known();
    if (peer.conduct == Conduct::another_history) {
      lone.say(call.to + " answers, and its digest is that of another history than n1's");
      reply.known = {{3, 4}, {}};
    }
    fill(peer, *request, reply);
    lone.answer<Request>(call.id, reply);
  }

  static void confirm(Peer& peer, const Copy& copy, std::vector<Copy>& confirmed) {
    if (peer.conduct == Conduct::says_nothing_of) return;
    if (peer.conduct == Conduct::another_hash) {
      return confirmed.push_back({copy.key, {1, 2}, std::nullopt});
    }
    if (!copy.state && !peer.had.contains(copy.hash)) return;
    if (peer.conduct == Conduct::confirms) peer.had.insert(copy.hash);
    confirmed.push_back({copy.key, copy.hash, std::nullopt});
  }

  void fill(Peer& peer, const Update& update, UpdateReply& reply) {
    std::size_t bytes = 0;
    for (const Copy& copy : update.copies) {
      if (copy.state) bytes += copy.state->bytes.size();
      peer.updates.push_back(copy);
      confirm(peer, copy, reply.confirmed);
    }
    peer.largest = std::max(peer.largest, bytes);
  }
  void fill(Peer& peer, const StoreHints& keep, StoreHintsReply& reply) {
    for (const Hint& hint : keep.hints) {
      peer.hints.push_back(hint);
      confirm(peer, hint.copy, reply.kept);
    }
  }
  static void fill(Peer& peer, const Read& /*read*/, ReadReply& reply) {
    ++peer.reads;
    reply.holding = peer.holding;
    reply.state = peer.holding == Holding::found ? peer.state : std::nullopt;
  }

  std::map<CallId, Instant> known_since;
};

/// A key that n1 owns, or not. Any bytes may stand in a key, also those that end a name elsewhere.
inline std::string odd_key(QuorumNode& node, bool mine) {
  const std::string series("a/b,c:d|e;f\0 n2 ", 16);
  std::string key = node.find_key(mine, 0, series);
  const std::string owners = list(node.owners(key));
  retell(1, "");
  node.lone.say("any bytes may stand in a key: this one is a/b,c:d|e;f, a zero byte, and \" n2 " +
                key.substr(series.size()) + "\"; its owners are " + owners);
  return key;
}

inline bool tells_all(const Known& known, const History& history) {
  return std::all_of(history.begin(), history.end(), [&](const Event& event) {
    return std::find(known.events.begin(), known.events.end(), event) != known.events.end();
  });
}

/// "1 host", "2 hosts"
inline std::string hosts(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " host" : " hosts");
}

/// "done (needed 2, got 2)", "unavailable: … (needed 3, got 1)", "nothing yet".
inline std::string words(const std::optional<WriteOutcome>& outcome) {
  if (!outcome) return "nothing yet";
  std::string text = "done";
  if (!outcome->status.ok()) text = name_of(outcome->status.error().code);
  return text + " (needed " + std::to_string(outcome->needed) + ", got " +
         std::to_string(outcome->got) + ")";
}
inline std::string words(const std::optional<ReadOutcome>& outcome) {
  if (!outcome) return "nothing yet";
  std::string text = "there is no such key";
  if (!outcome->state.ok()) {
    text = name_of(outcome->state.error().code);
  } else if (outcome->state.value()) {
    text = shown(*outcome->state.value());
  }
  return text + " (needed " + std::to_string(outcome->needed) + ", got " +
         std::to_string(outcome->got) + ")";
}

inline bool done(const std::optional<WriteOutcome>& outcome) {
  return outcome && outcome->status.ok();
}
inline bool succeeded(const std::optional<ReadOutcome>& outcome) {
  return outcome && outcome->state.ok();
}
template <class Outcome>
bool not_met(const std::optional<Outcome>& outcome, std::uint32_t needed, std::uint32_t got) {
  if (!outcome || outcome->needed != needed || outcome->got != got) return false;
  if constexpr (std::is_same_v<Outcome, WriteOutcome>) {
    return !outcome->status.ok() && outcome->status.error().code == ErrorCode::unavailable;
  } else {
    return !outcome->state.ok() && outcome->state.error().code == ErrorCode::unavailable;
  }
}

/// Whether a peer was sent this state, not only its hash.
inline bool was_sent(const Peer& peer, const std::string& key, const State& state) {
  return std::any_of(peer.updates.begin(), peer.updates.end(), [&](const Copy& copy) {
    return copy.key == key && copy.state == state && copy.hash == hash_of(key, state);
  });
}
inline bool was_sent(const Peer& peer, const std::string& key) {
  return std::any_of(peer.updates.begin(), peer.updates.end(),
                     [&](const Copy& copy) { return copy.key == key; });
}

/// Who of `names` was sent anything for the key.
inline std::vector<NodeId> receivers(const QuorumNode& node, const std::string& key,
                                     const std::vector<NodeId>& names) {
  std::vector<NodeId> sent;
  for (const NodeId& name : names) {
    if (was_sent(node.peers.at(name), key)) sent.push_back(name);
  }
  return sent;
}

/// Nobody else answers: 2 s later a put and a get that need two hosts have been told so, whatever
/// calls are under way. `late` goes on from "a put" or "a get". The deadline is 1 s.
inline void judge_deadline(const std::string& mode, Duration call_timeout,
                           const std::string& late) {
  NodeSetup setup = quorum_setup(mode);
  setup.config.request_deadline = std::chrono::seconds(1);
  setup.config.call_timeout = call_timeout;
  QuorumNode node(setup);
  const std::string key = node.key(true);
  node.all(Conduct::is_silent);
  const RequestToken put = node.put(key, "milk", 2, 1);
  const RequestToken get = node.get(key, 2);
  node.pass(std::chrono::seconds(2));
  if (!not_met(node.told(put), 2, 1)) violation("a put" + late, words(node.told(put)));
  if (!not_met(node.shown_to(get), 2, 1)) violation("a get" + late, words(node.shown_to(get)));
}

}  // namespace dynamo::sim
