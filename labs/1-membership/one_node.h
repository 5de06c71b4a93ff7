// How lab 1's checks speak with one node: it is n1, and its peers exist by name only.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "scenarios.h"
#include "sim/check.h"
#include "sim/retell.h"

namespace dynamo::sim {

inline NodeSetup only_membership(const NodeId& self = "n1", Incarnation incarnation = 7,
                                 std::vector<NodeId> seeds = {}) {
  NodeSetup setup{self, incarnation, {}};
  setup.config.modules = {"membership"};
  setup.config.gossip_period = kRound;
  setup.config.seeds = std::move(seeds);
  return setup;
}

inline void expect(bool holds, const std::string& expected, const std::string& actual) {
  if (!holds) violation(expected, actual);
}

inline std::string said(const Status& status) {
  return status.ok() ? "done" : name_of(status.error().code) + ": " + status.error().message;
}

/// Keys and values.
inline std::uint64_t bytes_on(const Disk& disk) {
  std::uint64_t bytes = 0;
  for (const auto& [name, value] : disk) bytes += name.second.size() + value.size();
  return bytes;
}

inline History sorted(History events) {
  std::sort(events.begin(), events.end(),
            [](const Event& a, const Event& b) { return a.version < b.version; });
  return events;
}

/// What view() must be: per subject the event of highest version, by subject.
inline History view_of(const History& events) {
  std::map<NodeId, Event> newest;
  for (const Event& event : sorted(events)) newest[event.subject] = event;
  History view;
  for (const auto& [subject, event] : newest) view.push_back(event);
  return view;
}

/// In version order, what either of the two knows; no version in both stands for two events.
inline History united(History events, const History& more) {
  for (const Event& event : more) {
    if (std::find(events.begin(), events.end(), event) == events.end()) events.push_back(event);
  }
  return sorted(std::move(events));
}

/// n1, alone in a network in which the check plays its peers.
struct OneNode {
  explicit OneNode(NodeSetup setup) : lone(std::move(setup)) {}

  History history() {
    History found = lone.invoke<&Membership::history>();
    retell(1, "");
    return found;
  }

  /// Answers each call as a right peer that knows `known`, which takes in what comes; so does each
  /// call that follows. How many there were. From the `lost`th one on (from 1), no answer comes.
  int answer_calls(History& known, int lost = 0) {
    int calls = 0;
    while (!lone.calls().empty()) {
      const Lone::Call call = lone.calls().front();
      const auto request = codec::decode<Gossip>(call.bytes);
      if (!request) throw std::logic_error("lab 1 knows no request but Gossip");
      if (++calls >= lost && lost != 0) {
        lone.end_call(call.id, Error{ErrorCode::timed_out, "no answer"});
        continue;
      }
      known = united(known, request->events);
      const HistoryDigest digest = digest_of(known);
      lone.answer<Gossip>(call.id, {digest, request->digest == digest ? History{} : known});
    }
    return calls;
  }

  Lone lone;
};

}  // namespace dynamo::sim
