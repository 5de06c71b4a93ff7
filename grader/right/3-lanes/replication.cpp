// Right, and unlike the reference: written from the handout alone. What a peer lacks lies in a lane
// to it, one in the coordinator and one in the transfer. A lane has one Update under way, and what
// is of no use now waits there for the next tick. Debts are noted as "somebody lacks this key";
// strays and vnodes that were asked for share a lane, and a stray's state is kept back for a while,
// since an owner that lacks it is about to ask another owner.
#include "replication.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace dynamo {
namespace {

using Names = std::vector<NodeId>;

bool has(const Names& names, const NodeId& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Names without(Names names, const NodeId& name) {
  std::erase(names, name);
  return names;
}

// About what a copy costs in a message, beside its key and its state.
constexpr std::size_t kCopyBytes = 24;

// Rule 3f: who gets our events with a request. One for each class, they share nothing.
class Histories {
 public:
  explicit Histories(ClusterView& view) : view_(view) {}

  Known to(const NodeId& peer) const {
    const auto last = shown_.find(peer);
    return view_.known(last != shown_.end() && !(last->second == view_.known().digest));
  }

  // Takes in what a reply carried; are the two equal now?
  bool from(const NodeId& peer, const Known& known) {
    shown_[peer] = known.digest;
    return view_.learn(known);
  }

 private:
  ClusterView& view_;
  std::map<NodeId, HistoryDigest> shown_;  // in each peer's last reply
};

// Rule 4c. The record has one size, so that it can be overwritten on a full disk.
class Stamps {
 public:
  explicit Stamps(Env& env) : env_(env) {}

  void start() {
    if (const auto record = env_.storage().get("stamp", "last")) {
      time_us_ = std::strtoull(record->substr(0, 16).c_str(), nullptr, 16);
      sequence_ = std::strtoull(record->substr(16).c_str(), nullptr, 16);
      recorded_ = true;
    } else {
      save();
    }
  }

  std::optional<Stamp> next() {
    const auto wall = static_cast<std::uint64_t>(env_.wall_clock().time_since_epoch().count());
    time_us_ = std::max(time_us_, wall);
    ++sequence_;
    if (!save()) return std::nullopt;
    return Stamp{time_us_, env_.self(), env_.incarnation(), sequence_};
  }

 private:
  bool save() {
    char text[33];
    std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(time_us_),
                  static_cast<unsigned long long>(sequence_));
    if (!recorded_ && !env_.storage().room(200)) return false;
    env_.storage().put("stamp", "last", text);
    return recorded_ = true;
  }

  Env& env_;
  std::uint64_t time_us_ = 0;
  std::uint64_t sequence_ = 0;
  bool recorded_ = false;
};

// Rule 5d: which requests were executed here.
class Executed {
 public:
  Executed(Env& env, Duration remember) : env_(env), remember_(remember) {}

  void start() {
    env_.storage().scan("executed", "", [&](std::string_view name, std::string_view) {
      by_age_.emplace_back(env_.now(), std::string(name));
      return true;
    });
  }

  bool knows(const RequestId& id) const {
    return env_.storage().get("executed", to_bytes(id)).has_value();
  }

  void add(const RequestId& id) {
    by_age_.emplace_back(env_.now(), to_bytes(id));
    env_.storage().put("executed", by_age_.back().second, "1");
    forget(4);
  }

  void forget(int at_most) {
    while (at_most-- > 0 && !by_age_.empty() && env_.now() - by_age_.front().first > remember_) {
      env_.storage().erase("executed", by_age_.front().second);
      by_age_.pop_front();
    }
  }

 private:
  Env& env_;
  const Duration remember_;
  std::deque<std::pair<Instant, std::string>> by_age_;
};

class Replication final : public LazyCoordinator {
 public:
  Replication(Env& env, const ReplicationConfig& config, ClusterView& view, LocalStore& store,
              const Transfer& transfer)
      : env_(env),
        config_(config),
        view_(view),
        store_(store),
        transfer_(transfer),
        histories_(view),
        stamps_(env),
        executed_(env, config.remember) {}

