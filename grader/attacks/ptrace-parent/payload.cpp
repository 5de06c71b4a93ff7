// Attaches to the check program, to write a pass into its memory.
#include "attack.h"

ATTACK(ptrace_parent) {
  constexpr long kAttach = 16;
  const long parent = attack::call(SYS_getppid);
  if (attack::call(SYS_ptrace, kAttach, parent) == 0) attack::loot("attached to the parent");
}
