// The oracle of lab 4's checks: what must be kept under a key, told in values. It knows nothing of
// clocks. Each put has a value of its own; the oracle notes which values a reader had seen, and
// which a replica has heard of. What a replica must hold follows from that alone.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/local_store.h"
#include "sim/check.h"
#include "sim/retell.h"
#include "versioning_words.h"

namespace dynamo::sim {

/// Number of a put or delete, from 1; the value of put 7 is "v7".
using WriteId = std::size_t;

/// One replica of the key: what the solution made, and what is true.
struct Replica {
  KeyState state;
  std::set<WriteId> live;   ///< Put or deleted here or heard of, and not replaced.
  std::set<WriteId> known;  ///< Replaced ones, too.
};

/// What a client got from one get: its context, and what it had then seen.
struct Reading {
  VectorClock context;
  std::set<WriteId> seen;
};

/// A node with nothing but a versioning.
inline NodeSetup versioning_of(Reconciliation reconciliation = Reconciliation::siblings) {
  NodeConfig config;
  config.modules = {"versioning"};
  config.reconciliation = name_of(reconciliation);
  return {"n1", 1, config};
}

/// As given code hands a state on: versions by dot, clocks by actor.
inline KeyState canonical(const KeyState& state) { return key_state_of(state_of(state)).value(); }

inline VectorClock canonical(VectorClock clock) {
  std::sort(clock.entries.begin(), clock.entries.end());
  return clock;
}

/// Writes, reads and merges replicas of one key, and judges each state that comes of it.
class KeyHistory {
 public:
  explicit KeyHistory(Lone& lone) : lone_(lone) {}

  Reading read(const Replica& replica) {
    return {canonical(lone_.invoke<&Versioning::context>(replica.state)), replica.known};
  }

  /// The replica after a put through `actor`, whose writer had read `reading`.
  Replica put(const Replica& held, const Reading& reading, const Actor& actor) {
    return write(held, reading, actor, true);
  }
  Replica erase(const Replica& held, const Reading& reading, const Actor& actor) {
    return write(held, reading, actor, false);
  }

  Replica merge(const Replica& a, const Replica& b) {
    Replica both;
    for (const WriteId id : a.live) {
      if (b.live.count(id) != 0 || b.known.count(id) == 0) both.live.insert(id);
    }
    for (const WriteId id : b.live) {
      if (a.known.count(id) == 0) both.live.insert(id);
    }
    both.known = joined(a.known, b.known);
    both.state = canonical(lone_.invoke<&Versioning::merge>(a.state, b.state));
    judge(both, "a replica with " + told(a.live) + " and one with " + told(b.live) + " merge" +
                    replaced_words(both));
    return both;
  }

  /// What the last put or delete has made, in `after`: its dot must be `dot`.
  void judge_last(const Replica& after, const Reading& reading, const Dot& dot) const {
    const std::string actual = "the state is " + text(after.state);
    const auto& versions = after.state.versions;
    const auto made = std::find_if(versions.begin(), versions.end(),
                                   [&](const ObjectVersion& one) { return one.dot == dot; });
    if (made == versions.end()) {
      violation("the new version's dot is " + text(dot) +
                    ": one more than the largest number that what was held, or the context, "
                    "counts for this actor",
                actual);
    }
    if (canonical(made->seen) != reading.context) {
      violation("`seen` of " + text(dot) + " is the context of the put: " + text(reading.context),
                actual);
    }
    if (made->stamp != stamp(last_)) {
      violation(text(dot) + " keeps the stamp that it came with", "it has another one");
    }
  }

  /// How stamps are made; all different. As if made one after another by one good clock.
  std::function<Stamp(WriteId)> stamp = [](WriteId id) {
    return Stamp{1'000'000 + id * 1000, "n1", 1, id};
  };

  std::string told(const std::set<WriteId>& ids) const {
    return "[" + listed(ids, ", ", [this](WriteId id) { return name(id); }) + "]";
  }

 private:
  static std::set<WriteId> joined(std::set<WriteId> a, const std::set<WriteId>& b) {
    a.insert(b.begin(), b.end());
    return a;
  }

  std::string name(WriteId id) const {
    return (deletes_.count(id) != 0 ? "delete " : "v") + std::to_string(id);
  }

  Replica write(const Replica& held, const Reading& reading, const Actor& actor, bool has_value) {
    const WriteId id = ++last_;
    if (!has_value) deletes_.insert(id);
    Replica after;
    for (const WriteId one : held.live) {
      if (reading.seen.count(one) == 0) after.live.insert(one);
    }
    after.live.insert(id);
    after.known = joined(joined(held.known, reading.seen), {id});
    const std::optional<std::string> value =
        has_value ? std::optional("v" + std::to_string(id)) : std::nullopt;
    after.state = canonical(
        lone_.invoke<&Versioning::write>(held.state, reading.context, actor, value, stamp(id)));
    judge(after, name(id) + " comes through " + text(actor) + ", which holds " + told(held.live) +
                     ", from a writer who had seen " + told(reading.seen));
    return after;
  }

  std::string replaced_words(const Replica& both) const {
    std::set<WriteId> replaced;
    for (const WriteId id : both.known) {
      if (both.live.count(id) == 0) replaced.insert(id);
    }
    return replaced.empty() ? ""
                            : " (" + told(replaced) + " were replaced by writers who saw them)";
  }

  void judge(const Replica& replica, const std::string& what) {
    const auto shown = [this](WriteId id) {
      return deletes_.count(id) != 0 ? std::string("a tombstone") : name(id);
    };
    std::multiset<std::string> expected;
    for (const WriteId id : replica.live) expected.insert(shown(id));
    std::multiset<std::string> found;
    for (const ObjectVersion& version : replica.state.versions) {
      found.insert(version.value.value_or("a tombstone"));
    }
    if (found != expected) {
      violation(what + ": then the versions are " + list_of(expected),
                "they are " + list_of(found) + "; the state is " + text(replica.state));
    }
    if (const std::string wrong = malformed(replica.state); !wrong.empty()) {
      violation(what + ": the state that comes of it is one, as versioning.h describes it",
                wrong + " in " + text(replica.state));
    }
  }

  Lone& lone_;
  WriteId last_ = 0;
  std::set<WriteId> deletes_;
};

/// Any bytes are a value, and so are none: only a delete makes a tombstone.
inline void judge_values(Lone& lone, const Actor& actor) {
  using namespace std::string_literals;
  const std::vector<std::pair<std::string, std::string>> values = {
      {"an empty one", ""s},
      {"9 bytes, a zero among them", "milk\0eggs"s},
      {"3 bytes", "\xff\n "s}};
  for (const auto& [words, value] : values) {
    const KeyState put = lone.invoke<&Versioning::write>(
        KeyState{}, VectorClock{}, actor, std::optional(value), Stamp{5, "n1", 1, 1});
    const KeyState merged = lone.invoke<&Versioning::merge>(KeyState{}, put);
    for (const KeyState& state : {put, merged}) {
      if (state.versions.size() == 1 && state.versions.front().value == value) continue;
      const auto found = state.versions.empty() ? std::nullopt : state.versions.front().value;
      violation("a value is kept as it was put: " + words,
                found ? "it has " + std::to_string(found->size()) + " bytes" : "it is a tombstone");
    }
  }
  passed();
}

}  // namespace dynamo::sim
