// Where the keys of a run lie in the Merkle trees, for the viewer: given code decides that, so the
// trees are drawn from what lay on the disks, and not from what a solution says of them.
#pragma once

#include <vector>

#include "node/config.h"
#include "sim/trace.h"

namespace dynamo::sim {

/// One step of kind `places`, if `config` has `sync` at work and a key was written; else none.
/// data: {"q": 8, "n": 3, "keys": {"cart": {"vnode": 3, "path": "0f3a…"}}}: every key whose state
/// the steps tell (state_words.h), with all digits of its path (tree.h).
std::vector<Step> places_of(const std::vector<Step>& steps, const NodeConfig& config);

}  // namespace dynamo::sim
