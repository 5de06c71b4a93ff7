// Lab 4, part B: last-write-wins. Stamps alone say which version stays.
#include "random_history.h"

using namespace dynamo;
using namespace dynamo::sim;

namespace {

/// A replica in this mode, and the write that must be its only one.
struct Winner {
  KeyState state;
  Stamp stamp;
  std::optional<std::string> value;
};

/// A write as it comes to a coordinator.
struct Arrival {
  Stamp stamp;
  std::optional<std::string> value;
};

std::string words(const Stamp& stamp) {
  return "(" + std::to_string(stamp.time_us) + " us, " + stamp.node + ", disk " +
         std::to_string(stamp.incarnation) + ", " + std::to_string(stamp.sequence) + ")";
}

std::string words(const std::optional<std::string>& value) { return value.value_or("a delete"); }

void judge(const Winner& winner, const std::string& what) {
  const auto& versions = winner.state.versions;
  if (versions.size() == 1 && versions.front().value == winner.value &&
      versions.front().stamp == winner.stamp) {
    return;
  }
  std::string found = versions.empty() ? "none" : "";
  for (const ObjectVersion& version : versions) {
    found += (found.empty() ? "" : ", ") + words(version.value) + " " + words(version.stamp);
  }
  violation(what + ": the one version is that with the largest stamp, " + words(winner.value) +
                " " + words(winner.stamp),
            "the versions are: " + found);
}

Winner wrote(Lone& lone, const Winner& held, const VectorClock& context, const Actor& actor,
             const Arrival& arrival) {
  Winner after = held;
  if (held.state.versions.empty() || held.stamp < arrival.stamp) {
    after.stamp = arrival.stamp;
    after.value = arrival.value;
  }
  after.state = canonical(
      lone.invoke<&Versioning::write>(held.state, context, actor, arrival.value, arrival.stamp));
  judge(after, words(arrival.value) + " " + words(arrival.stamp) + " is written");
  return after;
}

Winner merged(Lone& lone, const Winner& a, const Winner& b) {
  const bool first = b.state.versions.empty() || (!a.state.versions.empty() && b.stamp < a.stamp);
  Winner both = first ? a : b;
  both.state = canonical(lone.invoke<&Versioning::merge>(a.state, b.state));
  judge(both, "two replicas merge");
  return both;
}

/// Of a few nodes with clocks that go wrong; no two alike.
Arrival random_arrival(Random& random, std::uint64_t sequence) {
  const NodeId node = random.below(2) == 0 ? "n1" : "n2";
  std::optional<std::string> value = "v" + std::to_string(sequence);
  if (random.below(6) == 0) value.reset();
  return {{1000 + random.below(3), node, 1 + random.below(2), sequence}, value};
}

void expect_same(const KeyState& a, const KeyState& b, const std::string& what) {
  if (a != b) violation(what, text(a) + " and " + text(b));
}

}  // namespace

TEST(versioning, last_write_wins_by_the_whole_stamp) {
  Lone lone(versioning_of(Reconciliation::last_write_wins));
  const std::vector<Stamp> ascending = {
      {5, "n1", 1, 1}, {5, "n1", 1, 2}, {5, "n1", 2, 1}, {5, "n2", 1, 1}, {6, "n1", 1, 3}};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      if (i == j) continue;
      passed();
      const Winner first = wrote(lone, {}, {}, actor("Sx"), {ascending[i], "first"});
      // Having read the first makes no difference: a clock that is behind loses (LABS.md, 3.4).
      const VectorClock context = lone.invoke<&Versioning::context>(first.state);
      const Winner second = wrote(lone, first, context, actor("Sy"), {ascending[j], "second"});
      const Winner apart = wrote(lone, {}, context, actor("Sz"), {ascending[j], "second"});
      (void)merged(lone, second, apart);
      (void)merged(lone, apart, first);
    }
  }
  passed();
  judge_values(lone, actor("Sx"));
}

TEST(versioning, last_write_wins_is_the_same_in_any_order_of_merging) {
  Lone lone(versioning_of(Reconciliation::last_write_wins));
  Random random(21);
  for (int i = 0; i < 60; ++i) {
    passed();
    std::vector<Arrival> arrivals;
    for (std::uint64_t n = 1; n <= 4; ++n) arrivals.push_back(random_arrival(random, n));
    std::vector<Winner> replicas(3);
    const std::vector<Actor> actors = {actor("Sx"), actor("Sy"), actor("Sz")};
    for (int step = 0; step < 8; ++step) {
      const std::size_t at = random.below(3);
      // Some are executed twice, by two coordinators: a client whose first attempt timed out.
      const Arrival& arrival = arrivals[random.below(arrivals.size())];
      const VectorClock context = random.below(2) == 0
                                      ? VectorClock{}
                                      : lone.invoke<&Versioning::context>(replicas[at].state);
      replicas[at] = wrote(lone, replicas[at], context, actors[at], arrival);
      if (random.below(3) == 0) {
        replicas[at] = merged(lone, replicas[at], replicas[random.below(3)]);
      }
    }
    const Winner left = merged(lone, merged(lone, replicas[0], replicas[1]), replicas[2]);
    const Winner right = merged(lone, replicas[2], merged(lone, replicas[1], replicas[0]));
    expect_same(left.state, right.state,
                "three replicas, merged in two orders, give one and the same state");
    expect_same(merged(lone, left, replicas[1]).state, left.state,
                "merging again what is merged in already changes nothing");
  }
}
