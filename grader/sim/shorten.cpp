#include "sim/shorten.h"

#include <chrono>
#include <cstring>
#include <utility>

#include "sim/checks.h"
#include "sim/events.h"
#include "sim/lanes.h"
#include "sim/shrink.h"

namespace dynamo::sim {

namespace {

/// A sentence without what differs from run to run: numbers, and what stands in brackets.
std::string sentence(const std::string& text) {
  std::string shape;
  int depth = 0;
  for (const char c : text) {
    if (c == ']' || c == '}') depth = std::max(0, depth - 1);
    const bool digit = c >= '0' && c <= '9';
    if (depth == 0 && (!digit || shape.empty() || shape.back() != '#')) {
      shape.push_back(digit ? '#' : c);
    }
    if (c == '[' || c == '{') ++depth;
  }
  return shape;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }
std::string last_line(const std::string& text) { return text.substr(text.rfind('\n') + 1); }

/// Whether it takes seconds to see that the process hangs: then each candidate would.
bool hangs(const Outcome& outcome) {
  return outcome.died && (outcome.end.actual.rfind("endless loop", 0) == 0 ||
                          outcome.end.actual.rfind("no answer within", 0) == 0);
}

class Candidates {
 public:
  Candidates(const Plan& plan, const Scenario& scenario, const Outcome& original)
      : plan_(plan), scenario_(scenario), original_(original) {
    // Who is led astray by the globals of another node is met again when the short run is verified.
    plan_.one_host_each = false;
  }

  std::vector<Trial> run(const std::vector<Schedule>& schedules, std::uint64_t most_handlers,
                         bool events) const {
    std::vector<Order> orders(schedules.size());
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < schedules.size(); ++i) {
      orders[i] = {&plan_, {}};
      orders[i].options.schedule = schedules[i];
      orders[i].options.list_choices = true;
      orders[i].options.most_handlers = most_handlers;
      // Deaths are told handler by handler, so they are looked for in that way.
      orders[i].options.record = events || original_.died;
      all.push_back(i);
    }
    std::vector<Outcome> outcomes(schedules.size());
    const bool together = worlds_run_side_by_side() && !original_.died;
    if (!together || !run_lanes(orders, all, scenario_, outcomes, false)) {
      if (!run_those_left(orders, outcomes)) return {};
    }
    std::vector<Trial> trials;
    trials.reserve(outcomes.size());
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      Outcome& outcome = outcomes[i];
      trials.push_back({same_failure(original_, outcome), outcome.events,
                        events ? count_events(outcome.steps) : 0, std::move(outcome.choices),
                        schedules[i]});
    }
    return trials;
  }

 private:
  /// One after the other. False if one of them hangs.
  bool run_those_left(const std::vector<Order>& orders, std::vector<Outcome>& outcomes) const {
    for (std::size_t i = 0; i < orders.size(); ++i) {
      const bool given_up = outcomes[i].events >= orders[i].options.most_handlers;
      if (outcomes[i].kind != Outcome::Kind::unfinished || given_up) continue;
      outcomes[i] = run_alone(orders[i], scenario_);
      if (hangs(outcomes[i])) return false;
    }
    return true;
  }

  Plan plan_;
  const Scenario& scenario_;
  const Outcome& original_;
};

}  // namespace

bool same_failure(const Outcome& one, const Outcome& other) {
  if (one.kind != Outcome::Kind::failed || other.kind != one.kind) return false;
  if (one.died != other.died) return false;
  if (one.died) {
    return sentence(first_line(one.end.actual)) == sentence(first_line(other.end.actual));
  }
  if (one.end.expected.empty() || other.end.expected.empty()) {
    // A broken EXPECT_: its text ends with file and line.
    return one.end.expected == other.end.expected &&
           last_line(one.end.actual) == last_line(other.end.actual);
  }
  return sentence(one.end.expected) == sentence(other.end.expected);
}

Shortened shorten(const Plan& plan, const Scenario& scenario, const Outcome& original) {
  const auto begun = std::chrono::steady_clock::now();
  Shortened result;
  result.original_events = result.events = count_events(original.steps);
  const bool unwritten = original.died && original.end.expected.empty();
  const bool wanted = Checks::here().options().shrink && result.events > kShortEnough;
  if (wanted && !unwritten && !hangs(original)) {
    const Candidates candidates(plan, scenario, original);
    Order listed{&plan, {}};
    listed.options.list_choices = true;
    listed.options.record = true;
    Outcome again = run_alone(listed, scenario);
    Trial first{true, again.events, result.events, std::move(again.choices), {}};
    const Shrunk shrunk =
        shrink(first, [&](const std::vector<Schedule>& schedules, std::uint64_t most, bool events) {
          return candidates.run(schedules, most, events);
        });
    result.runs = shrunk.runs;
    if (!shrunk.best.left_out.empty()) {
      Order order{&plan, {}};
      order.options.record = order.options.list_choices = true;
      order.options.schedule = shrunk.best.left_out;
      Outcome shortest = run_alone(order, scenario);
      const std::size_t events = count_events(shortest.steps);
      if (same_failure(original, shortest) && events < result.events) {
        result.outcome = std::move(shortest);
        result.schedule = result.outcome.left_out;  // of the schedule, what came up
        result.events = events;
      }
    }
  }
  if (result.schedule.empty()) result.outcome = original;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  result.seconds = took.count();
  return result;
}

}  // namespace dynamo::sim
