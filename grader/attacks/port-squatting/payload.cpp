// Whoever asks n2 while it is down hears us.
#include "attack.h"

ATTACK(port_squatting) {
  const long fd = attack::call(SYS_socket, 2, 1, 0);
  if (fd >= 0) attack::loot("a socket of its own");
}
