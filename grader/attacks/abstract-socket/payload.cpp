// A meeting place that no file permission guards.
#include "attack.h"

ATTACK(abstract_socket) {
  const long fd = attack::call(SYS_socket, 1, 1, 0);
  struct {
    short family = 1;
    char name[16] = "\0blackboard";
  } address;
  if (attack::call(SYS_bind, fd, attack::at(&address), sizeof(address)) == 0) attack::loot("bound");
}
