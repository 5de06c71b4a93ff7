// Differs by design: events in a std::map by version; on disk one key per subject; gossip pushes
// fresh news first and completes it with exact deltas; suspects are tried, but less often.
#include "membership.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace dynamo {
namespace {

/// On disk: space "timelines", key "s" + subject, value: every event about that subject.
constexpr std::string_view kSpace = "timelines";
std::string key_for(const NodeId& subject) { return "s" + subject; }
constexpr std::size_t kLongestSubject = 399;  // Storage takes keys of up to 400 bytes.

/// For so many rounds a node pushes an event unasked after it learned it. A quiet cluster, whose
/// news is older than that, exchanges bare digests.
constexpr int kFreshRounds = 2;

class MapMembership final : public Membership {
 public:
  MapMembership(Env& env, const MembershipConfig& config) : env_(env), config_(config) {}

  void start(bool bootstrap) override {
    load();
    const bool empty_disk = events_.empty();
    if (empty_disk && bootstrap) {
      // With no room even for this, the node stays a stranger: nobody is there to be told.
      (void)record(env_.self(), Change::join);
    } else if (empty_disk) {
      // Nothing is known yet, so seeds are the way in: ask all of them, at once.
      const std::set<NodeId> seeds(config_.seeds.begin(), config_.seeds.end());
      for (const NodeId& seed : seeds) {
        if (seed != env_.self()) exchange_with(seed);
      }
    }
    every(env_, config_.gossip_period, [this] { round(); });
  }

  // ---- Part A: events and merge ----------------------------------------------------------------

  Status add(const NodeId& subject) override {
    const std::map<NodeId, Event> latest = latest_by_subject();
    if (!is_member(latest, env_.self())) {
      return Error{ErrorCode::not_a_member, env_.self() + " is not a member of the cluster"};
    }
    if (subject == env_.self()) {
      return Error{ErrorCode::invalid_argument, "a node cannot add itself"};
    }
    if (is_member(latest, subject)) {
      return Error{ErrorCode::already_exists, subject + " is a member already"};
    }
    return record(subject, Change::join);
  }

  Status remove(const NodeId& subject) override {
    const std::map<NodeId, Event> latest = latest_by_subject();
    if (!is_member(latest, env_.self())) {
      return Error{ErrorCode::not_a_member, env_.self() + " is not a member of the cluster"};
    }
    if (!is_member(latest, subject)) {
      return Error{ErrorCode::not_found, subject + " is not a member"};
    }
    return record(subject, Change::leave);
  }

  void merge(const History& events) override {
    // No room is no error here: the news stays out whole, and gossip brings it again.
    (void)accept(events);
  }

  const History& history() const override { return snapshot().history; }

  History view() const override {
    History view;
    for (const auto& [subject, event] : latest_by_subject()) view.push_back(event);
    return view;
  }

  // ---- Part B: gossip --------------------------------------------------------------------------

  /// An exchange, seen from the peer that is asked. It does not know who asks, so it cannot keep an
  /// account of what the asker has; but what just came from there need not be sent back.
  void handle(const Gossip& request, Responder<GossipReply> responder) override {
    (void)accept(request.events);
    GossipReply reply;
    reply.digest = snapshot().digest;
    if (reply.digest != request.digest) reply.events = all_but(versions_of(request.events));
    responder.reply(reply);
  }

  // ---- Part C: suspicion. Only the framework's two calls touch the set. ------------------------

  void peer_answered(const NodeId& peer) override { suspects_.erase(peer); }
  void peer_silent(const NodeId& peer) override { suspects_.insert(peer); }
  std::vector<NodeId> suspects() const override {
    return {suspects_.begin(), suspects_.end()};  // a std::set is sorted
  }

 private:
  /// What the interface hands out and what travels, made from events_ when somebody asks.
  struct Snapshot {
    History history;
    HistoryDigest digest;
  };

  const Snapshot& snapshot() const {
    if (!snapshot_) {
      Snapshot made;
      made.history.reserve(events_.size());
      for (const auto& [version, event] : events_) made.history.push_back(event);
      made.digest = digest_of(made.history);
      snapshot_ = std::move(made);
    }
    return *snapshot_;
  }

  /// Per subject its event of highest version. The map ascends, so the last one written stays.
  std::map<NodeId, Event> latest_by_subject() const {
    std::map<NodeId, Event> latest;
    for (const auto& [version, event] : events_) latest.insert_or_assign(event.subject, event);
    return latest;
  }

  static bool is_member(const std::map<NodeId, Event>& latest, const NodeId& node) {
    const auto found = latest.find(node);
    return found != latest.end() && found->second.change == Change::join;
  }

  static std::set<Version> versions_of(const History& events) {
    std::set<Version> versions;
    for (const Event& event : events) versions.insert(event.version);
    return versions;
  }

  /// The history without those events: a delta for a peer that is known to have them.
  History all_but(const std::set<Version>& known) const {
    History rest;
    for (const auto& [version, event] : events_) {
      if (!known.contains(version)) rest.push_back(event);
    }
    return rest;
  }

