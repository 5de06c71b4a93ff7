// Lab 4: which version is newer, and what if none is. labs/4-versioning/README.md says what is
// asked for.
#include "versioning.h"

// BEGIN SOLUTION
#include <algorithm>
#include <tuple>
#include <utility>
// END SOLUTION
// BEGIN SKELETON
// #include <stdexcept>
// END SKELETON

namespace dynamo {
namespace {

// BEGIN SOLUTION
/// How many events of `actor` the clock covers.
std::uint64_t count(const VectorClock& clock, const Actor& actor) {
  for (const Dot& entry : clock.entries) {
    if (entry.actor == actor) return entry.counter;
  }
  return 0;
}

bool covers(const VectorClock& clock, const Dot& dot) {
  return dot.counter <= count(clock, dot.actor);
}

bool covers(const VectorClock& clock, const VectorClock& other) {
  return std::all_of(other.entries.begin(), other.entries.end(),
                     [&](const Dot& entry) { return covers(clock, entry); });
}

/// Lets `clock` cover `dot`, and all that its actor counted before.
void cover(VectorClock& clock, const Dot& dot) {
  for (Dot& entry : clock.entries) {
    if (entry.actor != dot.actor) continue;
    entry.counter = std::max(entry.counter, dot.counter);
    return;
  }
  clock.entries.push_back(dot);
}

bool holds(const KeyState& state, const Dot& dot) {
  return std::any_of(state.versions.begin(), state.versions.end(),
                     [&](const ObjectVersion& version) { return version.dot == dot; });
}

class DottedVersioning final : public Versioning {
 public:
  explicit DottedVersioning(Reconciliation reconciliation) : reconciliation_(reconciliation) {}

  // Part A: clocks.
  Order compare(const VectorClock& a, const VectorClock& b) const override {
    const bool a_covers = covers(a, b);
    const bool b_covers = covers(b, a);
    if (a_covers && b_covers) return Order::equal;
    if (a_covers) return Order::after;
    return b_covers ? Order::before : Order::concurrent;
  }

  VectorClock join(const VectorClock& a, const VectorClock& b) const override {
    VectorClock both = a;
    for (const Dot& entry : b.entries) cover(both, entry);
    return both;
  }

  // Parts B and C: versions.
  KeyState write(const KeyState& held, const VectorClock& context, const Actor& actor,
                 const std::optional<std::string>& value, const Stamp& stamp) const override {
    const Dot dot{actor, std::max(count(held.clock, actor), count(context, actor)) + 1};
    KeyState after;
    for (const ObjectVersion& version : held.versions) {
      // What the writer had read is replaced; a sibling that it never saw stays.
      if (stamps_decide() || !covers(context, version.dot)) after.versions.push_back(version);
    }
    after.versions.push_back({dot, context, value, stamp});
    after.clock = join(held.clock, context);
    cover(after.clock, dot);
    return reconciled(std::move(after));
  }

  KeyState merge(const KeyState& a, const KeyState& b) const override {
    KeyState both;
    for (const ObjectVersion& version : a.versions) {
      // A version that the other side knows of and does not hold was replaced there.
      if (holds(b, version.dot) || !covers(b.clock, version.dot)) both.versions.push_back(version);
    }
    for (const ObjectVersion& version : b.versions) {
      if (!holds(a, version.dot) && !covers(a.clock, version.dot)) both.versions.push_back(version);
    }
    both.clock = join(a.clock, b.clock);
    if (stamps_decide()) {
      // Stamps alone decide, or the winner would depend on the order of merging.
      both.versions = a.versions;
      both.versions.insert(both.versions.end(), b.versions.begin(), b.versions.end());
    }
    return reconciled(std::move(both));
  }

  VectorClock context(const KeyState& state) const override { return state.clock; }

 private:
  /// Last write wins: what a writer had read says nothing then.
  bool stamps_decide() const { return reconciliation_ == Reconciliation::last_write_wins; }

  KeyState reconciled(KeyState state) const {
    if (!stamps_decide()) return state;
    const auto last = std::max_element(state.versions.begin(), state.versions.end(),
                                       [](const ObjectVersion& a, const ObjectVersion& b) {
                                         return std::tie(a.stamp, a.dot) < std::tie(b.stamp, b.dot);
                                       });
    if (last != state.versions.end()) state.versions = {*last};
    return state;
  }

  const Reconciliation reconciliation_;
};
// END SOLUTION
// BEGIN SKELETON
// // Yours to fill in; keep the names of the methods as they are.
// class DottedVersioning final : public Versioning {
//  public:
//   explicit DottedVersioning(Reconciliation reconciliation) : reconciliation_(reconciliation) {}
//
//   // Part A: clocks.
//   Order compare(const VectorClock& /*a*/, const VectorClock& /*b*/) const override {
//     throw std::logic_error("TODO(lab4 A): compare: how clock a lies to clock b");
//   }
//
//   VectorClock join(const VectorClock& /*a*/, const VectorClock& /*b*/) const override {
//     throw std::logic_error("TODO(lab4 A): join: the least clock that covers both");
//   }
//
//   // Part B: versions. Part C asks more of the same three.
//   KeyState write(const KeyState& /*held*/, const VectorClock& /*context*/, const Actor& /*by*/,
//                  const std::optional<std::string>& /*value*/,
//                  const Stamp& /*stamp*/) const override {
//     throw std::logic_error("TODO(lab4 B): write: a new version in the place of those seen");
//   }
//
//   KeyState merge(const KeyState& /*a*/, const KeyState& /*b*/) const override {
//     throw std::logic_error("TODO(lab4 B): merge: what two replicas know together");
//   }
//
//   VectorClock context(const KeyState& /*state*/) const override {
//     throw std::logic_error("TODO(lab4 B): context: a clock that covers all of the state");
//   }
//
//  private:
//   [[maybe_unused]] const Reconciliation reconciliation_;
// };
// END SKELETON

}  // namespace

std::unique_ptr<Versioning> make_versioning(Reconciliation reconciliation) {
  return std::make_unique<DottedVersioning>(reconciliation);
}

}  // namespace dynamo
