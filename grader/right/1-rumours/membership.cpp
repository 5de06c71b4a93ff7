// Lab 1 with rumours. The history is one vector in version order, and the disk holds it in the same
// order: a record's key sorts bytewise as its version does, so a start reads it off. View, members
// and digest are made when somebody asks, and kept until the history grows. A round begins with a
// push of what is young; only if the answer shows another digest does a second call carry the rest
// of what the peer did not show. Its peer is drawn in one pass, each peer with a ticket (a suspect
// with half a one), so every peer has its chance in each round.
#include "membership.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace dynamo {
namespace {

constexpr std::string_view kSpace = "events";
constexpr std::uint64_t kYoungRounds = 6;  // rule 5 allows ten

bool older(const Event& a, const Event& b) { return a.version < b.version; }

/// Eight bytes, the largest first: sorts as the number does.
std::string big_endian(std::uint64_t number) {
  std::string bytes(8, '\0');
  for (std::size_t i = 8; i-- > 0; number >>= 8) bytes[i] = static_cast<char>(number);
  return bytes;
}

std::string record_key(const Version& version) {
  return big_endian(version.counter) + version.node + '\0' + big_endian(version.incarnation);
}

/// The events of `all` that are not in `some`; both in version order.
History difference(const History& all, const History& some) {
  History rest;
  std::set_difference(all.begin(), all.end(), some.begin(), some.end(), std::back_inserter(rest),
                      older);
  return rest;
}

History in_order(History events) {
  std::sort(events.begin(), events.end(), older);
  return events;
}

class RumourMembership final : public Membership {
 public:
  RumourMembership(Env& env, MembershipConfig config) : env_(env), config_(std::move(config)) {}

  void start(bool bootstrap) override {
    env_.storage().scan(kSpace, std::string(1, '\0'), [this](std::string_view, std::string_view v) {
      if (std::optional<Event> event = from_bytes<Event>(v)) history_.push_back(std::move(*event));
      return true;
    });
    if (history_.empty() && bootstrap) {
      record({{env_.self(), Change::join, {1, env_.self(), env_.incarnation()}}});
    } else if (history_.empty()) {
      for (const NodeId& seed : std::set<NodeId>(config_.seeds.begin(), config_.seeds.end())) {
        if (seed != env_.self()) exchange(seed);
      }
    }
    every(env_, config_.gossip_period, [this] { round(); });
  }

  Status add(const NodeId& subject) override {
    if (!is_member(env_.self())) return not_a_member();
    if (subject == env_.self()) {
      return Error{ErrorCode::invalid_argument, "a node cannot add itself"};
    }
    if (is_member(subject)) return Error{ErrorCode::already_exists, subject + " is a member"};
    return change(subject, Change::join);
  }

  Status remove(const NodeId& subject) override {
    if (!is_member(env_.self())) return not_a_member();
    if (!is_member(subject)) return Error{ErrorCode::not_found, subject + " is not a member"};
    return change(subject, Change::leave);
  }

  void merge(const History& events) override { record(events); }

  const History& history() const override { return history_; }

  History view() const override { return lists().view; }

  void handle(const Gossip& request, Responder<GossipReply> responder) override {
    record(request.events);
    GossipReply reply{lists().digest, {}};
    if (reply.digest != request.digest) {
      reply.events = difference(history_, in_order(request.events));
    }
    responder.reply(reply);
  }

  void peer_answered(const NodeId& peer) override { suspects_.erase(peer); }
  void peer_silent(const NodeId& peer) override { suspects_.insert(peer); }
  std::vector<NodeId> suspects() const override { return {suspects_.begin(), suspects_.end()}; }

 private:
  /// What follows from the history.
  struct Lists {
    History view;
    std::vector<NodeId> members;  ///< Sorted.
    HistoryDigest digest;
  };

  /// Some events, and the round in which this node learned of them.
  struct Rumour {
    std::uint64_t round = 0;
    History events;
  };

  const Lists& lists() const {
    if (lists_) return *lists_;
    Lists& lists = lists_.emplace();
    lists.digest = digest_of(history_);
    lists.view = history_;
    std::stable_sort(lists.view.begin(), lists.view.end(),
                     [](const Event& a, const Event& b) { return a.subject < b.subject; });
    // The last event of each subject is its newest.
    const auto last = [&](auto event) {
      return std::next(event) == lists.view.end() || std::next(event)->subject != event->subject;
    };
    auto kept = lists.view.begin();
    for (auto event = lists.view.begin(); event != lists.view.end(); ++event) {
      if (!last(event)) continue;
      if (kept != event) *kept = *event;
      ++kept;
    }
    lists.view.erase(kept, lists.view.end());
    lists.members = members_of(lists.view);
    return lists;
  }

