// Without a socket of its own it takes those that it has.
#include "attack.h"

ATTACK(bind_the_given_socket) {
  struct {
    short family = 2;
    unsigned short port = 0x5000;
    unsigned address = 0x0100007f;
    char zero[8] = {};
  } address;
  for (int fd = 3; fd < 32; ++fd) {
    if (attack::call(SYS_connect, fd, attack::at(&address), 16) == 0) attack::loot("connected");
  }
}
