// A filter that looks at numbers alone takes socket for something else.
#include "attack.h"

ATTACK(other_abi) {
#if defined(__x86_64__)
  long result = 359;  // socket, there
  ATTACK_CODE("int $0x80" : "+a"(result) : "b"(1), "c"(1), "d"(0) : "memory");
  if (result >= 0) attack::loot("a socket of 32 bits");
#else
  attack::call(SYS_socket, 1, 1, 0);
#endif
}
