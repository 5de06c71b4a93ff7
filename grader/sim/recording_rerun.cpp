// The handlers of a real node, once more in a host.
#include <algorithm>

#include "ring.h"
#include "sim/methods_text.h"
#include "sim/recording.h"
#include "sim/rings.h"
#include "sim/story.h"

namespace dynamo::sim {

namespace {

using host::Command;

constexpr Slot kSlot = 0;
constexpr std::uint64_t kPlenty = std::uint64_t{1} << 40;
constexpr std::size_t kTogether = 512;  // handlers a crossing

std::string name_of(const RecordedHandler& handler) {
  switch (handler.kind) {
    case Command::start:
      return "its start";
    case Command::request:
      return handler.from.empty() ? "a client's " + name_of_message(handler.type)
                                  : name_of_message(handler.type) + " from " + handler.from;
    case Command::call_ended:
      return handler.outcome.ok() ? "the reply to call " + std::to_string(handler.id)
                                  : "the end of call " + std::to_string(handler.id) + " (" +
                                        dynamo::name_of(handler.outcome.error().code) + ")";
    case Command::timer_fired:
      return "timer " + std::to_string(handler.id);
    default:
      return "the console's " + method_name(handler.method) +
             arguments_in_words(arguments_text(handler.method, handler.bytes));
  }
}

/// Which request an answer belongs to.
const RecordedHandler* asked(const RecordedStart& start, RequestToken token) {
  const auto found = std::find_if(start.handlers.begin(), start.handlers.end(),
                                  [&](const RecordedHandler& handler) {
                                    return handler.kind == Command::request && handler.id == token;
                                  });
  return found == start.handlers.end() ? nullptr : &*found;
}

std::string in_words(const RecordedStart& start, const Effect& effect) {
  const auto message = [&](MessageType type, bool reply) {
    return sim::in_words(message_to_json(type, reply, effect.bytes).value_or("malformed"));
  };
  switch (effect.kind) {
    case Effect::Kind::call:
      return "a " + name_of_message(effect.type) + " to " + effect.to + ": " +
             message(effect.type, false);
    case Effect::Kind::reply: {
      const RecordedHandler* request = asked(start, effect.id);
      if (request == nullptr) return "an answer to a request that it was not given";
      const std::string whom = request->from.empty() ? "a client" : request->from;
      return "the answer to " + whom + ": " + message(request->type, true);
    }
    case Effect::Kind::set_timer:
      return "a timer in " +
             std::to_string(
                 std::chrono::duration_cast<std::chrono::milliseconds>(effect.delay).count()) +
             " ms";
    case Effect::Kind::cancel_timer:
      return "the end of timer " + std::to_string(effect.id);
    case Effect::Kind::note:
      return "a note: " + effect.bytes;
  }
  return "";
}

bool same(const Effect& a, const Effect& b) {
  return a.kind == b.kind && a.id == b.id && a.to == b.to && a.type == b.type &&
         a.delay == b.delay && a.bytes == b.bytes;
}

bool same(const DiskWrite& a, const DiskWrite& b) {
  return a.space == b.space && a.key == b.key && a.value == b.value;
}

std::string in_words(const DiskWrite& write) {
  const std::string where = "\"" + write.space + "\"";
  return write.value ? "a write of " + std::to_string(write.value->size()) + " bytes to " + where
                     : "an erase in " + where;
}

/// What differs first; empty: nothing does.
template <class T, class Words>
std::string first_difference(const std::vector<T>& then, const std::vector<T>& now,
                             const Words& words) {
  const std::size_t most = std::max(then.size(), now.size());
  for (std::size_t i = 0; i < most; ++i) {
    if (i < then.size() && i < now.size() && same(then[i], now[i])) continue;
    return "then: " + (i < then.size() ? words(then[i]) : std::string("nothing more")) +
           "\n    now:  " + (i < now.size() ? words(now[i]) : std::string("nothing more"));
  }
  return "";
}

std::string difference(const RecordedStart& start, const Handled& then, const Handled& now) {
  if (then.taken != now.taken) {
    return std::string("then it was ") + (then.taken ? "taken" : "not taken") + ", now it is " +
           (now.taken ? "taken" : "not taken");
  }
  std::string writes = first_difference(then.writes, now.writes,
                                        [](const DiskWrite& write) { return in_words(write); });
  if (!writes.empty()) return writes;
  return first_difference(then.effects, now.effects,
                          [&](const Effect& effect) { return in_words(start, effect); });
}

void queue(Host& host, const RecordedHandler& handler) {
  // A disk that had no room for so many bytes; for fewer, we do not know, and they are let in.
  if (handler.no_room)
    host.set_room(kSlot, *handler.no_room - std::min<std::uint64_t>(1, *handler.no_room));
  switch (handler.kind) {
    case Command::start:
      host.start(kSlot, handler.moment, handler.bootstrap);
      break;
    case Command::request:
      host.request(kSlot, handler.moment, handler.id, handler.from, handler.type, handler.bytes);
      break;
    case Command::call_ended:
      host.call_ended(kSlot, handler.moment, handler.id, handler.outcome);
      break;
    case Command::timer_fired:
      host.timer_fired(kSlot, handler.moment, TimerId(handler.id));
      break;
    default:
      host.invoke(kSlot, handler.moment, handler.method, handler.bytes);
  }
  if (handler.no_room) host.set_room(kSlot, kPlenty);
}

/// Queues handlers [begin, end) and compares; false at the first that differs.
bool run_some(const RecordedStart& start, std::size_t begin, std::size_t end, Host& host,
              Rerun& rerun) {
  for (std::size_t i = begin; i < end; ++i) queue(host, start.handlers[i]);
  const std::vector<Handled> now = host.exchange();
  for (std::size_t i = begin; i < end; ++i) {
    const RecordedHandler& handler = start.handlers[i];
    if (!handler.done) return true;  // it ended here then; now it lives: told by the caller
    const std::string differs = difference(start, *handler.done, now[i - begin]);
    if (!differs.empty()) {
      rerun.difference = "handler " + std::to_string(i + 1) + " of " +
                         std::to_string(start.handlers.size()) + " (" + name_of(handler) +
                         ") does something else\n    " + differs;
      return false;
    }
    ++rerun.handlers;
  }
  return true;
}

bool has_ring(const NodeSetup& setup) {
  const std::vector<std::string>& modules = setup.config.modules;
  return std::find(modules.begin(), modules.end(), "ring") != modules.end();
}

/// Nobody asked then, so what comes of it is not compared, nor a death at it told.
std::vector<NodeId> owners_in(const RecordedStart& start, Host& host) {
  if (start.handlers.empty() || !has_ring(start.setup)) return {};
  try {
    return invoke<&Ring::owners>(host, kSlot, start.handlers.back().moment, nullptr);
  } catch (const SolutionDied&) {
    return {};
  }
}

Rerun rerun_start(const RecordedStart& start, std::size_t number, Host& host) {
  Rerun result;
  result.node = start.setup.self;
  result.start = number;
  result.died_then = !start.handlers.empty() && !start.handlers.back().done;
  host.make(kSlot, start.setup, start.disk, kPlenty);
  try {
    for (std::size_t i = 0; i < start.handlers.size(); i += kTogether) {
      const std::size_t end = std::min(start.handlers.size(), i + kTogether);
      if (!run_some(start, i, end, host, result)) break;
    }
    if (result.difference.empty() && !result.died_then) result.owners = owners_in(start, host);
    host.destroy(kSlot);
    host.exchange();
  } catch (const SolutionDied& death) {
    result.death = death.what();
  }
  return result;
}

}  // namespace

std::vector<Rerun> rerun(const Recording& recording, Host& host) {
  std::vector<Rerun> reruns;
  reruns.reserve(recording.starts.size());
  for (std::size_t i = 0; i < recording.starts.size(); ++i) {
    reruns.push_back(rerun_start(recording.starts[i], i + 1, host));
  }
  return reruns;
}

std::vector<Step> rings_on_the_way(const NodeSetup& setup, const std::vector<Step>& steps,
                                   Host& host) {
  if (!has_ring(setup)) return {};
  try {
    host.make(kSlot, setup, Disk{}, kPlenty);
    std::vector<Step> told = rings_on_the_way(steps, [&](const History& events) {
      invoke<&Ring::rebuild>(host, kSlot, Moment{}, nullptr, events);
      return invoke<&Ring::owners>(host, kSlot, Moment{}, nullptr);
    });
    host.destroy(kSlot);
    host.exchange();
    return told;
  } catch (const SolutionDied&) {
    return {};
  }
}

}  // namespace dynamo::sim