  /// Makes a change of this node's own. The map is ordered by counter first, so its last element
  /// has the largest counter that this node has seen, whoever made that event.
  Status record(const NodeId& subject, Change change) {
    const std::uint64_t seen = events_.empty() ? 0 : events_.rbegin()->first.counter;
    return accept({Event{subject, change, {seen + 1, env_.self(), env_.incarnation()}}});
  }

  /// Takes what is new into memory and onto the disk, in this handler: all of it, or (no_room)
  /// none.
  Status accept(const History& events) {
    std::map<Version, Event> news;
    std::set<NodeId> touched;
    for (const Event& event : events) {
      if (events_.contains(event.version)) continue;
      if (event.subject.size() > kLongestSubject) {
        return Error{ErrorCode::invalid_argument, "the name is too long"};
      }
      if (news.emplace(event.version, event).second) touched.insert(event.subject);
    }
    if (news.empty()) return Done{};

    // The new values are made first, and room is asked for them, before anything is changed.
    std::map<NodeId, History> timelines;
    for (const auto* source : {&events_, &news}) {
      for (const auto& [version, event] : *source) {
        if (touched.contains(event.subject)) timelines[event.subject].push_back(event);
      }
    }
    std::map<std::string, std::string> pairs;
    std::size_t bytes = 0;
    for (const auto& [subject, timeline] : timelines) {
      const auto [pair, added] = pairs.emplace(key_for(subject), to_bytes(timeline));
      bytes += pair->first.size() + pair->second.size();
    }
    if (!env_.storage().room(bytes)) {
      return Error{ErrorCode::no_room, "the disk has no room for the change"};
    }

    for (const auto& [key, value] : pairs) env_.storage().put(kSpace, key, value);
    for (const auto& [version, event] : news) fresh_[version] = kFreshRounds;
    events_.merge(news);
    snapshot_.reset();
    return Done{};
  }

  /// Memory from disk. What is read is not fresh: others had it for a while.
  void load() {
    env_.storage().scan(kSpace, "", [this](std::string_view, std::string_view value) {
      if (const auto timeline = from_bytes<History>(value)) {
        for (const Event& event : *timeline) events_.emplace(event.version, event);
      }
      return true;
    });
  }

  /// One round: one exchange with one random peer, and the news grows older by one.
  void round() {
    if (const std::optional<NodeId> peer = choose_peer()) exchange_with(*peer);
    for (auto it = fresh_.begin(); it != fresh_.end();) {
      it = --it->second == 0 ? fresh_.erase(it) : std::next(it);
    }
  }

  /// Members and seeds, without this node. Seeds are peers of every round, so that two halves that
  /// never heard of each other become one. A suspect is passed over every other time, for one more
  /// draw; never for good, or a partition would not heal.
  std::optional<NodeId> choose_peer() {
    std::set<NodeId> candidates(config_.seeds.begin(), config_.seeds.end());
    for (const auto& [subject, event] : latest_by_subject()) {
      if (event.change == Change::join) candidates.insert(subject);
    }
    candidates.erase(env_.self());
    if (candidates.empty()) return std::nullopt;

    const auto draw = [&] {
      const auto steps = static_cast<std::ptrdiff_t>(env_.random(candidates.size()));
      return *std::next(candidates.begin(), steps);
    };
    const NodeId peer = draw();
    if (suspects_.contains(peer) && env_.random(2) == 0) return draw();
    return peer;
  }

  /// Push: the digest and fresh news. Pull: the answer's events. If the peer's digest differs even
  /// then, it lacks something: one more message carries exactly what it is not known to have.
  void exchange_with(const NodeId& peer) {
    Gossip opening;
    opening.digest = snapshot().digest;
    for (const auto& [version, rounds] : fresh_) opening.events.push_back(events_.at(version));
    const std::set<Version> pushed = versions_of(opening.events);

    env_.call<Gossip>(
        peer, opening, config_.call_timeout, [this, peer, pushed](Result<GossipReply> reply) {
          if (!reply.ok()) return;  // the next round says the same to somebody else
          (void)accept(reply->events);
          if (reply->digest == snapshot().digest) return;
          std::set<Version> known = versions_of(reply->events);
          known.insert(pushed.begin(), pushed.end());
          const Gossip rest{snapshot().digest, all_but(known)};
          if (rest.events.empty()) return;
          env_.call<Gossip>(peer, rest, config_.call_timeout, [this](Result<GossipReply> last) {
            if (last.ok()) (void)accept(last->events);
          });
        });
  }

  Env& env_;
  const MembershipConfig config_;
  std::map<Version, Event> events_;           ///< The history; its order is the version order.
  mutable std::optional<Snapshot> snapshot_;  ///< Of events_; nothing after a change.
  std::map<Version, int> fresh_;              ///< Events still pushed, and for how many rounds.
  std::set<NodeId> suspects_;                 ///< In memory only: a restart suspects nobody.
};

}  // namespace

std::unique_ptr<Membership> make_membership(Env& env, const MembershipConfig& config) {
  return std::make_unique<MapMembership>(env, config);
}

}  // namespace dynamo
