// Every message type there is, by number and by name, with its JSON. The one place where a lab's
// messages are registered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "membership.h"
#include "warmup.h"

/// All request types, in the order of their numbers: append at the end, never renumber.
#define DYNAMO_REQUESTS(X) \
  X(Ping)                  \
  X(Gossip)

namespace dynamo {

/// Index in DYNAMO_REQUESTS; it travels on the wire.
using MessageType = std::uint16_t;

/// "Gossip"; for a number out of range "type 77".
std::string name_of_message(MessageType type);

/// The number behind a name, or nothing.
std::optional<MessageType> message_named(std::string_view name);

/// Names of all request types, in the order of their numbers.
const std::vector<std::string>& message_names();

/// The message's fields as JSON text, for traces and people; `reply`: it is the answer to that type.
/// Nothing if the bytes are malformed.
std::optional<std::string> message_to_json(MessageType type, bool reply, std::string_view bytes);

}  // namespace dynamo
