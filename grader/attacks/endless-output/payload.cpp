// A log is a file, too.
#include "attack.h"

ATTACK(endless_output) {
  static char text[1 << 16];
  std::memset(text, 'x', sizeof(text));
  text[sizeof(text) - 1] = '\n';
  for (int i = 0; i < 100'000; ++i) {
    const long written = attack::call(SYS_write, 1, attack::at(text), sizeof(text));
    if (written < static_cast<long>(sizeof(text))) return;
  }
  attack::loot("6 GB of words");
}