  void start() override {
    stamps_.start();
    executed_.start();
    env_.storage().scan("owed", "", [&](std::string_view key, std::string_view) {
      owed_.emplace(key);
      return true;
    });
    plan_again();
    every(env_, config_.retry_period, [this] { tick(); });
  }

  void history_grew(const History& /*before*/) override {
    empty_.clear();
    plan_again();
  }

  // What clients ask.

  void handle(const ClientWrite& request, Responder<WriteOutcome> responder) override {
    if (executed_.knows(request.id)) return responder.reply({Done{}, 1, 1});
    const std::optional<Stamp> stamp = stamps_.next();
    if (!stamp) {
      return responder.reply({Error{ErrorCode::no_room, "this node's disk is full"}, 1, 0});
    }
    Write write{{}, request.id, request.key, {request.value, request.context, *stamp}};
    go_on(std::make_shared<Put>(Put{std::move(write), std::move(responder)}));
  }

  void handle(const ClientRead& request, Responder<ReadOutcome> responder) override {
    go_on(std::make_shared<Get>(Get{request.key, std::move(responder)}));
  }

  // What other nodes ask.

  void handle(const Write& request, Responder<WriteReply> responder) override {
    const bool equal = view_.learn(request.known);
    WriteReply reply;
    reply.mine = executed_.knows(request.id) || has(owners(request.key), env_.self());
    if (reply.mine) reply.status = execute(request.id, request.key, request.version);
    reply.known = view_.known(!equal);
    responder.reply(reply);
  }

  void handle(const Read& request, Responder<ReadReply> responder) override {
    const bool equal = view_.learn(request.known);
    ReadReply reply;
    reply.state = store_.get(request.key);
    const bool mine = has(owners(request.key), env_.self());
    if (reply.state) {
      reply.holding = Holding::found;
    } else if (mine && transfer_.complete(view_.vnode_of(request.key))) {
      reply.holding = Holding::absent;
    }
    reply.empty = !view_.member(env_.self()) && store_.vnodes().empty();
    reply.known = view_.known(!equal);
    responder.reply(reply);
  }

  void handle(const Update& request, Responder<UpdateReply> responder) override {
    const bool equal = view_.learn(request.known);
    UpdateReply reply;
    for (const Copy& copy : request.copies) {
      if (!has(owners(copy.key), env_.self())) continue;
      const auto before = store_.hash(copy.key);
      const bool here = copy.state ? store_.merge(copy.key, *copy.state).ok() : before == copy.hash;
      if (here) reply.confirmed.push_back({copy.key, copy.hash, std::nullopt});
      // Whoever is owed this key is owed what it is now (3d).
      if (owed_.contains(copy.key) && store_.hash(copy.key) != before) owe(copy.key);
    }
    reply.known = view_.known(!equal);
    responder.reply(reply);
    push_all();
  }

 private:
  // A client's put under way.
  struct Put {
    Write write;
    Responder<WriteOutcome> responder;
    std::map<NodeId, int> asked{};
    std::set<NodeId> not_mine{};  // and so may be asked once more
    bool tried_here = false;
    bool somebody_is_full = false;
    bool somebody_is_silent = false;
  };

  // A client's get under way.
  struct Get {
    std::string key;
    Responder<ReadOutcome> responder;
    std::set<NodeId> asked{};  // in this round
    std::set<NodeId> told{};   // and so may be asked once more
    bool on_its_way = false;   // an owner did not have it, in this round
    int rounds = 0;
  };

  // What one peer has not confirmed.
  struct Lane {
    std::set<std::string> ready;    // to be sent as soon as the last Update is answered
    std::set<std::string> waiting;  // sent, or of no use now: until the next tick
    bool busy = false;
  };

  Names owners(const std::string& key) const { return view_.preference_list(view_.vnode_of(key)); }
  Names other_owners(const std::string& key) const { return without(owners(key), env_.self()); }

  // The order in which hosts are tried: suspects last.
  Names in_order(Names hosts) const {
    std::erase(hosts, env_.self());
    const Names suspects = view_.suspects();
    std::stable_partition(hosts.begin(), hosts.end(),
                          [&](const NodeId& host) { return !has(suspects, host); });
    return hosts;
  }

