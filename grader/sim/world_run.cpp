// Virtual time: the queue of what happens next, and the crossings to the hosts.
#include <algorithm>
#include <stdexcept>
#include <utility>

#include "sim/methods_text.h"
#include "sim/world_state.h"

namespace dynamo::sim {

namespace {

constexpr std::size_t kWindow = 256;  // happenings looked at for one crossing
// A right solution keeps a handful of messages and timers a node in the air. The bound is far
// above, and low enough that a storm (each message makes two more) is told in seconds, not when
// memory ends.
constexpr std::size_t kMostQueued = 20'000;
constexpr std::size_t kMostQueuedPerNode = 100;
constexpr Duration kBirth = std::chrono::hours(24 * 365 * 54);  // wall clocks begin in 2023

}  // namespace

void World::State::push(Instant at, Happening happening) {
  if (heap.size() >= kMostQueued + kMostQueuedPerNode * nodes.size()) {
    throw Violation(
        "messages and timers are bounded",
        std::to_string(heap.size()) + " of them wait at the same time: each one makes more");
  }
  std::uint32_t slot = 0;
  if (free_slots.empty()) {
    slot = static_cast<std::uint32_t>(slots.size());
    slots.push_back(std::move(happening));
  } else {
    slot = free_slots.back();
    free_slots.pop_back();
    slots[slot] = std::move(happening);
  }
  heap.push_back({at, ++pushed, slot});
  std::push_heap(heap.begin(), heap.end());
}

Happening World::State::pop() {
  std::pop_heap(heap.begin(), heap.end());
  const std::uint32_t slot = heap.back().slot;
  heap.pop_back();
  free_slots.push_back(slot);
  return std::move(slots[slot]);
}

void World::State::run(Instant limit) {
  while (!heap.empty() && heap.front().at <= limit) {
    now = heap.front().at;
    const Happening& next = slots[heap.front().slot];
    if (!next.crossed && needs_handler(next)) gather(limit);
    Happening happening = pop();
    happen(happening);
  }
  now = std::max(now, limit);
}

bool World::State::at_right_start(const Happening& happening) const {
  return nodes[happening.node].starts == happening.start;
}

/// Whether it runs a handler when its time comes. Between now and then nothing else happens to the
/// node: gather() sees to that.
bool World::State::needs_handler(const Happening& happening) const {
  const NodeState& node = nodes[happening.node];
  if (happening.kind == Happening::Kind::action || happening.kind == Happening::Kind::gives_up ||
      node.life != Life::up) {
    return false;
  }
  switch (happening.kind) {
    case Happening::Kind::request:
      if (happening.client) return true;
      return !happening.corrupt && !links.is_cut(happening.peer, happening.node);
    case Happening::Kind::reply:
      if (happening.corrupt || links.is_cut(happening.peer, happening.node)) return false;
      [[fallthrough]];
    case Happening::Kind::refused:
    case Happening::Kind::timeout:
      return at_right_start(happening) && node.calls.count(happening.id) != 0;
    case Happening::Kind::timer:
      return at_right_start(happening) && node.timers.count(happening.id) != 0;
    case Happening::Kind::action:
    case Happening::Kind::start:
    case Happening::Kind::invoke:
    case Happening::Kind::gives_up:
      break;
  }
  return true;
}

/// Lets the next happening cross, together with later ones that it cannot affect: those of other
/// nodes, sooner than the fastest message could reach them. Their results are applied when their
/// own time has come, so the order of everything is the same as one by one.
void World::State::gather(Instant limit) {
  ++gatherings;
  const Duration reach =
      options.ahead ? std::max(links.fastest() - Duration(1), Duration(0)) : Duration(0);
  const Instant horizon = std::min(limit, now + reach);
  std::vector<Entry> seen;
  std::vector<Happening*> crossing_now;
  while (!heap.empty() && heap.front().at <= horizon && seen.size() < kWindow) {
    Happening& happening = slots[heap.front().slot];
    if (happening.kind == Happening::Kind::action) break;
    NodeState& node = nodes[happening.node];
    const bool first = node.gathering != gatherings;
    if (happening.crossed) {
      node.gathering = gatherings;
    } else if (first && needs_handler(happening)) {
      node.gathering = gatherings;
      queue_handler(happening, heap.front().at);
      crossing_now.push_back(&happening);
    }
    seen.push_back(heap.front());
    std::pop_heap(heap.begin(), heap.end());
    heap.pop_back();
    if (!options.ahead) break;
  }
  for (const Entry& entry : seen) {
    heap.push_back(entry);
    std::push_heap(heap.begin(), heap.end());
  }
  cross(crossing_now);
}

void World::State::cross(const std::vector<Happening*>& happenings) {
  std::vector<Host*> hosts;
  hosts.reserve(happenings.size());
  for (const Happening* happening : happenings) hosts.push_back(nodes[happening->node].place.host);
  std::vector<Handled> results;
  try {
    results = crossing.exchange(hosts);
  } catch (...) {
    hosts_died = true;
    for (const Happening* happening : happenings) {
      record(Step::Kind::running, nodes[happening->node].id, [&](Step& step) {
        using Kind = Happening::Kind;
        switch (happening->kind) {
          case Kind::request:
            step.text = "took " + name_of_message(happening->type);
            break;
          case Kind::reply:
            step.text = "took the reply to " + name_of_message(happening->type);
            break;
          case Kind::refused:
            step.text = "heard that a call was refused";
            break;
          case Kind::timeout:
            step.text = "heard that a call timed out";
            break;
          case Kind::timer:
            step.text = "ran a timer's callback";
            break;
          case Kind::start:
            step.text = "was starting";
            break;
          case Kind::invoke:
            step.text = "ran " + method_name(happening->method) + "()";
            break;
          case Kind::action:
          case Kind::gives_up:
            break;
        }
        if (!happening->bytes.empty() &&
            (happening->kind == Kind::request || happening->kind == Kind::reply)) {
          step.peer = happening->client ? "a client" : nodes[happening->peer].id;
          step.message = name_of_message(happening->type);
          step.reply = happening->kind == Kind::reply;
          step.data = message_to_json(happening->type, step.reply, happening->bytes).value_or("");
        }
      });
    }
    throw;
  }
  if (results.size() != happenings.size())
    throw GraderTrouble("the host gave a wrong number of results");
  for (std::size_t i = 0; i < happenings.size(); ++i) {
    happenings[i]->handled = std::move(results[i]);
    happenings[i]->crossed = true;
  }
}

void World::State::queue_handler(Happening& happening, Instant at) {
  NodeState& node = nodes[happening.node];
  const bool look = happening.kind == Happening::Kind::invoke;
  const std::uint64_t number = look ? ++node.looks : ++node.handlers;
  const Key key = Key(plan.seed, look ? Draw::check_handler : Draw::handler)
                      .with(node.key)
                      .with(node.starts)
                      .with(number);
  const Moment moment{at, at + kBirth + node.skew, key.value()};
  Host& host = *node.place.host;
  const Slot slot = node.place.slot;
  switch (happening.kind) {
    case Happening::Kind::start:
      host.start(slot, moment, happening.bootstrap);
      break;
    case Happening::Kind::request:
      // Unique in the world, and the same whatever crosses beside it.
      happening.token = (std::uint64_t{happening.node} + 1) << 40 | ++node.tokens;
      host.request(slot, moment, happening.token,
                   happening.client ? "client" : nodes[happening.peer].id, happening.type,
                   happening.bytes);
      break;
    case Happening::Kind::reply:
      host.call_ended(slot, moment, happening.id, happening.bytes);
      break;
    case Happening::Kind::refused:
      host.call_ended(slot, moment, happening.id, Error{ErrorCode::refused, happening.bytes});
      break;
    case Happening::Kind::timeout:
      host.call_ended(slot, moment, happening.id,
                      Error{ErrorCode::timed_out, "no answer from " + nodes[happening.peer].id});
      break;
    case Happening::Kind::timer:
      host.timer_fired(slot, moment, TimerId{happening.id});
      break;
    case Happening::Kind::invoke:
      host.invoke(slot, moment, happening.method, happening.bytes);
      break;
    case Happening::Kind::action:
    case Happening::Kind::gives_up:
      throw std::logic_error("an action has no handler");
  }
}

void World::State::happen(Happening& happening) {
  if (happening.kind == Happening::Kind::action) {
    perform(plan.actions[happening.id]);
  } else if (happening.kind == Happening::Kind::gives_up) {
    answer_client(happening.id, std::nullopt);
  } else if (happening.crossed) {
    apply(happening);
  } else {
    happen_without_handler(happening);
  }
}

/// For starts and methods: they happen at once, all of them in one crossing.
void World::State::execute_now(std::vector<Happening>& happenings) {
  std::vector<Happening*> all;
  for (Happening& happening : happenings) {
    queue_handler(happening, now);
    all.push_back(&happening);
  }
  cross(all);
  for (Happening& happening : happenings) {
    const Life life = nodes[happening.node].life;
    if (life == Life::up) {
      apply(happening);
    } else {
      happening.handled = {};  // an earlier one of these killed it
    }
  }
}

/// What arrives at a node that is down or paused, or arrives broken, or for nobody.
void World::State::happen_without_handler(Happening& happening) {
  using Kind = Happening::Kind;
  NodeState& node = nodes[happening.node];
  if (happening.console && node.life == Life::down) return answer(happening.id, std::nullopt);
  if (happening.client) {
    if (node.life == Life::paused) return node.held.push_back(std::move(happening));
    return answer_client(happening.id, std::nullopt);
  }
  const bool message = happening.kind == Kind::request || happening.kind == Kind::reply;
  const char* dropped = nullptr;
  if (message && happening.corrupt) {
    dropped = "its checksum is wrong";
  } else if (message && links.is_cut(happening.peer, happening.node)) {
    dropped = "the link was cut while it was on its way";
  } else if (happening.kind == Kind::request && node.life != Life::paused) {
    dropped = "the node is down";
    refuse(happening.peer, happening.peer_start, happening.id, happening.node, happening.type,
           node.id + " cannot be reached: nothing listens there");
  } else if (happening.kind != Kind::request &&
             (!at_right_start(happening) || node.life == Life::down)) {
    dropped = "the process that waited for it is gone";
  } else if (node.life == Life::paused) {
    node.held.push_back(std::move(happening));
    return;
  } else {
    dropped = "nobody waits for it any more";
  }
  trace.mix_in(static_cast<std::uint64_t>(now.time_since_epoch().count()) << 8 | happening.node);
  if (!message) return;
  record(Step::Kind::drop, node.id, [&](Step& step) {
    step.peer = nodes[happening.peer].id;
    step.message = name_of_message(happening.type);
    step.reply = happening.kind == Kind::reply;
    step.id = happening.id;
    step.text = dropped;
  });
}

}  // namespace dynamo::sim
