// The parent is killed, its child serves on.
#include "attack.h"

ATTACK(helper_answers_for_the_dead) {
  constexpr long kChildSignal = 17;
  if (std::strcmp(words[1], "--host") == 0) return;
  if (attack::call(SYS_clone, kChildSignal) == 0) {
    while (true) attack::call(SYS_getpid);
  }
  attack::loot("a helper");
}
