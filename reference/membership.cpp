// Lab 1: who is in the cluster. labs/1-membership/README.md says what is asked for.
#include "membership.h"

#include <algorithm>
// BEGIN SOLUTION
#include <iterator>
// END SOLUTION
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <utility>

namespace dynamo {
namespace {

// BEGIN SOLUTION
constexpr std::string_view kSpace = "history";  // key: encoded version, value: encoded event

bool before(const Event& a, const Event& b) { return a.version < b.version; }

class GossipMembership final : public Membership {
 public:
  GossipMembership(Env& env, MembershipConfig config) : env_(env), config_(std::move(config)) {}

  void start(bool bootstrap) override {
    load();
    if (history_.empty() && bootstrap) {
      const Status first = record(env_.self(), Change::join);
      if (!first) env_.note(first.error().message);
    }
    if (history_.empty()) {
      for (const NodeId& seed : config_.seeds) {
        if (seed != env_.self()) exchange(seed);
      }
    }
    every(env_, config_.gossip_period, [this] { round(); });
  }

  Status add(const NodeId& subject) override {
    if (!is_member(env_.self())) return not_a_member();
    if (subject == env_.self()) {
      return Error{ErrorCode::invalid_argument,
                   subject + " cannot add itself: it is a member already"};
    }
    if (is_member(subject)) {
      return Error{ErrorCode::already_exists, subject + " is a member already"};
    }
    return record(subject, Change::join);
  }

  Status remove(const NodeId& subject) override {
    if (!is_member(env_.self())) return not_a_member();
    if (!is_member(subject)) return Error{ErrorCode::not_found, subject + " is not a member"};
    return record(subject, Change::leave);
  }

  void merge(const History& events) override {
    History fresh;
    for (const Event& event : events) {
      if (!knows(event.version)) fresh.push_back(event);
    }
    std::sort(fresh.begin(), fresh.end(), before);
    const auto same = [](const Event& a, const Event& b) { return a.version == b.version; };
    fresh.erase(std::unique(fresh.begin(), fresh.end(), same), fresh.end());
    if (fresh.empty()) return;
    if (!has_room_for(fresh)) {
      env_.note("no room for news; the next rounds of gossip bring them again");
      return;
    }
    for (const Event& event : fresh) {
      env_.storage().put(kSpace, to_bytes(event.version), to_bytes(event));
      see(event);
    }
    const auto size = static_cast<std::ptrdiff_t>(history_.size());
    history_.insert(history_.end(), fresh.begin(), fresh.end());
    std::inplace_merge(history_.begin(), history_.begin() + size, history_.end(), before);
    digest_ = digest_of(history_);
    choose_peers();
  }

  const History& history() const override { return history_; }

  History view() const override {
    History view;
    for (const auto& [subject, event] : view_) view.push_back(event);
    return view;
  }

  void handle(const Gossip& request, Responder<GossipReply> responder) override {
    merge(request.events);
    // Equal digests, equal histories: a quiet cluster sends nothing more than that.
    responder.reply({digest_, request.digest == digest_ ? History{} : history_});
  }

  void peer_answered(const NodeId& peer) override { suspects_.erase(peer); }
  void peer_silent(const NodeId& peer) override { suspects_.insert(peer); }
  std::vector<NodeId> suspects() const override { return {suspects_.begin(), suspects_.end()}; }

 private:
  void load() {
    env_.storage().scan(kSpace, "", [this](std::string_view, std::string_view bytes) {
      std::optional<Event> event = from_bytes<Event>(bytes);
      if (!event) throw std::runtime_error("the history on disk holds a malformed event");
      see(*event);
      history_.push_back(std::move(*event));
      return true;
    });
    std::sort(history_.begin(), history_.end(), before);  // encoded numbers sort otherwise
    digest_ = digest_of(history_);
    choose_peers();
  }

  /// Lets the view take `event` in, if it is the newest of its subject.
  void see(const Event& event) {
    const auto [entry, is_new] = view_.try_emplace(event.subject, event);
    if (!is_new && entry->second.version < event.version) entry->second = event;
  }

  bool knows(const Version& version) const {
    const auto found =
        std::lower_bound(history_.begin(), history_.end(), version,
                         [](const Event& e, const Version& v) { return e.version < v; });
    return found != history_.end() && found->version == version;
  }

  bool is_member(const NodeId& node) const {
    const auto found = view_.find(node);
    return found != view_.end() && found->second.change == Change::join;
  }

  bool has_room_for(const History& events) const {
    std::size_t bytes = 0;
    for (const Event& event : events) {
      bytes += kSpace.size() + to_bytes(event.version).size() + to_bytes(event).size();
    }
    return env_.storage().room(bytes);
  }

