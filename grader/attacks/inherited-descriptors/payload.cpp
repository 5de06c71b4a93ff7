// Each descriptor that is open, other than the empty input, the words and the mailbox.
#include "attack.h"

ATTACK(inherited_descriptors) {
  constexpr int kMailbox = 3;
  const bool host = words[1] != nullptr && std::strcmp(words[1], "--host") == 0;
  for (int fd = host ? kMailbox + 1 : kMailbox; fd < 1024; ++fd) {
    if (attack::call(SYS_fcntl, fd, F_GETFD) >= 0) attack::loot("a descriptor is open");
  }
}
