// The way over to the host: nodes are brought to a local state, and given what is new to it.
#include <utility>

#include "core/keys.h"
#include "sim/draws.h"
#include "sim/explore_space.h"

namespace dynamo::sim {

namespace {

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 40;       // bytes of room on a disk
constexpr Duration kBirth = std::chrono::hours(24 * 365 * 54);  // wall clocks begin in 2023
constexpr std::uint64_t kNew = 0;     // in the place of a hash: nothing is known of it yet …
constexpr std::uint64_t kGlance = 1;  // … or it is looked at by others

}  // namespace

/// Queues one event, at the moment at which it comes.
void Space::queue(Slot slot, const Local& before, const Given& given) {
  using Kind = Given::Kind;
  Instant now = before.now + kHandlerTime;
  if (given.kind == Kind::timer) now = std::max(now, with_id(before.timers, given.id)->due);
  if (given.kind == Kind::timeout) now = std::max(now, with_id(before.calls, given.id)->due);
  const Beginning::Start& node = beginning_.nodes[before.node];
  const std::uint32_t starts = before.starts + (given.kind == Kind::start ? 1 : 0);
  const Key key = Key(scope_.plan.seed, Draw::handler)
                      .with(dynamo::hash_of(node.id))
                      .with(starts)
                      .with(before.handlers)
                      .with(given.draw);
  const Moment moment{now, now + kBirth, key.value()};
  const NodeId& peer = beginning_.nodes[given.peer].id;
  switch (given.kind) {
    case Kind::start:
      return host_.start(slot, moment, false);
    case Kind::request:
      return host_.request(slot, moment, given.token, peer, given.type, given.bytes);
    case Kind::client:
      return host_.request(slot, moment, given.token, "client", given.type, given.bytes);
    case Kind::reply:
      return host_.call_ended(slot, moment, given.id, given.bytes);
    case Kind::refused:
      return host_.call_ended(slot, moment, given.id, Error{ErrorCode::refused, given.bytes});
    case Kind::timeout:
      return host_.call_ended(slot, moment, given.id,
                              Error{ErrorCode::timed_out, "no answer from " + peer});
    case Kind::timer:
      return host_.timer_fired(slot, moment, TimerId{given.id});
    case Kind::console:
      return host_.invoke(slot, moment, given.method, given.bytes);
  }
}

/// Makes the node anew in `slot` and brings it to the state; what its handlers must do again goes
/// to `expected`.
void Space::queue_path(Slot slot, LocalId local, std::vector<std::uint64_t>& expected) {
  std::vector<LocalId> path;
  while (locals_[local].up) {
    path.push_back(local);
    local = locals_[local].parent;
  }
  const Local& start = locals_[local];
  const Beginning::Start& node = beginning_.nodes[start.node];
  host_.make(slot, {node.id, node.incarnation, scope_.plan.config}, *start.disk, kPlenty);
  seats_[slot].taken = true;
  for (std::size_t i = path.size(); i > 0; --i) {
    const Local& step = locals_[path[i - 1]];
    queue(slot, locals_[step.parent], events_[step.event]);
    expected.push_back(step.did);
  }
}

/// A seat for a node in this state; `live`: it is there already.
Slot Space::slot_for(LocalId local, bool& live) {
  const auto found = live_.find(local);
  live = found != live_.end() && seats_[found->second].batch != batch_;
  if (live) {
    const Slot slot = found->second;
    live_.erase(found);
    return slot;
  }
  while (seats_[next_seat_].batch == batch_) next_seat_ = (next_seat_ + 1) % kSeats;
  const auto slot = static_cast<Slot>(next_seat_);
  next_seat_ = (next_seat_ + 1) % kSeats;
  const auto old = live_.find(seats_[slot].local);
  if (old != live_.end() && old->second == slot) live_.erase(old);
  return slot;
}

void Space::run(const std::vector<Want>& wants) {
  for (std::size_t begin = 0; begin < wants.size(); begin += kSeats / 2) {
    run_piece(wants, begin, std::min(wants.size(), begin + kSeats / 2));
  }
}

/// No more of them than half of the seats: so none is taken twice in one crossing.
void Space::run_piece(const std::vector<Want>& wants, std::size_t begin, std::size_t end) {
  ++batch_;
  std::vector<std::uint64_t> expected;  // of each handler: what it must do again, kNew or kGlance
  std::vector<Slot> slots;
  for (std::size_t i = begin; i < end; ++i) {
    bool live = false;
    const Slot slot = slot_for(wants[i].local, live);
    slots.push_back(slot);
    if (!live) queue_path(slot, wants[i].local, expected);
    seats_[slot].batch = batch_;
    const Local& before = locals_[wants[i].local];
    queue(slot, before, events_[wants[i].event]);
    expected.push_back(kNew);
    for (const Glance& glance : scope_.glances) {
      const Instant now = before.now + kHandlerTime;
      host_.invoke(slot, {now, now + kBirth, 0}, glance.method, glance.args);
      expected.push_back(kGlance);
    }
  }
  std::vector<Handled> handled;
  try {
    handled = host_.exchange();
  } catch (const SolutionDied& death) {
    const auto found = std::find(slots.begin(), slots.end(),
                                 death.slots().empty() ? slots.front() : death.slots().front());
    culprit_ = begin + (found == slots.end() ? 0 : static_cast<std::size_t>(found - slots.begin()));
    live_.clear();
    for (Seat& seat : seats_) seat = {};
    throw;
  }
  handlers_ += handled.size();
  std::size_t next = 0;
  for (culprit_ = begin; culprit_ < end; ++culprit_) {
    for (; expected[next] != kNew; ++next) {
      if ((hash_of_deeds(handled[next]) | 2) == expected[next]) continue;
      throw NotTheSame("a handler did something else when it was given the same once more");
    }
    Handled& done = handled[next++];
    std::vector<std::string> seen;
    for (std::size_t k = 0; k < scope_.glances.size(); ++k, ++next) {
      seen.push_back(handled[next].result.value_or(""));
    }
    take(wants[culprit_], slots[culprit_ - begin], std::move(done), std::move(seen));
  }
}

void Space::take(const Want& want, Slot slot, Handled handled, std::vector<std::string> seen) {
  seats_[slot].local = UINT32_MAX;
  Deed outcome = derive(locals_[want.local], want.event, std::move(handled), std::move(seen));
  // Only the first way to a state is the one that is run again.
  const Local& after = locals_[outcome.after];
  if (after.parent == want.local && after.event == want.event) {
    seats_[slot].local = outcome.after;
    live_[outcome.after] = slot;
  }
  outcomes_.emplace(key(want.local, want.event), std::move(outcome));
}

}  // namespace dynamo::sim
