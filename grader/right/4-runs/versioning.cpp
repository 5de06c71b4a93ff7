// Lab 4, right: what is known is a set of events, kept as runs from … to. A put is a merge, too:
// with a replica that holds nothing but the new version, and knows of the context and that one
// event. The two need not touch: what lies between them is what the writer had not seen.
#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "versioning.h"

namespace dynamo {
namespace {

/// A set of events: for each actor its runs, which neither overlap nor touch.
class Events {
 public:
  Events() = default;
  explicit Events(const VectorClock& clock) {
    for (const Dot& entry : clock.entries) add(entry.actor, 1, entry.counter);
  }

  void add(const Actor& actor, std::uint64_t first, std::uint64_t last) {
    Runs& runs = runs_[actor];
    auto next = runs.upper_bound(last + 1);  // begins too late to touch the new run
    while (next != runs.begin() && std::prev(next)->second + 1 >= first) {
      const auto touched = std::prev(next);
      first = std::min(first, touched->first);
      last = std::max(last, touched->second);
      next = runs.erase(touched);
    }
    runs.emplace(first, last);
  }

  void add(const Events& others) {
    for (const auto& [actor, runs] : others.runs_) {
      for (const auto& [first, last] : runs) add(actor, first, last);
    }
  }

  bool have(const Actor& actor, std::uint64_t first, std::uint64_t last) const {
    const auto found = runs_.find(actor);
    if (found == runs_.end()) return false;
    const auto next = found->second.upper_bound(first);
    return next != found->second.begin() && std::prev(next)->second >= last;
  }

  bool have(const Dot& dot) const { return have(dot.actor, dot.counter, dot.counter); }

  bool have(const Events& others) const {
    return std::all_of(others.runs_.begin(), others.runs_.end(), [this](const auto& of_one) {
      return std::all_of(of_one.second.begin(), of_one.second.end(), [&](const auto& run) {
        return have(of_one.first, run.first, run.second);
      });
    });
  }

  /// The number of the actor's last event; 0: none.
  std::uint64_t last(const Actor& actor) const {
    const auto found = runs_.find(actor);
    return found == runs_.end() ? 0 : std::prev(found->second.end())->second;
  }

  /// The clock that covers all of them.
  VectorClock clock() const {
    VectorClock made;
    for (const auto& [actor, runs] : runs_) made.entries.push_back({actor, last(actor)});
    return made;
  }

 private:
  using Runs = std::map<std::uint64_t, std::uint64_t>;  // first → last
  std::map<Actor, Runs> runs_;
};

/// What a replica, or a put, knows of a key.
struct Knowledge {
  std::map<Dot, ObjectVersion> versions;
  Events events;

  static Knowledge of(const KeyState& state) {
    Knowledge made;
    for (const ObjectVersion& version : state.versions) made.versions[version.dot] = version;
    made.events = Events(state.clock);
    return made;
  }

  /// All of `others` comes in. Who knows of an event and has no version of it has seen it replaced.
  void learn(Knowledge others) {
    std::erase_if(versions, [&](const auto& held) {
      return others.events.have(held.first) && others.versions.count(held.first) == 0;
    });
    std::erase_if(others.versions, [&](const auto& held) { return events.have(held.first); });
    versions.merge(others.versions);
    events.add(others.events);
  }

  KeyState state() const {
    KeyState made{{}, events.clock()};
    for (const auto& [dot, version] : versions) made.versions.push_back(version);
    return made;
  }
};

class Clocks : public Versioning {
 public:
  Order compare(const VectorClock& a, const VectorClock& b) const final {
    const bool after = Events(a).have(Events(b));
    const bool before = Events(b).have(Events(a));
    if (after) return before ? Order::equal : Order::after;
    return before ? Order::before : Order::concurrent;
  }

  VectorClock join(const VectorClock& a, const VectorClock& b) const final {
    Events both(a);
    both.add(Events(b));
    return both.clock();
  }

  VectorClock context(const KeyState& state) const final { return state.clock; }
};

class Siblings final : public Clocks {
 public:
  KeyState write(const KeyState& held, const VectorClock& context, const Actor& actor,
                 const std::optional<std::string>& value, const Stamp& stamp) const override {
    Knowledge known = Knowledge::of(held);
    Knowledge put{{}, Events(context)};
    const Dot dot{actor, std::max(known.events.last(actor), put.events.last(actor)) + 1};
    put.versions[dot] = {dot, context, value, stamp};
    put.events.add(dot.actor, dot.counter, dot.counter);
    known.learn(std::move(put));
    return known.state();
  }

  KeyState merge(const KeyState& a, const KeyState& b) const override {
    Knowledge known = Knowledge::of(a);
    known.learn(Knowledge::of(b));
    return known.state();
  }
};

/// One version, named after its stamp and nothing else: whoever executed it, it is the same.
class LastWriteWins final : public Clocks {
 public:
  KeyState write(const KeyState& held, const VectorClock& /*context*/, const Actor& /*actor*/,
                 const std::optional<std::string>& value, const Stamp& stamp) const override {
    const Dot dot{{stamp.node, stamp.incarnation, 1}, 1};
    return merge(held, {{{dot, {}, value, stamp}}, {{dot}}});
  }

  KeyState merge(const KeyState& a, const KeyState& b) const override {
    if (a.versions.empty() || b.versions.empty()) return a.versions.empty() ? b : a;
    return a.versions.front().stamp < b.versions.front().stamp ? b : a;
  }
};

}  // namespace

std::unique_ptr<Versioning> make_versioning(Reconciliation reconciliation) {
  if (reconciliation == Reconciliation::siblings) return std::make_unique<Siblings>();
  return std::make_unique<LastWriteWins>();
}

}  // namespace dynamo
