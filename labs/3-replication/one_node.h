// How lab 3's unit checks speak with one node: it is n1, and the others exist by name only.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "sim/check.h"
#include "sim/retell.h"
#include "sim/store_checks.h"

namespace dynamo::sim {

inline constexpr Incarnation kIncarnation = 7;  // of every node's disk
inline constexpr std::uint32_t kQ = 16;

inline NodeSetup replication_setup(std::vector<std::string> modules = {"membership", "ring",
                                                                       "replication"}) {
  NodeSetup setup{"n1", kIncarnation, {}};
  setup.config.q = kQ;
  setup.config.gossip_period = std::chrono::hours(1000);  // nobody answers it here
  setup.config.modules = std::move(modules);
  return setup;
}

/// "n7"
inline NodeId node_name(std::size_t number) { return NodeId("n").append(std::to_string(number)); }

/// n1 was bootstrapped, and then added n2 … n<count>.
inline History joined(std::size_t count) {
  History events;
  for (std::size_t i = 1; i <= count; ++i) {
    events.push_back({node_name(i), Change::join, {i, "n1", kIncarnation}});
  }
  return events;
}

/// One more event, made at n1 after those.
inline History then(History events, const NodeId& subject, Change change) {
  events.push_back({subject, change, {events.size() + 1, "n1", kIncarnation}});
  return events;
}

inline bool among(const std::vector<NodeId>& nodes, const NodeId& node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

/// n1 as a member among others: what it sends, and what it holds.
struct OneNode {
  explicit OneNode(std::size_t members = 5, NodeSetup setup = replication_setup(),
                   bool bootstrap = true)
      : lone(std::move(setup)) {
    lone.start(bootstrap);
    learn(joined(members));
    retell_all("n1 starts; the members are " +
               (members == 1 ? "n1 alone" : "n1 to " + node_name(members)));
  }

  /// Hears of events that others have made.
  void learn(const History& events) {
    lone.invoke<&Membership::merge>(events);
    history = lone.invoke<&Membership::history>();
    const std::string last =
        events.empty()
            ? "none"
            : events.back().subject + (events.back().change == Change::join ? " joins" : " leaves");
    retell(2, "n1 learns of events; the last one: " + last);
  }

  Known known() const { return {digest_of(history), {}}; }

  std::vector<NodeId> owners(const std::string& key) {
    std::vector<NodeId> found = look_up(key);
    std::string told = "the owners of " + key + " are " + list(found);
    const bool again = told == owners_told;
    retell(1, again ? "" : told);
    owners_told = std::move(told);
    return found;
  }

  /// The `number`th key of this series for which n1 is an owner, or is none. Ends the test if the
  /// ring has none.
  std::string find_key(bool mine, std::size_t number, const std::string& series) {
    constexpr std::size_t kMost = 100'000;
    for (std::size_t i = 0; i < kMost; ++i) {
      std::string candidate = series + std::to_string(i);
      const bool owned = among(look_up(candidate), "n1");
      retell(1, "");
      if (owned == mine && number-- == 0) return candidate;
    }
    violation("n1 is an owner of some keys, and of others not",
              std::string("of 100,000 keys there are too few for which it is ") +
                  (mine ? "one" : "none"));
  }

  /// The same of "cart0", "cart1" and so on; the story tells its owners.
  std::string key(bool mine, std::size_t number = 0) {
    std::string found = find_key(mine, number, "cart");
    owners(found);
    return found;
  }

  /// What lies on its disk.
  std::optional<Held> held(const std::string& key) const { return held_on(lone.disk(), "n1", key); }
  std::string value(const std::string& key) const {
    const auto found = held(key);
    if (!found) return "nothing";
    const auto values = values_in(found->state);
    if (!values) return "bytes that are no state";
    return values->empty() ? "a deletion" : list(*values);
  }

  /// Hands it a request; a reply that takes longer than a moment is none.
  template <class Request>
  typename Request::Reply ask(const Request& request, const NodeId& from = "n2") {
    const RequestToken token = lone.ask(from, request);
    auto reply = lone.template answered<Request>(token);
    if (!reply) {
      lone.advance(std::chrono::milliseconds(50));
      reply = lone.template answered<Request>(token);
    }
    if (!reply) {
      violation("n1 answers a " + std::string(Request::type_name) + ", for which it needs nobody",
                "50 ms later there is no answer");
    }
    return *reply;
  }

  /// What it has sent of one type and nobody has answered yet.
  template <class Request>
  std::vector<std::pair<Lone::Call, Request>> sent() const {
    std::vector<std::pair<Lone::Call, Request>> found;
    for (const Lone::Call& call : lone.calls()) {
      if (call.type != message_number<Request>) continue;
      auto request = codec::decode<Request>(call.bytes);
      if (request) found.emplace_back(call, std::move(*request));
    }
    return found;
  }

  /// Ends every call that nobody has answered, as a network without anybody does.
  void silence() {
    while (!lone.calls().empty()) {
      lone.end_call(lone.calls().front().id, Error{ErrorCode::timed_out, "no answer"});
    }
  }

  /// Who is sent `key` within `time`: each Update is answered by `answer`.
  template <class Answer>
  std::vector<NodeId> updated(const std::string& key, Duration time, Answer answer) {
    std::vector<NodeId> receivers;
    const Duration step = std::chrono::milliseconds(50);
    for (Duration passed{0}; passed <= time; passed += step) {
      for (const auto& [call, update] : sent<Update>()) {
        for (const Copy& copy : update.copies) {
          if (copy.key == key && !among(receivers, call.to)) receivers.push_back(call.to);
        }
        lone.answer<Update>(call.id, answer(call.to, update));
      }
      lone.advance(step);
    }
    std::sort(receivers.begin(), receivers.end());
    return receivers;
  }

  History history;  ///< That of its whole cluster.
  Lone lone;

 private:
  std::vector<NodeId> look_up(const std::string& key) {
    return lone.invoke<&Ring::preference_list>(vnode_of(kQ, key));
  }
  std::string owners_told;  ///< Once is enough.
};

/// What last write wins makes of one write.
inline State written(const std::optional<std::string>& value, const Stamp& stamp) {
  KeyState state;
  ObjectVersion& version = state.versions.emplace_back();
  version.value = value;
  version.stamp = stamp;
  return state_of(state);
}

/// A stamp of n2's, the `number`th.
inline Stamp stamp(std::uint64_t number) {
  return {1'700'000'000'000'000 + number, "n2", kIncarnation, number};
}

inline Copy copy_of(const std::string& key, const State& state) {
  return {key, hash_of(key, state), state};
}
inline Copy offer_of(const std::string& key, const State& state) {
  return {key, hash_of(key, state), std::nullopt};
}

/// Confirms all that an Update carries.
inline UpdateReply confirmed(const Known& known, const Update& update) {
  UpdateReply reply{known, {}};
  for (const Copy& copy : update.copies) {
    reply.confirmed.push_back({copy.key, copy.hash, std::nullopt});
  }
  return reply;
}

inline bool confirms(const UpdateReply& reply, const Copy& copy) {
  return std::any_of(reply.confirmed.begin(), reply.confirmed.end(),
                     [&](const Copy& one) { return one.key == copy.key && one.hash == copy.hash; });
}

inline Write write_of(const Known& known, const std::string& key,
                      const std::optional<std::string>& value, std::uint64_t number) {
  return {known, {"amy", 1, number}, key, {value, {}, stamp(number)}};
}

/// A client's put, as the node takes it.
inline ClientWrite client_write(const std::string& key, const std::optional<std::string>& value,
                                std::uint64_t number) {
  return {{"amy", 1, number}, key, value, {}, 0};
}

}  // namespace dynamo::sim
