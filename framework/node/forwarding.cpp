#include "node/forwarding.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace dynamo {

namespace {

bool contains(const std::vector<NodeId>& nodes, const NodeId& node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

/// How many hosts a request is about, or why that makes no sense.
Result<std::uint32_t> hosts(std::uint32_t asked, std::uint32_t configured, std::uint32_t n,
                            const std::string& name) {
  if (asked > n) {
    return Error{ErrorCode::invalid_argument, name + " must be 1 to N, which is " +
                                                  std::to_string(n) + "; it is " +
                                                  std::to_string(asked)};
  }
  if (asked != 0) return asked;
  return configured != 0 ? configured : n / 2 + 1;
}

}  // namespace

Forwarding::Forwarding(Env& env, const ForwardingConfig& config, ClusterView& view,
                       const LocalStore& store, const LocalStore& hints, QuorumCoordinator& quorum)
    : env_(env),
      config_(config),
      view_(view),
      store_(store),
      hints_(hints),
      quorum_(quorum),
      stamps_(env),
      table_(env, config.remember) {}

void Forwarding::start() {
  stamps_.load();
  table_.load();
}

void Forwarding::handle(const ClientRead& request, Responder<ReadOutcome> responder) {
  const auto r = hosts(request.r, config_.r, config_.n, "r");
  if (!r.ok()) return responder.reply({r.error(), request.r, 0, {}});
  quorum_.get({request.key, *r}, std::move(responder));
}

void Forwarding::handle(const ClientWrite& request, Responder<WriteOutcome> responder) {
  const auto w = hosts(request.w, config_.w, config_.n, "w");
  if (!w.ok()) return responder.reply({w.error(), request.w, 0});
  const std::optional<Stamp> stamp = stamps_.next();
  if (!stamp) {
    const Error full{ErrorCode::no_room, "the disk of " + env_.self() + " is full"};
    return responder.reply({full, *w, 0});
  }
  const NewVersion version{request.value, request.context, *stamp};
  walk_on(std::make_shared<Walk>(Walk{Coordinate{{}, request.id, request.key, version, *w},
                                      std::move(responder),
                                      env_.now() + config_.deadline,
                                      {},
                                      {},
                                      false}));
}

bool Forwarding::owner(std::string_view key) const {
  return contains(view_.preference_list(view_.vnode_of(key)), env_.self());
}

/// In the order in which they are tried; some may come twice. Owners first, since they make the
/// version on top of what they hold; of those this node, since that costs no message; suspects
/// last. Sloppy: instead of suspects this node, and then those that stand in.
std::vector<NodeId> Forwarding::candidates(std::string_view key) const {
  const VnodeId vnode = view_.vnode_of(key);
  std::vector<NodeId> hosts = view_.preference_list(vnode);
  std::stable_partition(hosts.begin(), hosts.end(),
                        [&](const NodeId& host) { return host == env_.self(); });
  const std::vector<NodeId> suspects = view_.suspects();
  const auto suspected = std::stable_partition(
      hosts.begin(), hosts.end(), [&](const NodeId& host) { return !contains(suspects, host); });
  if (config_.mode == QuorumMode::strict) return hosts;
  hosts.erase(suspected, hosts.end());
  hosts.push_back(env_.self());
  for (const Placement& place : view_.active_list(vnode)) hosts.push_back(place.host);
  return hosts;
}

/// The lists are asked for anew each time: the walk itself may have brought news.
std::optional<NodeId> Forwarding::next_host(const Walk& walk) const {
  for (const NodeId& host : candidates(walk.write.key)) {
    if (!walk.asked.contains(host)) return host;
  }
  return std::nullopt;
}

void Forwarding::walk_on(const WalkPtr& walk) {
  const std::optional<NodeId> host = next_host(*walk);
  if (!host || env_.now() >= walk->until) {
    const Error nobody{ErrorCode::unavailable,
                       walk->unknown ? "no node that may coordinate the key has answered in time"
                                     : "no node may coordinate the key"};
    const bool full = walk->no_room && !walk->unknown;
    return walk->responder.reply({full ? *walk->no_room : nobody, walk->write.w, 0});
  }
  walk->asked.insert(*host);
  if (*host != env_.self()) return ask(walk, *host);
  coordinate(walk->write, [this, walk](const WriteOutcome& outcome) {
    if (!finished(*walk, outcome)) walk_on(walk);
  });
}

void Forwarding::ask(const WalkPtr& walk, const NodeId& host) {
  const bool introduced = differing_.contains(host);
  walk->write.known = known_for(host);
  env_.call(host, walk->write, config_.call_timeout,
            [this, walk, host, introduced](Result<CoordinateReply> reply) {
              if (!reply.ok()) {
                walk->unknown = true;
                return walk_on(walk);
              }
              const bool equal = heard(host, reply->known);
              walk->unknown = walk->unknown || reply->pending;
              if (reply->mine && reply->pending && env_.now() < walk->until) return ask(walk, host);
              if (reply->mine && !reply->pending && finished(*walk, reply->outcome)) return;
              // It did not know the history that makes it an owner: it does now.
              if (!reply->mine && !equal && !introduced) walk->asked.erase(host);
              walk_on(walk);
            });
}

/// Answers the client, unless another node may still do what this one could not.
bool Forwarding::finished(Walk& walk, const WriteOutcome& outcome) const {
  if (!outcome.status.ok() && outcome.status.error().code == ErrorCode::no_room) {
    walk.no_room = outcome.status.error();
    return false;
  }
  walk.responder.reply(outcome);
  return true;
}

void Forwarding::handle(const Coordinate& request, Responder<CoordinateReply> responder) {
  const bool equal = view_.learn(request.known);
  const bool mine =
      config_.mode == QuorumMode::sloppy ? view_.member(env_.self()) : owner(request.key);
  if (!mine) return responder.reply({view_.known(!equal), false, false, {}});
  // Who asks must hear something soon, to tell a slow write from a dead node.
  struct Answer {
    bool given = false;
    TimerId timer{};
  };
  auto answer = std::make_shared<Answer>();
  const auto give = [this, responder, answer](bool pending, const WriteOutcome& outcome) {
    if (std::exchange(answer->given, true)) return;
    env_.cancel(answer->timer);
    responder.reply({view_.known(false), true, pending, outcome});
  };
  answer->timer = env_.after(config_.call_timeout / 2, [give] { give(true, {}); });
  coordinate(request, [give](const WriteOutcome& outcome) { give(false, outcome); });
}

void Forwarding::coordinate(const Coordinate& write, Done done) {
  std::vector<Done>& waiting = running_[write.id];
  waiting.push_back(std::move(done));
  if (waiting.size() > 1) return;
  const auto finish = [this, id = write.id](const WriteOutcome& outcome) {
    const auto waiting_for_it = running_.extract(id);
    if (waiting_for_it.empty()) throw std::logic_error("a put was answered twice");
    for (const Done& each : waiting_for_it.mapped()) each(outcome);
  };
  const bool again = table_.executed(write.id);
  if (again && !store_.hash(write.key) && !hints_.hash(write.key)) {
    // It has left this node, which a key does only when all its owners have confirmed it.
    return finish({dynamo::Done{}, write.w, write.w});
  }
  if (!again && !table_.add(write.id)) {
    return finish(
        {Error{ErrorCode::no_room, "the disk of " + env_.self() + " is full"}, write.w, 0});
  }
  quorum_.put(
      {write.key, write.version, write.w, again},
      Responder<WriteOutcome>([this, id = write.id, again, finish](const std::string& bytes) {
        const WriteOutcome outcome = from_bytes<WriteOutcome>(bytes).value();
        const bool refused = !outcome.status.ok() &&
                             outcome.status.error().code != ErrorCode::unavailable &&
                             outcome.status.error().code != ErrorCode::timed_out;
        if (refused && !again) table_.forget(id);
        finish(outcome);
      }));
}

/// Digests travel with each message, events only to a peer that was seen to have another digest.
Known Forwarding::known_for(const NodeId& peer) const {
  return view_.known(differing_.contains(peer));
}

bool Forwarding::heard(const NodeId& peer, const Known& reply) {
  if (view_.learn(reply)) {
    differing_.erase(peer);
    return true;
  }
  differing_.insert(peer);
  return false;
}

}  // namespace dynamo