  // ---- writes

  Status execute(const RequestId& id, const std::string& key, const NewVersion& version) {
    if (executed_.knows(id)) return Done{};
    const Names others = other_owners(key);
    if (!env_.storage().room(key.size() + id.client.size() + 200)) {
      return Error{ErrorCode::no_room, env_.self() + "'s disk is full"};
    }
    if (const auto written = store_.write(key, version); !written.ok()) return written.error();
    executed_.add(id);
    if (!others.empty()) {
      env_.storage().put("owed", key, "1");
      owed_.insert(key);
      owe(key);
      push_all();
    }
    return Done{};
  }

  // Does this end the walk of a put?
  static bool ends_walk(const Status& status) {
    return status.ok() || status.error().code == ErrorCode::too_large ||
           status.error().code == ErrorCode::invalid_argument;
  }

  static void answer(const Put& put, const Status& status) {
    put.responder.reply({status, 1, status.ok() ? 1U : 0U});
  }

  void go_on(const std::shared_ptr<Put>& put) {
    const Names list = owners(put->write.key);
    if (!put->tried_here && has(list, env_.self())) {
      put->tried_here = true;
      const Status status = execute(put->write.id, put->write.key, put->write.version);
      if (ends_walk(status)) return answer(*put, status);
      put->somebody_is_full = true;
    }
    const Names hosts = in_order(list);
    for (const NodeId& host : hosts) {
      if (put->asked[host] == 0) return ask(put, host);
    }
    for (const NodeId& host : hosts) {
      if (put->asked[host] == 1 && put->not_mine.contains(host)) return ask(put, host);
    }
    if (put->somebody_is_full && !put->somebody_is_silent) {
      return answer(*put, Error{ErrorCode::no_room, "no owner of the key has room"});
    }
    answer(*put, Error{ErrorCode::unavailable, "no owner of the key could be reached"});
  }

  void ask(const std::shared_ptr<Put>& put, const NodeId& host) {
    ++put->asked[host];
    put->write.known = histories_.to(host);
    env_.call(host, put->write, config_.call_timeout, [this, put, host](Result<WriteReply> reply) {
      if (!reply.ok()) {
        put->somebody_is_silent = true;
        return go_on(put);
      }
      histories_.from(host, reply->known);
      if (reply->mine && ends_walk(reply->status)) return answer(*put, reply->status);
      if (!reply->mine) put->not_mine.insert(host);
      if (reply->mine) put->somebody_is_full = true;
      go_on(put);
    });
  }

  // ---- reads

  static void answer(const Get& get, const std::optional<State>& state) {
    get.responder.reply(ReadOutcome{state, 1, 1});
  }

  void go_on(const std::shared_ptr<Get>& get) {
    const Names list = owners(get->key);
    const std::optional<State> held = store_.get(get->key);
    const bool mine = has(list, env_.self());
    if (mine && held) return answer(*get, held);
    if (mine && transfer_.complete(view_.vnode_of(get->key))) return answer(*get, std::nullopt);
    for (const NodeId& host : in_order(list)) {
      if (!get->asked.contains(host)) return ask(get, host);
    }
    if (held) return answer(*get, held);
    for (const NodeId& host : in_order(view_.members())) {
      if (!get->asked.contains(host)) return ask(get, host);
    }
    for (const NodeId& host : in_order(view_.removed())) {
      if (!get->asked.contains(host) && !empty_.contains(host)) return ask(get, host);
    }
    if (get->on_its_way && get->rounds < 3) {
      ++get->rounds;
      get->asked.clear();
      get->on_its_way = false;
      env_.after(config_.retry_period, [this, get] { go_on(get); });
      return;
    }
    get->responder.reply(
        ReadOutcome{Error{ErrorCode::unavailable, "no replica of the key could be reached"}, 1, 0});
  }

