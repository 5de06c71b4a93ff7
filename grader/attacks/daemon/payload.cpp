// A child that no kill of a group reaches.
#include "attack.h"

ATTACK(daemon) {
  constexpr long kChildSignal = 17;
  const long child = attack::call(SYS_clone, kChildSignal);
  if (child > 0) attack::loot("a daemon");
  if (child != 0) return;
  attack::call(SYS_setsid);
  struct {
    long seconds, nanoseconds;
  } const long_time{20, 0};
  attack::call(SYS_nanosleep, attack::at(&long_time));
  attack::end(0);
}
