// Lab 4, part A: vector clocks. The oracle compares entry by entry.
#include <map>

#include "core/random.h"
#include "key_history.h"
#include "sim/retell.h"

using namespace dynamo;
using namespace dynamo::sim;

namespace {

using Pair = std::tuple<VectorClock, VectorClock>;

/// Counters by actor; an actor that is not named has counted nothing.
std::map<Actor, std::uint64_t> counters(const VectorClock& clock) {
  std::map<Actor, std::uint64_t> all;
  for (const Dot& entry : clock.entries) all[entry.actor] = entry.counter;
  return all;
}

bool at_most(const VectorClock& a, const VectorClock& b) {
  return std::all_of(a.entries.begin(), a.entries.end(),
                     [&](const Dot& entry) { return entry.counter <= counter_of(b, entry.actor); });
}

Order right_order(const VectorClock& a, const VectorClock& b) {
  if (at_most(a, b)) return at_most(b, a) ? Order::equal : Order::before;
  return at_most(b, a) ? Order::after : Order::concurrent;
}

VectorClock right_join(const VectorClock& a, const VectorClock& b) {
  VectorClock both;
  auto all = counters(a);
  for (const auto& [actor, counter] : counters(b)) all[actor] = std::max(all[actor], counter);
  for (const auto& [actor, counter] : all) both.entries.push_back({actor, counter});
  return both;
}

void judge_compare(Lone& lone, const std::vector<Pair>& pairs) {
  const std::vector<Order> found = lone.map<&Versioning::compare>(pairs);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto& [a, b] = pairs[i];
    const Order right = right_order(a, b);
    if (found[i] == right) continue;
    violation("compare(" + text(a) + ", " + text(b) + ") is " + name_of(right),
              "it is " + name_of(found[i]));
  }
  passed();
}

void judge_compare(Lone& lone, const VectorClock& a, const VectorClock& b) {
  judge_compare(lone, std::vector<Pair>{{a, b}});
  judge_compare(lone, std::vector<Pair>{{b, a}});
}

void judge_join(Lone& lone, const std::vector<Pair>& pairs) {
  const std::vector<VectorClock> found = lone.map<&Versioning::join>(pairs);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto& [a, b] = pairs[i];
    const VectorClock right = right_join(a, b);
    if (canonical(found[i]) == right) continue;
    violation("join(" + text(a) + ", " + text(b) + ") is " + text(right),
              "it is " + text(found[i]));
  }
  passed();
}

/// Some of four nodes, each with a small counter; the entries in any order.
VectorClock random_clock(Random& random) {
  VectorClock clock;
  for (const char* node : {"Sw", "Sx", "Sy", "Sz"}) {
    if (random.below(3) != 0) clock.entries.push_back({actor(node), 1 + random.below(3)});
  }
  for (std::size_t i = clock.entries.size(); i > 1; --i) {
    std::swap(clock.entries[i - 1], clock.entries[random.below(i)]);
  }
  return clock;
}

std::vector<Pair> random_pairs(std::uint64_t seed, std::size_t count) {
  Random random(seed);
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < count; ++i) {
    const VectorClock a = random_clock(random);
    const VectorClock b = random_clock(random);
    pairs.emplace_back(a, b);
    pairs.emplace_back(a, right_join(a, b));  // or related pairs would be rare
    pairs.emplace_back(right_join(a, b), b);
  }
  return pairs;
}

}  // namespace

TEST(versioning, clock_of_the_slide_covers_what_both_servers_wrote) {
  Lone lone(versioning_of());
  const VectorClock d1 = clock({{"Sx", 1}, {"Sy", 1}});
  const VectorClock by_x = clock({{"Sx", 1}});
  const VectorClock by_y = clock({{"Sy", 1}});
  judge_compare(lone, d1, by_x);
  judge_compare(lone, d1, by_y);
  judge_compare(lone, d1, d1);
  judge_join(lone, {{by_x, by_y}});
  judge_join(lone, {{by_y, by_x}});
}

