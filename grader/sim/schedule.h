// What a run may leave out, and what it does leave out: the words between a world and whoever looks
// for a shorter run (sim/shrink.h). A schedule belongs to a check, a plan and a seed; how the
// failure was found does not matter to it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/fields.h"

namespace dynamo::sim {

/// One thing of a run that could be left out, so that a right solution would pass all the same.
struct Choice {
  enum class Kind : std::uint8_t {
    part,      ///< Of a scenario, which asked World::leaves_out.
    action,    ///< Done while a World::Optional lived.
    fault,     ///< Of the network's chance: a message lost, doubled or broken.
    delivery,  ///< A message that arrived, and that chance might have lost.
    delays,    ///< All of them: each message takes the least that its link allows.
  };
  Kind kind = Kind::action;
  std::string name;  ///< "step 7 action 2": unique in its run, whatever else is left out.

  static constexpr const char* kDelays = "delays";  ///< The only one that is never listed.
};

/// Decides, with plan and seed, what a run does.
struct Schedule {
  std::vector<std::string> left_out;  ///< Names of choices, sorted.
  FIELDS(left_out)

  bool empty() const { return left_out.empty(); }
  bool has(const std::string& name) const {
    return std::binary_search(left_out.begin(), left_out.end(), name);
  }
  void add(const std::string& name) {
    const auto place = std::lower_bound(left_out.begin(), left_out.end(), name);
    if (place == left_out.end() || *place != name) left_out.insert(place, name);
  }
};

/// Those of one world, as they come up. Each is a name, not a place in a list: leaving one out
/// renames no other one, as it is with keyed draws.
class Choices {
 public:
  explicit Choices(Schedule schedule, bool listing = false)
      : schedule_(std::move(schedule)), listing_(listing) {}

  /// False: nobody wants names, and nothing is left out.
  bool at_work() const { return listing_ || !schedule_.empty(); }

  /// Whether the schedule leaves it out; else it is listed. Always false unless at_work().
  bool leaves_out(Choice::Kind kind, std::string name) {
    if (!at_work()) return false;
    if (schedule_.has(name)) {
      if (listing_) applied_.add(name);
      return true;
    }
    if (listing_) taken_.push_back({kind, std::move(name)});
    return false;
  }
  /// The same, of what may come up again: its name tells how often it has.
  bool leaves_out_next(Choice::Kind kind, const std::string& what) {
    if (!at_work()) return false;
    return leaves_out(kind, what + " #" + std::to_string(++counts_[what]));
  }
  bool leaves_out_delays() {
    const bool all = schedule_.has(Choice::kDelays);
    if (all && listing_) applied_.add(Choice::kDelays);
    return all;
  }

  /// What could be left out, and was not, in order of coming up.
  const std::vector<Choice>& taken() const { return taken_; }
  /// What was left out: the schedule without what did not come up.
  const Schedule& applied() const { return applied_; }

 private:
  Schedule schedule_;
  bool listing_;
  std::map<std::string, std::uint32_t> counts_;
  std::vector<Choice> taken_;
  Schedule applied_;
};

}  // namespace dynamo::sim
