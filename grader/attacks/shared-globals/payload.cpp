// What one node learns, all know; and no crash loses it.
#include "attack.h"

#include <vector>

namespace {
std::vector<int> blackboard;
}

int learned(int what) {
  blackboard.push_back(what);
  return static_cast<int>(blackboard.size());
}
