// Plans from JSON and back, with errors that name the file, the field and the cure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/messages.h"
#include "sim/plan.h"

namespace dynamo::sim {

/// A message as `drop` names it: "Gossip" is the request, "Gossip reply" its answer.
struct MessageName {
  MessageType type = 0;
  bool reply = false;
};
std::optional<MessageName> message_called(std::string_view name);

/// All acts of the plan language, in the order of the table in plan.h.
const std::vector<std::string>& acts();

/// Throws JsonError if the plan makes no sense; `where` names the document.
void validate(const Plan& plan, const std::string& where);
void validate(const Action& action, const std::vector<NodeId>& nodes, const std::string& where);
void validate(const LinkModel& link, const std::string& where);

/// Reads a plan; `where` names the file for errors. Throws JsonError, also for text that is no
/// JSON.
Plan plan_from_json(std::string_view text, const std::string& where);

/// Two spaces of indent; plan_from_json reads exactly the same plan from it.
std::string plan_to_json(const Plan& plan);

}  // namespace dynamo::sim