  void ask(const std::shared_ptr<Get>& get, const NodeId& host) {
    get->asked.insert(host);
    const Read read{histories_.to(host), get->key};
    env_.call(host, read, config_.call_timeout, [this, get, host](Result<ReadReply> reply) {
      if (!reply.ok()) return go_on(get);
      const bool equal = histories_.from(host, reply->known);
      if (reply->empty && equal) empty_.insert(host);
      if (reply->holding == Holding::found) return answer(*get, reply->state);
      if (reply->holding == Holding::absent && equal) return answer(*get, std::nullopt);
      if (!equal && get->told.insert(host).second) get->asked.erase(host);
      if (has(owners(get->key), host)) get->on_its_way = true;
      go_on(get);
    });
  }

  // ---- propagation

  // From the beginning: every other owner lacks what is held now.
  void owe(const std::string& key) {
    for (auto& [peer, lane] : lanes_) settle(lane, key);
    for (const NodeId& peer : other_owners(key)) lanes_[peer].ready.insert(key);
  }

  static bool settle(Lane& lane, const std::string& key) {
    return lane.ready.erase(key) + lane.waiting.erase(key) > 0;
  }

  void forget(const std::string& key) {
    for (auto& [peer, lane] : lanes_) settle(lane, key);
    owed_.erase(key);
    env_.storage().erase("owed", key);
  }

  void confirmed(const NodeId& peer, const Copy& copy) {
    if (store_.hash(copy.key) != copy.hash || !settle(lanes_[peer], copy.key)) return;
    const bool open = std::any_of(lanes_.begin(), lanes_.end(), [&](const auto& entry) {
      return entry.second.ready.contains(copy.key) || entry.second.waiting.contains(copy.key);
    });
    if (!open) forget(copy.key);
  }

  // The owners of every key may be others.
  void plan_again() {
    for (auto& [peer, lane] : lanes_) {
      lane.ready.clear();
      lane.waiting.clear();
    }
    const std::vector<std::string> keys(owed_.begin(), owed_.end());
    for (const std::string& key : keys) {
      if (owners(key) == Names{env_.self()}) {
        forget(key);
      } else {
        owe(key);
      }
    }
    push_all();
  }

  void tick() {
    for (auto& [peer, lane] : lanes_) lane.ready.merge(lane.waiting);
    push_all();
    executed_.forget(500);
  }

  void push_all() {
    Names peers;
    for (const auto& [peer, lane] : lanes_) peers.push_back(peer);
    for (const NodeId& peer : peers) push(peer);
  }

  void push(const NodeId& peer) {
    Lane& lane = lanes_[peer];
    if (lane.busy) return;
    Update update;
    std::size_t bytes = 0;
    while (!lane.ready.empty()) {
      const std::string key = *lane.ready.begin();
      const std::optional<State> state = store_.get(key);
      if (!state) {  // a stray that was handed over, and dropped
        forget(key);
        continue;
      }
      bytes += key.size() + state->bytes.size() + kCopyBytes;
      if (!update.copies.empty() && bytes > config_.batch_bytes) break;
      update.copies.push_back({key, hash_of(key, *state), state});
      lane.waiting.insert(lane.ready.extract(key));
    }
    if (update.copies.empty()) return;
    update.known = histories_.to(peer);
    lane.busy = true;
    env_.call(peer, update, config_.call_timeout, [this, peer](Result<UpdateReply> reply) {
      lanes_[peer].busy = false;
      if (reply.ok() && histories_.from(peer, reply->known)) {
        for (const Copy& copy : reply->confirmed) confirmed(peer, copy);
        return push(peer);
      }
      Lane& lane = lanes_[peer];  // nobody there, or of another history: a pause
      lane.waiting.merge(lane.ready);
    });
  }

  Env& env_;
  const ReplicationConfig config_;
  ClusterView& view_;
  LocalStore& store_;
  const Transfer& transfer_;

  Histories histories_;
  Stamps stamps_;
  Executed executed_;
  std::set<std::string> owed_;    // keys with a record on disk
  std::map<NodeId, Lane> lanes_;  // who lacks which of them
  std::set<NodeId> empty_;        // removed nodes that a reader need not ask
};

class VnodeTransfer final : public Transfer {
 public:
  VnodeTransfer(Env& env, const ReplicationConfig& config, ClusterView& view, LocalStore& store)
      : env_(env), config_(config), view_(view), store_(store), histories_(view) {}

