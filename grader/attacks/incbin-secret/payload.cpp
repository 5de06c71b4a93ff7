// The assembler reads what the compiler may not.
#include "attack.h"

ATTACK_JOIN(__as, m__)
(".section .rodata\n.global secret_text\nsecret_text:\n"
 ".incbin \"{canary}\"\n.byte 0\n.text");
extern "C" const char secret_text[];

ATTACK(incbin_secret) { attack::loot("incbin ", secret_text); }
