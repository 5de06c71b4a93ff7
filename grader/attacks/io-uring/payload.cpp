// A ring of requests in place of calls: open, connect and the like without one.
#include "attack.h"

ATTACK(io_uring) {
  static char parameters[256];
  if (attack::call(SYS_io_uring_setup, 4, attack::at(parameters)) >= 0) attack::loot("a ring");
}
