// The file with the student's fault plans: what is in it, and what is done with it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "sim/plan_json.h"
#include "whole_store.h"

namespace dynamo::sim {

inline constexpr std::size_t kMostActions = 300;
inline constexpr Duration kLongest = 120s;
inline constexpr std::size_t kPlanNodes = 5;

/// Throws JsonError if `object`, at `where`, is none, or has a field that is not one of `known`.
inline void expect_only(const Json& object, const std::vector<std::string>& known,
                        const std::string& where) {
  if (!object.is_object()) json::fail(object, "an object", where);
  for (const auto& [field, value] : object.items()) {
    if (std::find(known.begin(), known.end(), field) == known.end()) {
      throw JsonError(where + ": unknown field \"" + field + "\"; known are: " + list(known));
    }
  }
}

/// What a plan of the world's may do, and one of the student's may not: the judge knows nothing of
/// lost disks, and tells puts apart by their values. Throws JsonError.
inline void refuse_what_cannot_be_judged(const std::vector<Action>& actions,
                                         const std::vector<NodeId>& nodes,
                                         const std::string& where) {
  std::set<std::pair<std::string, std::string>> put;  // key and value
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const Action& action = actions[i];
    const std::string place = where + "[" + std::to_string(i) + "]";
    if (action.act == "wipe" || action.act == "start") {
      throw JsonError(place + ".act: no \"" + action.act +
                      "\": all nodes run at first, and no disk is ever lost; crash and restart "
                      "them instead");
    }
    if (action.act == "configure") {
      throw JsonError(place +
                      ".act: no \"configure\": the store is sloppy with R = W = 2; give a request "
                      "its own w or r with \"hosts\"");
    }
    const bool writes = action.act == "put" || action.act == "delete";
    if (writes && action.nodes.size() != 1) {
      throw JsonError(place + ".nodes: expected one node for \"" + action.act + "\", found " +
                      std::to_string(action.nodes.size()) + "; write an action for each");
    }
    if (action.act == "put" && !put.insert({action.key, action.value}).second) {
      throw JsonError(place + ".value: \"" + action.value + "\" was put at " + action.key +
                      " before; give each put a value of its own");
    }
    for (const NodeId& peer : action.peers) {
      if (!contains(nodes, peer)) {
        throw JsonError(place + ".peers: expected some of " + list(nodes) + ", found \"" + peer +
                        "\"");
      }
    }
    if (!action.context.empty() && action.context != "read") {
      throw JsonError(place + ".context: expected \"read\", what was read last of this key");
    }
    if (!action.request.client.empty() || action.request.sequence != 0) {
      throw JsonError(place + ".request: leave it out; each request has an id of its own");
    }
  }
}

inline Json parsed(const std::string& text, const std::string& file) {
  try {
    return json::parse_or_throw(text);
  } catch (const JsonError& error) {
    throw JsonError(file + ": is no JSON: " + error.what());
  }
}

inline std::vector<Action> actions_in(const Json& document, const std::string& file,
                                      const std::string& name) {
  expect_only(document, {"hints", "restart", "deletes"}, file);
  const std::string where = file + "." + name;
  if (!document.contains(name)) {
    throw JsonError(where + " is missing; expected {\"about\": …, \"actions\": […]}");
  }
  const Json& submitted = document[name];
  expect_only(submitted, {"about", "actions"}, where);
  if (!submitted.contains("actions")) {
    throw JsonError(where + ".actions is missing; expected a list");
  }
  Plan plan = whole_plan(kPlanNodes);
  json::from(submitted["actions"], plan.actions, where + ".actions");
  if (plan.actions.empty()) {
    throw JsonError(where + ".actions is empty; part C of the handout says what may stand there");
  }
  if (plan.actions.size() > kMostActions) {
    throw JsonError(where + ".actions: expected at most " + std::to_string(kMostActions) +
                    " of them, found " + std::to_string(plan.actions.size()));
  }
  validate(plan, where);
  if (plan.actions.back().at > kLongest) {
    throw JsonError(where + ".actions[" + std::to_string(plan.actions.size() - 1) +
                    "].at_ms: expected at most " + json::text(json::to(kLongest)));
  }
  refuse_what_cannot_be_judged(plan.actions, plan.nodes, where + ".actions");
  return plan.actions;
}

/// The actions of the plan called `name`. A Violation says what is wrong with the file, where, and
/// what would be right: it is the student's.
inline std::vector<Action> submitted_actions(const std::filesystem::path& file,
                                             const std::string& name) {
  const std::string called = file.filename().string();
  try {
    std::ifstream in(file);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in) throw JsonError(called + ": cannot be read");
    return actions_in(parsed(text, called), called, name);
  } catch (const JsonError& error) {
    violation("a fault plan that can be run", error.what());
  }
}

}  // namespace dynamo::sim
