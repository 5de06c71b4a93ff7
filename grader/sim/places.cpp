#include "sim/places.h"

#include <algorithm>
#include <set>
#include <string>

#include "core/json.h"
#include "core/keys.h"
#include "node/local_store.h"
#include "sim/store_checks.h"
#include "tree.h"

namespace dynamo::sim {

namespace {

void add_keys(const std::string& data, std::set<std::string>& keys) {
  const Json told = json::parse(data);
  const auto space = told.find(kStateSpace);
  if (space == told.end() || !space->is_object()) return;
  for (const auto& [key, state] : space->items()) keys.insert(key);
}

}  // namespace

std::vector<Step> places_of(const std::vector<Step>& steps, const NodeConfig& config) {
  const std::vector<std::string>& modules = config.modules;
  if (std::find(modules.begin(), modules.end(), "sync") == modules.end()) return {};
  std::set<std::string> written;
  for (const Step& step : steps) {
    const bool tells = step.kind == Step::Kind::commit || step.kind == Step::Kind::start;
    if (tells && !step.data.empty()) add_keys(step.data, written);
  }
  if (written.empty()) return {};
  Json keys = Json::object();
  for (const std::string& key : written) {
    keys[key] = {{"vnode", vnode_of(config.q, key)}, {"path", path_of(key, config.q)}};
  }
  Step step;
  step.at = steps.back().at;
  step.kind = Step::Kind::places;
  step.data = json::text(Json{{"q", config.q}, {"n", config.n}, {"keys", std::move(keys)}});
  return {std::move(step)};
}

}  // namespace dynamo::sim
