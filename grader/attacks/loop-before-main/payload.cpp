// The handshake never comes.
#include "attack.h"

ATTACK(loop_before_main) {
  while (true) ATTACK_CODE("");
}