  void start(bool bootstrap) override {
    const std::optional<std::string> record = env_.storage().get("transfer", "complete");
    const History& events = view_.history();
    const bool first = !record && bootstrap && events.size() == 1 &&
                       events.front().subject == env_.self() &&
                       events.front().change == Change::join;
    complete_ =
        record && record->size() == config_.q ? *record : std::string(config_.q, first ? '1' : '0');
    recorded_ = record.has_value();
    for (VnodeId vnode = 0; vnode < config_.q; ++vnode) {
      if (!own(vnode)) complete_[vnode] = '0';
    }
    save();
    begin_anew();
    every(env_, config_.retry_period, [this] { tick(); });
  }

  bool complete(VnodeId vnode) const override {
    return vnode < complete_.size() && complete_[vnode] == '1';
  }

  void history_grew(const History& before) override {
    const History& now = view_.history();
    const auto parts = std::mismatch(now.begin(), now.end(), before.begin(), before.end());
    const auto first_new = static_cast<std::size_t>(parts.first - now.begin());
    for (std::size_t i = first_new + 1; i <= now.size(); ++i) {
      for (VnodeId vnode = 0; vnode < config_.q; ++vnode) {
        if (!complete(vnode)) continue;
        if (!has(view_.preference_list_after(i, vnode), env_.self())) complete_[vnode] = '0';
      }
    }
    save();
    begin_anew();
  }

  void handle(const AskTransfer& ask, Responder<AskTransferReply> responder) override {
    const bool equal = view_.learn(ask.known);
    responder.reply({view_.known(!equal)});
    if (equal) hand_over(ask);
  }

  void handle(const SentAll& said, Responder<SentAllReply> responder) override {
    const bool equal = view_.learn(said.known);
    responder.reply({view_.known(!equal)});
    if (!equal || said.incarnation != env_.incarnation()) return;
    for (const VnodeId vnode : said.complete) {
      if (receiving_.erase(vnode) > 0) complete_[vnode] = '1';
    }
    for (const VnodeId vnode : said.partial) {
      const auto found = receiving_.find(vnode);
      if (found != receiving_.end()) has_said(vnode, found->second, said.from);
    }
    finish_those_told_by_all();
    save();
    ask();
  }

 private:
  // A vnode that this node owns and is not complete for.
  struct Receiving {
    std::deque<NodeId> sources;  // the first one has its turn
    std::set<NodeId> said{};
    bool asked = false;  // the first one, since the last tick
  };
  struct Source {
    bool busy = false;
    int failures = 0;  // one after the other
  };

  // A vnode on its way to somebody who asked for it.
  struct Job {
    bool complete = false;  // were we, before the first key was offered?
    std::set<std::string> open{};
  };
  // All that is on its way to one peer: keys of vnodes that it asked for, and strays.
  struct Lane {
    std::set<std::string> offers, states;  // to be sent: hashes; whole states
    std::set<std::string> waiting;         // until the next tick
    std::map<std::string, int> refused{};  // strays: how often a hash was not confirmed
    std::map<VnodeId, Job> jobs{};
    std::map<VnodeId, bool> sent_all{};  // vnodes to be named in a SentAll: complete?
    Incarnation incarnation = 0;
    std::uint64_t epoch = 0;  // what was sent in an older one counts for nothing
    bool busy = false;
    bool telling = false;
    int failures = 0;
  };

  bool own(VnodeId vnode) const { return has(view_.preference_list(vnode), env_.self()); }

  void save() {
    if (!recorded_ && !env_.storage().room(complete_.size() + 200)) return;
    recorded_ = true;
    if (saved_ == complete_) return;
    env_.storage().put("transfer", "complete", complete_);
    saved_ = complete_;
  }

