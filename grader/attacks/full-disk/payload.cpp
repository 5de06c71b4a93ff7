// The neighbours need the disk, too.
#include "attack.h"

ATTACK(full_disk) {
  char name[] = "filler-a";
  for (int i = 0; i < 20; ++i) {
    name[7] = static_cast<char>('a' + i);
    const long fd = attack::open_file(name, O_WRONLY | O_CREAT);
    if (fd < 0) attack::end(3);
    if (attack::call(SYS_fallocate, fd, 0, 0, 400L << 20) != 0) attack::end(3);
  }
  struct {
    long seconds, nanoseconds;
  } const long_time{20, 0};
  attack::call(SYS_nanosleep, attack::at(&long_time));
}
