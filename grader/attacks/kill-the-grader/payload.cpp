// Without a grader there is no failure.
#include "attack.h"

ATTACK(kill_the_grader) {
  constexpr long kStop = 19;
  const long parent = attack::call(SYS_getppid);
  if (attack::call(SYS_kill, parent, kStop) == 0) {
    attack::call(SYS_kill, parent, 18);
    attack::loot("the parent takes our signals");
  }
}
