#include "sim/shrink.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

namespace dynamo::sim {

namespace {

using Kind = Choice::Kind;

const std::vector<Kind> kPlain = {Kind::part, Kind::action, Kind::fault};

class Shrinker {
 public:
  Shrinker(const Trial& original, const Trials& trials, const ShrinkLimits& limits)
      : trials_(trials), limits_(limits), original_(original) {
    shrunk_.best = original;
  }

  Shrunk run() {
    leave_out_whole_kinds();
    // What is left out changes what comes up later: so again, until nothing more is found.
    while (reduce(kPlain) && !spent_) {
    }
    leave_out_delays();
    reduce({Kind::delivery});
    shrunk_.to_the_end = !spent_;
    return shrunk_;
  }

 private:
  /// In the order in which they came up: what belongs together stands together.
  std::vector<std::string> left(const std::vector<Kind>& kinds) const {
    std::vector<std::string> names;
    for (const Choice& choice : shrunk_.best.choices) {
      if (std::find(kinds.begin(), kinds.end(), choice.kind) != kinds.end()) {
        names.push_back(choice.name);
      }
    }
    return names;
  }

  Schedule without(const std::vector<std::string>& names) const {
    Schedule schedule = shrunk_.best.left_out;
    for (const std::string& name : names) schedule.add(name);
    return schedule;
  }

  /// A candidate that does not fail soon after the original did will hardly fail as it did.
  std::uint64_t most_handlers() const { return original_.handlers + original_.handlers / 2 + 200; }

  /// Messages in words cost several times what the run costs that sent them.
  static std::uint64_t cost(std::uint64_t handlers, bool events) {
    constexpr std::uint64_t kTold = 8;
    return events ? kTold * handlers : handlers;
  }

  /// Runs as many of them as the limits allow; what is missing in the end failed otherwise.
  std::vector<Trial> run(const std::vector<Schedule>& schedules, bool events) {
    std::vector<Trial> all;
    for (std::size_t begin = 0; begin < schedules.size() && !spent_;) {
      const std::uint64_t left = limits_.handlers - std::min(limits_.handlers, shrunk_.handlers);
      const std::size_t most =
          std::min<std::uint64_t>({limits_.side_by_side, left / cost(most_handlers(), events),
                                   limits_.runs - shrunk_.runs});
      const std::size_t end = std::min(schedules.size(), begin + most);
      spent_ = most == 0;
      if (spent_) break;
      const auto from = schedules.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto to = schedules.begin() + static_cast<std::ptrdiff_t>(end);
      std::vector<Trial> some = trials_({from, to}, most_handlers(), events);
      spent_ = some.size() < end - begin;
      shrunk_.runs += some.size();
      for (const Trial& trial : some) shrunk_.handlers += cost(trial.handlers, events);
      std::move(some.begin(), some.end(), std::back_inserter(all));
      begin = end;
    }
    all.resize(schedules.size());
    return all;
  }

  /// With all at once, a run without any trouble is found in one crossing.
  void leave_out_whole_kinds() {
    std::vector<std::vector<std::string>> kinds;
    kinds.reserve(std::size(kPlain));
    for (const Kind kind : kPlain) kinds.push_back(left({kind}));
    std::vector<Schedule> schedules;
    for (unsigned set = 7; set > 0; --set) {  // each bit a kind
      std::vector<std::string> names;
      for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        if ((set >> kind & 1) != 0) {
          names.insert(names.end(), kinds[kind].begin(), kinds[kind].end());
        }
      }
      Schedule schedule = without(names);
      const bool known = std::any_of(schedules.begin(), schedules.end(), [&](const Schedule& one) {
        return one.left_out == schedule.left_out;
      });
      if (!names.empty() && !known) schedules.push_back(std::move(schedule));
    }
    const std::vector<Trial> tried = run(schedules, false);
    const Trial* most = nullptr;
    for (const Trial& trial : tried) {
      if (!trial.same) continue;
      if (most == nullptr || leaves_out_more(trial, *most)) most = &trial;
    }
    if (most != nullptr) shrunk_.best = *most;
  }

  /// Delta debugging: halves, quarters and so on, down to single ones. What fails as
  /// before without any of several chunks is tried without all of them. True if it found anything.
  bool reduce(const std::vector<Kind>& kinds) {
    const bool events = kinds.front() == Kind::delivery;
    bool found = false;
    std::size_t chunks = 1;
    std::size_t kept_one_of = 0;  // chunks, the last time that all but one were left out
    while (!spent_) {
      const std::vector<std::string> names = left(kinds);
      if (names.empty()) break;
      const std::size_t size = (names.size() + chunks - 1) / chunks;
      const std::vector<std::vector<std::string>> parts = split(names, size);
      const bool fresh = std::exchange(kept_one_of, chunks) != chunks;
      const bool shorter = (fresh && keep_one(parts, events)) || leave_out_some(parts, events);
      found = found || shorter;
      if (shorter) continue;
      if (size == 1) break;
      chunks = std::min(2 * chunks, names.size());
    }
    return found;
  }

