// Lab 3 from memory. Debts and handovers are queues in memory only; on disk a vnode has one marker
// while any key of it is owed. After a restart the keys of marked vnodes are scanned and offered to
// their owners by hash: who has them confirms, and the others are sent the states. So the disk says
// too much and never too little. A fresh write leaves at once in an Update of its own, with several
// under way to a peer. A handover is a snapshot of keys, worked off in a pipeline in which offers
// and states overlap; whom a receiver asks is shuffled; a stray is dropped key by key.
#include "replication.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace dynamo {
namespace {

constexpr std::string_view kMarks = "marks";  // vnodes with debts
constexpr std::string_view kTokens = "tokens";
constexpr std::string_view kWhole = "whole";
constexpr std::string_view kStamp = "stamp";

bool among(const std::vector<NodeId>& nodes, const NodeId& node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

std::size_t weight(const Copy& copy) {
  return copy.key.size() + sizeof(StateHash) + (copy.state ? copy.state->bytes.size() : 0);
}

std::string padded(std::uint64_t number, std::size_t digits) {
  std::string text = std::to_string(number);
  return std::string(digits - std::min(digits, text.size()), '0') + text;
}

/// Sends requests with what the peer should know of the history, and looks first at what its reply
/// says of it (rule 3f).
class Line {
 public:
  Line(Env& env, ClusterView& view, Duration timeout) : env_(env), view_(view), timeout_(timeout) {}

  /// `done(reply, equal)`; no reply: the call failed.
  template <class Request, class Done>
  void call(const NodeId& to, Request request, Done done) {
    request.known = view_.known(differ_.contains(to) && differ_[to] != view_.known().digest);
    env_.call(to, request, timeout_, [this, to, done](Result<typename Request::Reply> reply) {
      if (!reply.ok()) return done(nullptr, false);
      differ_[to] = reply->known.digest;
      const bool equal = view_.learn(reply->known);
      done(&*reply, equal);
    });
  }

 private:
  Env& env_;
  ClusterView& view_;
  const Duration timeout_;
  std::map<NodeId, HistoryDigest> differ_;  ///< The digest in each peer's last reply.
};

/// The ids of executed writes, in memory in the order in which they are to be forgotten.
class Tokens {
 public:
  Tokens(Env& env, Duration remember) : env_(env), remember_(remember) {}

  void start() {
    env_.storage().scan(kTokens, std::string(1, '\0'), [this](std::string_view id, auto) {
      known_.emplace(id);
      ages_.emplace_back(env_.now(), id);
      return true;
    });
  }
  bool has(const RequestId& id) const { return known_.contains(to_bytes(id)); }
  void add(const RequestId& id) {
    const std::string bytes = to_bytes(id);
    env_.storage().put(kTokens, bytes, "");
    if (known_.insert(bytes).second) ages_.emplace_back(env_.now(), bytes);
  }
  /// Forgets some of those that are old enough.
  void forget() {
    for (int i = 0; i < kForget && !ages_.empty(); ++i) {
      const auto& [since, bytes] = ages_.front();
      if (env_.now() - since <= remember_) return;
      env_.storage().erase(kTokens, bytes);
      known_.erase(bytes);
      ages_.pop_front();
    }
  }

 private:
  static constexpr int kForget = 2000;
  Env& env_;
  const Duration remember_;
  std::set<std::string> known_;
  std::deque<std::pair<Instant, std::string>> ages_;
};

class QueueCoordinator final : public LazyCoordinator {
 public:
  QueueCoordinator(Env& env, const ReplicationConfig& config, ClusterView& view, LocalStore& store,
                   const Transfer& transfer)
      : env_(env),
        config_(config),
        view_(view),
        store_(store),
        transfer_(transfer),
        line_(env, view, config.call_timeout),
        tokens_(env, config.remember) {}

  void start() override {
    tokens_.start();
    if (!env_.storage().get(kStamp, kStamp)) keep_stamp(0, 0);
    std::vector<VnodeId> marked;
    env_.storage().scan(kMarks, "0", [&](std::string_view vnode, auto) {
      marked.push_back(static_cast<VnodeId>(std::stoul(std::string(vnode))));
      return true;
    });
    for (const VnodeId vnode : marked) {
      store_.scan(vnode, "", [&](std::string_view key, const StateHash&) {
        debts_[std::string(key)].vnode = vnode;
        return true;
      });
    }
    for (const auto& [key, debt] : debts_) ++open_[debt.vnode];
    for (const VnodeId vnode : marked) {
      if (!open_.contains(vnode)) unmark(vnode);
    }
    owe_all();
    every(env_, config_.retry_period, [this] { tick(); });
  }

  void history_grew(const History& /*before*/) override {
    empty_.clear();
    owe_all();
  }

  void handle(const ClientWrite& request, Responder<WriteOutcome> responder) override {
    if (tokens_.has(request.id)) return responder.reply({Done{}, 1, 1});
    const std::optional<Stamp> stamp = next_stamp();
    if (!stamp) return responder.reply({Error{ErrorCode::no_room, "no room for a stamp"}, 1, 0});
    auto errand = std::make_shared<Errand>(Errand{responder, {}, {}, {}, {}, {}});
    errand->write = {{}, request.id, request.key, {request.value, request.context, *stamp}};
    plan(*errand);
    go_on(errand);
  }

  void handle(const ClientRead& request, Responder<ReadOutcome> responder) override {
    auto quest = std::make_shared<Quest>(Quest{responder, request.key, {}, {}, {}, {}, {}});
    plan(*quest);
    go_on(quest);
  }

  void handle(const Write& request, Responder<WriteReply> responder) override {
    const bool equal = view_.learn(request.known);
    WriteReply reply{view_.known(!equal), owner(request.key), Done{}};
    if (reply.mine) reply.status = execute(request);
    responder.reply(reply);
  }

  void handle(const Read& request, Responder<ReadReply> responder) override {
    const bool equal = view_.learn(request.known);
    ReadReply reply{view_.known(!equal), Holding::found, store_.get(request.key), false};
    if (!reply.state) {
      const bool sure = owner(request.key) && transfer_.complete(view_.vnode_of(request.key));
      reply.holding = sure ? Holding::absent : Holding::not_mine;
      reply.empty = !view_.member(env_.self()) && store_.vnodes().empty();
    }
    responder.reply(reply);
  }

  void handle(const Update& request, Responder<UpdateReply> responder) override {
    const bool equal = view_.learn(request.known);
    UpdateReply reply{view_.known(!equal), {}};
    for (const Copy& copy : request.copies) {
      if (owner(copy.key) && take(copy)) {
        reply.confirmed.push_back({copy.key, copy.hash, std::nullopt});
      }
    }
    responder.reply(reply);
  }

 private:
  /// A client's write, under way. `hosts` are still to be asked, in this order.
  struct Errand {
    Responder<WriteOutcome> responder;
    Write write;
    std::deque<NodeId> hosts;
    std::map<NodeId, int> asked;
    std::set<NodeId> strangers;            ///< Said "not mine" the last time.
    std::map<ErrorCode, bool> complaints;  ///< no_room: somebody said so; timed_out: no answer.
  };

  /// A client's read, under way.
  struct Quest {
    Responder<ReadOutcome> responder;
    std::string key;
    std::deque<NodeId> hosts;
    std::set<NodeId> asked;  ///< In this round, as the rest.
    std::set<NodeId> again;  ///< Asked once more, with events.
    bool on_its_way = false;
    int rounds = 0;
  };

  /// A key of which some owner has not confirmed the state that is held.
  struct Debt {
    VnodeId vnode = 0;
    std::set<NodeId> to;  ///< Empty only while nobody is known to be an owner.
  };

  /// The keys that one peer is owed.
  struct Courier {
    std::set<std::string> owed;
    std::set<std::string> due;          ///< Of those: to be sent as soon as there is a place.
    std::set<std::string> doubtful;     ///< Of those: offered first, it may well have them.
    std::map<std::string, int> on_way;  ///< In how many Updates.
    int under_way = 0;                  ///< Updates.
    int pause = 0;                      ///< It confirmed nothing: periods to wait.
    bool sober = false;                 ///< It did so the last time: one key at a time.
    bool told = false;                  ///< Our events, in this period.
  };

  static constexpr int kPipeline = 4;  // Updates under way to one peer
  static constexpr int kPause = 4;     // periods
  static constexpr int kRounds = 3;    // of a read

  bool owner(const std::string& key) const {
    return among(view_.preference_list(view_.vnode_of(key)), env_.self());
  }

  std::deque<NodeId> suspects_last(const std::vector<NodeId>& hosts) const {
    const std::vector<NodeId> suspects = view_.suspects();
    std::deque<NodeId> ordered;
    for (const bool suspected : {false, true}) {
      for (const NodeId& host : hosts) {
        if (host != env_.self() && among(suspects, host) == suspected) ordered.push_back(host);
      }
    }
    return ordered;
  }

  // Stamps.

  bool keep_stamp(std::uint64_t time, std::uint64_t sequence) {
    const std::string record = padded(time, 20) + padded(sequence, 20);
    Storage& storage = env_.storage();
    const bool fits = storage.get(kStamp, kStamp) || storage.room(kStamp.size() + record.size());
    if (fits) storage.put(kStamp, kStamp, record);
    return fits;
  }

  std::optional<Stamp> next_stamp() {
    std::uint64_t time = 0;
    std::uint64_t sequence = 1;
    if (const auto last = env_.storage().get(kStamp, kStamp)) {
      time = std::stoull(last->substr(0, 20));
      sequence += std::stoull(last->substr(20));
    }
    const auto clock = env_.wall_clock().time_since_epoch().count();
    if (clock > 0) time = std::max(time, static_cast<std::uint64_t>(clock));
    if (!keep_stamp(time, sequence)) return std::nullopt;
    return Stamp{time, env_.self(), env_.incarnation(), sequence};
  }

  // Writes.

  Status execute(const Write& write) {
    if (tokens_.has(write.id)) return Done{};
    const VnodeId vnode = view_.vnode_of(write.key);
    if (!env_.storage().room(to_bytes(write.id).size() + kMarkBytes)) {
      return Error{ErrorCode::no_room, "no room to remember the request and its debt"};
    }
    const Result<StateHash> result = store_.write(write.key, write.version);
    if (!result.ok()) return result.error();
    tokens_.add(write.id);
    if (!debts_.contains(write.key)) {
      debts_[write.key].vnode = vnode;
      if (open_[vnode]++ == 0) env_.storage().put(kMarks, padded(vnode, 10), "");
    }
    owe(write.key, false);
    return Done{};
  }

  void plan(Errand& errand) {
    const auto list = view_.preference_list(view_.vnode_of(errand.write.key));
    errand.hosts.clear();
    if (among(list, env_.self()) && errand.asked[env_.self()] == 0) {
      errand.hosts.push_back(env_.self());
    }
    std::deque<NodeId> once_more;
    for (const NodeId& host : suspects_last(list)) {
      if (errand.asked[host] == 0) errand.hosts.push_back(host);
      if (errand.asked[host] == 1 && errand.strangers.contains(host)) once_more.push_back(host);
    }
    errand.hosts.insert(errand.hosts.end(), once_more.begin(), once_more.end());
  }

  void go_on(const std::shared_ptr<Errand>& errand) {
    while (!errand->hosts.empty()) {
      const NodeId host = errand->hosts.front();
      errand->hosts.pop_front();
      ++errand->asked[host];
      if (host != env_.self()) return hand_on(errand, host);
      if (concluded(*errand, execute(errand->write))) return;
    }
    const bool full = errand->complaints.contains(ErrorCode::no_room) &&
                      !errand->complaints.contains(ErrorCode::timed_out);
    const ErrorCode code = full ? ErrorCode::no_room : ErrorCode::unavailable;
    errand->responder.reply({Error{code, "no owner of the key could take the write"}, 1, 0});
  }

  void hand_on(const std::shared_ptr<Errand>& errand, const NodeId& host) {
    line_.call(host, errand->write, [this, errand, host](const WriteReply* reply, bool) {
      if (!reply) {
        errand->complaints[ErrorCode::timed_out] = true;
      } else if (!reply->mine) {
        errand->strangers.insert(host);
        plan(*errand);
      } else if (concluded(*errand, reply->status)) {
        return;
      }
      go_on(errand);
    });
  }

  static bool concluded(Errand& errand, const Status& status) {
    const bool done = status.ok();
    if (!done) {
      const ErrorCode code = status.error().code;
      errand.complaints[code] = true;
      if (code != ErrorCode::too_large && code != ErrorCode::invalid_argument) return false;
    }
    errand.responder.reply({status, 1, done ? 1U : 0U});
    return true;
  }

  // Reads.

  void plan(Quest& quest) const {
    quest.hosts.clear();
    std::vector<NodeId> planned;
    const auto append = [&](const std::deque<NodeId>& hosts) {
      for (const NodeId& host : hosts) {
        if (quest.asked.contains(host) || among(planned, host)) continue;
        planned.push_back(host);
      }
    };
    append(suspects_last(view_.preference_list(view_.vnode_of(quest.key))));
    if (!quest.asked.contains(env_.self())) planned.push_back(env_.self());
    append(suspects_last(view_.members()));
    std::vector<NodeId> removed = view_.removed();
    std::erase_if(removed, [&](const NodeId& node) { return empty_.contains(node); });
    append(suspects_last(removed));
    quest.hosts.assign(planned.begin(), planned.end());
  }

  void go_on(const std::shared_ptr<Quest>& quest) {
    const VnodeId vnode = view_.vnode_of(quest->key);
    const std::optional<State> held = store_.get(quest->key);
    if (owner(quest->key) && (held || transfer_.complete(vnode))) {
      return quest->responder.reply({held, 1, 1});
    }
    while (!quest->hosts.empty()) {
      const NodeId host = quest->hosts.front();
      quest->hosts.pop_front();
      quest->asked.insert(host);
      if (host != env_.self()) return ask(quest, host);
      if (held) return quest->responder.reply({held, 1, 1});
    }
    if (!quest->on_its_way || ++quest->rounds > kRounds) {
      const Error nobody{ErrorCode::unavailable, "nobody could say what is under the key"};
      return quest->responder.reply({nobody, 1, 0});
    }
    quest->on_its_way = false;
    quest->asked.clear();
    quest->again.clear();
    env_.after(config_.retry_period, [this, quest] {
      plan(*quest);
      go_on(quest);
    });
  }

  void ask(const std::shared_ptr<Quest>& quest, const NodeId& host) {
    const std::size_t events = view_.history().size();
    line_.call(host, Read{{}, quest->key},
               [this, quest, host, events](const ReadReply* reply, bool equal) {
                 if (view_.history().size() != events) plan(*quest);
                 if (reply && heard(quest, host, *reply, equal)) return;
                 go_on(quest);
               });
  }

  /// True: the quest is over, or goes on at the same host.
  bool heard(const std::shared_ptr<Quest>& quest, const NodeId& host, const ReadReply& reply,
             bool equal) {
    if (reply.holding == Holding::found) {
      quest->responder.reply({reply.state, 1, 1});
      return true;
    }
    const bool absent = reply.holding == Holding::absent;
    if (absent && equal) {
      quest->responder.reply({std::optional<State>{}, 1, 1});
      return true;
    }
    if (!equal && (absent || reply.empty) && quest->again.insert(host).second) {
      ask(quest, host);
      return true;
    }
    if (equal && reply.empty) empty_.insert(host);
    const auto list = view_.preference_list(view_.vnode_of(quest->key));
    if (!absent && among(list, host)) quest->on_its_way = true;
    return false;
  }

  // Propagation.

  /// Takes in a copy. True: it may be confirmed.
  bool take(const Copy& copy) {
    const std::optional<StateHash> before = store_.hash(copy.key);
    if (!copy.state) return before == copy.hash;
    const Result<StateHash> after = store_.merge(copy.key, *copy.state);
    if (!after.ok()) return false;
    if (*after != before && debts_.contains(copy.key)) owe(copy.key, false);
    return true;
  }

  /// What is held of `key` now is owed to all other owners of today.
  void owe(const std::string& key, bool doubtful) {
    Debt& debt = debts_[key];
    for (const NodeId& peer : debt.to) release(couriers_[peer], key);
    debt.to.clear();
    const std::vector<NodeId> owners = view_.preference_list(debt.vnode);
    for (const NodeId& peer : owners) {
      if (peer != env_.self()) debt.to.insert(peer);
    }
    const std::set<NodeId> to = debt.to;
    if (to.empty() && !owners.empty()) settle(key);
    for (const NodeId& peer : to) {
      Courier& courier = couriers_[peer];
      courier.owed.insert(key);
      courier.due.insert(key);
      if (doubtful) courier.doubtful.insert(key);
      dispatch(peer);
    }
  }

  void owe_all() {
    std::vector<std::string> keys;
    for (const auto& [key, debt] : debts_) keys.push_back(key);
    for (const std::string& key : keys) owe(key, true);
  }

  static void release(Courier& courier, const std::string& key) {
    courier.owed.erase(key);
    courier.due.erase(key);
    courier.doubtful.erase(key);
  }

  /// Nobody is owed the key any more.
  void settle(const std::string& key) {
    const auto debt = debts_.find(key);
    if (debt == debts_.end()) return;
    const VnodeId vnode = debt->second.vnode;
    for (const NodeId& peer : debt->second.to) release(couriers_[peer], key);
    debts_.erase(debt);
    if (--open_[vnode] == 0) unmark(vnode);
  }

  void unmark(VnodeId vnode) {
    open_.erase(vnode);
    env_.storage().erase(kMarks, padded(vnode, 10));
  }

  void settle(const std::string& key, const NodeId& peer) {
    const auto debt = debts_.find(key);
    if (debt == debts_.end() || debt->second.to.erase(peer) == 0) return;
    release(couriers_[peer], key);
    if (debt->second.to.empty()) settle(key);
  }

  void tick() {
    tokens_.forget();
    for (auto& [peer, courier] : couriers_) {
      courier.told = false;
      if (courier.pause > 0) --courier.pause;
      if (!courier.sober || courier.due.empty()) courier.due = courier.owed;
      std::erase_if(courier.due,
                    [&](const std::string& key) { return courier.on_way.contains(key); });
      dispatch(peer);
    }
  }

  /// Sends what is due to `peer`, as long as there is a place in the pipeline.
  void dispatch(const NodeId& peer) {
    Courier& courier = couriers_[peer];
    const int places = courier.sober ? 1 : kPipeline;
    while (courier.under_way < places && courier.pause == 0 && !courier.due.empty()) {
      Update update;
      std::size_t bytes = 0;
      while (!courier.due.empty() && (update.copies.empty() || !courier.sober)) {
        const std::string key = *courier.due.begin();
        std::optional<State> state = store_.get(key);
        if (!state) {  // a stray that was handed over
          settle(key);
          courier.due.erase(key);
          continue;
        }
        Copy copy{key, hash_of(key, *state), std::nullopt};
        if (!courier.doubtful.contains(key)) copy.state = std::move(state);
        if (!update.copies.empty() && bytes + weight(copy) > config_.batch_bytes) break;
        bytes += weight(copy);
        courier.due.erase(key);
        ++courier.on_way[key];
        update.copies.push_back(std::move(copy));
      }
      if (!update.copies.empty()) send(peer, std::move(update));
    }
  }

  void send(const NodeId& peer, Update update) {
    ++couriers_[peer].under_way;
    std::vector<std::pair<std::string, bool>> sent;  // with their states?
    for (const Copy& copy : update.copies) sent.emplace_back(copy.key, copy.state.has_value());
    line_.call(peer, std::move(update), [this, peer, sent](const UpdateReply* reply, bool equal) {
      Courier& courier = couriers_[peer];
      --courier.under_way;
      for (const auto& [key, state] : sent) {
        const auto entry = courier.on_way.find(key);
        if (--entry->second == 0) courier.on_way.erase(entry);
      }
      if (reply) confirmed(peer, *reply, equal, sent);
    });
  }

  void confirmed(const NodeId& peer, const UpdateReply& reply, bool equal,
                 const std::vector<std::pair<std::string, bool>>& sent) {
    Courier& courier = couriers_[peer];
    if (!equal) {
      if (courier.told) return;
      courier.told = true;
      for (const auto& [key, state] : sent) {
        if (courier.owed.contains(key)) courier.due.insert(key);
      }
      return dispatch(peer);
    }
    for (const Copy& copy : reply.confirmed) {
      if (store_.hash(copy.key) == copy.hash) settle(copy.key, peer);
    }
    bool states = false;
    for (const auto& [key, state] : sent) {
      states = states || state;
      if (!state && courier.doubtful.erase(key) != 0) courier.due.insert(key);
    }
    courier.sober = states && reply.confirmed.empty();
    if (courier.sober) courier.pause = kPause;
    dispatch(peer);
  }

  static constexpr std::size_t kMarkBytes = 11;

  Env& env_;
  const ReplicationConfig config_;
  ClusterView& view_;
  LocalStore& store_;
  const Transfer& transfer_;
  Line line_;
  Tokens tokens_;
  std::map<std::string, Debt> debts_;
  std::map<VnodeId, std::size_t> open_;  ///< Debts of each vnode; one marker for each, on disk.
  std::map<NodeId, Courier> couriers_;
  std::set<NodeId> empty_;  ///< Removed nodes that hold nothing, under this history.
};

class SnapshotTransfer final : public Transfer {
 public:
  SnapshotTransfer(Env& env, const ReplicationConfig& config, ClusterView& view, LocalStore& store)
      : env_(env),
        config_(config),
        view_(view),
        store_(store),
        line_(env, view, config.call_timeout) {}

  void start(bool bootstrap) override {
    env_.storage().scan(kWhole, "0", [this](std::string_view vnode, auto) {
      whole_.insert(static_cast<VnodeId>(std::stoul(std::string(vnode))));
      return true;
    });
    const History& history = view_.history();
    const bool own_join = history.size() == 1 && history[0].subject == env_.self() &&
                          history[0].change == Change::join;
    if (bootstrap && own_join && whole_.empty()) {
      for (VnodeId vnode = 0; vnode < config_.q; ++vnode) make_whole(vnode);
    }
    begin();
    every(env_, config_.retry_period, [this] { tick(); });
  }

  bool complete(VnodeId vnode) const override { return whole_.contains(vnode); }

  void handle(const AskTransfer& request, Responder<AskTransferReply> responder) override {
    const bool equal = view_.learn(request.known);
    responder.reply({view_.known(!equal)});
    if (!equal) return;
    Parcel& parcel = parcels_[request.from];
    if (parcel.incarnation != request.incarnation) {
      parcel = Parcel{};
      parcel.incarnation = request.incarnation;
      for (auto& [key, stray] : strays_) stray.confirmed.erase(request.from);
    }
    parcel.failures = 0;
    for (const VnodeId vnode : request.vnodes) {
      const auto part = parcel.parts.find(vnode);
      const bool under_way = part != parcel.parts.end() && part->second.asked;
      if (vnode < config_.q && !under_way) pack(parcel, vnode, true);
    }
    work(request.from);
  }

  void handle(const SentAll& request, Responder<SentAllReply> responder) override {
    const bool equal = view_.learn(request.known);
    responder.reply({view_.known(!equal)});
    if (!equal || request.incarnation != env_.incarnation()) return;
    for (const VnodeId vnode : request.complete) {
      if (wanted_.contains(vnode)) make_whole(vnode);
    }
    for (const VnodeId vnode : request.partial) {
      const auto want = wanted_.find(vnode);
      if (want == wanted_.end()) continue;
      want->second.said.insert(request.from);
      step_on(want->second, request.from);
    }
    ask();
  }

  void history_grew(const History& before) override {
    std::size_t first = 0;
    const History& now = view_.history();
    while (first < before.size() && first < now.size() && before[first] == now[first]) ++first;
    std::erase_if(whole_, [&](VnodeId vnode) {
      for (std::size_t i = first + 1; i <= now.size(); ++i) {
        if (among(view_.preference_list_after(i, vnode), env_.self())) continue;
        env_.storage().erase(kWhole, padded(vnode, 10));
        return true;
      }
      return false;
    });
    begin();
  }

 private:
  /// One vnode on its way to one peer.
  struct Part {
    std::uint64_t serial = 0;  ///< Items of an earlier snapshot are void.
    std::size_t open = 0;      ///< Keys of the snapshot that it has not confirmed.
    bool asked = false;        ///< It waits for the end.
    bool whole = false;        ///< We were complete before the first key was offered.
  };
  struct Item {
    VnodeId vnode = 0;
    std::uint64_t serial = 0;
    std::string key;
  };
  /// All that is on its way to one peer, under one history and to one disk of it.
  struct Parcel {
    std::optional<Incarnation> incarnation;
    std::map<VnodeId, Part> parts;
    std::deque<Item> offers;  ///< To be offered.
    std::deque<Item> states;  ///< It does not have these.
    std::deque<Item> later;   ///< Not confirmed, or not answered: in the next period again.
    std::set<VnodeId> ended;  ///< To be said.
    int under_way = 0;
    int failures = 0;
    bool saying = false;
    bool resting = false;
  };
  /// A vnode that this node receives. The front of the line is asked.
  struct Want {
    std::deque<NodeId> line;
    std::set<NodeId> said;
    std::size_t turns = 0;  ///< Hosts that had their turn in this period.
    bool asked = false;
  };
  /// A key that this node holds for others.
  struct Stray {
    StateHash hash;
    std::set<NodeId> confirmed;
  };

  static constexpr int kPipeline = 3;          // Updates under way to one peer
  static constexpr int kGiveUp = 6;            // calls without an answer
  static constexpr int kScrap = 3;             // AskTransfers without an answer
  static constexpr std::size_t kOffers = 200;  // hashes in one Update

  void make_whole(VnodeId vnode) {
    if (!env_.storage().room(10)) return;
    env_.storage().put(kWhole, padded(vnode, 10), "");
    whole_.insert(vnode);
    wanted_.erase(vnode);
  }

  bool owns(VnodeId vnode) const { return among(view_.preference_list(vnode), env_.self()); }

  /// Under this history nothing has been said, sent or confirmed yet.
  void begin() {
    ++era_;
    parcels_.clear();
    strays_.clear();
    wanted_.clear();
    unasked_after_ = env_.now() + config_.retry_period;
    std::vector<NodeId> members = shuffled(view_.members());
    const std::vector<NodeId> removed = shuffled(view_.removed());
    members.insert(members.end(), removed.begin(), removed.end());
    std::erase(members, env_.self());
    for (VnodeId vnode = 0; vnode < config_.q; ++vnode) {
      if (whole_.contains(vnode) || !owns(vnode)) continue;
      wanted_[vnode].line.assign(members.begin(), members.end());
    }
    ask();
  }

  std::vector<NodeId> shuffled(std::vector<NodeId> nodes) {
    for (std::size_t i = nodes.size(); i > 1; --i) {
      const std::size_t other = env_.random(i);
      std::swap(nodes[i - 1], nodes[other]);
    }
    return nodes;
  }

  void tick() {
    for (auto& [vnode, want] : wanted_) {
      want.turns = 0;
      want.asked = false;  // who was asked and has not said may have been restarted
    }
    ask();
    if (env_.now() >= unasked_after_) pack_strays();
    std::vector<NodeId> peers;
    for (auto& [peer, parcel] : parcels_) {
      parcel.resting = false;
      std::move(parcel.later.begin(), parcel.later.end(), std::back_inserter(parcel.offers));
      parcel.later.clear();
      peers.push_back(peer);
    }
    for (const NodeId& peer : peers) work(peer);
  }

  // Receiving.

  bool all_have_said(const Want& want) const {
    const std::vector<NodeId> removed = view_.removed();
    return std::all_of(want.line.begin(), want.line.end(), [&](const NodeId& node) {
      if (want.said.contains(node)) return true;
      const auto silent = silent_.find(node);
      return silent != silent_.end() && silent->second >= kScrap && among(removed, node);
    });
  }

  /// `node` has had its turn, if it is at the front.
  static void step_on(Want& want, const NodeId& node) {
    if (want.line.empty() || want.line.front() != node) return;
    want.line.pop_front();
    want.line.push_back(node);
    want.asked = false;
    ++want.turns;
  }

  void ask() {
    std::vector<VnodeId> full;
    std::map<NodeId, std::vector<VnodeId>> questions;
    for (auto& [vnode, want] : wanted_) {
      if (all_have_said(want)) {
        full.push_back(vnode);
        continue;
      }
      const std::vector<NodeId> owners = view_.preference_list(vnode);
      // Of those that have said, only an owner can have become complete since.
      while (!want.asked && want.turns < want.line.size() &&
             want.said.contains(want.line.front()) && !among(owners, want.line.front())) {
        step_on(want, NodeId(want.line.front()));
      }
      if (want.asked || want.turns >= want.line.size()) continue;
      want.asked = true;
      questions[want.line.front()].push_back(vnode);
    }
    for (const VnodeId vnode : full) make_whole(vnode);
    for (const auto& [peer, vnodes] : questions) ask(peer, vnodes, false);
  }

  void ask(const NodeId& peer, const std::vector<VnodeId>& vnodes, bool told) {
    const AskTransfer question{{}, env_.self(), env_.incarnation(), vnodes};
    line_.call(peer, question,
               [this, peer, vnodes, told, era = era_](const AskTransferReply* reply, bool equal) {
                 silent_[peer] = reply ? 0 : silent_[peer] + 1;
                 if (era != era_ || (reply && equal)) return;
                 if (reply && !told) return ask(peer, vnodes, true);
                 for (const VnodeId vnode : vnodes) {
                   const auto want = wanted_.find(vnode);
                   if (want != wanted_.end()) step_on(want->second, peer);
                 }
                 ask();
               });
  }

  // Handing over.

  /// Takes a snapshot of a vnode's keys.
  void pack(Parcel& parcel, VnodeId vnode, bool asked) {
    Part part{++serials_, 0, asked, owns(vnode) && whole_.contains(vnode)};
    store_.scan(vnode, "", [&](std::string_view key, const StateHash&) {
      parcel.offers.push_back({vnode, part.serial, std::string(key)});
      ++part.open;
      return true;
    });
    if (asked && part.open == 0) parcel.ended.insert(vnode);
    parcel.parts[vnode] = part;
  }

  void pack_strays() {
    for (const VnodeId vnode : store_.vnodes()) {
      const std::vector<NodeId> owners = view_.preference_list(vnode);
      if (among(owners, env_.self())) continue;
      for (const NodeId& owner : owners) {
        Parcel& parcel = parcels_[owner];
        if (!parcel.parts.contains(vnode)) pack(parcel, vnode, false);
      }
    }
  }

  bool is_void(const Parcel& parcel, const Item& item) const {
    const auto part = parcel.parts.find(item.vnode);
    return part == parcel.parts.end() || part->second.serial != item.serial;
  }

  /// Says ends, sends states and offers hashes to `peer`, as much as may be under way at a time.
  void work(const NodeId& peer) {
    Parcel& parcel = parcels_[peer];
    if (parcel.resting) return;
    say(peer);
    while (parcel.under_way < kPipeline && !(parcel.states.empty() && parcel.offers.empty())) {
      const bool states = !parcel.states.empty();
      std::deque<Item>& queue = states ? parcel.states : parcel.offers;
      Update update;
      std::vector<Item> items;
      std::size_t bytes = 0;
      while (!queue.empty() && (states || items.size() < kOffers)) {
        const Item item = queue.front();
        std::optional<State> state = store_.get(item.key);
        if (!state || is_void(parcel, item)) {
          queue.pop_front();
          if (!is_void(parcel, item)) item_done(peer, item);
          continue;
        }
        Copy copy{item.key, hash_of(item.key, *state), std::nullopt};
        if (states) copy.state = std::move(state);
        if (!items.empty() && bytes + weight(copy) > config_.batch_bytes) break;
        bytes += weight(copy);
        update.copies.push_back(std::move(copy));
        items.push_back(item);
        queue.pop_front();
      }
      if (!items.empty()) send(peer, std::move(update), std::move(items), states);
    }
    say(peer);
  }

  void send(const NodeId& peer, Update update, std::vector<Item> items, bool states) {
    ++parcels_[peer].under_way;
    line_.call(peer, std::move(update),
               [this, peer, items, states, era = era_, disk = parcels_[peer].incarnation](
                   const UpdateReply* reply, bool equal) {
                 const auto parcel = parcels_.find(peer);
                 if (era != era_ || parcel == parcels_.end()) return;
                 if (parcel->second.incarnation != disk) return;
                 --parcel->second.under_way;
                 if (!answered(peer, reply, equal)) {
                   for (const Item& item : items) parcel->second.later.push_back(item);
                   return;
                 }
                 arrived(peer, items, *reply, states);
               });
  }

  /// Did `peer` answer, under our history? Else it is left alone until the next period.
  bool answered(const NodeId& peer, bool reply, bool equal) {
    Parcel& parcel = parcels_[peer];
    parcel.failures = reply ? 0 : parcel.failures + 1;
    if (reply && equal) return true;
    parcel.resting = true;
    if (reply || parcel.failures >= kGiveUp) {  // if it lives, it asks again
      std::erase_if(parcel.parts, [](const auto& part) { return part.second.asked; });
      parcel.ended.clear();
    }
    return false;
  }

  void arrived(const NodeId& peer, const std::vector<Item>& items, const UpdateReply& reply,
               bool states) {
    std::map<std::string, StateHash> confirmed;
    for (const Copy& copy : reply.confirmed) confirmed[copy.key] = copy.hash;
    Parcel& parcel = parcels_[peer];
    for (const Item& item : items) {
      if (is_void(parcel, item)) continue;
      const auto found = confirmed.find(item.key);
      if (found != confirmed.end() && store_.hash(item.key) == found->second) {
        item_done(peer, item);
      } else {
        (states ? parcel.later : parcel.states).push_back(item);
      }
    }
    if (states && confirmed.empty()) parcel.resting = true;  // its disk is full, perhaps
    work(peer);
  }

  /// `peer` has confirmed what is held of the item's key, or it is gone.
  void item_done(const NodeId& peer, const Item& item) {
    Parcel& parcel = parcels_[peer];
    Part& part = parcel.parts[item.vnode];
    if (--part.open == 0 && part.asked) parcel.ended.insert(item.vnode);
    const std::vector<NodeId> owners = view_.preference_list(item.vnode);
    const std::optional<StateHash> hash = store_.hash(item.key);
    if (!hash || owners.empty() || among(owners, env_.self())) return;
    Stray& stray = strays_[item.key];
    if (stray.hash != *hash) stray = {*hash, {}};
    stray.confirmed.insert(peer);
    const bool all = std::all_of(owners.begin(), owners.end(), [&](const NodeId& owner) {
      return stray.confirmed.contains(owner);
    });
    if (!all) return;
    store_.drop(item.key, *hash);
    strays_.erase(item.key);
  }

  void say(const NodeId& peer) {
    Parcel& parcel = parcels_[peer];
    if (parcel.saying || parcel.ended.empty() || !parcel.incarnation) return;
    SentAll end{{}, env_.self(), *parcel.incarnation, {}, {}};
    std::vector<std::pair<VnodeId, std::uint64_t>> said;
    for (const VnodeId vnode : parcel.ended) {
      const Part& part = parcel.parts[vnode];
      (part.whole ? end.complete : end.partial).push_back(vnode);
      said.emplace_back(vnode, part.serial);
    }
    parcel.saying = true;
    line_.call(peer, end,
               [this, peer, said, era = era_, disk = end.incarnation](const SentAllReply* reply,
                                                                      bool equal) {
                 const auto parcel = parcels_.find(peer);
                 if (era != era_ || parcel == parcels_.end()) return;
                 if (parcel->second.incarnation != disk) return;
                 parcel->second.saying = false;
                 if (!answered(peer, reply, equal)) return;
                 for (const auto& [vnode, serial] : said) was_said(parcel->second, vnode, serial);
                 work(peer);
               });
  }

  void was_said(Parcel& parcel, VnodeId vnode, std::uint64_t serial) {
    const auto part = parcel.parts.find(vnode);
    if (part == parcel.parts.end() || part->second.serial != serial) return;
    parcel.ended.erase(vnode);
    part->second.asked = false;  // asked again, it begins anew
    if (owns(vnode)) parcel.parts.erase(part);
  }

  Env& env_;
  const ReplicationConfig config_;
  ClusterView& view_;
  LocalStore& store_;
  Line line_;
  std::set<VnodeId> whole_;    ///< Vnodes that this disk is complete for; on disk, too.
  std::uint64_t era_ = 0;      ///< Grows with the history: older replies mean nothing.
  std::uint64_t serials_ = 0;  ///< Of snapshots.
  Instant unasked_after_{};    ///< Receivers ask first; offering at once would send keys twice.
  std::map<NodeId, Parcel> parcels_;
  std::map<VnodeId, Want> wanted_;
  std::map<std::string, Stray> strays_;
  std::map<NodeId, int> silent_;  ///< AskTransfers to each node since it answered one.
};

}  // namespace

std::unique_ptr<LazyCoordinator> make_coordinator(Env& env, const ReplicationConfig& config,
                                                  ClusterView& view, LocalStore& store,
                                                  const Transfer& transfer) {
  return std::make_unique<QueueCoordinator>(env, config, view, store, transfer);
}

std::unique_ptr<Transfer> make_transfer(Env& env, const ReplicationConfig& config,
                                        ClusterView& view, LocalStore& store) {
  return std::make_unique<SnapshotTransfer>(env, config, view, store);
}

}  // namespace dynamo
