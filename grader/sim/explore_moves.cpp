// States of the whole: what can happen next, and what comes of it.
#include <algorithm>
#include <utility>

#include "node/messages.h"
#include "sim/explore_space.h"

namespace dynamo::sim {

namespace {

/// Only so many outputs are told apart when a node dies in the middle of them.
constexpr std::size_t kMostTorn = 2;

void insert(std::vector<PacketId>& flight, PacketId packet) {
  flight.insert(std::upper_bound(flight.begin(), flight.end(), packet), packet);
}

bool console(const Ask& ask) { return ask.what == "add" || ask.what == "remove"; }

bool runs_handler(const Move& move) {
  return move.kind != Move::Kind::drop && move.kind != Move::Kind::crash;
}

}  // namespace

std::uint64_t Whole::hash() const {
  std::uint64_t budgets = drops | duplicates << 8 | crashes << 16;
  for (const std::uint8_t left : timers) budgets = budgets << 8 | left;
  return mix(mix(budgets) ^ hash_without_budgets());
}

std::uint64_t Whole::hash_without_budgets() const {
  std::uint64_t hash = 1;
  for (const LocalId local : locals) hash = mix(hash ^ local);
  for (const Asked& ask : asks) {
    hash = mix(hash ^ (std::uint64_t{ask.answer} << 24 | std::uint64_t{ask.after} << 1 |
                       (ask.asked ? 1 : 0)));
  }
  for (const PacketId packet : flight) hash = mix(hash ^ packet);
  return hash;
}

std::vector<Move> Space::moves(const Whole& whole) const {
  using Kind = Move::Kind;
  std::vector<Move> all;
  all.reserve(16);
  const auto count = static_cast<std::uint8_t>(beginning_.nodes.size());
  for (std::uint8_t node = 0; node < count && scope_.started; ++node) {
    if (locals_[whole.locals.at(node)].starts != 0) continue;
    return {{Kind::restart, node, Move::kAll, 0, 0}};
  }
  for (std::uint32_t i = 0; i < scope_.asks.size(); ++i) {
    const Ask& ask = scope_.asks[i];
    if (whole.asks.at(i).asked) continue;
    bool waits = false;
    for (std::uint32_t k = 0; k < i; ++k) {
      waits =
          waits || (scope_.asks[k].client == ask.client && whole.asks.at(k).answer == kNoAnswer);
    }
    for (std::uint8_t node = 0; node < count && !waits; ++node) {
      if (beginning_.nodes[node].id != ask.at || !locals_[whole.locals.at(node)].up) continue;
      all.push_back({Kind::ask, node, Move::kAll, 0, i});
    }
  }
  const auto each_packet = [&](Kind kind) {
    for (std::size_t i = 0; i < whole.flight.size(); ++i) {
      const PacketId id = whole.flight[i];
      if (i > 0 && whole.flight[i - 1] == id) continue;
      const Packet& packet = packets_[id];
      const bool news = packet.kind == Packet::Kind::refusal;
      if (kind == Kind::drop && news) continue;
      if (kind == Kind::duplicate &&
          (news || packet.copy != 0 || !locals_[whole.locals.at(packet.to)].up)) {
        continue;
      }
      all.push_back({kind, packet.to, Move::kAll, 0, id});
    }
  };
  each_packet(Kind::deliver);
  for (std::uint8_t node = 0; node < count; ++node) {
    const Local& local = locals_[whole.locals.at(node)];
    if (!local.up) {
      all.push_back({Kind::restart, node, Move::kAll, 0, 0});
      continue;
    }
    if (whole.timers.at(node) != 0 && !(local.timers.empty() && local.calls.empty())) {
      const bool drawn = timed(local, 0).kind == Given::Kind::timer;
      for (std::uint32_t draw = 0; draw < (drawn ? scope_.draws : 1); ++draw) {
        all.push_back({Kind::timer, node, Move::kAll, static_cast<std::uint8_t>(draw), 0});
      }
    }
    if (whole.crashes != 0) all.push_back({Kind::crash, node, Move::kAll, 0, 0});
  }
  if (whole.duplicates != 0) each_packet(Kind::duplicate);
  if (whole.drops != 0) each_packet(Kind::drop);
  return all;
}

/// The timer or timeout that is due first.
Given Space::timed(const Local& local, std::uint32_t draw) const {
  const Local::Timer* timer = nullptr;
  for (const Local::Timer& one : local.timers) {
    if (timer == nullptr || one.due < timer->due) timer = &one;
  }
  const Local::Call* call = nullptr;
  for (const Local::Call& one : local.calls) {
    if (call == nullptr || one.due < call->due) call = &one;
  }
  Given given;
  if (timer != nullptr && (call == nullptr || timer->due < call->due)) {
    given.kind = Given::Kind::timer;
    given.id = timer->id;
    given.draw = draw;
  } else if (call != nullptr) {
    given.kind = Given::Kind::timeout;
    given.id = call->id;
    given.peer = call->to;
    given.type = call->type;
  }
  return given;
}

std::string Space::ask_bytes(const Whole& whole, std::size_t index) {
  const Ask& ask = scope_.asks[index];
  if (console(ask)) return codec::encode(std::tuple<NodeId>(ask.subject));
  if (ask.what == "get") return codec::encode(ClientRead{ask.key, ask.hosts});
  std::string context;
  for (std::size_t i = 0; i < index && ask.with_context; ++i) {
    const Ask& before = scope_.asks[i];
    if (before.what == "get" && before.client == ask.client && before.key == ask.key) {
      context = client(i, whole.asks.at(i).answer).read_context;
    }
  }
  const RequestId id{ask.client, 1, index + 1};
  const auto value = ask.what == "put" ? std::optional(ask.value) : std::nullopt;
  return codec::encode(ClientWrite{id, ask.key, value, context, ask.hosts});
}

EventId Space::event_of(PacketId id) {
  if (packet_events_.size() <= id) packet_events_.resize(packets_.size(), UINT32_MAX);
  if (packet_events_[id] != UINT32_MAX) return packet_events_[id];
  const Packet& packet = packets_[id];
  Given given;
  given.peer = packet.from;
  given.id = packet.call;
  given.type = packet.type;
  given.bytes = packet.bytes;
  given.kind = Given::Kind::reply;
  if (packet.kind == Packet::Kind::refusal) given.kind = Given::Kind::refused;
  if (packet.kind == Packet::Kind::request) {
    given.kind = Given::Kind::request;
    given.peer_start = packet.start;
    given.token = (std::uint64_t{packet.from} + 1) << 48 | std::uint64_t{packet.start} << 40 |
                  packet.call << 1 | packet.copy;
  }
  return packet_events_[id] = intern(std::move(given));
}

std::optional<EventId> Space::event(const Whole& whole, const Move& move) {
  using Kind = Move::Kind;
  if (!runs_handler(move)) return std::nullopt;
  Given given;
  switch (move.kind) {
    case Kind::deliver:
    case Kind::duplicate:
      if (!locals_[whole.locals.at(move.node)].up) return std::nullopt;
      return event_of(move.id);
    case Kind::timer:
      return intern(timed(locals_[whole.locals.at(move.node)], move.draw));
    case Kind::ask: {
      const Ask& ask = scope_.asks[move.id];
      given.kind = console(ask) ? Given::Kind::console : Given::Kind::client;
      given.id = move.id;
      given.method =
          ask.what == "add" ? method_id<&Membership::add> : method_id<&Membership::remove>;
      given.type = ask.what == "get" ? message_number<ClientRead> : message_number<ClientWrite>;
      given.token = std::uint64_t{1} << 56 | (move.id + 1);
      given.bytes = ask_bytes(whole, move.id);
      return intern(std::move(given));
    }
    case Kind::restart:
    case Kind::drop:
    case Kind::crash:
      break;
  }
  return intern(std::move(given));
}

void Space::hear(Whole& whole, std::size_t ask, AnswerId answer) {
  if (whole.asks.at(ask).answer == kNoAnswer) whole.asks.at(ask).answer = answer;
}

/// The outputs of a handler leave, all or the first `left`; who waits for one that does not leave
/// sees its connection break.
void Space::leave(Whole& whole, const Deed& outcome, std::uint8_t left) {
  for (std::size_t i = 0; i < outcome.outputs.size(); ++i) {
    const Output& output = outcome.outputs[i];
    const bool leaves = left == Move::kAll || i < left;
    if (output.answer) {
      hear(whole, output.ask, leaves ? output.id : kUnknownAnswer);
    } else if (leaves) {
      insert(whole.flight, output.id);
    } else if (packets_[output.id].kind == Packet::Kind::reply) {
      Packet broken = packets_[output.id];
      broken.kind = Packet::Kind::refusal;
      broken.bytes = "the connection to " + beginning_.nodes[broken.from].id + " broke";
      insert(whole.flight, intern(std::move(broken)));
    }
  }
}

void Space::die(Whole& whole, std::uint8_t node) {
  const Local& local = locals_[whole.locals.at(node)];
  for (const Local::Asked& asked : local.asked) {
    if (asked.client) {
      hear(whole, asked.call, kUnknownAnswer);
      continue;
    }
    Packet broken{Packet::Kind::refusal,
                  node,
                  asked.by,
                  asked.start,
                  asked.call,
                  asked.type,
                  0,
                  "the connection to " + beginning_.nodes[node].id + " broke"};
    insert(whole.flight, intern(std::move(broken)));
  }
  whole.locals.at(node) = down(local);
}

/// Takes out of the flight what nobody waits for any more.
void Space::prune(Whole& whole) const {
  std::erase_if(whole.flight, [&](PacketId id) {
    const Packet& packet = packets_[id];
    if (packet.kind == Packet::Kind::request) return false;
    const Local& to = locals_[whole.locals.at(packet.to)];
    return !to.up || to.starts != packet.start ||
           std::none_of(to.calls.begin(), to.calls.end(),
                        [&](const Local::Call& call) { return call.id == packet.call; });
  });
}

Whole Space::apply(const Whole& before, const Move& move) {
  using Kind = Move::Kind;
  Whole whole = before;
  const std::optional<EventId> event = this->event(before, move);
  if (move.kind == Kind::deliver || move.kind == Kind::duplicate || move.kind == Kind::drop) {
    whole.flight.erase(std::lower_bound(whole.flight.begin(), whole.flight.end(), move.id));
  }
  switch (move.kind) {
    case Kind::ask: {
      Whole::Asked& ask = whole.asks.at(move.id);
      ask.asked = true;
      for (std::size_t i = 0; i < whole.asks.size(); ++i) {
        if (whole.asks[i].answer != kNoAnswer) ask.after |= static_cast<std::uint16_t>(1U << i);
      }
      break;
    }
    case Kind::duplicate: {
      --whole.duplicates;
      Packet again = packets_[move.id];
      ++again.copy;
      insert(whole.flight, intern(std::move(again)));
      break;
    }
    case Kind::drop:
      --whole.drops;
      break;
    case Kind::timer:
      --whole.timers.at(move.node);
      break;
    case Kind::crash:
      --whole.crashes;
      die(whole, move.node);
      break;
    case Kind::deliver:
      if (!event && packets_[move.id].kind == Packet::Kind::request) {
        Packet refusal = packets_[move.id];
        refusal.kind = Packet::Kind::refusal;
        std::swap(refusal.from, refusal.to);
        refusal.copy = 0;
        refusal.bytes =
            beginning_.nodes[move.node].id + " cannot be reached: nothing listens there";
        insert(whole.flight, intern(std::move(refusal)));
      }
      break;
    case Kind::restart:
      break;
  }
  if (event) {
    const Deed& outcome = this->outcome(before.locals.at(move.node), *event);
    whole.locals.at(move.node) = outcome.after;
    leave(whole, outcome, move.left);
    if (move.left != Move::kAll) {
      --whole.crashes;
      die(whole, move.node);
    }
  }
  prune(whole);
  return whole;
}

void Space::torn(const Whole& whole, const Move& move, std::vector<Move>& more) {
  if (whole.crashes == 0 || move.left != Move::kAll) return;
  const std::optional<EventId> event = this->event(whole, move);
  if (!event) return;
  const Deed& outcome = this->outcome(whole.locals.at(move.node), *event);
  // A node that has written nothing and dies with its outputs might as well have died before.
  if (!outcome.wrote) return;
  for (std::size_t left = 0; left < std::min(outcome.outputs.size(), kMostTorn); ++left) {
    Move dies = move;
    dies.left = static_cast<std::uint8_t>(left);
    more.push_back(dies);
  }
}

const ClientOperation& Space::client(std::size_t index, AnswerId answer) {
  const auto [found, fresh] = clients_.try_emplace({index, answer});
  ClientOperation& operation = found->second;
  if (!fresh) return operation;
  const Ask& ask = scope_.asks[index];
  operation.what = ask.what;
  operation.at = ask.at;
  operation.id = {ask.client, 1, index + 1};
  operation.key = ask.key;
  if (ask.what == "put") operation.value = ask.value;
  operation.hosts = ask.hosts;
  operation.outcome = ClientOperation::Outcome::unknown;
  if (answer > kUnknownAnswer) take_answer(operation, answers_[answer]);
  return operation;
}

Sight::Asked Space::asked(const Whole& whole, std::size_t index) {
  using Told = Sight::Asked::Outcome;
  const Whole::Asked& ask = whole.asks.at(index);
  Sight::Asked told;
  if (!ask.asked) return told;
  told.after = ask.after;
  told.outcome = Told::pending;
  if (ask.answer == kNoAnswer) return told;
  told.outcome = Told::unknown;
  if (console(scope_.asks[index])) {
    if (ask.answer == kUnknownAnswer) return told;
    const auto status = codec::decode<Status>(answers_[ask.answer]);
    if (!status) throw SolutionDied("the console's answer is malformed");
    told.outcome = status->ok() ? Told::done : Told::error;
    if (!status->ok()) told.error = name_of(status->error().code) + ": " + status->error().message;
    return told;
  }
  told.client = &client(index, ask.answer);
  switch (told.client->outcome) {
    case ClientOperation::Outcome::done:
      told.outcome = Told::done;
      break;
    case ClientOperation::Outcome::found:
    case ClientOperation::Outcome::absent:
      told.outcome = Told::read;
      break;
    case ClientOperation::Outcome::error:
      told.outcome = Told::error;
      break;
    case ClientOperation::Outcome::pending:
    case ClientOperation::Outcome::unknown:
      break;
  }
  return told;
}

std::string Sight::question(std::size_t index) const {
  const Ask& ask = scope().asks.at(index);
  if (console(ask)) return ask.what + " " + ask.subject + " at " + ask.at;
  return ask.what + " " + ask.key + (ask.what == "put" ? " = " + ask.value : "") + " at " + ask.at;
}

Pick choice_of(const Space& space, const Move& move) {
  using Kind = Move::Kind;
  static constexpr auto acts = std::to_array<const char*>(
      {"ask", "deliver", "duplicate", "drop", "timer", "crash", "restart"});
  const std::vector<NodeId>& nodes = space.scope().plan.nodes;
  Pick choice;
  choice.act = acts.at(static_cast<std::size_t>(move.kind));
  choice.node = nodes.at(move.node);
  choice.draw = move.draw;
  if (move.kind == Kind::ask) choice.ask = move.id;
  if (move.kind == Kind::deliver || move.kind == Kind::duplicate || move.kind == Kind::drop) {
    const Packet& packet = space.packet(move.id);
    choice.peer = nodes.at(packet.from);
    choice.message = name_of_message(packet.type);
    if (packet.kind == Packet::Kind::reply) choice.message += " reply";
    if (packet.kind == Packet::Kind::refusal) choice.message += " refused";
    choice.call = packet.call;
    choice.start = packet.start;
    choice.copy = packet.copy;
  }
  choice.dies = move.left != Move::kAll;
  if (choice.dies) choice.outputs = move.left;
  return choice;
}

}  // namespace dynamo::sim
