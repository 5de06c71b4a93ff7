// What the tests of the simulator share: worlds of a scripted warm-up module, linked in.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "sim/cluster.h"
#include "sim/crossing.h"
#include "sim/host.h"
#include "sim/world.h"

namespace dynamo::sim {

inline Plan ping_plan(std::vector<NodeId> nodes = {"a", "b", "c"}, std::uint64_t seed = 1) {
  Plan plan;
  plan.seed = seed;
  plan.nodes = std::move(nodes);
  plan.config.modules = {"warmup"};
  return plan;
}

/// A recorded world on a linked host of its own, with all its nodes started.
struct PingWorld {
  explicit PingWorld(const Plan& plan = ping_plan(), bool ahead = true)
      : host(make_linked_host()), crossing({host.get()}), world(plan, crossing, {true, ahead}) {
    for (const NodeId& node : plan.nodes) world.start(node);
  }

  void ping(const NodeId& from, const NodeId& to) { world.invoke<&Warmup::ping>(from, to); }
  std::uint64_t counted(const NodeId& node) { return world.invoke<&Warmup::counted>(node); }
  std::uint64_t answered(const NodeId& node) { return world.invoke<&Warmup::answered>(node); }

  std::vector<Step> steps(Step::Kind kind, const NodeId& node = {},
                          const std::string& text = {}) const {
    std::vector<Step> found;
    for (const Step& step : world.trace().steps()) {
      if (step.kind == kind && (node.empty() || step.node == node) &&
          (text.empty() || step.text == text)) {
        found.push_back(step);
      }
    }
    return found;
  }
  std::size_t notes(const NodeId& node, const std::string& text) const {
    return steps(Step::Kind::note, node, text).size();
  }

  std::unique_ptr<Host> host;
  SoloCrossing crossing;
  World world;
};

inline constexpr MessageType kPing = 0;

}  // namespace dynamo::sim
