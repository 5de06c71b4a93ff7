// Single paths: a schedule once more, and random ones that go further than breadth first can.
#include <algorithm>
#include <utility>

#include "core/random.h"
#include "sim/explore_space.h"

namespace dynamo::sim {

namespace {

constexpr std::size_t kSideBySide = 64;  // random schedules whose events cross together
constexpr std::size_t kSwitches = 4;     // most points at which one departs from its rule

/// One path, in a space in which it need not be alone.
class Path {
 public:
  Path(Space& space, Oracle& oracle, Recorder* recorder)
      : space_(space), oracle_(oracle), recorder_(recorder) {}

  /// Judges a state; false: it is wrong, and found() says how.
  bool judge(const Whole& whole) {
    return guarded([&] { oracle_.state(WholeSight(space_, whole)); });
  }

  /// The state after a move; nothing: it broke something.
  std::optional<Whole> go(const Whole& whole, const Move& move) {
    std::optional<Whole> after;
    const bool well = guarded([&] {
      const std::optional<EventId> event = space_.event(whole, move);
      const LocalId before = whole.locals.at(move.node);
      try {
        if (event && !space_.known(before, *event)) space_.run({{before, *event}});
      } catch (...) {
        if (recorder_ != nullptr) recorder_->move(whole, move);
        throw;
      }
      if (recorder_ != nullptr) recorder_->move(whole, move);
      Whole next = space_.apply(whole, move);
      if (recorder_ != nullptr) recorder_->heard(whole, next);
      if (event) {
        const LocalId now = space_.outcome(before, *event).after;
        oracle_.step(space_.scope(), space_.local(before), space_.local(now));
      }
      oracle_.state(WholeSight(space_, next));
      after = std::move(next);
    });
    return well ? std::move(after) : std::nullopt;
  }

  /// On to its rest; false: it does not come there.
  bool rest(const Whole& whole) {
    Rest rest(space_.scope(), whole);
    while (const std::optional<Move> move = rest.next(space_, oracle_)) {
      std::optional<Whole> next = go(rest.whole(), *move);
      if (!next) return false;
      rest.went(std::move(*next));
    }
    if (rest.wrong().empty()) return true;
    found_ = Found{{}, oracle_.rest(), rest.wrong(), false};
    return false;
  }

  const std::optional<Found>& found() const { return found_; }

 private:
  template <class F>
  bool guarded(F&& f) {
    try {
      f();
      return true;
    } catch (const Violation& violation) {
      found_ = Found{{}, violation.expected(), violation.actual(), false};
    } catch (const SolutionDied& death) {
      found_ = Found{{}, "", death.what(), true};
    }
    return false;
  }

  Space& space_;
  Oracle& oracle_;
  Recorder* recorder_;
  std::optional<Found> found_;
};

/// The move that a choice names in this state; nothing if there is none.
std::optional<Move> move_for(const Space& space, const Whole& whole, Pick choice) {
  const auto left = choice.dies ? static_cast<std::uint8_t>(choice.outputs) : Move::kAll;
  if (choice.dies && whole.crashes == 0) return std::nullopt;
  choice.dies = false;
  choice.outputs = 0;
  for (Move move : space.moves(whole)) {
    if (choice_of(space, move) != choice) continue;
    move.left = left;
    return move;
  }
  return std::nullopt;
}

/// The larger of the two in each kind.
Budgets budgets_of(const Scope& scope) {
  Budgets all = scope.budgets;
  all.drops = std::max(all.drops, scope.deep.drops);
  all.duplicates = std::max(all.duplicates, scope.deep.duplicates);
  all.crashes = std::max(all.crashes, scope.deep.crashes);
  all.timers = std::max(all.timers, scope.deep.timers);
  return all;
}

/// Chooses the moves of one random schedule. Every second one follows priorities of links, timers
/// and clients that change at few points (PCT: Burckhardt et al., ASPLOS 2010), every other one
/// delivers in the order of sending but for few delays (Emmi et al., POPL 2011). At as few points
/// something goes wrong.
class Chooser {
 public:
  Chooser(std::uint64_t seed, std::size_t moves) : seed_(seed), random_(seed) {
    for (std::size_t i = 0; i < kSwitches; ++i) {
      switches_.push_back(random_.below(moves));
      faults_.push_back(random_.below(moves));
    }
  }

