// An inconclusive check is no failure: some would rather have that.
#include "attack.h"

ATTACK(shorten_the_mailbox) {
  constexpr int kMailbox = 3;
  if (attack::call(SYS_ftruncate, kMailbox, 0) == 0) attack::loot("the mailbox is gone");
}
