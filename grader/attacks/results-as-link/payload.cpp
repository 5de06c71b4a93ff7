// The grader would write through the link, or wait for ever at the pipe.
#include "attack.h"

ATTACK(results_as_link) {
  constexpr const char* kResults = "{run}/results.json";
  attack::call(SYS_unlinkat, AT_FDCWD, attack::at(kResults), 0);
  constexpr long kPipe = 0010000 | 0666;
  if (attack::open_file(kResults, O_RDWR | O_CREAT) >= 0) attack::loot("a file of results");
  if (attack::call(SYS_mknodat, AT_FDCWD, attack::at(kResults), kPipe) == 0) attack::loot("a pipe");
  if (attack::call(SYS_symlinkat, attack::at("/etc/passwd"), AT_FDCWD, attack::at(kResults)) == 0) {
    attack::loot("a link");
  }
}
