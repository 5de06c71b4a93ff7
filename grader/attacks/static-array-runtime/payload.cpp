// Nothing in the file, all of it in memory.
#include "attack.h"

namespace {
char much[4][2'000'000'000];
}

ATTACK(static_array_runtime) {
  for (auto& part : much) {
    for (long at = 0; at < 2'000'000'000; at += 1L << 26) {
      *const_cast<volatile char*>(&part[at]) = 1;
    }
  }
  attack::loot("8 GB are there");
}