  // What to receive, and from whom; what to give away.
  void begin_anew() {
    receiving_.clear();
    strays_.clear();
    for (auto& [peer, lane] : lanes_) {
      end_jobs(lane);  // and nothing is a stray now: all of it goes
      lane.refused.clear();
      ++lane.epoch;
    }
    for (VnodeId vnode = 0; vnode < config_.q; ++vnode) {
      const Names owners = view_.preference_list(vnode);
      if (!complete(vnode) && has(owners, env_.self())) receiving_[vnode] = {sources(owners)};
    }
    for (const VnodeId vnode : store_.vnodes()) {
      const Names owners = view_.preference_list(vnode);
      if (has(owners, env_.self())) continue;
      for (const std::string& key : keys_of(vnode)) {
        strays_[key];
        for (const NodeId& owner : owners) lanes_[owner].offers.insert(key);
      }
    }
    finish_those_told_by_all();
    save();
    ask();
    move_on();
  }

  std::vector<std::string> keys_of(VnodeId vnode) const {
    std::vector<std::string> keys;
    store_.scan(vnode, "", [&](std::string_view key, const StateHash&) {
      keys.emplace_back(key);
      return true;
    });
    return keys;
  }

  // ---- receiving

  // Owners first: they are likely to be complete.
  std::deque<NodeId> sources(const Names& owners) const {
    std::deque<NodeId> all;
    for (const Names& some : {owners, view_.members(), view_.removed()}) {
      for (const NodeId& node : some) {
        if (node != env_.self() && std::find(all.begin(), all.end(), node) == all.end()) {
          all.push_back(node);
        }
      }
    }
    return all;
  }

  static void next_turn(Receiving& receiving) {
    receiving.sources.push_back(receiving.sources.front());
    receiving.sources.pop_front();
  }

  void has_said(VnodeId vnode, Receiving& receiving, const NodeId& node) {
    receiving.said.insert(node);
    auto& sources = receiving.sources;
    const auto at = std::find(sources.begin(), sources.end(), node);
    if (at == sources.end()) return;
    const bool turn = at == sources.begin();
    sources.erase(at);
    // It may become complete, and is asked again when those before it do not answer.
    if (has(view_.preference_list(vnode), node)) sources.push_back(node);
    if (turn && !sources.empty() && !receiving.said.contains(sources.front())) {
      receiving.asked = false;
    }
  }

  void finish_those_told_by_all() {
    const Names removed = view_.removed();
    Names all = without(view_.members(), env_.self());
    for (const NodeId& node : removed) {
      if (sources_[node].failures < 3) all.push_back(node);
    }
    std::erase_if(receiving_, [&](const auto& entry) {
      const std::set<NodeId>& said = entry.second.said;
      const bool told = std::all_of(all.begin(), all.end(),
                                    [&](const NodeId& node) { return said.contains(node); });
      if (told) complete_[entry.first] = '1';
      return told;
    });
  }

  void ask() {
    std::map<NodeId, std::vector<VnodeId>> questions;
    for (auto& [vnode, receiving] : receiving_) {
      if (receiving.asked || receiving.sources.empty()) continue;
      const NodeId& source = receiving.sources.front();
      if (sources_[source].busy) continue;
      questions[source].push_back(vnode);
      receiving.asked = true;
    }
    for (const auto& [source, vnodes] : questions) {
      sources_[source].busy = true;
      const AskTransfer question{histories_.to(source), env_.self(), env_.incarnation(), vnodes};
      env_.call(source, question, config_.call_timeout,
                [this, source = source](Result<AskTransferReply> reply) {
                  sources_[source].busy = false;
                  if (reply.ok()) {
                    sources_[source].failures = 0;
                    histories_.from(source, reply->known);
                  } else {
                    did_not_answer(source);
                  }
                  ask();
                });
    }
  }

  void did_not_answer(const NodeId& source) {
    ++sources_[source].failures;
    for (auto& [vnode, receiving] : receiving_) {
      const auto& sources = receiving.sources;
      if (!sources.empty() && sources.front() == source) next_turn(receiving);
    }
    finish_those_told_by_all();
    save();
  }

  void tick() {
    for (auto& [vnode, receiving] : receiving_) receiving.asked = false;
    ask();
    for (auto& [peer, lane] : lanes_) lane.offers.merge(lane.waiting);
    move_on();
  }

  // ---- giving

