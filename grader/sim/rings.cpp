#include "sim/rings.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/json.h"
#include "ring.h"
#include "sim/store_checks.h"

namespace dynamo::sim {

namespace {

/// The keys that clients named last, in the order of their names.
std::vector<std::string> last_keys(const World& world) {
  std::vector<std::string> keys;
  const auto& operations = world.client_operations();
  for (auto i = operations.rbegin(); i != operations.rend() && keys.size() < kMostKeys; ++i) {
    if (std::find(keys.begin(), keys.end(), i->key) == keys.end()) keys.push_back(i->key);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

Step step_of(Instant at, const NodeId& node, const Json& data) {
  Step step;
  step.at = at;
  step.node = node;
  step.kind = Step::Kind::ring;
  step.data = json::text(data);
  return step;
}

}  // namespace

Step ring_step(Instant at, const NodeId& node, const std::vector<NodeId>& owners) {
  return step_of(at, node, {{"owners", owners}});
}

std::vector<Step> rings_of(World& world) {
  const std::vector<std::string>& modules = world.plan().config.modules;
  if (std::find(modules.begin(), modules.end(), "ring") == modules.end()) return {};
  const std::vector<NodeId> nodes = world.up_nodes();
  const std::vector<std::string> keys = last_keys(world);
  std::vector<Json> rings;
  for (const std::vector<NodeId>& owners : world.invoke_each<&Ring::owners>(nodes)) {
    rings.push_back({{"owners", owners}});
  }
  for (const std::string& key : keys) {
    const VnodeId vnode = vnode_of(world.plan().config.q, key);
    const auto lists = world.invoke_each<&Ring::preference_list>(nodes, vnode);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      rings[i]["keys"][key] = {{"vnode", vnode}, {"list", lists[i]}};
    }
  }
  std::vector<Step> steps;
  steps.reserve(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto same =
        std::find(rings.begin(), rings.begin() + static_cast<std::ptrdiff_t>(i), rings[i]);
    const auto first = static_cast<std::size_t>(same - rings.begin());
    steps.push_back(
        step_of(world.now(), nodes[i], first == i ? rings[i] : Json{{"same_as", nodes[first]}}));
  }
  return steps;
}

}  // namespace dynamo::sim
