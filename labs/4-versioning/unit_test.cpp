// Lab 4, part B: versions, in sibling mode. In each of these checks a coordinator is used only by
// writers who had seen what it wrote before, so that plain vector clocks tell the truth.
#include "random_history.h"

using namespace dynamo;
using namespace dynamo::sim;

namespace {

const Actor kSx = actor("Sx");
const Actor kSy = actor("Sy");
const Actor kSz = actor("Sz");
const Reading kNothing;  // what a blind writer had read

void expect_order(Lone& lone, const Reading& a, const Reading& b, Order order,
                  const std::string& why) {
  const Order found = lone.invoke<&Versioning::compare>(a.context, b.context);
  if (found == order) return;
  violation(why + ": the context of the one is " + name_of(order) + " that of the other",
            "they are " + text(a.context) + " and " + text(b.context) + ": " + name_of(found));
}

}  // namespace

TEST(versioning, put_with_what_was_read_replaces_it) {
  Lone lone(versioning_of());
  KeyHistory key(lone);
  const Replica d1 = key.put({}, kNothing, kSx);
  const Reading read1 = key.read(d1);
  const Replica d2 = key.put(d1, read1, kSx);
  const Reading read2 = key.read(d2);
  expect_order(lone, read1, read2, Order::before, "D1 was read before D2 was put");
  const Replica d3 = key.put(d2, read2, kSy);
  expect_order(lone, read2, key.read(d3), Order::before, "D2 was read before D3 was put");
}

TEST(versioning, version_names_its_event_and_what_its_writer_had_read) {
  Lone lone(versioning_of());
  KeyHistory key(lone);
  const Replica d1 = key.put({}, kNothing, kSx);
  const Reading read1 = key.read(d1);
  const Replica held = key.put(d1, kNothing, kSz);  // more than the writer will have read
  const Replica put = key.put(held, read1, kSy);
  key.judge_last(put, read1, {kSy, 1});
  key.judge_last(key.erase(held, read1, kSy), read1, {kSy, 1});
  // The context may know more of this and of other actors than what is held here.
  const Reading all = key.read(put);
  key.judge_last(key.put({}, all, kSy), all, {kSy, 2});
  key.judge_last(key.put(d1, all, kSz), all, {kSz, 2});
  // Each disk and each epoch counts for itself.
  for (const Actor& fresh : {actor("Sy", 2), actor("Sy", 1, 2)}) {
    const Replica anew = key.put(put, all, fresh);
    key.judge_last(anew, all, {fresh, 1});
    const Reading again = key.read(anew);
    key.judge_last(key.put(anew, again, fresh), again, {fresh, 2});
  }
  passed();
  judge_values(lone, kSx);
}

TEST(versioning, writes_that_are_not_causally_related_are_siblings) {
  Lone lone(versioning_of());
  KeyHistory key(lone);
  const Replica d1 = key.put({}, kNothing, kSx);
  const Replica d2 = key.put(d1, key.read(d1), kSx);
  const Reading read2 = key.read(d2);
  const Replica d3 = key.put(d2, read2, kSy);
  const Replica d4 = key.put(d2, read2, kSz);
  expect_order(lone, key.read(d3), key.read(d4), Order::concurrent,
               "D3 and D4 were put by writers who had both read D2");
  const Replica both = key.merge(d3, d4);
  const Replica d5 = key.put(both, key.read(both), kSx);
  (void)key.merge(key.merge(d3, d5), key.merge(d4, d5));
}

TEST(versioning, blind_put_removes_nothing) {
  Lone lone(versioning_of());
  KeyHistory key(lone);
  Replica held;
  for (const char* node : {"Sx", "Sy", "Sz", "Sw"}) held = key.put(held, kNothing, actor(node));
  const Replica one = key.put(held, key.read(held), kSx);
  (void)key.put(one, kNothing, actor("Sv"));
}

TEST(versioning, put_removes_exactly_what_its_writer_had_seen) {
  Lone lone(versioning_of());
  KeyHistory key(lone);
  const Replica x = key.put({}, kNothing, kSx);
  const Reading read_x = key.read(x);
  const Replica both = key.put(x, kNothing, kSy);
  const Replica half = key.put(both, read_x, kSz);                     // had seen Sx's; Sy's stays
  const Replica elsewhere = key.put({}, key.read(both), actor("Sw"));  // where none of it is held
  (void)key.merge(half, elsewhere);
  run_histories(lone, 11, 300, true);
}

