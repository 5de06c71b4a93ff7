// Breadth first through the states of a scope, and from some of them on to their rest.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/random.h"
#include "sim/explore_space.h"

namespace dynamo::sim {

namespace {

constexpr std::size_t kPiece = 128;  // states whose new events cross together
constexpr std::size_t kMostRestMoves = 3000;
constexpr std::size_t kFirstTogether = 16;  // candidates for a rest that are run on at first

class Search {
 public:
  Search(Space& space, Oracle& oracle, Explored& explored)
      : space_(space), oracle_(oracle), explored_(explored) {}

  std::optional<Found> run() {
    meet(space_.first(space_.scope().budgets), UINT32_MAX, {});
    while (!found_ && !next_.empty() && !full()) {
      const std::vector<Front> level = std::exchange(next_, {});
      std::size_t done = 0;
      for (; done < level.size() && !found_ && !full(); done += kPiece) {
        go_on(level, done, std::min(level.size(), done + kPiece));
      }
      if (done >= level.size()) {
        ++explored_.depth;
      } else {
        explored_.frontier += level.size() - done;
      }
    }
    explored_.frontier += next_.size();
    if (next_.empty() && explored_.depth > 0) --explored_.depth;  // the last level led nowhere new
    if (!found_) complete();
    explored_.states = visits_.size();
    explored_.locals = space_.locals();
    explored_.handlers = space_.handlers();
    return std::move(found_);
  }

 private:
  struct Visit {
    std::uint32_t parent = 0;
    Move move;
  };
  struct Front {
    Whole whole;
    std::uint32_t number = 0;
  };
  /// What a new event is for: the first state and move that asked for it.
  struct Reason {
    std::uint32_t number = 0;
    Move move;
  };

  /// A candidate on the way to its rest.
  struct Going {
    Rest rest;
    std::uint32_t number = 0;
    Move move;
  };

  bool full() const { return visits_.size() >= space_.scope().most_states; }

  std::vector<Pick> path(std::uint32_t number) const {
    std::vector<Pick> choices;
    for (; visits_[number].parent != UINT32_MAX; number = visits_[number].parent) {
      choices.push_back(choice_of(space_, visits_[number].move));
    }
    std::reverse(choices.begin(), choices.end());
    return choices;
  }

  void found(std::vector<Pick> schedule, const std::string& expected, const std::string& actual,
             bool died = false) {
    if (!found_) found_ = Found{std::move(schedule), expected, actual, died};
  }

  /// A state: if it is a new one, it is judged, and gone on from later.
  void meet(Whole whole, std::uint32_t parent, const Move& move) {
    const std::uint64_t hash = whole.hash();
    if (!seen_.insert(hash).second) return;
    const auto number = static_cast<std::uint32_t>(visits_.size());
    visits_.push_back({parent, move});
    explored_.hash = mix(explored_.hash ^ hash);
    try {
      oracle_.state(WholeSight(space_, whole));
    } catch (const Violation& violation) {
      return found(path(number), violation.expected(), violation.actual());
    } catch (const SolutionDied& death) {
      return found(path(number), "", death.what(), true);
    }
    consider(whole, number);
    next_.push_back({std::move(whole), number});
  }

  /// Some of the states in which all has been asked will be run on to their rest: if there are
  /// enough of them, those in which nothing is on its way any more, since the others come to one.
  /// What budgets are left makes no difference there.
  void consider(const Whole& whole, std::uint32_t number) {
    const std::size_t most = space_.scope().completions;
    for (std::size_t i = 0; i < space_.scope().asks.size(); ++i) {
      if (!whole.asks.at(i).asked) return;
    }
    const std::uint64_t draw = mix(whole.hash_without_budgets() ^ space_.scope().plan.seed) >> 1;
    const std::uint64_t score = draw | (whole.flight.empty() ? 0 : std::uint64_t{1} << 63);
    if (candidates_.size() >= most && (most == 0 || score >= candidates_.rbegin()->first)) return;
    candidates_.try_emplace(score, Front{whole, number});
    if (candidates_.size() > most) candidates_.erase(std::prev(candidates_.end()));
  }

  void go_on(const std::vector<Front>& level, std::size_t begin, std::size_t end) {
    std::vector<std::vector<Move>> moves;
    std::vector<Space::Want> wants;
    std::vector<Reason> reasons;
    std::unordered_set<std::uint64_t> wanted;
    moves.reserve(end - begin);
    for (std::size_t i = begin; i < end; ++i) {
      const Whole& whole = level[i].whole;
      moves.push_back(space_.moves(whole));
      for (const Move& move : moves.back()) {
        const std::optional<EventId> event = space_.event(whole, move);
        if (!event) continue;
        const LocalId local = whole.locals.at(move.node);
        if (space_.known(local, *event)) continue;
        if (!wanted.insert(std::uint64_t{local} << 32 | *event).second) continue;
        wants.push_back({local, *event});
        reasons.push_back({level[i].number, move});
      }
    }
    if (!cross(wants, reasons)) return;
    for (std::size_t i = begin; i < end && !found_; ++i) {
      const Whole& whole = level[i].whole;
      std::vector<Move>& own = moves[i - begin];
      for (std::size_t k = 0, plain = own.size(); k < plain; ++k) {
        const Move move = own[k];
        space_.torn(whole, move, own);
      }
      for (const Move& move : own) {
        if (found_ || full()) break;
        meet(space_.apply(whole, move), level[i].number, move);
      }
    }
  }