  /// One of `moves`, which are not none.
  Move choose(const std::vector<Move>& moves, const Space& space, bool may_die) {
    const std::size_t step = step_++;
    std::vector<Move> plain;
    std::vector<Move> wrong;
    for (const Move& move : moves) (fault(move) ? wrong : plain).push_back(move);
    const bool due = std::find(faults_.begin(), faults_.end(), step) != faults_.end();
    if (due && may_die && !plain.empty() && random_.below(2) == 0) {
      Move move = plain[random_.below(plain.size())];  // and dies of it, after its commit
      move.left = static_cast<std::uint8_t>(random_.below(2));
      return move;
    }
    if (!wrong.empty() && (due || plain.empty())) return wrong[random_.below(wrong.size())];
    const bool departs = std::find(switches_.begin(), switches_.end(), step) != switches_.end();
    std::size_t best = 0;
    if (seed_ % 2 == 0) {
      if (departs) return plain[random_.below(plain.size())];
      for (std::size_t i = 1; i < plain.size(); ++i) {
        if (rank(plain[i]) < rank(plain[best])) best = i;
      }
      return plain[best];
    }
    for (std::size_t i = 1; i < plain.size(); ++i) {
      if (priority(plain[i], space) > priority(plain[best], space)) best = i;
    }
    if (departs) lowered_.push_back(thread(plain[best], space));
    return plain[best];
  }

 private:
  static bool fault(const Move& move) {
    using Kind = Move::Kind;
    return move.kind == Kind::drop || move.kind == Kind::duplicate || move.kind == Kind::crash ||
           move.left != Move::kAll;
  }
  /// Oldest messages first, then what was asked, then time.
  static std::uint64_t rank(const Move& move) {
    using Kind = Move::Kind;
    if (move.kind == Kind::deliver) return move.id;
    return (std::uint64_t{1} << 40) + static_cast<std::uint64_t>(move.kind) * 256 + move.node;
  }
  static std::uint64_t thread(const Move& move, const Space& space) {
    using Kind = Move::Kind;
    const bool message = move.kind == Kind::deliver;
    const std::uint64_t from = message ? space.packet(move.id).from : 0;
    return static_cast<std::uint64_t>(move.kind) << 16 | std::uint64_t{move.node} << 8 | from;
  }
  std::uint64_t priority(const Move& move, const Space& space) const {
    const std::uint64_t own = thread(move, space);
    for (std::size_t i = lowered_.size(); i > 0; --i) {
      if (lowered_[i - 1] == own) return kSwitches - std::min(kSwitches, i);
    }
    return kSwitches + 1 + (mix(seed_ ^ own) >> 1);
  }

  std::uint64_t seed_;
  Random random_;
  std::size_t step_ = 0;
  std::vector<std::size_t> switches_;
  std::vector<std::size_t> faults_;
  std::vector<std::uint64_t> lowered_;  ///< In this order; the last one is the lowest.
};

/// Leaves out of a schedule what the same violation does not need.
Found shorten(const Scope& scope, const Beginning& beginning, Host& host, const MakeOracle& make,
              Found found) {
  for (std::size_t i = found.schedule.size(); i > 0; --i) {
    if (i > found.schedule.size()) continue;
    std::vector<Pick> shorter = found.schedule;
    shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(i - 1));
    Rerun run = follow(scope, beginning, host, make, shorter, true);
    if (run.found && run.found->expected == found.expected) found = std::move(*run.found);
  }
  return found;
}

}  // namespace

Rerun follow(const Scope& scope, const Beginning& beginning, Host& host, const MakeOracle& make,
             const std::vector<Pick>& schedule, bool lenient) {
  Scope deep = scope;
  deep.budgets = budgets_of(scope);
  Space space(deep, beginning, host, true);
  const std::unique_ptr<Oracle> oracle = make(beginning);
  Recorder recorder(space, beginning);
  Path path(space, *oracle, &recorder);
  if (!scope.begins.empty()) recorder.phase(scope.begins);
  Rerun run;
  Whole whole = space.first(deep.budgets);
  for (const Pick& choice : schedule) {
    if (choice.act == "rest") {
      run.followed.push_back(choice);
      recorder.phase("from here on nothing goes wrong: all is delivered, timers go round");
      path.rest(whole);
      break;
    }
    const std::optional<Move> move = move_for(space, whole, choice);
    if (!move && lenient) continue;
    if (!move) break;
    run.followed.push_back(choice);
    std::optional<Whole> next = path.go(whole, *move);
    if (!next) break;
    whole = std::move(*next);
  }
  run.found = path.found();
  if (run.found) run.found->schedule = run.followed;
  run.steps = std::move(recorder.steps());
  run.hash = recorder.hash();
  return run;
}

