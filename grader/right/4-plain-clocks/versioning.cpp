// A right solution of parts A and B: plain vector clocks, as in P§4.4. Each version has one clock,
// which covers all that its coordinator had counted; of two versions the one whose clock is covered
// goes. It loses one of two puts that came with one context through one coordinator: part C.
#include "versioning.h"

#include <algorithm>
#include <map>
#include <utility>

namespace dynamo {
namespace {

using Counters = std::map<Actor, std::uint64_t>;

Counters counters_of(const VectorClock& clock) {
  Counters all;
  for (const Dot& entry : clock.entries) {
    std::uint64_t& counter = all[entry.actor];
    counter = std::max(counter, entry.counter);
  }
  return all;
}

VectorClock clock_of(const Counters& counters) {
  VectorClock clock;
  for (const auto& [actor, counter] : counters) clock.entries.push_back({actor, counter});
  return clock;
}

bool at_most(const Counters& a, const Counters& b) {
  for (const auto& [actor, counter] : a) {
    const auto found = b.find(actor);
    if (found == b.end() || found->second < counter) return false;
  }
  return true;
}

Counters join_of(Counters a, const Counters& b) {
  for (const auto& [actor, counter] : b) a[actor] = std::max(a[actor], counter);
  return a;
}

/// The clock that the paper would write beside the version.
Counters plain_clock(const ObjectVersion& version) {
  Counters clock = counters_of(version.seen);
  clock[version.dot.actor] = version.dot.counter;
  return clock;
}

class PlainClocks final : public Versioning {
 public:
  explicit PlainClocks(Reconciliation reconciliation)
      : by_stamp_(reconciliation == Reconciliation::last_write_wins) {}

  Order compare(const VectorClock& a, const VectorClock& b) const override {
    const Counters left = counters_of(a);
    const Counters right = counters_of(b);
    if (left == right) return Order::equal;
    if (at_most(left, right)) return Order::before;
    return at_most(right, left) ? Order::after : Order::concurrent;
  }

  VectorClock join(const VectorClock& a, const VectorClock& b) const override {
    return clock_of(join_of(counters_of(a), counters_of(b)));
  }

  KeyState write(const KeyState& held, const VectorClock& context, const Actor& actor,
                 const std::optional<std::string>& value, const Stamp& stamp) const override {
    Counters clock = join_of(counters_of(held.clock), counters_of(context));
    ObjectVersion made{{actor, ++clock[actor]}, context, value, stamp};
    KeyState after{{}, clock_of(clock)};
    std::vector<ObjectVersion> versions = held.versions;
    versions.push_back(std::move(made));
    after.versions = left_over(std::move(versions));
    return after;
  }

  KeyState merge(const KeyState& a, const KeyState& b) const override {
    std::vector<ObjectVersion> versions = a.versions;
    for (const ObjectVersion& version : b.versions) {
      if (std::find(versions.begin(), versions.end(), version) == versions.end()) {
        versions.push_back(version);
      }
    }
    return {left_over(std::move(versions)), join(a.clock, b.clock)};
  }

  VectorClock context(const KeyState& state) const override {
    Counters all;
    for (const ObjectVersion& version : state.versions) all = join_of(all, plain_clock(version));
    return clock_of(all);
  }

 private:
  /// Those that no other version replaces; in last-write-wins mode one.
  std::vector<ObjectVersion> left_over(std::vector<ObjectVersion> versions) const {
    std::vector<ObjectVersion> kept;
    if (by_stamp_) {
      std::sort(versions.begin(), versions.end(), [](const auto& a, const auto& b) {
        return std::pair(a.stamp, a.dot) > std::pair(b.stamp, b.dot);
      });
      if (!versions.empty()) kept.push_back(versions.front());
      return kept;
    }
    for (const ObjectVersion& version : versions) {
      const Counters mine = plain_clock(version);
      const bool replaced = std::any_of(versions.begin(), versions.end(), [&](const auto& other) {
        return other.dot != version.dot && at_most(mine, plain_clock(other));
      });
      if (!replaced) kept.push_back(version);
    }
    return kept;
  }

  const bool by_stamp_;
};

}  // namespace

std::unique_ptr<Versioning> make_versioning(Reconciliation reconciliation) {
  return std::make_unique<PlainClocks>(reconciliation);
}

}  // namespace dynamo