  /// All chunks but one are left out: when all that matters happens within a short time.
  bool keep_one(const std::vector<std::vector<std::string>>& parts, bool events) {
    constexpr std::size_t kMost = 16;
    if (events || parts.size() < 3 || parts.size() > kMost) return false;
    std::vector<Schedule> schedules;
    for (std::size_t kept = 0; kept < parts.size(); ++kept) {
      std::vector<std::string> names;
      for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i != kept) names.insert(names.end(), parts[i].begin(), parts[i].end());
      }
      schedules.push_back(without(names));
    }
    const std::vector<Trial> tried = run(schedules, false);
    const Trial* best = nullptr;
    for (const Trial& trial : tried) {
      if (!trial.same || (best != nullptr && !leaves_out_more(trial, *best))) continue;
      best = &trial;
    }
    if (best != nullptr) shrunk_.best = Trial(*best);
    return best != nullptr;
  }

  static std::vector<std::vector<std::string>> split(const std::vector<std::string>& names,
                                                     std::size_t size) {
    std::vector<std::vector<std::string>> parts;
    for (std::size_t begin = 0; begin < names.size(); begin += size) {
      const std::size_t end = std::min(names.size(), begin + size);
      parts.emplace_back(names.begin() + static_cast<std::ptrdiff_t>(begin),
                         names.begin() + static_cast<std::ptrdiff_t>(end));
    }
    return parts;
  }

  /// Whether a trial is better than the best one so far. Without a count of events, leaving out
  /// anything counts.
  bool better(const Trial& trial, bool events) const {
    return trial.same && (!events || trial.events < shrunk_.best.events);
  }

  bool leave_out_some(const std::vector<std::vector<std::string>>& parts, bool events) {
    if (events && !counted_) count_events();
    std::vector<Schedule> schedules;
    schedules.reserve(parts.size());
    for (const auto& part : parts) schedules.push_back(without(part));
    const std::vector<Trial> tried = run(schedules, events);
    std::vector<std::size_t> good;
    for (std::size_t i = 0; i < tried.size(); ++i) {
      if (better(tried[i], events)) good.push_back(i);
    }
    if (good.empty()) return false;
    // Several of them together: as many as go together, or at least the one that is best alone.
    const Trial* best = &tried[good.front()];
    std::vector<Trial> together;
    if (good.size() > 1) {
      schedules.clear();
      for (const std::vector<std::size_t>& some : unions_of(good)) {
        std::vector<std::string> names;
        for (const std::size_t i : some)
          names.insert(names.end(), parts[i].begin(), parts[i].end());
        schedules.push_back(without(names));
      }
      together = run(schedules, events);
    }
    for (const Trial& trial : together) {
      if (better(trial, events) && leaves_out_more(trial, *best)) best = &trial;
    }
    shrunk_.best = Trial(*best);
    return true;
  }

  static std::size_t plain_choices(const Trial& trial) {
    return static_cast<std::size_t>(
        std::count_if(trial.choices.begin(), trial.choices.end(),
                      [](const Choice& choice) { return choice.kind != Kind::delivery; }));
  }

  static bool leaves_out_more(const Trial& one, const Trial& other) {
    return plain_choices(one) < plain_choices(other);
  }

  /// All; all but each one of them, if they are not many; the first half, the last half and so on.
  static std::vector<std::vector<std::size_t>> unions_of(const std::vector<std::size_t>& good) {
    std::vector<std::vector<std::size_t>> unions = {good};
    constexpr std::size_t kFew = 12;
    if (good.size() > 2 && good.size() <= kFew) {
      for (std::size_t but = 0; but < good.size(); ++but) {
        unions.push_back(good);
        unions.back().erase(unions.back().begin() + static_cast<std::ptrdiff_t>(but));
      }
    }
    for (std::size_t size = good.size() / 2; size > 1; size /= 2) {
      const auto some = static_cast<std::ptrdiff_t>(size);
      unions.emplace_back(good.begin(), good.begin() + some);
      unions.emplace_back(good.end() - some, good.end());
    }
    return unions;
  }

  void leave_out_delays() {
    const std::vector<Trial> tried = run({without({Choice::kDelays})}, false);
    if (tried[0].same) shrunk_.best = tried[0];
  }

  void count_events() {
    const std::vector<Trial> again = run({shrunk_.best.left_out}, true);
    if (again[0].same) shrunk_.best.events = again[0].events;
    counted_ = true;
  }

  const Trials& trials_;
  const ShrinkLimits limits_;
  const Trial& original_;
  Shrunk shrunk_;
  bool counted_ = false;  ///< The events of the best trial are known.
  bool spent_ = false;    ///< The limits.
};

}  // namespace

Shrunk shrink(const Trial& original, const Trials& trials, const ShrinkLimits& limits) {
  return Shrinker(original, trials, limits).run();
}

}  // namespace dynamo::sim
