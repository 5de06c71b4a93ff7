// Takes all the processes that there are.
#include "attack.h"

ATTACK(fork_bomb) {
  constexpr long kChildSignal = 17;
  for (int i = 0; i < 10'000; ++i) {
    if (attack::call(SYS_clone, kChildSignal) > 0) attack::loot("a child");
  }
}
