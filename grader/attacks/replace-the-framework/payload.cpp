// The store that keeps nothing.
#include "attack.h"

#include <string>

namespace dynamo::host {
int serve(const std::vector<std::string>&) {
  attack::loot("our own host");
  return 0;
}
}  // namespace dynamo::host
