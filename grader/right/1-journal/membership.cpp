// Differs: pushes a few fresh events, then pulls; tickets draw the peer, and suspects hold fewer.
// Its disk is a journal of merged batches, each all or nothing; history is a map, its vector lazy.
//
// A right solution of lab 1 that goes other ways than the reference where the handout leaves a way.
#include "membership.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace dynamo {
namespace {

constexpr std::string_view kJournal = "journal";
// A push holds the newest few events of the last few rounds: it does not grow with the history.
constexpr std::size_t kMaxRumours = 8;
constexpr std::uint64_t kRumourRounds = 4;
// A suspect is drawn a third as often as another peer, but never not at all (rule 6).
constexpr std::size_t kTrustedTickets = 3;
constexpr std::size_t kSuspectTickets = 1;

// Bytewise order of the keys is then the order of the numbers.
std::string big_endian(std::uint64_t number) {
  std::string key;
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(number >> shift));
  return key;
}

class JournalMembership final : public Membership {
 public:
  JournalMembership(Env& env, MembershipConfig config) : env_(env), config_(std::move(config)) {
    for (const NodeId& seed : config_.seeds) {
      if (seed != env_.self()) seeds_.insert(seed);
    }
  }

  // Rule 8: what the disk knows, else the first join, else the seeds. Then a round each period.
  void start(bool bootstrap) override {
    env_.storage().scan(kJournal, "", [this](std::string_view, std::string_view value) {
      ++records_;
      if (const std::optional<Gossip> batch = from_bytes<Gossip>(value)) {
        for (const Event& event : batch->events) learn(event);
      }
      return true;
    });
    if (events_.empty()) {
      if (bootstrap) {
        record(env_.self(), Change::join);
      } else {
        for (const NodeId& seed : seeds_) exchange(seed);
      }
    }
    every(env_, config_.gossip_period, [this] { round(); });
  }

  // The order of the checks is that of rule 9.
  Status add(const NodeId& subject) override {
    if (!is_member(env_.self())) return no_member_here();
    if (subject == env_.self()) {
      return Error{ErrorCode::invalid_argument, subject + " cannot add itself"};
    }
    if (is_member(subject)) return Error{ErrorCode::already_exists, subject + " is a member"};
    return record(subject, Change::join);
  }

  Status remove(const NodeId& subject) override {
    if (!is_member(env_.self())) return no_member_here();
    if (!is_member(subject)) return Error{ErrorCode::not_found, subject + " is not a member"};
    return record(subject, Change::leave);
  }

  void merge(const History& events) override { take(events); }

  const History& history() const override {
    refresh();
    return history_;
  }

  History view() const override {
    History view;
    for (const auto& [subject, event] : newest_) view.push_back(event);
    return view;
  }

  // The other end of an exchange. If the asker's digest is not ours even after we took what it
  // pushed, it gets everything except that.
  void handle(const Gossip& request, Responder<GossipReply> responder) override {
    take(request.events);
    GossipReply reply{digest(), {}};
    if (reply.digest != request.digest) reply.events = all_but(request.events);
    responder.reply(reply);
  }

  // Rule 7, and nothing else touches suspects_.
  void peer_answered(const NodeId& peer) override { suspects_.erase(peer); }
  void peer_silent(const NodeId& peer) override { suspects_.insert(peer); }
  std::vector<NodeId> suspects() const override { return {suspects_.begin(), suspects_.end()}; }

 private:
  struct Rumour {
    Event event;
    std::uint64_t last_round;
  };

  // --- Events

  bool is_member(const NodeId& node) const {
    const auto found = newest_.find(node);
    return found != newest_.end() && found->second.change == Change::join;
  }

  Error no_member_here() const {
    return Error{ErrorCode::not_a_member, env_.self() + " is not a member of the cluster"};
  }

  // Makes an event of our own. The last version in the map has the largest counter.
  Status record(const NodeId& subject, Change change) {
    const std::uint64_t counter = events_.empty() ? 1 : events_.rbegin()->first.counter + 1;
    const Event event{subject, change, Version{counter, env_.self(), env_.incarnation()}};
    if (take({event})) return Done{};
    return Error{ErrorCode::no_room, "the disk of " + env_.self() + " is full"};
  }