TEST(versioning, order_of_two_clocks_is_one_of_four) {
  Lone lone(versioning_of());
  const VectorClock d1 = clock({{"Sx", 1}});
  const VectorClock d2 = clock({{"Sx", 2}});
  const VectorClock d3 = clock({{"Sx", 2}, {"Sy", 1}});
  const VectorClock d4 = clock({{"Sx", 2}, {"Sz", 1}});
  const VectorClock d5 = clock({{"Sx", 3}, {"Sy", 1}, {"Sz", 1}});
  const std::vector<VectorClock> all = {d1, d2, d3, d4, d5};  // P§4.4, figure 3
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = i; j < all.size(); ++j) judge_compare(lone, all[i], all[j]);
  }
  judge_compare(lone, clock({{"Sx", 2}, {"Sy", 1}}), clock({{"Sx", 1}, {"Sy", 2}}));
  judge_compare(lone, clock({{"Sx", 9}}), clock({{"Sx", 10}}));
  constexpr std::uint64_t kTwoTo32 = std::uint64_t{1} << 32;  // counters have 64 bits
  judge_compare(lone, clock({{"Sx", kTwoTo32}}), clock({{"Sx", 2}}));
  judge_compare(lone, clock({{"Sx", kTwoTo32 - 1}}), clock({{"Sx", kTwoTo32 / 2 - 1}}));
}

TEST(versioning, actor_that_is_not_named_has_counted_nothing) {
  Lone lone(versioning_of());
  const VectorClock nothing;
  judge_compare(lone, nothing, nothing);
  judge_compare(lone, nothing, clock({{"Sx", 1}}));
  judge_compare(lone, clock({{"Sx", 2}}), clock({{"Sx", 1}, {"Sy", 1}}));
  judge_compare(lone, clock({{"Sx", 5}}), clock({{"Sy", 1}, {"Sz", 1}}));
  judge_compare(lone, clock({{"Sx", 1}}), clock({{"Sx", 1}, {"Sy", 1}, {"Sz", 1}}));
  judge_join(lone, {{nothing, nothing}});
  judge_join(lone, {{nothing, clock({{"Sx", 2}})}});
  judge_join(lone, {{clock({{"Sx", 2}}), nothing}});
}

TEST(versioning, disk_and_epoch_belong_to_the_actor) {
  Lone lone(versioning_of());
  const VectorClock first{{{actor("Sx", 1, 1), 4}}};
  const VectorClock next_epoch{{{actor("Sx", 2, 1), 1}}};
  const VectorClock next_disk{{{actor("Sx", 1, 2), 1}}};
  for (const VectorClock& other : {next_epoch, next_disk}) {
    judge_compare(lone, first, other);
    judge_compare(lone, first, right_join(first, other));
    judge_join(lone, {{first, other}});
  }
  judge_join(lone, {{next_epoch, next_disk}});
}

TEST(versioning, entries_of_a_clock_may_come_in_any_order) {
  Lone lone(versioning_of());
  judge_compare(lone, clock({{"Sx", 1}, {"Sy", 2}, {"Sz", 3}}),
                clock({{"Sz", 3}, {"Sy", 2}, {"Sx", 1}}));
  judge_compare(lone, clock({{"Sz", 2}, {"Sx", 1}}), clock({{"Sy", 1}, {"Sx", 1}, {"Sz", 2}}));
  judge_join(lone, {{clock({{"Sz", 2}, {"Sx", 1}}), clock({{"Sy", 1}, {"Sx", 3}, {"Sz", 1}})}});
}

TEST(versioning, compare_is_a_partial_order) {
  Lone lone(versioning_of());
  judge_compare(lone, random_pairs(1, 1000));
}

TEST(versioning, join_is_the_least_upper_bound) {
  Lone lone(versioning_of());
  judge_join(lone, random_pairs(2, 1000));
}