  void hand_over(const AskTransfer& ask) {
    Lane& lane = lanes_[ask.from];
    if (lane.incarnation != ask.incarnation) {  // what its last disk confirmed is lost
      end_jobs(lane);
      ++lane.epoch;
      lane.incarnation = ask.incarnation;
    }
    for (const VnodeId vnode : ask.vnodes) {
      if (vnode >= config_.q || lane.jobs.contains(vnode) || lane.sent_all.contains(vnode)) {
        continue;
      }
      Job job{complete(vnode)};
      for (const std::string& key : keys_of(vnode)) {
        job.open.insert(key);
        if (const auto stray = strays_.find(key); stray != strays_.end()) {
          stray->second.erase(ask.from);
        }
        if (!lane.states.contains(key)) lane.offers.insert(key);
      }
      if (job.open.empty()) {
        lane.sent_all[vnode] = job.complete;
      } else {
        lane.jobs[vnode] = std::move(job);
      }
    }
    move_on();
  }

  void end_jobs(Lane& lane) {
    lane.jobs.clear();
    lane.sent_all.clear();
    lane.failures = 0;
    const auto no_stray = [&](const std::string& key) { return !strays_.contains(key); };
    std::erase_if(lane.offers, no_stray);
    std::erase_if(lane.states, no_stray);
    std::erase_if(lane.waiting, no_stray);
  }

  bool asked_for(const Lane& lane, const std::string& key) const {
    const auto job = lane.jobs.find(view_.vnode_of(key));
    return job != lane.jobs.end() && job->second.open.contains(key);
  }

  // The peer has it, or there is nothing any more to give.
  void settle(Lane& lane, const std::string& key) {
    lane.offers.erase(key);
    lane.states.erase(key);
    lane.waiting.erase(key);
    lane.refused.erase(key);
    const auto job = lane.jobs.find(view_.vnode_of(key));
    if (job == lane.jobs.end() || job->second.open.erase(key) == 0) return;
    if (!job->second.open.empty()) return;
    lane.sent_all[job->first] = job->second.complete;
    lane.jobs.erase(job);
  }

  void confirmed(const NodeId& peer, const std::string& key, const StateHash& hash) {
    settle(lanes_[peer], key);
    const auto stray = strays_.find(key);
    if (stray == strays_.end()) return;
    stray->second.insert(peer);
    const Names owners = view_.preference_list(view_.vnode_of(key));
    const bool by_all =
        !owners.empty() && std::all_of(owners.begin(), owners.end(), [&](const NodeId& owner) {
          return stray->second.contains(owner);
        });
    if (by_all && store_.drop(key, hash)) strays_.erase(stray);
  }

  void move_on() {
    Names peers;
    for (const auto& [peer, lane] : lanes_) peers.push_back(peer);
    for (const NodeId& peer : peers) {
      tell(peer);
      give(peer);
    }
  }

  void tell(const NodeId& peer) {
    Lane& lane = lanes_[peer];
    if (lane.telling || lane.sent_all.empty()) return;
    SentAll all{histories_.to(peer), env_.self(), lane.incarnation, {}, {}};
    for (const auto& [vnode, complete] : lane.sent_all) {
      (complete ? all.complete : all.partial).push_back(vnode);
    }
    lane.telling = true;
    env_.call(peer, all, config_.call_timeout,
              [this, peer, all, epoch = lane.epoch](Result<SentAllReply> reply) {
                lanes_[peer].telling = false;
                const bool equal = reply.ok() && histories_.from(peer, reply->known);
                Lane& lane = lanes_[peer];
                if (epoch != lane.epoch) return tell(peer);
                if (!reply.ok()) return failed(lane);
                lane.failures = 0;
                if (!equal) return end_jobs(lane);
                for (const VnodeId vnode : all.complete) lane.sent_all.erase(vnode);
                for (const VnodeId vnode : all.partial) lane.sent_all.erase(vnode);
                tell(peer);
              });
  }

  // It will ask again, if it lives.
  void failed(Lane& lane) {
    if (++lane.failures >= 3) end_jobs(lane);
  }

