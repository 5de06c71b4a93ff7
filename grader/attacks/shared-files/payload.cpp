// A blackboard that every replica can reach.
#include "attack.h"

ATTACK(shared_files) {
  for (const char* path : {"/tmp/dynamo-blackboard", "/dev/shm/dynamo-blackboard",
                           "/var/tmp/dynamo-blackboard", "{run}/dynamo-blackboard"}) {
    if (attack::open_file(path, O_RDWR | O_CREAT) >= 0) {
      attack::call(SYS_unlinkat, AT_FDCWD, attack::at(path), 0);
      attack::loot(path);
    }
  }
  const long library = attack::open_file("/usr/lib/x86_64-linux-gnu/libc.so.6");
  if (attack::call(SYS_flock, library, 2 | 4) == 0) attack::loot("a lock as a signal");
}