  /// Runs what is new, and lets the oracle judge each step of a node.
  bool cross(const std::vector<Space::Want>& wants, const std::vector<Reason>& reasons) {
    const auto blame = [&](std::size_t which) {
      std::vector<Pick> schedule = path(reasons[which].number);
      schedule.push_back(choice_of(space_, reasons[which].move));
      return schedule;
    };
    try {
      space_.run(wants);
      for (std::size_t i = 0; i < wants.size(); ++i) {
        const LocalId after = space_.outcome(wants[i].local, wants[i].event).after;
        try {
          oracle_.step(space_.scope(), space_.local(wants[i].local), space_.local(after));
        } catch (const Violation& violation) {
          found(blame(i), violation.expected(), violation.actual());
        } catch (const SolutionDied& death) {
          found(blame(i), "", death.what(), true);
        }
        if (found_) return false;
      }
    } catch (const Violation& violation) {
      found(blame(space_.culprit()), violation.expected(), violation.actual());
    } catch (const SolutionDied& death) {
      found(blame(space_.culprit()), "", death.what(), true);
    }
    return !found_;
  }

  /// Runs the candidates on to their rest; the first few by themselves, so that what never comes to
  /// rest is not run on a thousand times.
  void complete() {
    std::vector<Going> together;
    std::size_t most = kFirstTogether;
    for (auto& [score, front] : candidates_) {
      together.push_back({Rest(space_.scope(), std::move(front.whole)), front.number, {}});
      if (together.size() < most) continue;
      most *= 4;
      complete(std::exchange(together, {}));
      if (found_) return;
    }
    complete(std::move(together));
  }

  /// Side by side, so that their events cross together.
  void complete(std::vector<Going> going) {
    explored_.completions += going.size();
    while (!going.empty() && !found_) {
      std::vector<Space::Want> wants;
      std::vector<std::uint32_t> asking;
      std::unordered_set<std::uint64_t> wanted;
      std::vector<Going> left;
      for (Going& one : going) {
        const std::optional<Move> move = one.rest.next(space_, oracle_);
        if (!one.rest.wrong().empty()) return at_rest(one.number, one.rest.wrong());
        if (!move) continue;
        one.move = *move;
        const std::optional<EventId> event = space_.event(one.rest.whole(), *move);
        const LocalId local = one.rest.whole().locals.at(move->node);
        if (event && !space_.known(local, *event) &&
            wanted.insert(std::uint64_t{local} << 32 | *event).second) {
          wants.push_back({local, *event});
          asking.push_back(one.number);
        }
        left.push_back(std::move(one));
      }
      going = std::move(left);
      try {
        space_.run(wants);
      } catch (const SolutionDied& death) {
        return at_rest(asking[space_.culprit()], death.what(), true);
      } catch (const Violation& violation) {
        return at_rest(asking[space_.culprit()], violation.actual());
      }
      for (Going& one : going) one.rest.went(space_.apply(one.rest.whole(), one.move));
    }
  }

  void at_rest(std::uint32_t number, const std::string& wrong, bool died = false) {
    std::vector<Pick> schedule = path(number);
    schedule.emplace_back().act = "rest";
    found(std::move(schedule), died ? "" : oracle_.rest(), wrong, died);
  }

  Space& space_;
  Oracle& oracle_;
  Explored& explored_;
  std::unordered_set<std::uint64_t> seen_;  // never walked
  std::vector<Visit> visits_;
  std::vector<Front> next_;
  std::map<std::uint64_t, Front> candidates_;
  std::optional<Found> found_;
};

}  // namespace

std::optional<Move> Rest::next(Space& space, Oracle& oracle) {
  using Kind = Move::Kind;
  const std::size_t nodes = scope_.plan.nodes.size();
  if (++moves_ > kMostRestMoves) {
    const std::string wrong = oracle.restless(WholeSight(space, whole_));
    wrong_ = "after " + std::to_string(kMostRestMoves) + " more events without any fault, " +
             (wrong.empty() ? "when nothing is missing any more, messages still go back and forth"
                            : "messages still go back and forth: " + wrong);
    return std::nullopt;
  }
  whole_.timers.fill(1);
  whole_.crashes = whole_.drops = whole_.duplicates = 0;
  const std::vector<Move> moves = space.moves(whole_);
  for (const Kind kind : {Kind::restart, Kind::deliver}) {
    const auto move =
        std::find_if(moves.begin(), moves.end(), [&](const Move& one) { return one.kind == kind; });
    if (move != moves.end()) return *move;
  }
  if (node_ == 0) {
    const std::string wrong = oracle.restless(WholeSight(space, whole_));
    if (wrong.empty()) return std::nullopt;
    if (round_ == scope_.rest_rounds) {
      wrong_ = wrong;
      return std::nullopt;
    }
    ++round_;
  }
  for (std::size_t tried = 0; tried < nodes; ++tried) {
    const std::size_t node = node_;
    node_ = (node_ + 1) % nodes;
    const auto move = std::find_if(moves.begin(), moves.end(), [&](const Move& one) {
      return one.kind == Kind::timer && one.node == node;
    });
    if (move != moves.end()) return *move;
  }
  wrong_ = oracle.restless(WholeSight(space, whole_));
  return std::nullopt;
}

std::optional<Found> search(Space& space, Oracle& oracle, Explored& explored) {
  return Search(space, oracle, explored).run();
}

}  // namespace dynamo::sim
