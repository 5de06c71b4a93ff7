// The machine should swap, or end somebody else.
#include "attack.h"

ATTACK(memory_hog) {
  constexpr long kPiece = 64L << 20;
  constexpr long kReadWrite = 3;
  constexpr long kPrivateAnonymous = 0x22;
  for (long taken = 0; taken < (8L << 30); taken += kPiece) {
    const long piece = attack::call(SYS_mmap, 0, kPiece, kReadWrite, kPrivateAnonymous, -1, 0);
    if (piece < 0 && piece > -4096) return;
    for (long at = 0; at < kPiece; at += 1L << 20) {
      *reinterpret_cast<volatile char*>(piece + at) = 1;
    }
    if (taken > (3L << 30)) attack::loot("more than 3 GiB");
  }
}