  // Takes in what is new of `events`: all of it, or, if the disk has no room, nothing.
  bool take(const History& events) {
    std::map<Version, Event> fresh;
    for (const Event& event : events) {
      if (!events_.contains(event.version)) fresh.emplace(event.version, event);
    }
    if (fresh.empty()) return true;

    Gossip batch;  // Only a container here: a given struct that to_bytes knows.
    for (const auto& [version, event] : fresh) batch.events.push_back(event);
    const std::string key = big_endian(records_);
    const std::string value = to_bytes(batch);
    if (!env_.storage().room(key.size() + value.size())) return false;

    env_.storage().put(kJournal, key, value);
    ++records_;
    for (const Event& event : batch.events) {
      learn(event);
      rumours_.push_back({event, round_ + kRumourRounds});
      if (rumours_.size() > kMaxRumours) rumours_.pop_front();
    }
    return true;
  }

  // Memory only.
  void learn(const Event& event) {
    events_.emplace(event.version, event);
    const auto [place, inserted] = newest_.emplace(event.subject, event);
    if (!inserted && place->second.version < event.version) place->second = event;
    stale_ = true;
  }

  void refresh() const {
    if (!stale_) return;
    history_.clear();
    for (const auto& [version, event] : events_) history_.push_back(event);
    digest_ = digest_of(history_);
    stale_ = false;
  }

  HistoryDigest digest() const {
    refresh();
    return digest_;
  }

  History all_but(const History& known) const {
    std::set<Version> skip;
    for (const Event& event : known) skip.insert(event.version);
    History rest;
    for (const auto& [version, event] : events_) {
      if (!skip.contains(version)) rest.push_back(event);
    }
    return rest;
  }

  // --- Gossip

  void round() {
    ++round_;
    while (!rumours_.empty() && rumours_.front().last_round < round_) rumours_.pop_front();

    std::set<NodeId> peers = seeds_;
    for (const auto& [subject, event] : newest_) {
      if (event.change == Change::join && subject != env_.self()) peers.insert(subject);
    }
    std::vector<NodeId> tickets;
    for (const NodeId& peer : peers) {
      tickets.insert(tickets.end(), suspects_.contains(peer) ? kSuspectTickets : kTrustedTickets,
                     peer);
    }
    if (!tickets.empty()) exchange(tickets[env_.random(tickets.size())]);
  }

  // First call: our digest and, unless the peer had our very history when it last answered, the
  // rumours. If the answer shows that it lacks more than those, the second call brings the rest.
  void exchange(const NodeId& peer) {
    Gossip question{digest(), {}};
    const auto last = last_digest_.find(peer);
    if (last == last_digest_.end() || last->second != question.digest) {
      for (const Rumour& rumour : rumours_) question.events.push_back(rumour.event);
    }
    env_.call(peer, question, config_.call_timeout,
              [this, peer, pushed = question.events](Result<GossipReply> reply) {
                if (!reply.ok()) return;  // Unknown what happened; the next round tries again.
                hear(peer, *reply);
                if (reply->digest == digest()) return;
                History known = pushed;
                known.insert(known.end(), reply->events.begin(), reply->events.end());
                const Gossip rest{digest(), all_but(known)};
                if (rest.events.empty()) return;  // The peer lacks nothing: we had no room.
                env_.call(peer, rest, config_.call_timeout, [this, peer](Result<GossipReply> end) {
                  if (end.ok()) hear(peer, *end);
                });
              });
  }

  void hear(const NodeId& peer, const GossipReply& reply) {
    take(reply.events);
    last_digest_[peer] = reply.digest;
  }

  Env& env_;
  const MembershipConfig config_;
  std::set<NodeId> seeds_;  // Without this node.

  std::map<Version, Event> events_;  // The history.
  std::map<NodeId, Event> newest_;   // The view.
  std::uint64_t records_ = 0;        // In the journal; also the number of the next one.
  std::set<NodeId> suspects_;

  mutable bool stale_ = true;  // Do the next two lag behind events_?
  mutable History history_;
  mutable HistoryDigest digest_;

  std::uint64_t round_ = 0;
  std::deque<Rumour> rumours_;  // What we learned lately, oldest first.
  std::map<NodeId, HistoryDigest> last_digest_;
};

}  // namespace

std::unique_ptr<Membership> make_membership(Env& env, const MembershipConfig& config) {
  return std::make_unique<JournalMembership>(env, config);
}

}  // namespace dynamo
