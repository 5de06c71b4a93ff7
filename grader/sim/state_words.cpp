#include "sim/state_words.h"

#include <cstdio>

#include "core/codec.h"
#include "core/history.h"
#include "core/json.h"
#include "core/keys.h"
#include "node/local_store.h"
#include "node/state_json.h"

namespace dynamo::sim {

namespace {

/// A key's state, as LocalStore keeps it; nothing if it is none.
std::optional<Json> state_of_key(const std::string& bytes) {
  const auto held = codec::decode<Held>(bytes);
  if (!held) return std::nullopt;
  Json state = state_json(held->hash, held->state);
  if (state.is_null()) return std::nullopt;
  return state;
}

std::optional<Json> event_in(const std::string& bytes) {
  const auto event = codec::decode<Event>(bytes);
  if (!event || event->subject.empty() || !is_plain(event->subject) ||
      !is_plain(event->version.node)) {
    return std::nullopt;
  }
  return json::to(*event);
}

constexpr std::size_t kMostHexed = 50;

bool keeps_states(const std::string& space) { return space == kStateSpace || space == kHintSpace; }

/// A key as people write it; the bytes of others as hex.
std::string name_of(const DiskWrite& write) {
  const std::string_view key =
      keeps_states(write.space) ? key_in_state_space(write.key) : std::string_view(write.key);
  if (is_plain(key)) return std::string(key);
  std::string hex = "0x";
  for (const char byte : key.substr(0, kMostHexed)) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(byte));
    hex += digits;
  }
  return hex;
}

Json content_of(const DiskWrite& write) {
  if (!write.value) return nullptr;
  if (keeps_states(write.space)) {
    if (auto state = state_of_key(*write.value)) return *std::move(state);
  } else if (auto event = event_in(*write.value)) {
    return *std::move(event);
  }
  return text_or_size(*write.value);
}

}  // namespace

std::string changes_text(const std::vector<DiskWrite>& writes) {
  Json changes = Json::object();
  std::size_t states = 0;
  std::size_t others = 0;
  for (const DiskWrite& write : writes) {
    const bool is_state = keeps_states(write.space);
    if (is_state ? ++states > kMostStates : ++others > kMostTold) continue;
    changes[text_or_size(write.space).get<std::string>()][name_of(write)] = content_of(write);
  }
  if (others > kMostTold) changes["…"]["and"] = std::to_string(others - kMostTold) + " more";
  if (states > kMostStates) changes["…"]["states"] = states - kMostStates;
  return json::text(changes);
}

std::string disk_text(const Disk& disk) {
  std::vector<DiskWrite> writes;
  writes.reserve(disk.size());
  for (const auto& [place, value] : disk) writes.push_back({place.first, place.second, value});
  return changes_text(writes);
}

}  // namespace dynamo::sim
