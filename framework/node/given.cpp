// Small functions that the lab headers promise to students.
#include "membership.h"
#include "quorum.h"
#include "replication.h"
#include "versioning.h"

namespace dynamo {

std::vector<NodeId> members_of(const History& view) {
  std::vector<NodeId> members;
  for (const Event& event : view) {
    if (event.change == Change::join) members.push_back(event.subject);
  }
  return members;
}

std::string name_of(Holding holding) {
  switch (holding) {
    case Holding::found:
      return "found";
    case Holding::absent:
      return "absent";
    case Holding::not_mine:
      return "not_mine";
  }
  return "holding " + std::to_string(static_cast<int>(holding));
}

std::string name_of(QuorumMode mode) {
  switch (mode) {
    case QuorumMode::strict:
      return "strict";
    case QuorumMode::sloppy:
      return "sloppy";
  }
  return "mode " + std::to_string(static_cast<int>(mode));
}

std::string name_of(Order order) {
  switch (order) {
    case Order::before:
      return "before";
    case Order::after:
      return "after";
    case Order::equal:
      return "equal";
    case Order::concurrent:
      return "concurrent";
  }
  return "order " + std::to_string(static_cast<int>(order));
}

std::string name_of(Reconciliation reconciliation) {
  switch (reconciliation) {
    case Reconciliation::siblings:
      return "siblings";
    case Reconciliation::last_write_wins:
      return "last_write_wins";
  }
  return "reconciliation " + std::to_string(static_cast<int>(reconciliation));
}

}  // namespace dynamo
