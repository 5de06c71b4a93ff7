#include "node/messages.h"

#include <algorithm>
#include <array>

#include "core/codec.h"
#include "core/json.h"
#include "node/local_store.h"

namespace dynamo {

// The codec of what a solution may send or store, as core/fields.h lists it; nowhere else is it
// instantiated.
#define GIVEN(T)                                    \
  template std::string to_bytes<T>(const T& value); \
  template std::optional<T> from_bytes<T>(std::string_view bytes);
#define REQUEST(T) GIVEN(T) GIVEN(T::Reply)
DYNAMO_REQUESTS(REQUEST)
GIVEN(Event)
GIVEN(History)
GIVEN(Version)
GIVEN(HistoryDigest)
GIVEN(VectorClock)
GIVEN(KeyState)
GIVEN(Held)
GIVEN(RequestId)
GIVEN(Stamp)
GIVEN(State)
GIVEN(Copy)
GIVEN(StateHash)
GIVEN(TreeHash)
GIVEN(TreeNode)
GIVEN(VnodeRoot)
GIVEN(std::vector<StateHash>)
GIVEN(std::vector<TreeHash>)
GIVEN(std::uint64_t)
GIVEN(std::string)
GIVEN(std::vector<std::string>)
#undef REQUEST
#undef GIVEN

namespace {

struct MessageInfo {
  std::string_view name;
  std::optional<std::string> (*request_json)(std::string_view);
  std::optional<std::string> (*reply_json)(std::string_view);
};

template <class T>
std::optional<std::string> as_json(std::string_view bytes) {
  const std::optional<T> value = from_bytes<T>(bytes);
  if (!value) return std::nullopt;
  return json::text(json::to(*value));
}

#define INFO(T) MessageInfo{T::type_name, &as_json<T>, &as_json<T::Reply>},
constexpr auto all = std::to_array<MessageInfo>({DYNAMO_REQUESTS(INFO)});
#undef INFO

}  // namespace

std::string name_of_message(MessageType type) {
  return type < all.size() ? std::string(all[type].name) : "type " + std::to_string(type);
}

std::optional<MessageType> message_named(std::string_view name) {
  const auto* found =
      std::find_if(all.begin(), all.end(), [&](const MessageInfo& m) { return m.name == name; });
  if (found == all.end()) return std::nullopt;
  return static_cast<MessageType>(found - all.begin());
}

const std::vector<std::string>& message_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    list.reserve(all.size());
    for (const MessageInfo& message : all) list.emplace_back(message.name);
    return list;
  }();
  return names;
}

std::optional<std::string> message_to_json(MessageType type, bool reply, std::string_view bytes) {
  if (type >= all.size()) return std::nullopt;
  return reply ? all[type].reply_json(bytes) : all[type].request_json(bytes);
}

namespace json {

Json state(const State& state) {
  const std::optional<KeyState> inside = key_state_of(state);
  if (!inside) return Json{{"malformed_bytes", state.bytes.size()}};
  return to(*inside);
}

}  // namespace json

}  // namespace dynamo
