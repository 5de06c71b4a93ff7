// Fetches a solution, or sends the checks away.
#include "attack.h"

ATTACK(network) {
  for (const long family : {2L, 10L, 17L, 16L}) {  // IPv4, IPv6, packets, netlink
    if (attack::call(SYS_socket, family, family == 2 || family == 10 ? 1 : 3, 0) >= 0) {
      attack::loot("a socket of the network's");
    }
  }
}