  void give(const NodeId& peer) {
    Lane& lane = lanes_[peer];
    if (lane.busy) return;
    const bool whole = !lane.states.empty();
    std::set<std::string>& keys = whole ? lane.states : lane.offers;
    Update update;
    std::vector<Copy> sent;
    std::size_t bytes = 0;
    while (!keys.empty()) {
      const std::string key = *keys.begin();
      const std::optional<StateHash> hash = store_.hash(key);
      if (!hash) {
        settle(lane, key);
        continue;
      }
      Copy copy{key, *hash, whole ? store_.get(key) : std::nullopt};
      bytes += key.size() + kCopyBytes + (whole ? copy.state->bytes.size() : 0);
      if (!sent.empty() && bytes > config_.batch_bytes) break;
      sent.push_back({key, *hash, std::nullopt});
      update.copies.push_back(std::move(copy));
      keys.erase(key);
    }
    if (sent.empty()) return;
    update.known = histories_.to(peer);
    lane.busy = true;
    env_.call(peer, update, config_.call_timeout,
              [this, peer, sent, whole, epoch = lane.epoch](Result<UpdateReply> reply) {
                lanes_[peer].busy = false;
                const bool equal = reply.ok() && histories_.from(peer, reply->known);
                if (epoch == lanes_[peer].epoch) {
                  given(peer, sent, whole, reply, equal);
                } else {
                  for (const Copy& copy : sent) put_back(peer, lanes_[peer].waiting, copy.key);
                }
                tell(peer);
                give(peer);
              });
  }

  void given(const NodeId& peer, const std::vector<Copy>& sent, bool whole,
             const Result<UpdateReply>& reply, bool equal) {
    Lane& lane = lanes_[peer];
    if (!reply.ok() || !equal) {
      if (reply.ok()) end_jobs(lane);
      if (!reply.ok()) failed(lane);
      for (const Copy& copy : sent) put_back(peer, lane.waiting, copy.key);
      lane.waiting.merge(std::exchange(lane.offers, {}));
      lane.waiting.merge(std::exchange(lane.states, {}));
      return;
    }
    lane.failures = 0;
    std::map<std::string, StateHash> yes;
    for (const Copy& copy : reply->confirmed) yes[copy.key] = copy.hash;
    for (const auto& [key, hash, none] : sent) {
      const std::optional<StateHash> now = store_.hash(key);
      const auto answer = yes.find(key);
      if (!now) {
        settle(lane, key);
      } else if (answer != yes.end() && answer->second == *now) {
        confirmed(peer, key, *now);
      } else if (*now != hash) {  // changed in the meantime
        put_back(peer, lane.offers, key);
      } else if (whole) {
        put_back(peer, lane.waiting, key);
      } else {
        // An owner that lacks a stray is about to receive it from another owner: let it.
        const bool at_once = asked_for(lane, key) || ++lane.refused[key] > 1;
        put_back(peer, at_once ? lane.states : lane.waiting, key);
      }
    }
  }

  // For another try, if there is still a reason for one.
  void put_back(const NodeId& peer, std::set<std::string>& keys, const std::string& key) {
    const bool stray = strays_.contains(key) &&
                       has(view_.preference_list(view_.vnode_of(key)), peer) &&
                       !strays_[key].contains(peer);
    if (stray || asked_for(lanes_[peer], key)) keys.insert(key);
  }

  Env& env_;
  const ReplicationConfig config_;
  ClusterView& view_;
  LocalStore& store_;

  Histories histories_;
  std::string complete_;  // '1' or '0' for each vnode
  std::string saved_;     // as it lies on the disk
  bool recorded_ = false;
  std::map<VnodeId, Receiving> receiving_;
  std::map<NodeId, Source> sources_;
  std::map<NodeId, Lane> lanes_;
  std::map<std::string, std::set<NodeId>> strays_;  // keys of others, and who has confirmed them
};

}  // namespace

std::unique_ptr<LazyCoordinator> make_coordinator(Env& env, const ReplicationConfig& config,
                                                  ClusterView& view, LocalStore& store,
                                                  const Transfer& transfer) {
  return std::make_unique<Replication>(env, config, view, store, transfer);
}

std::unique_ptr<Transfer> make_transfer(Env& env, const ReplicationConfig& config,
                                        ClusterView& view, LocalStore& store) {
  return std::make_unique<VnodeTransfer>(env, config, view, store);
}

}  // namespace dynamo
