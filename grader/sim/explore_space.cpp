// Local states: how they are made, in the host, and told apart.
#include "sim/explore_space.h"

#include <algorithm>
#include <utility>

#include "core/keys.h"

namespace dynamo::sim {

namespace {

/// A start begins so much later than the last one, whatever happened: so that two lives that left
/// the same disk are the same from there on.
constexpr Duration kLife = std::chrono::seconds(60);
constexpr Duration kLongestDelay = std::chrono::hours(24 * 365);
/// Calls, timers and requests that a node may have open.
constexpr std::size_t kMostOpen = 1000;

/// Not the same for (a, b) and (b, a), however small they are.
std::uint64_t fold(std::uint64_t hash, std::uint64_t value) { return mix(mix(hash) ^ value); }
std::uint64_t fold(std::uint64_t hash, std::string_view bytes) {
  return fold(hash, hash_of(bytes));
}

std::uint64_t hash_of_disk(const Disk& disk) {
  std::uint64_t hash = 1;
  for (const auto& [name, value] : disk) {
    hash = fold(fold(fold(hash, name.first), name.second), value);
  }
  return hash;
}

/// Of an event: without the numbers that only tell two equal requests apart.
std::uint64_t hash_of(const Given& given) {
  std::uint64_t hash = fold(static_cast<std::uint64_t>(given.kind), given.peer);
  const bool message = given.kind == Given::Kind::request;
  hash = fold(hash, message ? 0 : given.id);
  hash = fold(fold(fold(hash, given.type), given.method), given.draw);
  return fold(hash, given.bytes);
}

std::uint64_t key_of(const Local& local, bool exact) {
  std::uint64_t hash = fold(local.node, local.up ? 1 : 0);
  hash = fold(fold(hash, local.starts), local.disk_hash);
  hash = fold(fold(hash, static_cast<std::uint64_t>(local.now.time_since_epoch().count())),
              local.memory);
  if (exact) hash = fold(fold(hash, local.parent), local.event);
  for (const Local::Call& call : local.calls) {
    hash = fold(fold(hash, call.id), call.type);
    hash = fold(hash, static_cast<std::uint64_t>(call.due.time_since_epoch().count()));
  }
  hash = fold(hash, 11);
  for (const Local::Timer& timer : local.timers) {
    hash = fold(hash, timer.id);
    hash = fold(hash, static_cast<std::uint64_t>(timer.due.time_since_epoch().count()));
  }
  hash = fold(hash, 13);
  for (const Local::Asked& asked : local.asked) hash = fold(hash, asked.token);
  for (const std::string& seen : local.seen) hash = fold(hash, seen);
  return hash;
}

}  // namespace

std::uint64_t hash_of_deeds(const Handled& handled) {
  std::uint64_t hash = handled.taken ? 3 : 5;
  for (const DiskWrite& write : handled.writes) {
    hash = fold(fold(hash, write.space), write.key);
    hash = write.value ? fold(hash, *write.value) : fold(hash, 7);
  }
  for (const Effect& effect : handled.effects) {
    hash = fold(fold(hash, static_cast<std::uint64_t>(effect.kind)), effect.id);
    hash = fold(fold(hash, effect.to), effect.type);
    hash = fold(hash, static_cast<std::uint64_t>(effect.delay.count()));
    hash = fold(hash, effect.bytes);
  }
  return handled.result ? fold(hash, *handled.result) : hash;
}

Space::Space(const Scope& scope, const Beginning& beginning, Host& host, bool exact)
    : scope_(scope), beginning_(beginning), host_(host), exact_(exact), seats_(kSeats) {
  if (beginning.nodes.size() > kMostExploredNodes || scope.asks.size() > kMostAsks) {
    throw std::logic_error("a scope has at most 4 nodes and 6 asks");
  }
  answers_ = {"", ""};  // kNoAnswer, kUnknownAnswer
}

Space::~Space() {
  for (Slot slot = 0; slot < seats_.size(); ++slot) {
    if (seats_[slot].taken) host_.destroy(slot);
  }
}

Whole Space::first(const Budgets& budgets) {
  Whole whole;
  for (std::size_t i = 0; i < beginning_.nodes.size(); ++i) {
    Local local;
    local.node = static_cast<std::uint8_t>(i);
    local.disk = std::make_shared<const Disk>(beginning_.nodes[i].disk);
    local.disk_hash = hash_of_disk(*local.disk);
    local.parent = local.event = UINT32_MAX;
    whole.locals.at(i) = intern(std::move(local));
    whole.timers.at(i) = budgets.timers;
  }
  whole.drops = budgets.drops;
  whole.duplicates = budgets.duplicates;
  whole.crashes = budgets.crashes;
  return whole;
}

EventId Space::intern(Given given) {
  const std::uint64_t hash =
      fold(fold(fold(hash_of(given), given.id), given.token), given.peer_start);
  const auto [found, fresh] =
      event_ids_.try_emplace(hash, static_cast<std::uint32_t>(events_.size()));
  if (fresh) events_.push_back(std::move(given));
  return found->second;
}

PacketId Space::intern(Packet packet) {
  std::uint64_t hash = fold(static_cast<std::uint64_t>(packet.kind) << 8 | packet.from, packet.to);
  hash = fold(fold(fold(hash, packet.start), packet.call), packet.type);
  hash = fold(fold(hash, packet.copy), packet.bytes);
  const auto [found, fresh] =
      packet_ids_.try_emplace(hash, static_cast<std::uint32_t>(packets_.size()));
  if (fresh) packets_.push_back(std::move(packet));
  return found->second;
}

AnswerId Space::intern_answer(const std::string& bytes) {
  const auto [found, fresh] =
      answer_ids_.try_emplace(dynamo::hash_of(bytes), static_cast<std::uint32_t>(answers_.size()));
  if (fresh) answers_.push_back(bytes);
  return found->second;
}

LocalId Space::intern(Local local) {
  const auto id = static_cast<LocalId>(locals_.size());
  const auto [found, fresh] = local_ids_.try_emplace(key_of(local, exact_), id);
  if (fresh) {
    local.number = id;
    locals_.push_back(std::move(local));
    fresh_.push_back(id);
  }
  return found->second;
}

/// What is left of a node that was killed.
LocalId Space::down(const Local& local) {
  Local left;
  left.node = local.node;
  left.starts = local.starts;
  left.disk = local.disk;
  left.disk_hash = local.disk_hash;
  left.now = std::max(Instant(kLife * local.starts), local.now + kHandlerTime);
  left.parent = local.number;
  left.event = UINT32_MAX;
  return intern(std::move(left));
}

/// What an event is before its handler has done anything: the moment, and what it ends.
void Space::come(Local& after, const Given& given) {
  using Kind = Given::Kind;
  after.now += kHandlerTime;
  ++after.handlers;
  if (given.kind == Kind::start) {
    after.up = true;
    ++after.starts;
    after.handlers = 1;
    after.memory = 0;
  }
  if (given.kind == Kind::timer) {
    const auto timer = with_id(after.timers, given.id);
    after.now = std::max(after.now, timer->due);
    after.timers.erase(timer);
  }
  const bool late = given.kind == Kind::timeout;
  if (late) after.now = std::max(after.now, with_id(after.calls, given.id)->due);
  if (late || given.kind == Kind::reply || given.kind == Kind::refused) {
    after.calls.erase(with_id(after.calls, given.id));
  }
}

void Space::write(Local& after, const std::vector<DiskWrite>& writes) {
  auto disk = std::make_shared<Disk>(*after.disk);
  for (const DiskWrite& write : writes) {
    const std::pair name(write.space, write.key);
    if (write.value) {
      disk->insert_or_assign(name, *write.value);
    } else {
      disk->erase(name);
    }
  }
  after.disk_hash = hash_of_disk(*disk);
  after.disk = std::move(disk);
}

Deed Space::derive(const Local& before, EventId event, Handled handled,
                   std::vector<std::string> seen) {
  using Kind = Given::Kind;
  const Given& given = events_[event];
  Local after = before;
  after.parent = before.number;
  after.event = event;
  after.seen = std::move(seen);
  after.did = hash_of_deeds(handled) | 2;  // never 0 or 1
  come(after, given);
  const std::uint64_t step = fold(hash_of(given), hash_of_deeds(handled));
  after.memory = exact_ ? fold(after.memory, step) : after.memory + step;
  if (handled.taken && (given.kind == Kind::request || given.kind == Kind::client)) {
    const Local::Asked asked{given.token,      given.peer, given.kind == Kind::client,
                             given.peer_start, given.id,   given.type};
    const auto place = std::find_if(after.asked.begin(), after.asked.end(),
                                    [&](const auto& one) { return one.token > given.token; });
    after.asked.insert(place, asked);
  }
  Deed outcome;
  outcome.wrote = !handled.writes.empty();
  if (outcome.wrote) write(after, handled.writes);
  for (const Effect& effect : handled.effects) carry_out(after, effect, outcome.outputs);
  if (given.kind == Kind::console) {
    if (!handled.result) throw SolutionDied("the console got no answer");
    outcome.outputs.push_back(
        {true, intern_answer(*handled.result), static_cast<std::uint32_t>(given.id)});
  }
  if (after.calls.size() + after.timers.size() + after.asked.size() > kMostOpen) {
    throw Violation("messages and timers are bounded",
                    beginning_.nodes[after.node].id + " keeps more than 1000 of them open");
  }
  outcome.after = intern(std::move(after));
  if (exact_) outcome.handled = std::make_shared<const Handled>(std::move(handled));
  return outcome;
}

void Space::send_call(Local& after, const Effect& effect, std::vector<Output>& outputs) {
  if (effect.type >= message_names().size() ||
      with_id(after.calls, effect.id) != after.calls.end()) {
    throw SolutionDied(beginning_.nodes[after.node].id +
                       " made a call that no Env makes: the process was tampered with");
  }
  const auto to = std::find_if(beginning_.nodes.begin(), beginning_.nodes.end(),
                               [&](const auto& node) { return node.id == effect.to; });
  const bool there = to != beginning_.nodes.end();
  const auto peer = there ? static_cast<std::uint8_t>(to - beginning_.nodes.begin()) : after.node;
  const Instant due = after.now + std::clamp(effect.delay, Duration(0), kLongestDelay);
  after.calls.push_back({effect.id, peer, effect.type, due});
  Packet packet{there ? Packet::Kind::request : Packet::Kind::refusal,
                after.node,
                peer,
                after.starts,
                effect.id,
                effect.type,
                0,
                there ? effect.bytes : effect.to + " cannot be reached: nothing listens there"};
  outputs.push_back({false, intern(std::move(packet)), 0});
}

void Space::send_reply(Local& after, const Effect& effect, std::vector<Output>& outputs) {
  const auto asked = std::find_if(after.asked.begin(), after.asked.end(),
                                  [&](const Local::Asked& one) { return one.token == effect.id; });
  if (asked == after.asked.end()) {
    throw SolutionDied(
        beginning_.nodes[after.node].id +
        " answered a request that it was not given, or that it had answered already");
  }
  if (asked->client) {
    outputs.push_back({true, intern_answer(effect.bytes), static_cast<std::uint32_t>(asked->call)});
  } else {
    Packet packet{Packet::Kind::reply, after.node,  asked->by, asked->start,
                  asked->call,         asked->type, 0,         effect.bytes};
    outputs.push_back({false, intern(std::move(packet)), 0});
  }
  after.asked.erase(asked);
}

void Space::carry_out(Local& after, const Effect& effect, std::vector<Output>& outputs) {
  switch (effect.kind) {
    case Effect::Kind::call:
      return send_call(after, effect, outputs);
    case Effect::Kind::reply:
      return send_reply(after, effect, outputs);
    case Effect::Kind::set_timer:
      after.timers.push_back(
          {effect.id, after.now + std::clamp(effect.delay, Duration(0), kLongestDelay)});
      return;
    case Effect::Kind::cancel_timer:
      if (const auto timer = with_id(after.timers, effect.id); timer != after.timers.end()) {
        after.timers.erase(timer);
      }
      return;
    case Effect::Kind::note:
      return;
  }
}

}  // namespace dynamo::sim