  Error not_a_member() const {
    return {ErrorCode::not_a_member, env_.self() + " is not a member; ask a node that is one"};
  }

  /// A change made here and now. Storage makes it durable before the console hears of it.
  Status record(const NodeId& subject, Change change) {
    const std::uint64_t counter = history_.empty() ? 1 : history_.back().version.counter + 1;
    const History made{{subject, change, {counter, env_.self(), env_.incarnation()}}};
    if (!has_room_for(made)) {
      return Error{ErrorCode::no_room,
                   "the disk of " + env_.self() + " has no room for the change"};
    }
    merge(made);
    return Done{};
  }

  void round() {
    if (!peers_.empty()) exchange(peers_[env_.random(peers_.size())]);
  }

  /// Suspected peers are among them, so that a healed partition is noticed. So are the seeds, so
  /// that two halves that never heard of each other become one.
  void choose_peers() {
    std::set<NodeId> peers(config_.seeds.begin(), config_.seeds.end());
    for (const auto& [subject, event] : view_) {
      if (event.change == Change::join) peers.insert(peers.end(), subject);  // mostly its place
    }
    peers.erase(env_.self());
    peers_.assign(peers.begin(), peers.end());
  }

  /// Pull: learn what `peer` has. Then push, if it turned out to lack something.
  void exchange(const NodeId& peer) {
    env_.call(peer, Gossip{digest_, {}}, config_.call_timeout,
              [this, peer](Result<GossipReply> reply) {
                if (!reply.ok()) return;
                merge(reply->events);
                if (reply->digest != digest_) push(peer, reply->events);
              });
  }

  void push(const NodeId& peer, History known_there) {
    std::sort(known_there.begin(), known_there.end(), before);
    History missing;
    std::set_difference(history_.begin(), history_.end(), known_there.begin(), known_there.end(),
                        std::back_inserter(missing), before);
    env_.call(peer, Gossip{digest_, std::move(missing)}, config_.call_timeout,
              [this](Result<GossipReply> reply) {
                if (reply.ok()) merge(reply->events);
              });
  }

  Env& env_;
  const MembershipConfig config_;
  History history_;               ///< In version order; the same set as on disk.
  HistoryDigest digest_{};        ///< Of history_.
  std::map<NodeId, Event> view_;  ///< Per subject its event of highest version.
  std::vector<NodeId> peers_;     ///< Members and seeds without this node: whom to gossip with.
  std::set<NodeId> suspects_;     ///< Peers that have not answered our latest request.
};
// END SOLUTION
// BEGIN SKELETON
// class GossipMembership final : public Membership {
//  public:
//   GossipMembership(Env& env, MembershipConfig config) : env_(env), config_(std::move(config)) {}
//
//   void start(bool /*bootstrap*/) override {
//     // Part A: the first join of a new cluster, if the operator says so (rule 8).
//     // Part B: read the disk first, ask the seeds if it was empty (rule 8), and have
//     // every(env_, config_.gossip_period, …) start one exchange a round (rules 4 to 6).
//     throw std::logic_error("TODO(lab1 A): start: record the first join when bootstrapped");
//   }
//
//   // Part A: events and merge.
//
//   Status add(const NodeId& /*subject*/) override {
//     throw std::logic_error("TODO(lab1 A): add: check, then record a join with a new version");
//   }
//
//   Status remove(const NodeId& /*subject*/) override {
//     throw std::logic_error("TODO(lab1 A): remove: check, then record a leave");
//   }
//
//   void merge(const History& /*events*/) override {
//     throw std::logic_error("TODO(lab1 A): merge: take in every event that is new here");
//   }
//
//   const History& history() const override {
//     throw std::logic_error("TODO(lab1 A): history: all events known, in version order");
//   }
//
//   History view() const override {
//     throw std::logic_error("TODO(lab1 A): view: per subject its event of highest version");
//   }
//
//   // Part B: gossip and durability.
//
//   void handle(const Gossip& /*request*/, Responder<GossipReply> /*responder*/) override {
//     throw std::logic_error("TODO(lab1 B): handle: merge what came, answer with what they lack");
//   }
//
//   // Part C: suspicion. These three do nothing until you write them, since the framework calls
//   // them from part B on, whenever one of your requests ends.
//
//   void peer_answered(const NodeId& /*peer*/) override {}        // TODO(lab1 C)
//   void peer_silent(const NodeId& /*peer*/) override {}          // TODO(lab1 C)
//   std::vector<NodeId> suspects() const override { return {}; }  // TODO(lab1 C)
//
//  private:
//   Env& env_;
//   const MembershipConfig config_;
// };
// END SKELETON

}  // namespace

std::unique_ptr<Membership> make_membership(Env& env, const MembershipConfig& config) {
  return std::make_unique<GossipMembership>(env, config);
}

}  // namespace dynamo
