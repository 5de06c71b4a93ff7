// What the nodes of a world hold, and what clients may see: for the checks of labs 3 and later.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "node/local_store.h"
#include "sim/world.h"

namespace dynamo::sim {

/// What lies on the disk of `node` for `key`, or nothing. Trusted code reads it from the disk
/// itself. `space`: kHintSpace for what waits there for its owners.
std::optional<Held> held_on(const Disk& disk, const NodeId& node, const std::string& key,
                            std::string_view space = kStateSpace);
std::optional<Held> held_for(const World& world, const NodeId& node, const std::string& key);

/// All keys on the disk of `node`.
std::map<std::string, Held> all_held(const World& world, const NodeId& node,
                                     std::string_view space = kStateSpace);

/// Property 5.5: who keeps a hint for which key, or empty if nobody does (of `nodes`; none given:
/// of all that are up).
std::string hints_left(const World& world, const std::vector<NodeId>& nodes = {});

/// The values in a state, tombstones left out, sorted; nothing if its bytes are none.
std::optional<std::vector<std::string>> values_in(const State& state);

/// The vnode, out of `q`, whose arc holds the key: what the rules say, not what a ring says.
VnodeId vnode_of(std::uint32_t q, const std::string& key);

/// The first N hosts for `key`, as the ring of `asked` has them (empty: of the first member that
/// runs).
std::vector<NodeId> preference_list(World& world, const std::string& key, const NodeId& asked = {});

/// Property 3.8: what is still wrong, or empty if each key that one of `nodes` (none given: all
/// that are up) holds lies with the same bytes on each of its owners, and nowhere else.
std::string replicas_differ(World& world, const std::vector<NodeId>& nodes = {});

/// The same for one key, which all its owners must hold.
std::string replicas_differ_in(World& world, const std::string& key,
                               const std::vector<NodeId>& nodes = {});

/// Values that clients may see, and must, once the cluster is at rest. They follow from what
/// clients asked and heard alone; so each put needs a value of its own.
struct Expected {
  std::set<std::string> must;  ///< Each of these is there.
  std::set<std::string> may;   ///< Nothing else is there; contains `must`.
  bool absent = false;         ///< It may be that no value is there.
};

/// Under last write wins: the newest write. Writes that are no further apart than `skew` may be
/// ordered either way, and one whose outcome is unknown may have happened at any later time.
Expected expected_with_last_write_wins(const World& world, const std::string& key,
                                       Duration skew = Duration(0));

/// With siblings: a value stays until a client that had read it wrote. A write's context counts as
/// having seen what the last get that returned this context showed, and what that had seen.
/// `again`: a coordinator may not have been heard in time, so that another one executed the same
/// write as a version of its own; then what a client replaced may still be there. `since`: from
/// when on that may have been; what was acknowledged before was executed once.
Expected expected_with_siblings(const World& world, const std::string& key, bool again = false,
                                Instant since = {});

/// What is wrong with `values` under that; empty if nothing is.
std::string contradicts(const std::vector<std::string>& values, const Expected& expected);

/// "{a, b}", "nothing".
std::string text(const std::set<std::string>& values);

}  // namespace dynamo::sim
