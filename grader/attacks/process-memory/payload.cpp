// Reads the check program's memory without attaching to it.
#include "attack.h"

ATTACK(process_memory) {
  char text[16];
  struct {
    void* at;
    unsigned long bytes;
  } here{text, sizeof(text)}, there{reinterpret_cast<void*>(0x400000), sizeof(text)};
  const long got = attack::call(SYS_process_vm_readv, attack::call(SYS_getppid), attack::at(&here),
                                1, attack::at(&there), 1);
  if (got >= 0 || got == -14) attack::loot("the parent's memory can be read");  // EFAULT: allowed
}