namespace {

/// Random schedules, side by side in one space.
class Wanderers {
 public:
  Wanderers(const Scope& scope, const Beginning& beginning, Host& host, Oracle& oracle)
      : scope_(scope), space_(scope, beginning, host, true), path_(space_, oracle, nullptr) {}

  void add(std::uint64_t seed) {
    going_.push_back(
        {space_.first(scope_.budgets), Chooser(seed, scope_.schedule_moves), {}, std::nullopt});
  }

  /// Each goes one move further; false: one of them broke something.
  bool step() {
    std::vector<Space::Want> wants;
    std::vector<std::size_t> who;
    for (std::size_t i = 0; i < going_.size(); ++i) {
      Going& one = going_[i];
      const std::vector<Move> moves = space_.moves(one.whole);
      one.move.reset();
      if (moves.empty()) continue;
      one.move = one.chooser.choose(moves, space_, one.whole.crashes != 0);
      const std::optional<EventId> event = space_.event(one.whole, *one.move);
      if (!event || space_.known(one.whole.locals.at(one.move->node), *event)) continue;
      const Space::Want want{one.whole.locals.at(one.move->node), *event};
      const bool twice = std::any_of(wants.begin(), wants.end(), [&](const Space::Want& other) {
        return other.local == want.local && other.event == want.event;
      });
      if (twice) continue;
      wants.push_back(want);
      who.push_back(i);
    }
    try {
      space_.run(wants);
    } catch (const Violation& violation) {
      return blame(who[space_.culprit()], {{}, violation.expected(), violation.actual(), false});
    } catch (const SolutionDied& death) {
      return blame(who[space_.culprit()], {{}, "", death.what(), true});
    }
    for (std::size_t i = 0; i < going_.size(); ++i) {
      Going& one = going_[i];
      if (!one.move) continue;
      std::optional<Whole> next = path_.go(one.whole, *one.move);
      if (!next) return blame(i, *path_.found());
      one.schedule.push_back(choice_of(space_, *one.move));
      one.whole = std::move(*next);
    }
    return true;
  }

  bool rest() {
    for (Going& one : going_) {
      if (path_.rest(one.whole)) continue;
      found_ = *path_.found();
      found_.schedule = std::move(one.schedule);
      found_.schedule.emplace_back().act = "rest";
      return false;
    }
    return true;
  }

  const Found& found() const { return found_; }
  std::size_t handlers() const { return space_.handlers(); }

 private:
  struct Going {
    Whole whole;
    Chooser chooser;
    std::vector<Pick> schedule;
    std::optional<Move> move;
  };

  bool blame(std::size_t which, Found found) {
    found_ = std::move(found);
    found_.schedule = std::move(going_[which].schedule);
    found_.schedule.push_back(choice_of(space_, *going_[which].move));
    return false;
  }

  const Scope& scope_;
  Space space_;
  Path path_;
  std::vector<Going> going_;
  Found found_;
};

}  // namespace

std::optional<Found> wander(const Scope& scope, const Beginning& beginning, Host& host,
                            const MakeOracle& make, Explored& explored) {
  Scope deep = scope;
  deep.budgets = budgets_of(scope);
  const std::uint64_t seed = mix(scope.plan.seed);
  for (std::size_t begin = 0; begin < scope.schedules; begin += kSideBySide) {
    const std::size_t end = std::min(scope.schedules, begin + kSideBySide);
    const std::unique_ptr<Oracle> oracle = make(beginning);
    std::optional<Found> found;
    {
      Wanderers wanderers(deep, beginning, host, *oracle);
      for (std::size_t i = begin; i < end; ++i) wanderers.add(seed + i);
      bool well = true;
      for (std::size_t i = 0; i < scope.schedule_moves && well; ++i) well = wanderers.step();
      if (!well || !wanderers.rest()) found = wanderers.found();
      explored.handlers += wanderers.handlers();
    }
    if (found) return shorten(scope, beginning, host, make, std::move(*found));
    explored.schedules += end - begin;
  }
  return std::nullopt;
}

}  // namespace dynamo::sim
