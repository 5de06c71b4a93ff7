// Everything that it was given beside its arguments.
#include "attack.h"

ATTACK(environment) {
  for (char** one = environment; *one != nullptr; ++one) {
    const bool ours = std::strncmp(*one, "ASAN_", 5) == 0 || std::strncmp(*one, "UBSAN_", 6) == 0;
    if (!ours) attack::loot("environment ", *one);
  }
}
