// Small functions that the lab headers promise to students.
#include "membership.h"

namespace dynamo {

std::vector<NodeId> members_of(const History& view) {
  std::vector<NodeId> members;
  for (const Event& event : view) {
    if (event.change == Change::join) members.push_back(event.subject);
  }
  return members;
}

}  // namespace dynamo
