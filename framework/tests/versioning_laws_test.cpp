// The reference's versioning obeys its laws for arbitrary well-formed states, not only for those
// that its own writes lead to: two replicas may have come by theirs on any way.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/random.h"
#include "node/local_store.h"
#include "versioning.h"

namespace dynamo {
namespace {

constexpr std::uint64_t kMostCounter = 3;

const std::vector<Actor>& actors() {
  static const std::vector<Actor> all = {
      {"Sx", 1, 1}, {"Sx", 1, 2}, {"Sx", 2, 1}, {"Sy", 1, 1}, {"Sz", 1, 1}};
  return all;
}

bool covers(const VectorClock& large, const Dot& dot) {
  std::uint64_t counted = 0;
  for (const Dot& entry : large.entries) {
    if (entry.actor == dot.actor) counted = std::max(counted, entry.counter);
  }
  return counted >= dot.counter;
}

bool covers(const VectorClock& large, const VectorClock& small) {
  std::size_t covered = 0;
  for (const Dot& entry : small.entries) covered += covers(large, entry) ? 1 : 0;
  return covered == small.entries.size();
}

VectorClock random_clock(Random& random) {
  VectorClock clock;
  for (const Actor& actor : actors()) {
    const std::uint64_t counter = random.below(kMostCounter + 1);
    if (counter != 0) clock.entries.push_back({actor, counter});
  }
  for (std::size_t i = clock.entries.size(); i > 1; --i) {
    std::swap(clock.entries[i - 1], clock.entries[random.below(i)]);
  }
  return clock;
}

/// Every version that there may be: one for each dot, so that two replicas agree on what it is.
std::vector<ObjectVersion> random_universe(Random& random) {
  std::vector<ObjectVersion> all;
  for (const Actor& actor : actors()) {
    for (std::uint64_t counter = 1; counter <= kMostCounter; ++counter) {
      VectorClock seen = random_clock(random);
      std::erase_if(seen.entries, [&](const Dot& entry) {
        return random.below(2) == 0 || (entry.actor == actor && entry.counter >= counter);
      });
      std::optional<std::string> value = std::to_string(all.size());
      if (random.below(5) == 0) value.reset();
      all.push_back({{actor, counter}, seen, value, {random.below(4), "n1", 1, all.size() / 2}});
    }
  }
  return all;
}

/// A clock, and versions that it covers with all that they have seen; none has seen another.
KeyState random_state(Random& random, const std::vector<ObjectVersion>& universe) {
  KeyState state{{}, random_clock(random)};
  for (const ObjectVersion& version : universe) {
    if (random.below(2) == 0 || !covers(state.clock, version.dot)) continue;
    if (!covers(state.clock, version.seen)) continue;
    const bool related =
        std::any_of(state.versions.begin(), state.versions.end(), [&](const ObjectVersion& held) {
          return covers(held.seen, version.dot) || covers(version.seen, held.dot);
        });
    if (!related) state.versions.push_back(version);
  }
  return state;
}

std::vector<Dot> dots(const KeyState& state) {
  std::vector<Dot> all;
  for (const ObjectVersion& version : state.versions) all.push_back(version.dot);
  std::sort(all.begin(), all.end());
  return all;
}

void expect_well_formed(const KeyState& state) {
  const std::vector<Dot> all = dots(state);
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
  for (const ObjectVersion& version : state.versions) {
    EXPECT_TRUE(covers(state.clock, version.dot));
    EXPECT_TRUE(covers(state.clock, version.seen));
    for (const ObjectVersion& other : state.versions) {
      EXPECT_FALSE(covers(other.seen, version.dot));
    }
  }
}

class VersioningLaws : public testing::TestWithParam<Reconciliation> {
 protected:
  KeyState state() {
    KeyState made = random_state(random_, universe_);
    if (last_write_wins() && made.versions.size() > 1) made.versions.resize(1);
    return made;
  }
  bool last_write_wins() const { return GetParam() == Reconciliation::last_write_wins; }

  void expect_merges_agree() {
    const KeyState a = state();
    const KeyState b = state();
    const KeyState c = state();
    const KeyState both = versioning_->merge(a, b);
    EXPECT_EQ(state_of(both), state_of(versioning_->merge(b, a)));
    EXPECT_EQ(state_of(versioning_->merge(both, c)),
              state_of(versioning_->merge(a, versioning_->merge(b, c))));
    EXPECT_EQ(state_of(versioning_->merge(a, a)), state_of(a));
    EXPECT_EQ(state_of(versioning_->merge(both, b)), state_of(both));
    if (!last_write_wins()) expect_well_formed(both);
  }

  void expect_write_follows_its_context() {
    const KeyState held = state();
    const VectorClock context = random_clock(random_);  // may cover what is not held, or unknown
    const Actor actor = actors()[random_.below(actors().size())];
    const Stamp stamp{random_.below(4), "n2", 1, 1};
    const KeyState after = versioning_->write(held, context, actor, "new", stamp);
    EXPECT_EQ(state_of(versioning_->merge(held, after)), state_of(after));
    if (last_write_wins()) {
      EXPECT_EQ(after.versions.size(), 1U);
      return;
    }
    expect_well_formed(after);
    std::vector<Dot> expected;
    for (const Dot& dot : dots(held)) {
      if (!covers(context, dot)) expected.push_back(dot);
    }
    std::vector<Dot> kept = dots(after);
    const Dot made = after.versions.back().dot;
    EXPECT_FALSE(covers(held.clock, made) || covers(context, made));
    std::erase(kept, made);
    EXPECT_EQ(kept, expected);
  }

  Random random_{7};
  std::vector<ObjectVersion> universe_ = random_universe(random_);
  std::unique_ptr<Versioning> versioning_ = make_versioning(GetParam());
};

TEST_P(VersioningLaws, merge_is_commutative_associative_and_idempotent) {
  for (int i = 0; i < 20'000 && !HasFailure(); ++i) {
    if (i % 50 == 0) universe_ = random_universe(random_);
    expect_merges_agree();
  }
}

TEST_P(VersioningLaws, write_drops_what_its_context_covers_and_nothing_else) {
  for (int i = 0; i < 20'000 && !HasFailure(); ++i) {
    if (i % 50 == 0) universe_ = random_universe(random_);
    expect_write_follows_its_context();
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, VersioningLaws,
                         testing::Values(Reconciliation::siblings, Reconciliation::last_write_wins),
                         [](const auto& mode) { return name_of(mode.param); });

}  // namespace
}  // namespace dynamo
