// One brain for all replicas.
#include "attack.h"

ATTACK(shared_memory) {
  constexpr long kMake = 01000 | 0666;
  if (attack::call(SYS_shmget, 4242, 4096, kMake) >= 0) attack::loot("a segment");
}