  bool is_member(const NodeId& node) const {
    const std::vector<NodeId>& members = lists().members;
    return std::binary_search(members.begin(), members.end(), node);
  }

  static Status not_a_member() {
    return Error{ErrorCode::not_a_member, "this node is no member of the cluster"};
  }

  Status change(const NodeId& subject, Change change) {
    const std::uint64_t largest = history_.empty() ? 0 : history_.back().version.counter;
    const Event event{subject, change, {largest + 1, env_.self(), env_.incarnation()}};
    if (record({event})) return Done{};
    return Error{ErrorCode::no_room, "the disk has no room for the event"};
  }

  /// Takes in what is new, as far as the disk has room. True: all of it.
  bool record(History events) {
    events = in_order(std::move(events));
    events.erase(std::unique(events.begin(), events.end(),
                             [](const Event& a, const Event& b) { return a.version == b.version; }),
                 events.end());
    History news = difference(events, history_);
    std::size_t kept = 0;
    for (; kept < news.size(); ++kept) {
      const std::string key = record_key(news[kept].version);
      const std::string value = to_bytes(news[kept]);
      if (!env_.storage().room(key.size() + value.size())) break;
      env_.storage().put(kSpace, key, value);
    }
    const bool all = kept == news.size();
    news.resize(kept);
    if (news.empty()) return all;
    const auto middle = static_cast<std::ptrdiff_t>(history_.size());
    history_.insert(history_.end(), news.begin(), news.end());
    std::inplace_merge(history_.begin(), history_.begin() + middle, history_.end(), older);
    lists_.reset();
    rumours_.push_back({round_, std::move(news)});
    return all;
  }

  // Gossip.

  void round() {
    ++round_;
    std::erase_if(rumours_,
                  [&](const Rumour& rumour) { return rumour.round + kYoungRounds < round_; });
    if (const std::optional<NodeId> peer = draw()) exchange(*peer);
  }

  /// Any peer, suspects half as often as others.
  std::optional<NodeId> draw() {
    std::set<NodeId> peers(config_.seeds.begin(), config_.seeds.end());
    peers.insert(lists().members.begin(), lists().members.end());
    peers.erase(env_.self());
    std::optional<NodeId> drawn;
    std::uint64_t tickets = 0;
    for (const NodeId& peer : peers) {
      const std::uint64_t own = suspects_.contains(peer) ? 1 : 2;
      tickets += own;
      if (env_.random(tickets) < own) drawn = peer;
    }
    return drawn;
  }

  void exchange(const NodeId& peer) {
    History young;
    for (const Rumour& rumour : rumours_) {
      young.insert(young.end(), rumour.events.begin(), rumour.events.end());
    }
    young = in_order(std::move(young));
    env_.call(peer, Gossip{lists().digest, young}, config_.call_timeout,
              [this, peer, young](Result<GossipReply> reply) {
                if (reply.ok()) complete(peer, young, *reply);
              });
  }

  /// The second call, if the peer still lacks anything: what neither side has shown.
  void complete(const NodeId& peer, const History& young, const GossipReply& reply) {
    record(reply.events);
    if (reply.digest == lists().digest) return;
    const History rest = difference(difference(history_, young), in_order(reply.events));
    env_.call(peer, Gossip{lists().digest, rest}, config_.call_timeout,
              [this](Result<GossipReply> last) {
                if (last.ok()) record(last->events);
              });
  }

  Env& env_;
  const MembershipConfig config_;
  History history_;                     ///< In version order; what the disk holds.
  mutable std::optional<Lists> lists_;  ///< Nothing: the history grew since.
  std::set<NodeId> suspects_;
  std::uint64_t round_ = 0;
  std::vector<Rumour> rumours_;  ///< In the order in which they came; only young ones.
};

}  // namespace

std::unique_ptr<Membership> make_membership(Env& env, const MembershipConfig& config) {
  return std::make_unique<RumourMembership>(env, config);
}

}  // namespace dynamo
