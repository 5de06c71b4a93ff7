// Lab 4, part C: where a plain vector clock loses a write, and a dot does not.
#include "random_history.h"

using namespace dynamo;
using namespace dynamo::sim;

namespace {

const Actor kSx = actor("Sx");
const Actor kSy = actor("Sy");
const Reading kNothing;

}  // namespace

TEST(versioning, two_puts_with_one_context_through_one_coordinator_are_siblings) {
  Lone lone(versioning_of());
  KeyHistory key(lone);
  const Replica d1 = key.put({}, kNothing, kSx);
  const Reading read1 = key.read(d1);
  const Replica d2 = key.put(d1, read1, kSx);
  const Replica both = key.put(d2, read1, kSx);
  key.judge_last(both, read1, {kSx, 3});
  const Replica elsewhere = key.merge(d2, both);
  (void)key.merge(elsewhere, d1);
  const Replica one = key.put(both, key.read(d2), kSx);  // had seen the one, not the other
  (void)key.put(one, key.read(one), kSy);
}

TEST(versioning, blind_puts_through_one_coordinator_all_stay) {
  Lone lone(versioning_of());
  KeyHistory key(lone);
  Replica held;
  for (int i = 0; i < 5; ++i) held = key.put(held, kNothing, kSx);
  const Replica copy = key.merge({}, held);
  held = key.put(held, key.read(copy), kSx);
  (void)key.merge(held, copy);
}

TEST(versioning, delete_spares_what_its_writer_had_not_seen) {
  Lone lone(versioning_of());
  KeyHistory key(lone);
  const Replica d1 = key.put({}, kNothing, kSx);
  const Reading read1 = key.read(d1);
  const Replica d2 = key.put(d1, read1, kSx);
  const Replica spared = key.erase(d2, read1, kSx);
  (void)key.merge(spared, d1);
  const Replica gone = key.erase(spared, key.read(spared), kSx);
  (void)key.merge(spared, gone);
}

TEST(versioning, read_modify_write_of_two_clients_stays_at_two) {
  Lone lone(versioning_of());
  Random random(31);
  for (int i = 0; i < 12; ++i) {
    passed();
    KeyHistory key(lone);
    Replica held;
    std::vector<Reading> clients(2);
    for (int step = 0; step < 30; ++step) {
      // Each client reads, puts with what it read, and reads again; the other one does so
      // meanwhile.
      Reading& client = clients[random.below(2)];
      if (random.below(3) == 0) client = key.read(held);
      held = key.put(held, client, kSx);
      client = key.read(held);
      if (held.live.size() > 2) violation("two clients leave two siblings", text(held.state));
    }
  }
}

TEST(versioning, any_history_keeps_exactly_what_nobody_has_replaced) {
  Lone lone(versioning_of());
  run_histories(lone, 32, 600, false);
}
