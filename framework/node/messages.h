// Every message type there is, by number and by name, with its JSON. The one place where a lab's
// messages are registered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "membership.h"
#include "quorum.h"
#include "replication.h"
#include "sync.h"
#include "warmup.h"

/// All request types, in the order of their numbers: append at the end, never renumber.
#define DYNAMO_REQUESTS(X) \
  X(Ping)                  \
  X(Gossip)                \
  X(ClientWrite)           \
  X(ClientRead)            \
  X(Write)                 \
  X(Read)                  \
  X(Update)                \
  X(AskTransfer)           \
  X(SentAll)               \
  X(Coordinate)            \
  X(StoreHints)            \
  X(CompareRoots)          \
  X(AskNodes)              \
  X(AskCopies)

namespace dynamo {

/// Index in DYNAMO_REQUESTS; it travels on the wire.
using MessageType = std::uint16_t;

/// The list as types, for code that is made from it.
template <class... Request>
struct RequestList {};
#define DYNAMO_COMMA_AND_NAME(T) , T
namespace detail {
template <class Nothing, class... Request>
RequestList<Request...> without_first(RequestList<Nothing, Request...>);
template <class Wanted, class... Request>
constexpr MessageType number_in(RequestList<Request...>) {
  MessageType number = 0;
  bool found = false;
  ((found = found || std::is_same_v<Wanted, Request>, number += found ? 0 : 1), ...);
  return number;
}
}  // namespace detail
using Requests =
    decltype(detail::without_first(RequestList<void DYNAMO_REQUESTS(DYNAMO_COMMA_AND_NAME)>{}));
#undef DYNAMO_COMMA_AND_NAME

/// The number of a request type, for example message_number<Gossip>.
template <class Request>
inline constexpr MessageType message_number = detail::number_in<Request>(Requests{});

/// "Gossip"; for a number out of range "type 77".
std::string name_of_message(MessageType type);

/// The number behind a name, or nothing.
std::optional<MessageType> message_named(std::string_view name);

/// Names of all request types, in the order of their numbers.
const std::vector<std::string>& message_names();

/// The message's fields as JSON text, for traces and people; `reply`: it is the answer to that
/// type. Nothing if the bytes are malformed.
std::optional<std::string> message_to_json(MessageType type, bool reply, std::string_view bytes);

}  // namespace dynamo
