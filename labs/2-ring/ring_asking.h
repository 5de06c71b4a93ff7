// How lab 2's checks ask a node for its ring, and how they speak of it.
#pragma once

#include <string>
#include <vector>

#include "ring_rules.h"
#include "sim/check.h"

namespace dynamo::sim {

using ring_rules::Owners;

/// A node with nothing but a ring.
inline NodeSetup ring_of(std::uint32_t q, std::uint32_t n = 3) {
  NodeConfig config;
  config.q = q;
  config.n = n;
  config.modules = {"ring"};
  return {"n1", 1, config};
}

inline std::string config_text(std::uint32_t q, std::uint32_t n) {
  return "Q = " + std::to_string(q) + ", N = " + std::to_string(n) + ": ";
}

/// Ends the test unless `wrong` is empty.
inline void judge(const std::string& expected, const std::string& wrong) {
  if (!wrong.empty()) violation(expected, wrong);
}

inline Owners owners_after(Lone& lone, const History& events) {
  lone.invoke<&Ring::rebuild>(events);
  return lone.invoke<&Ring::owners>();
}

inline Event join(const NodeId& subject, std::uint64_t counter, const NodeId& by = "n1",
                  Incarnation incarnation = 7) {
  return {subject, Change::join, {counter, by, incarnation}};
}

inline Event leave(const NodeId& subject, std::uint64_t counter, const NodeId& by = "n1",
                   Incarnation incarnation = 7) {
  return {subject, Change::leave, {counter, by, incarnation}};
}

inline std::vector<NodeId> names(std::size_t count) {
  std::vector<NodeId> hosts;
  for (std::size_t i = 1; i <= count; ++i) hosts.push_back(NodeId("n").append(std::to_string(i)));
  return hosts;
}

inline History joins(std::size_t count) {
  History events;
  for (const NodeId& host : names(count)) events.push_back(join(host, events.size() + 1));
  return events;
}

}  // namespace dynamo::sim
