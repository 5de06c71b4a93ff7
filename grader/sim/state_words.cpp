#include "sim/state_words.h"

#include <algorithm>
#include <cstdio>

#include "core/codec.h"
#include "core/history.h"
#include "core/json.h"
#include "core/keys.h"
#include "node/local_store.h"

namespace dynamo::sim {

namespace {

constexpr std::size_t kLongestText = 200;

bool is_plain(std::string_view text) {
  return text.size() <= kLongestText && json::is_utf8(text) &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

Json size_of(std::string_view bytes) {
  return std::to_string(bytes.size()) + (bytes.size() == 1 ? " byte" : " bytes");
}

Json value_of(const std::string& value) {
  if (!is_plain(value)) return size_of(value);
  return value;
}

Json version_of(const ObjectVersion& version) {
  Json told = {{"dot", json::to(version.dot)}, {"seen", json::to(version.seen)}};
  told["value"] = version.value ? value_of(*version.value) : Json(nullptr);
  return told;
}

/// A key's state, as LocalStore keeps it; nothing if it is none.
std::optional<Json> state_of_key(const std::string& bytes) {
  const auto held = codec::decode<Held>(bytes);
  if (!held) return std::nullopt;
  const auto state = key_state_of(held->state);
  if (!state) return std::nullopt;
  Json versions = Json::array();
  for (const ObjectVersion& version : state->versions) versions.push_back(version_of(version));
  return Json{{"hash", json::to(held->hash)},
              {"versions", std::move(versions)},
              {"clock", json::to(state->clock)}};
}

std::optional<Json> event_in(const std::string& bytes) {
  const auto event = codec::decode<Event>(bytes);
  if (!event || event->subject.empty() || !is_plain(event->subject) ||
      !is_plain(event->version.node)) {
    return std::nullopt;
  }
  return json::to(*event);
}

bool keeps_states(const std::string& space) { return space == kStateSpace || space == kHintSpace; }

/// A key as people write it; the bytes of others as hex.
std::string name_of(const DiskWrite& write) {
  const std::string_view key =
      keeps_states(write.space) ? key_in_state_space(write.key) : std::string_view(write.key);
  if (is_plain(key)) return std::string(key);
  std::string hex = "0x";
  for (const char byte : key.substr(0, kLongestText / 4)) {
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
  return value_of(*write.value);
}

}  // namespace

std::string changes_text(const std::vector<DiskWrite>& writes) {
  Json changes = Json::object();
  std::size_t told = 0;
  for (const DiskWrite& write : writes) {
    if (++told > kMostTold) {
      changes["…"] = {{"and", std::to_string(writes.size() - kMostTold) + " more"}};
      break;
    }
    changes[value_of(write.space).get<std::string>()][name_of(write)] = content_of(write);
  }
  return json::text(changes);
}

std::string disk_text(const Disk& disk) {
  std::vector<DiskWrite> writes;
  writes.reserve(disk.size());
  for (const auto& [place, value] : disk) writes.push_back({place.first, place.second, value});
  return changes_text(writes);
}

}  // namespace dynamo::sim
