// The way from a virtual machine to its host.
#include "attack.h"

ATTACK(vsock) {
  if (attack::call(SYS_socket, 40, 1, 0) >= 0) attack::loot("a vsock");
}
