#include "sim/rings.h"

#include <algorithm>
#include <map>
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

constexpr std::size_t kMostRings = 256;  // On the way; of one run.

bool has_ring(const World& world) {
  const std::vector<std::string>& modules = world.plan().config.modules;
  return std::find(modules.begin(), modules.end(), "ring") != modules.end();
}

/// What a node's disk holds of the history, by where it lies there.
using Known = std::map<std::string, Event>;

/// As json::to() told it.
Event event_in(const Json& told) {
  Event event;
  json::from(told["subject"], event.subject, "subject");
  json::from(told["version"], event.version, "version");
  event.change = told["change"] == name_of(Change::join) ? Change::join : Change::leave;
  return event;
}

/// Takes in what a step wrote; true if that changed the events.
bool take_in(const Step& step, Known& known) {
  if (step.kind == Step::Kind::wipe) return !std::exchange(known, {}).empty();
  const bool writes = step.kind == Step::Kind::commit || step.kind == Step::Kind::start;
  if (!writes || step.data.empty()) return false;
  bool changed = false;
  const Json spaces = json::parse(step.data);
  for (const auto& [space, entries] : spaces.items()) {
    if (!entries.is_object()) continue;
    for (const auto& [key, value] : entries.items()) {
      const std::string place = space + "\n" + key;
      if (value.is_object() && value.contains("subject") && value.contains("version")) {
        known[place] = event_in(value);
        changed = true;
      } else if (value.is_null()) {
        changed = known.erase(place) != 0 || changed;
      }
    }
  }
  return changed;
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
  if (!has_ring(world)) return {};
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

std::vector<Step> rings_on_the_way(const std::vector<Step>& steps,
                                   const std::function<std::vector<NodeId>(History)>& owners_of) {
  std::map<NodeId, Known> known;
  std::map<std::vector<NodeId>, std::uint64_t> numbers;  // of the rings, as they come
  std::map<NodeId, std::uint64_t> has;
  std::vector<Step> told;
  for (const Step& step : steps) {
    if (step.node.empty() || !take_in(step, known[step.node])) continue;
    if (told.size() == kMostRings) break;
    History events;
    for (const auto& [place, event] : known[step.node]) events.push_back(event);
    const std::vector<NodeId> owners = owners_of(std::move(events));
    const auto [ring, fresh] = numbers.try_emplace(owners, numbers.size() + 1);
    if (std::exchange(has[step.node], ring->second) == ring->second) continue;
    Step then;
    then.at = step.at;
    then.node = step.node;
    then.kind = Step::Kind::ring_then;
    then.id = ring->second;
    if (fresh) then.data = json::text({{"owners", owners}});
    told.push_back(std::move(then));
  }
  return told;
}

std::vector<Step> rings_on_the_way(World& world) {
  const std::vector<NodeId> nodes = world.up_nodes();
  if (nodes.empty() || !has_ring(world)) return {};
  const std::vector<Step> steps = world.trace().steps();  // a copy: asking adds some
  return rings_on_the_way(steps, [&](const History& events) {
    world.invoke<&Ring::rebuild>(nodes.front(), events);
    return world.invoke<&Ring::owners>(nodes.front());
  });
}

}  // namespace dynamo::sim
