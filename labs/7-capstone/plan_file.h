// The file with the student's fault plans: what is in it, and what is done with it.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
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

/// The actions of the plan called `name`. A Violation says what is wrong with the file, where, and
/// what would be right: it is the student's.
inline std::vector<Action> submitted_actions(const std::filesystem::path& file,
                                             const std::string& name) {
  const std::string where = file.filename().string();
  try {
    std::ifstream in(file);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const Json document = json::parse_or_throw(text);
    if (!document.is_object() || !document.contains(name) || !document[name].is_object()) {
      throw JsonError(where + ": expected {\"" + name + R"(": {"about": …, "actions": […]}, …})");
    }
    for (const auto& [field, value] : document[name].items()) {
      if (field != "about" && field != "actions") {
        throw JsonError(where + "." + name + ": unknown field \"" + field +
                        "\"; known are: about, actions");
      }
    }
    Plan plan = whole_plan(5);
    plan.actions.clear();
    Json only = Json::object();
    only["actions"] = document[name].value("actions", Json::array());
    json::from(only, plan, where + "." + name);
    validate(plan, where + "." + name);
    if (plan.actions.size() > kMostActions) {
      throw JsonError(where + "." + name + ".actions: at most " + std::to_string(kMostActions) +
                      " of them, found " + std::to_string(plan.actions.size()));
    }
    if (!plan.actions.empty() && plan.actions.back().at > kLongest) {
      throw JsonError(where + "." + name + ".actions: the last one must come within " +
                      std::to_string(kLongest.count() / 1'000'000) + " s");
    }
    return plan.actions;
  } catch (const JsonError& error) {
    violation("a fault plan that can be read", error.what());
  }
}

/// Does one of them now. What cannot be done (a wipe of a node that runs) is the plan's fault.
inline void do_submitted(World& world, Action action) {
  const std::string act = action.act;
  try {
    world.act(std::move(action));
  } catch (const std::logic_error& error) {
    throw Violation("each action of the plan can be done when its time comes",
                    act + ": " + error.what());
  }
}

}  // namespace dynamo::sim
