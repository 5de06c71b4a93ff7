// Right, and unlike the reference: versions are compared in pairs, and the state's clock decides
// nothing. One version replaces another if its writer had seen the other's dot. What was replaced
// is remembered by those that replaced it, so that the clock can be calculated from the versions.
// Last-write-wins keeps no clocks at all.
#include "versioning.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace dynamo {
namespace {

using Entries = std::vector<Dot>;

Entries sorted(const VectorClock& clock) {
  Entries entries = clock.entries;
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// Whether `clock` covers `dot`; the clock's entries are sorted.
bool in(const Entries& clock, const Dot& dot) {
  const auto at = std::lower_bound(clock.begin(), clock.end(), Dot{dot.actor, 0});
  return at != clock.end() && at->actor == dot.actor && at->counter >= dot.counter;
}

VectorClock without_doubles(Entries entries) {
  // The largest counter of each actor comes first, and is kept.
  std::sort(entries.begin(), entries.end(), [](const Dot& a, const Dot& b) {
    return a.actor != b.actor ? a.actor < b.actor : a.counter > b.counter;
  });
  const auto end = std::unique(entries.begin(), entries.end(),
                               [](const Dot& a, const Dot& b) { return a.actor == b.actor; });
  entries.erase(end, entries.end());
  return {entries};
}

Order order(const VectorClock& a, const VectorClock& b) {
  const Entries left = sorted(a);
  const Entries right = sorted(b);
  const auto all_in = [](const Entries& some, const Entries& clock) {
    return std::all_of(some.begin(), some.end(), [&](const Dot& dot) { return in(clock, dot); });
  };
  switch ((all_in(left, right) ? 1 : 0) + (all_in(right, left) ? 2 : 0)) {
    case 0:
      return Order::concurrent;
    case 1:
      return Order::before;
    case 2:
      return Order::after;
    default:
      return Order::equal;
  }
}

VectorClock both(const VectorClock& a, const VectorClock& b) {
  Entries all = a.entries;
  all.insert(all.end(), b.entries.begin(), b.entries.end());
  return without_doubles(std::move(all));
}

/// All that the versions are and have seen.
VectorClock covering(const std::vector<ObjectVersion>& versions) {
  Entries all;
  for (const ObjectVersion& version : versions) {
    all.push_back(version.dot);
    all.insert(all.end(), version.seen.entries.begin(), version.seen.entries.end());
  }
  return without_doubles(std::move(all));
}

/// The versions that no other one has replaced, each once.
KeyState state_of_pairs(std::vector<ObjectVersion> versions) {
  std::sort(versions.begin(), versions.end(),
            [](const ObjectVersion& a, const ObjectVersion& b) { return a.dot < b.dot; });
  const auto end = std::unique(versions.begin(), versions.end(),
                               [](const auto& a, const auto& b) { return a.dot == b.dot; });
  versions.erase(end, versions.end());
  KeyState state;
  for (const ObjectVersion& version : versions) {
    const bool replaced = std::any_of(versions.begin(), versions.end(), [&](const auto& other) {
      return in(sorted(other.seen), version.dot);
    });
    if (!replaced) state.versions.push_back(version);
  }
  state.clock = covering(state.versions);
  return state;
}

class Siblings final : public Versioning {
 public:
  Order compare(const VectorClock& a, const VectorClock& b) const override { return order(a, b); }
  VectorClock join(const VectorClock& a, const VectorClock& b) const override { return both(a, b); }

  KeyState write(const KeyState& held, const VectorClock& context, const Actor& actor,
                 const std::optional<std::string>& value, const Stamp& stamp) const override {
    std::uint64_t last = 0;
    for (const VectorClock& clock : {covering(held.versions), context}) {
      for (const Dot& entry : clock.entries) {
        if (entry.actor == actor) last = std::max(last, entry.counter);
      }
    }
    std::vector<ObjectVersion> versions = held.versions;
    versions.push_back({{actor, last + 1}, context, value, stamp});
    return state_of_pairs(std::move(versions));
  }

  KeyState merge(const KeyState& a, const KeyState& b) const override {
    std::vector<ObjectVersion> versions = a.versions;
    versions.insert(versions.end(), b.versions.begin(), b.versions.end());
    return state_of_pairs(std::move(versions));
  }

  VectorClock context(const KeyState& state) const override { return covering(state.versions); }
};

/// One version, without dot and clock: then a write that two coordinators execute is one version.
class LargestStamp final : public Versioning {
 public:
  Order compare(const VectorClock& a, const VectorClock& b) const override { return order(a, b); }
  VectorClock join(const VectorClock& a, const VectorClock& b) const override { return both(a, b); }

  KeyState write(const KeyState& held, const VectorClock& /*context*/, const Actor& /*actor*/,
                 const std::optional<std::string>& value, const Stamp& stamp) const override {
    return merge(held, {{{{}, {}, value, stamp}}, {}});
  }

  KeyState merge(const KeyState& a, const KeyState& b) const override {
    if (a.versions.empty() || b.versions.empty()) return a.versions.empty() ? b : a;
    return b.versions.front().stamp < a.versions.front().stamp ? a : b;
  }

  VectorClock context(const KeyState& /*state*/) const override { return {}; }
};

}  // namespace

std::unique_ptr<Versioning> make_versioning(Reconciliation reconciliation) {
  if (reconciliation == Reconciliation::last_write_wins) return std::make_unique<LargestStamp>();
  return std::make_unique<Siblings>();
}

}  // namespace dynamo
