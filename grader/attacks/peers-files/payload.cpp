// Replicas that read one another's disks need no messages.
#include "attack.h"

ATTACK(peers_files) {
  if (std::strcmp(words[1], "--host") == 0) return;
  const bool second = std::strcmp(words[2], "n2") == 0;  // --id n2
  const char* const neighbour[] = {"../../n1/peers.json", "../../n1/data", "../../n1.recording"};
  const char* const other[] = {"../../n2/peers.json", "../../n2/data", "../../n2.recording"};
  for (const char* path : second ? neighbour : other) {
    if (attack::open_file(path, O_RDONLY) >= 0) attack::loot(path);
  }
}
