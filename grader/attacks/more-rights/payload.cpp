// The way back up.
#include "attack.h"

ATTACK(more_rights) {
  constexpr long kNewUser = 0x10000000;
  if (attack::call(SYS_unshare, kNewUser) == 0) attack::loot("a namespace where it is root");
  if (attack::call(SYS_setuid, 0) == 0 && attack::call(SYS_geteuid) == 0) attack::loot("root");
}
