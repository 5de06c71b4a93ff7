#include "node/state_json.h"

#include <algorithm>

#include "core/json.h"
#include "node/local_store.h"

namespace dynamo {

namespace {

constexpr std::size_t kLongestText = 200;

Json version_json(const ObjectVersion& version) {
  Json told = {{"dot", json::to(version.dot)}, {"seen", json::to(version.seen)}};
  told["value"] = version.value ? text_or_size(*version.value) : Json(nullptr);
  return told;
}

}  // namespace

bool is_plain(std::string_view text) {
  return text.size() <= kLongestText && json::is_utf8(text) &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

Json text_or_size(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  return std::to_string(text.size()) + (text.size() == 1 ? " byte" : " bytes");
}

Json state_json(const StateHash& hash, const State& state) {
  const auto opened = key_state_of(state);
  if (!opened) return nullptr;
  Json versions = Json::array();
  for (const ObjectVersion& version : opened->versions) versions.push_back(version_json(version));
  return {{"hash", json::to(hash)},
          {"versions", std::move(versions)},
          {"clock", json::to(opened->clock)}};
}

}  // namespace dynamo
