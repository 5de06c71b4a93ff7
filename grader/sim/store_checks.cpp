#include "sim/store_checks.h"

#include <algorithm>
#include <stdexcept>

#include "core/keys.h"
#include "sim/cluster.h"

namespace dynamo::sim {

namespace {

std::string storage_key_of(const std::string& key) {
  const KeyHash hash = hash_of(key);
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(hash >> shift));
  return bytes + key;
}

Held decoded(const NodeId& node, const std::string& key, std::string_view space,
             const std::string& bytes) {
  const std::optional<Held> held = codec::decode<Held>(bytes);
  if (!held) {
    throw Violation(
        "the disk of " + node + " holds a state for the key " + key,
        "what lies there is none: the space \"" + std::string(space) + "\" belongs to LocalStore");
  }
  return *held;
}

std::string described(const std::optional<Held>& held) {
  if (!held) return "nothing";
  const auto values = values_in(held->state);
  if (!values) return "bytes that are no state";
  if (values->empty()) return "a deletion";
  std::vector<std::string> beginnings;
  for (const std::string& value : *values) beginnings.push_back(beginning(value));
  return list(beginnings);
}

using Owners = std::map<std::string, std::vector<NodeId>>;

/// By vnode, so that each list is asked for once.
Owners owners_of(World& world, const std::set<std::string>& keys) {
  std::map<VnodeId, std::vector<NodeId>> lists;
  Owners owners;
  for (const std::string& key : keys) {
    const VnodeId vnode = vnode_of(world.plan().config.q, key);
    auto [found, fresh] = lists.try_emplace(vnode);
    if (fresh) found->second = preference_list(world, key);
    owners[key] = found->second;
  }
  return owners;
}

bool contains(const std::vector<NodeId>& names, const NodeId& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string wrong_with(const std::string& key, const std::vector<NodeId>& owners,
                       const std::vector<NodeId>& nodes,
                       const std::map<NodeId, std::map<std::string, Held>>& disks) {
  const auto held_by = [&](const NodeId& node) -> std::optional<Held> {
    const auto& disk = disks.at(node);
    const auto found = disk.find(key);
    return found == disk.end() ? std::nullopt : std::optional(found->second);
  };
  for (const NodeId& node : nodes) {
    if (contains(owners, node) || !held_by(node)) continue;
    return node + " holds " + key + " = " + described(held_by(node)) +
           " and is not on its preference list " + list(owners);
  }
  std::vector<NodeId> judged;
  for (const NodeId& owner : owners) {
    if (contains(nodes, owner)) judged.push_back(owner);
  }
  const auto holder = std::find_if(judged.begin(), judged.end(),
                                   [&](const NodeId& owner) { return held_by(owner).has_value(); });
  if (holder == judged.end()) return "none of the owners " + list(owners) + " holds " + key;
  for (const NodeId& owner : judged) {
    const auto mine = held_by(owner);
    if (mine && mine->state == held_by(*holder)->state) continue;
    const std::string first = described(held_by(*holder));
    const std::string other = described(mine);
    return "of the owners " + list(owners) + " of " + key + ", " + *holder + " holds " + first +
           " and " + owner + " " +
           (first == other ? "the same, with another clock or stamp" : other);
  }
  return "";
}

}  // namespace

std::optional<Held> held_on(const Disk& disk, const NodeId& node, const std::string& key,
                            std::string_view space) {
  const auto found = disk.find({std::string(space), storage_key_of(key)});
  if (found == disk.end()) return std::nullopt;
  return decoded(node, key, space, found->second);
}

std::optional<Held> held_for(const World& world, const NodeId& node, const std::string& key) {
  return held_on(world.disk(node), node, key);
}

std::map<std::string, Held> all_held(const World& world, const NodeId& node,
                                     std::string_view space_name) {
  std::map<std::string, Held> all;
  const std::string space(space_name);
  const Disk& disk = world.disk(node);
  for (auto it = disk.lower_bound({space, ""}); it != disk.end() && it->first.first == space;
       ++it) {
    const std::string key(key_in_state_space(it->first.second));
    all.emplace(key, decoded(node, key, space, it->second));
  }
  return all;
}

std::string hints_left(const World& world, const std::vector<NodeId>& nodes) {
  for (const NodeId& node : nodes.empty() ? world.up_nodes() : nodes) {
    const auto hints = all_held(world, node, kHintSpace);
    if (hints.empty()) continue;
    const auto& [key, held] = *hints.begin();
    const std::string count = std::to_string(hints.size()) + " hints, one of them";
    return node + " keeps " + (hints.size() == 1 ? "a hint" : count) + " for " + key + " = " +
           described(held);
  }
  return "";
}

std::optional<std::vector<std::string>> values_in(const State& state) {
  const std::optional<KeyState> inside = key_state_of(state);
  if (!inside) return std::nullopt;
  std::vector<std::string> values;
  for (const ObjectVersion& version : inside->versions) {
    if (version.value) values.push_back(*version.value);
  }
  std::sort(values.begin(), values.end());
  return values;
}

VnodeId vnode_of(std::uint32_t q, const std::string& key) {
  const KeyHash hash = hash_of(key);
  VnodeId low = 0;
  for (VnodeId high = q; high - low > 1;) {
    const VnodeId middle = low + (high - low) / 2;
    (first_hash(middle, q) <= hash ? low : high) = middle;
  }
  return low;
}

std::vector<NodeId> preference_list(World& world, const std::string& key, const NodeId& asked) {
  if (!asked.empty()) {
    return world.invoke<&Ring::preference_list>(asked, vnode_of(world.plan().config.q, key));
  }
  for (const NodeId& node : world.up_nodes()) {
    std::vector<NodeId> list =
        world.invoke<&Ring::preference_list>(node, vnode_of(world.plan().config.q, key));
    if (!list.empty() && contains(members(world, node), node)) return list;
  }
  throw std::logic_error("the check asks for a preference list, and no member runs");
}

std::string replicas_differ(World& world, const std::vector<NodeId>& nodes) {
  const std::vector<NodeId> names = nodes.empty() ? world.up_nodes() : nodes;
  std::map<NodeId, std::map<std::string, Held>> disks;
  std::set<std::string> keys;
  for (const NodeId& node : names) {
    disks[node] = all_held(world, node);
    for (const auto& [key, held] : disks[node]) keys.insert(key);
  }
  for (const auto& [key, owners] : owners_of(world, keys)) {
    std::string wrong = wrong_with(key, owners, names, disks);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::string replicas_differ_in(World& world, const std::string& key,
                               const std::vector<NodeId>& nodes) {
  const std::vector<NodeId> names = nodes.empty() ? world.up_nodes() : nodes;
  std::map<NodeId, std::map<std::string, Held>> disks;
  for (const NodeId& node : names) {
    auto& disk = disks[node];
    if (auto held = held_for(world, node, key)) disk.emplace(key, std::move(*held));
  }
  return wrong_with(key, preference_list(world, key), names, disks);
}

}  // namespace dynamo::sim