TEST(versioning, merge_gives_the_same_in_any_order_and_repeated) {
  Lone lone(versioning_of());
  Random random(12);
  for (int i = 0; i < 25; ++i) {
    passed();
    KeyHistory key(lone);
    const Replica root = key.put({}, kNothing, kSx);
    std::vector<Replica> replicas = {root};
    for (const char* node : {"Sy", "Sz", "Sw"}) {
      Replica next = replicas[random.below(replicas.size())];
      if (random.below(2) == 0) next = key.merge(next, replicas[random.below(replicas.size())]);
      const Reading reading = random.below(3) == 0 ? kNothing : key.read(next);
      replicas.push_back(random.below(5) == 0 ? key.erase(next, reading, actor(node))
                                              : key.put(next, reading, actor(node)));
    }
    std::vector<std::size_t> order = {0, 1, 2, 3};
    std::optional<KeyState> first;
    do {
      Replica all = replicas[order[0]];
      for (const std::size_t at : order) all = key.merge(all, replicas[at]);
      const Replica left = key.merge(replicas[order[0]], replicas[order[1]]);
      const Replica right = key.merge(replicas[order[2]], replicas[order[3]]);
      for (const Replica& same : {all, key.merge(left, right), key.merge(all, left)}) {
        if (!first) first = same.state;
        if (same.state == *first) continue;
        violation("merging the same replicas in any order, some of them twice, gives one state",
                  text(*first) + " and " + text(same.state));
      }
    } while (random.below(2) == 0 && std::next_permutation(order.begin(), order.end()));
  }
}

TEST(versioning, context_covers_all_that_was_returned) {
  Lone lone(versioning_of());
  KeyHistory key(lone);
  Replica all;
  std::vector<Replica> replicas;
  for (const char* node : {"Sx", "Sy", "Sz", "Sw"}) {
    replicas.push_back(key.put({}, kNothing, actor(node)));
    all = key.merge(all, replicas.back());
  }
  const Reading reading = key.read(all);
  (void)key.put(all, reading, kSx);
  for (Replica& replica : replicas) replica = key.put(replica, reading, actor("Sv"));
  const Replica gone = key.erase(all, reading, kSy);
  (void)key.put(gone, key.read(gone), kSx);  // the context of a 404 covers the tombstone
}

TEST(versioning, deleted_key_stays_deleted) {
  Lone lone(versioning_of());
  KeyHistory key(lone);
  const Replica x = key.put({}, kNothing, kSx);
  const Replica y = key.put(x, key.read(x), kSy);
  const Replica deleted = key.erase(y, key.read(y), kSz);
  (void)key.merge(deleted, x);  // replicas that slept through it
  const Replica still = key.merge(y, deleted);
  const Replica beside = key.put(x, key.read(x), actor("Sw"));  // did not see y, nor the delete
  const Replica both = key.merge(beside, still);
  (void)key.put(both, key.read(both), kSy);
}

TEST(versioning, counts_go_on_after_a_delete_and_begin_anew_with_an_epoch) {
  Lone lone(versioning_of());
  KeyHistory key(lone);
  const Replica first = key.put({}, kNothing, kSx);
  const Replica deleted = key.erase(first, key.read(first), kSx);
  const Replica again = key.put(deleted, key.read(deleted), kSx);
  (void)key.merge(key.merge(first, deleted), again);
  for (const Actor& fresh : {actor("Sx", 2), actor("Sx", 1, 2)}) {
    lone.say("Sx holds nothing of the key any more, and others do; it is now " + text(fresh));
    const Replica anew = key.put({}, kNothing, fresh);
    const Replica both = key.merge(again, anew);
    (void)key.put(both, key.read(anew), fresh);
  }
}

TEST(versioning, clocks_and_siblings_are_never_cut_short) {
  constexpr std::size_t kWriters = 130;
  Lone lone(versioning_of());
  KeyHistory key(lone);
  Replica all;
  for (std::size_t i = 1; i <= kWriters; ++i) {
    const Replica one = key.put({}, kNothing, actor(NodeId("S").append(std::to_string(i))));
    all = i % 2 == 0 ? key.merge(all, one) : key.merge(one, all);
  }
  retell_all("130 replicas, each with a blind put of its own, are merged one after the other");
  Replica chain = key.put(all, key.read(all), actor("S1"));
  for (std::size_t i = 2; i <= kWriters; ++i) {
    chain = key.put(chain, key.read(chain), actor(NodeId("S").append(std::to_string(i))));
  }
  (void)key.merge(chain, all);
}

TEST(versioning, sibling_mode_never_looks_at_stamps) {
  using Stamps = std::function<Stamp(WriteId)>;
  const auto at = [](std::uint64_t time_us, WriteId id) { return Stamp{time_us, "n1", 1, id}; };
  const std::vector<Stamps> all = {[at](WriteId id) { return at(1'000'000 - id * 1000, id); },
                                   [at](WriteId id) { return at(id % 2 * 1'000'000 + id, id); },
                                   [at](WriteId id) { return at(7, id); },
                                   [at](WriteId) { return at(7, 1); }};  // one request, tried again
  Lone lone(versioning_of());
  for (const Stamps& stamps : all) {
    passed();
    KeyHistory key(lone);
    key.stamp = stamps;
    const Replica d1 = key.put({}, kNothing, kSx);
    const Replica d2 = key.put(d1, key.read(d1), kSx);
    const Replica d3 = key.put(d2, key.read(d2), kSy);
    const Replica d4 = key.put(d2, key.read(d2), kSz);
    const Replica both = key.merge(d3, d4);
    (void)key.merge(key.put(both, key.read(both), kSx), d1);
    (void)key.merge(key.erase(both, key.read(both), kSx), d2);
  }
}
