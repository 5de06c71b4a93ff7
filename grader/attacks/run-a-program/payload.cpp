// Another program in its own place, without a fork.
#include "attack.h"

ATTACK(run_a_program) {
  const char* const shell[] = {"/bin/sh", "-c", "echo LOOT: a shell", nullptr};
  attack::call(SYS_execve, attack::at(shell[0]), attack::at(shell), 0);
}
