// Lab 3 as a table of work. Nothing about a debt is kept in memory: each is a row on disk, (peer,
// vnode, key), and one pump per node reads off what each peer still lacks, at each write and once a
// period. A row names the history under which it was made; a sweep turns rows of an older one into
// rows of the new owners. Request ids lie in three spaces that take turns. The transfer has one row
// for each (peer, vnode) with a cursor and the sum of the hashes that were confirmed; a vnode of
// others is dropped as a whole, when the sums of all its owners equal that of what is held.
#include "replication.h"

#include <algorithm>
#include <array>
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

constexpr std::string_view kRows = "rows";
constexpr std::string_view kNotes = "notes";
constexpr std::array<std::string_view, 3> kIds{"ids0", "ids1", "ids2"};

bool among(const std::vector<NodeId>& nodes, const NodeId& node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

std::vector<NodeId> without(std::vector<NodeId> nodes, const NodeId& node) {
  std::erase(nodes, node);
  return nodes;
}

/// Always the same number of bytes, so that overwriting one needs no room; sorts as numbers do.
std::string fixed(std::uint64_t number, std::size_t width = 8) {
  std::string bytes(width, '\0');
  for (std::size_t i = width; i-- > 0; number >>= 8) bytes[i] = static_cast<char>(number);
  return bytes;
}

std::uint64_t number_in(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

/// Who knows which history (rule 3f).
class Talk {
 public:
  explicit Talk(ClusterView& view) : view_(view) {}

  /// What a request to `peer` carries.
  Known to(const NodeId& peer) const {
    const auto last = last_.find(peer);
    return view_.known(last != last_.end() && last->second != view_.known().digest);
  }

  /// Takes in what a reply of `peer` carries. True: the digests are equal.
  bool heard(const NodeId& peer, const Known& known) {
    last_[peer] = known.digest;
    return view_.learn(known);
  }

 private:
  ClusterView& view_;
  std::map<NodeId, HistoryDigest> last_;  ///< In each peer's last reply.
};

/// One piece of work: `peer` has not confirmed `key`, of `vnode`.
struct Row {
  NodeId peer;
  VnodeId vnode = 0;
  std::string key;
};

/// The debts, on disk and nowhere else. A row's value is the digest of the history under which its
/// peer was found to be an owner; rows of another history are not to be paid, but to be swept.
class WorkTable {
 public:
  WorkTable(Env& env, ClusterView& view) : env_(env), view_(view) {}

  /// The history is another one, or is read for the first time.
  void begin() {
    epoch_ = to_bytes(view_.known().digest);
    sweep_from_ = "";
  }

  /// What rows for `peers` take on disk.
  std::size_t bytes(const std::vector<NodeId>& peers, std::string_view key) const {
    std::size_t sum = 0;
    for (const NodeId& peer : peers) sum += peer.size() + key.size() + 5 + epoch_.size();
    return sum;
  }

  void owe(const std::vector<NodeId>& peers, VnodeId vnode, const std::string& key) {
    for (const NodeId& peer : peers) env_.storage().put(kRows, name({peer, vnode, key}), epoch_);
  }

  /// The peer has it. A row of another history stands for other owners, too, and stays.
  void settle(const Row& row) {
    if (env_.storage().get(kRows, name(row)) == epoch_) env_.storage().erase(kRows, name(row));
  }

  /// Up to `limit` rows of `peer` whose keys are not among `tried`, by vnode.
  std::vector<Row> of(const NodeId& peer, const std::set<std::string>& tried,
                      std::size_t limit) const {
    std::vector<Row> rows;
    const std::string from = peer + '\0';
    env_.storage().scan(kRows, from, [&](std::string_view name, std::string_view epoch) {
      if (!name.starts_with(from)) return false;
      Row row = parsed(name);
      if (epoch == epoch_ && !tried.contains(row.key)) rows.push_back(std::move(row));
      return rows.size() < limit;
    });
    return rows;
  }

  /// Those who are owed anything.
  std::vector<NodeId> peers() const {
    std::vector<NodeId> found;
    std::string from(1, '\0');
    while (true) {
      std::optional<NodeId> peer;
      env_.storage().scan(kRows, from, [&](std::string_view name, std::string_view) {
        peer = parsed(name).peer;
        return false;
      });
      if (!peer) return found;
      from = *peer + '\1';  // behind all rows of this peer
      found.push_back(std::move(*peer));
    }
  }

  /// Gives some rows of older histories to the owners of today. True: there may be more.
  bool sweep() {
    if (!sweep_from_) return false;
    std::set<std::pair<VnodeId, std::string>> stale;
    std::size_t seen = 0;
    std::string last;
    env_.storage().scan(kRows, *sweep_from_, [&](std::string_view name, std::string_view epoch) {
      last = name;
      if (epoch != epoch_) {
        Row row = parsed(name);
        stale.emplace(row.vnode, std::move(row.key));
      }
      return ++seen < kSweep;
    });
    sweep_from_.reset();
    if (seen == kSweep) sweep_from_ = last + '\0';
    for (const auto& [vnode, key] : stale) retarget(vnode, key);
    return sweep_from_.has_value();
  }

  /// Looks at all rows again if some could not be given to others, for want of room or owners.
  bool resume() {
    if (sweep_from_ || !left_over_) return false;
    left_over_ = false;
    sweep_from_ = "";
    return true;
  }

 private:
  static constexpr std::size_t kSweep = 500;  // rows in one handler

  static std::string name(const Row& row) {
    return row.peer + '\0' + fixed(row.vnode, 4) + row.key;
  }
  static Row parsed(std::string_view name) {
    const std::size_t end = name.find('\0');
    return {NodeId(name.substr(0, end)), static_cast<VnodeId>(number_in(name.substr(end + 1, 4))),
            std::string(name.substr(end + 5))};
  }

  void retarget(VnodeId vnode, const std::string& key) {
    const std::vector<NodeId> owners = view_.preference_list(vnode);
    const std::vector<NodeId> others = without(owners, env_.self());
    if (owners.empty() || !env_.storage().room(bytes(others, key))) {
      left_over_ = true;
      return;
    }
    std::vector<NodeId> all = view_.members();
    for (const NodeId& node : view_.removed()) all.push_back(node);
    for (const NodeId& node : all) env_.storage().erase(kRows, name({node, vnode, key}));
    owe(others, vnode, key);
  }

  Env& env_;
  ClusterView& view_;
  std::string epoch_;                      ///< Today's history, as a row's value.
  std::optional<std::string> sweep_from_;  ///< Rows from here on may be of older histories.
  bool left_over_ = false;                 ///< A sweep had to leave some of them.
};

/// Remembers ids by generations: one takes new ids, the one before is still known, and the third is
/// being emptied. So each is known for once to twice the time.
class RequestIds {
 public:
  RequestIds(Env& env, Duration remember) : env_(env), remember_(remember) {}

  void start() {
    if (const auto kept = env_.storage().get(kNotes, kRecord)) generation_ = number_in(*kept);
    purge();
    env_.after(remember_, [this] { turn(); });
  }

  bool known(const RequestId& id) const {
    const std::string name = to_bytes(id);
    return env_.storage().get(space(0), name) || env_.storage().get(space(2), name);
  }

  std::size_t bytes(const RequestId& id) const { return to_bytes(id).size() + 1; }
  void remember(const RequestId& id) { env_.storage().put(space(0), to_bytes(id), "1"); }

 private:
  static constexpr std::string_view kRecord = "generation";
  static constexpr std::size_t kPurge = 256;  // ids in one handler

  /// 0: the one that takes new ids; 1: the next one, which is empty or soon will be; 2: the last.
  std::string_view space(std::uint64_t offset) const { return kIds[(generation_ + offset) % 3]; }

  void turn() {
    Storage& storage = env_.storage();
    const bool fits = storage.get(kNotes, kRecord) || storage.room(kRecord.size() + 8);
    if (purging_ || !fits) {
      env_.after(remember_ / 8 + Duration(1), [this] { turn(); });
      return;
    }
    ++generation_;
    storage.put(kNotes, kRecord, fixed(generation_));
    purge();
    env_.after(remember_, [this] { turn(); });
  }

  void purge() {
    std::vector<std::string> old;
    env_.storage().scan(space(1), std::string(1, '\0'), [&](std::string_view name, auto) {
      old.emplace_back(name);
      return old.size() < kPurge;
    });
    for (const std::string& name : old) env_.storage().erase(space(1), name);
    purging_ = old.size() == kPurge;
    if (purging_) env_.after(std::chrono::milliseconds(5), [this] { purge(); });
  }

  Env& env_;
  const Duration remember_;
  std::uint64_t generation_ = 0;
  bool purging_ = false;
};

/// Makes stamps that strictly increase (rule 4c). The last one's time and sequence are on disk.
class Stamps {
 public:
  explicit Stamps(Env& env) : env_(env) {}

  void start() {
    if (!env_.storage().get(kNotes, kRecord)) keep(0, 0);  // so that later ones need no room
  }

  std::optional<Stamp> next() {
    std::uint64_t time = 0;
    std::uint64_t sequence = 0;
    if (const auto last = env_.storage().get(kNotes, kRecord)) {
      time = number_in(last->substr(0, 8));
      sequence = number_in(last->substr(8));
    }
    const Duration clock = env_.wall_clock().time_since_epoch();
    time = std::max(time, static_cast<std::uint64_t>(std::max<Duration::rep>(clock.count(), 0)));
    if (!keep(time, ++sequence)) return std::nullopt;
    return Stamp{time, env_.self(), env_.incarnation(), sequence};
  }

 private:
  static constexpr std::string_view kRecord = "stamp";

  bool keep(std::uint64_t time, std::uint64_t sequence) {
    Storage& storage = env_.storage();
    if (!storage.get(kNotes, kRecord) && !storage.room(kRecord.size() + 16)) return false;
    storage.put(kNotes, kRecord, fixed(time) + fixed(sequence));
    return true;
  }

  Env& env_;
};

class TableCoordinator final : public LazyCoordinator {
 public:
  TableCoordinator(Env& env, const ReplicationConfig& config, ClusterView& view, LocalStore& store,
                   const Transfer& transfer)
      : env_(env),
        config_(config),
        view_(view),
        store_(store),
        transfer_(transfer),
        talk_(view),
        table_(env, view),
        ids_(env, config.remember),
        stamps_(env) {}

  void start() override {
    stamps_.start();
    ids_.start();
    table_.begin();
    sweep();
    tick();
    every(env_, config_.retry_period, [this] { tick(); });
  }

  void history_grew(const History& /*before*/) override {
    empty_.clear();
    table_.begin();
    sweep();
  }

  void handle(const ClientWrite& request, Responder<WriteOutcome> responder) override {
    if (ids_.known(request.id)) return responder.reply({Done{}, 1, 1});
    const std::optional<Stamp> stamp = stamps_.next();
    if (!stamp) return responder.reply({Error{ErrorCode::no_room, "no room for a stamp"}, 1, 0});
    const NewVersion version{request.value, request.context, *stamp};
    step(std::make_shared<WriteWalk>(
        WriteWalk{{{}, request.id, request.key, version}, responder, {}, {}, false, false}));
  }

  void handle(const ClientRead& request, Responder<ReadOutcome> responder) override {
    step(std::make_shared<ReadWalk>(ReadWalk{request.key, responder, {}, {}, false, 0}));
  }

  void handle(const Write& request, Responder<WriteReply> responder) override {
    const bool equal = view_.learn(request.known);
    const bool mine = owner(request.key) || ids_.known(request.id);
    Status status = mine ? execute(request) : Status(Done{});
    responder.reply({view_.known(!equal), mine, std::move(status)});
  }

  void handle(const Read& request, Responder<ReadReply> responder) override {
    const bool equal = view_.learn(request.known);
    ReadReply reply{view_.known(!equal), Holding::not_mine, store_.get(request.key), false};
    if (reply.state) {
      reply.holding = Holding::found;
    } else if (owner(request.key) && transfer_.complete(view_.vnode_of(request.key))) {
      reply.holding = Holding::absent;
    }
    reply.empty = !view_.member(env_.self()) && store_.vnodes().empty();
    responder.reply(reply);
  }

  void handle(const Update& request, Responder<UpdateReply> responder) override {
    const bool equal = view_.learn(request.known);
    UpdateReply reply{view_.known(!equal), {}};
    for (const Copy& copy : request.copies) {
      if (!owner(copy.key)) continue;
      const bool here = copy.state ? store_.merge(copy.key, *copy.state).ok()
                                   : store_.hash(copy.key) == copy.hash;
      if (here) reply.confirmed.push_back({copy.key, copy.hash, std::nullopt});
    }
    responder.reply(reply);
  }

 private:
  /// A write on its way to the first owner that takes it.
  struct WriteWalk {
    Write write;
    Responder<WriteOutcome> responder;
    std::map<NodeId, int> asked;  ///< How often; this node, too.
    std::set<NodeId> not_mine;    ///< Said so under another history: may be asked once more.
    bool no_room = false;         ///< Somebody said so.
    bool silent = false;          ///< Somebody did not answer.
  };

  /// A read on its way to the first who can say.
  struct ReadWalk {
    std::string key;
    Responder<ReadOutcome> responder;
    std::set<NodeId> asked;   ///< In this round.
    std::set<NodeId> retold;  ///< Asked once more in this round, with our events.
    bool coming = false;      ///< In this round, an owner said "not mine".
    int rounds = 0;           ///< That have ended.
  };

  /// What the pump knows of a peer beside its rows; nothing of it matters after a restart.
  struct Peer {
    bool busy = false;            ///< An Update is under way.
    bool retold = false;          ///< In this period it was told our events once.
    int pause = 0;                ///< It confirmed nothing: periods until it gets one key.
    bool full = false;            ///< It confirmed nothing the last time.
    std::set<std::string> tried;  ///< Keys that it was sent in this period.
  };

  static constexpr int kRounds = 4;          // of a read
  static constexpr int kFullPause = 3;       // periods
  static constexpr std::size_t kRead = 256;  // rows to choose from for one Update

  bool owner(const std::string& key) const {
    return among(view_.preference_list(view_.vnode_of(key)), env_.self());
  }

  /// The hosts of the list but this one, suspects last.
  std::vector<NodeId> in_order(std::vector<NodeId> hosts) const {
    hosts = without(std::move(hosts), env_.self());
    const std::vector<NodeId> suspects = view_.suspects();
    std::stable_partition(hosts.begin(), hosts.end(),
                          [&](const NodeId& host) { return !among(suspects, host); });
    return hosts;
  }

  // Writes.

  Status execute(const Write& write) {
    if (ids_.known(write.id)) return Done{};
    const VnodeId vnode = view_.vnode_of(write.key);
    const std::vector<NodeId> others = without(view_.preference_list(vnode), env_.self());
    if (!env_.storage().room(ids_.bytes(write.id) + table_.bytes(others, write.key))) {
      return Error{ErrorCode::no_room, "no room for the write's records"};
    }
    const Result<StateHash> written = store_.write(write.key, write.version);
    if (!written.ok()) return written.error();
    ids_.remember(write.id);
    table_.owe(others, vnode, write.key);
    for (const NodeId& other : others) {
      peers_[other].tried.erase(write.key);
      pump(other);
    }
    return Done{};
  }

  void step(const std::shared_ptr<WriteWalk>& walk) {
    const auto list = view_.preference_list(view_.vnode_of(walk->write.key));
    if (among(list, env_.self()) && walk->asked[env_.self()]++ == 0) {
      const Status status = execute(walk->write);
      if (ends(*walk, status)) return;
    }
    const std::vector<NodeId> hosts = in_order(list);
    auto host = std::find_if(hosts.begin(), hosts.end(),
                             [&](const NodeId& one) { return walk->asked[one] == 0; });
    if (host == hosts.end()) {
      host = std::find_if(hosts.begin(), hosts.end(),
                          [&](const NodeId& one) { return walk->not_mine.contains(one); });
    }
    if (host == hosts.end()) return give_up(*walk);
    ask(walk, *host);
  }

  void ask(const std::shared_ptr<WriteWalk>& walk, const NodeId& host) {
    ++walk->asked[host];
    walk->not_mine.erase(host);
    walk->write.known = talk_.to(host);
    env_.call(host, walk->write, config_.call_timeout,
              [this, walk, host](Result<WriteReply> reply) {
                if (!reply.ok()) {
                  walk->silent = true;
                  return step(walk);
                }
                talk_.heard(host, reply->known);
                if (reply->mine) {
                  if (ends(*walk, reply->status)) return;
                } else if (walk->asked[host] == 1) {
                  walk->not_mine.insert(host);
                }
                step(walk);
              });
  }

  /// Answers the client if this ends the walk.
  bool ends(WriteWalk& walk, const Status& status) {
    if (!status.ok()) {
      if (status.error().code == ErrorCode::no_room) walk.no_room = true;
      if (status.error().code != ErrorCode::too_large &&
          status.error().code != ErrorCode::invalid_argument) {
        return false;
      }
    }
    walk.responder.reply({status, 1, status.ok() ? 1U : 0U});
    return true;
  }

  static void give_up(const WriteWalk& walk) {
    const bool full = walk.no_room && !walk.silent;
    walk.responder.reply({full ? Error{ErrorCode::no_room, "no owner's disk has room"}
                               : Error{ErrorCode::unavailable, "no owner took the write"},
                          1, 0});
  }

  // Reads.

  void step(const std::shared_ptr<ReadWalk>& walk) {
    const VnodeId vnode = view_.vnode_of(walk->key);
    const std::vector<NodeId> list = view_.preference_list(vnode);
    const bool mine = among(list, env_.self());
    std::optional<State> held = store_.get(walk->key);
    if (mine && (held || transfer_.complete(vnode))) return walk->responder.reply({held, 1, 1});

    const auto unasked = [&](const std::vector<NodeId>& hosts) {
      const auto host = std::find_if(hosts.begin(), hosts.end(),
                                     [&](const NodeId& one) { return !walk->asked.contains(one); });
      return host == hosts.end() ? std::nullopt : std::optional<NodeId>(*host);
    };
    std::optional<NodeId> host = unasked(in_order(list));
    if (!host && held) return walk->responder.reply({held, 1, 1});  // of others, but it is here
    if (!host) host = unasked(in_order(view_.members()));
    if (!host) {
      std::vector<NodeId> removed = in_order(view_.removed());
      std::erase_if(removed, [&](const NodeId& one) { return empty_.contains(one); });
      host = unasked(removed);
    }
    if (host) return ask(walk, *host);
    end_round(walk);
  }

  void ask(const std::shared_ptr<ReadWalk>& walk, const NodeId& host) {
    walk->asked.insert(host);
    const Read read{talk_.to(host), walk->key};
    env_.call(host, read, config_.call_timeout, [this, walk, host](Result<ReadReply> reply) {
      if (!reply.ok()) return step(walk);
      const bool equal = talk_.heard(host, reply->known);
      if (reply->holding == Holding::found && reply->state) {
        return walk->responder.reply({std::move(reply->state), 1, 1});
      }
      if (reply->holding == Holding::absent && equal) {
        return walk->responder.reply({std::optional<State>{}, 1, 1});
      }
      if (reply->empty && equal) empty_.insert(host);
      const bool unsure = reply->holding == Holding::absent || reply->empty;
      if (unsure && !equal && walk->retold.insert(host).second) return ask(walk, host);
      if (reply->holding == Holding::not_mine &&
          among(view_.preference_list(view_.vnode_of(walk->key)), host)) {
        walk->coming = true;
      }
      step(walk);
    });
  }

  void end_round(const std::shared_ptr<ReadWalk>& walk) {
    if (!walk->coming || ++walk->rounds == kRounds) {
      return walk->responder.reply(
          {Error{ErrorCode::unavailable, "nobody could say what the key has"}, 1, 0});
    }
    walk->asked.clear();
    walk->retold.clear();
    walk->coming = false;
    env_.after(config_.retry_period, [this, walk] { step(walk); });
  }

  // The pump.

  void tick() {
    if (table_.resume()) sweep();
    for (const NodeId& name : table_.peers()) {
      Peer& peer = peers_[name];
      peer.retold = false;
      if (peer.pause > 0) --peer.pause;
      if (!peer.full) peer.tried.clear();
      pump(name);
    }
  }

  void sweep() {
    if (table_.sweep()) {
      env_.after(std::chrono::milliseconds(1), [this] { sweep(); });
    } else {
      for (const NodeId& name : table_.peers()) pump(name);
    }
  }

  /// Sends `name` the next of its rows, if nothing is under way to it.
  void pump(const NodeId& name) {
    Peer& peer = peers_[name];
    if (peer.busy || peer.pause > 0) return;
    Update update;
    std::size_t bytes = 0;
    for (const Row& row : table_.of(name, peer.tried, peer.full ? 1 : kRead)) {
      const std::optional<State> state = store_.get(row.key);
      if (!state) {
        table_.settle(row);  // it was handed over, and dropped
        continue;
      }
      const std::size_t more = row.key.size() + state->bytes.size() + sizeof(StateHash);
      if (!update.copies.empty() && bytes + more > config_.batch_bytes) break;
      bytes += more;
      update.copies.push_back({row.key, hash_of(row.key, *state), state});
      peer.tried.insert(row.key);
    }
    if (update.copies.empty()) {
      if (peer.full) peer.tried.clear();  // the next lap
      return;
    }
    peer.busy = true;
    update.known = talk_.to(name);
    env_.call(name, update, config_.call_timeout, [this, name](Result<UpdateReply> reply) {
      peers_[name].busy = false;
      if (reply.ok()) confirmed(name, *reply);
    });
  }

  void confirmed(const NodeId& name, const UpdateReply& reply) {
    const bool equal = talk_.heard(name, reply.known);
    Peer& peer = peers_[name];
    if (!equal) {
      if (peer.retold) return;
      peer.retold = true;
      peer.tried.clear();
      return pump(name);
    }
    for (const Copy& copy : reply.confirmed) {
      if (store_.hash(copy.key) != copy.hash) continue;
      table_.settle({name, view_.vnode_of(copy.key), copy.key});
    }
    peer.full = reply.confirmed.empty();
    peer.pause = peer.full ? kFullPause : 0;
    pump(name);
  }

  Env& env_;
  const ReplicationConfig config_;
  ClusterView& view_;
  LocalStore& store_;
  const Transfer& transfer_;
  Talk talk_;
  WorkTable table_;
  RequestIds ids_;
  Stamps stamps_;
  std::map<NodeId, Peer> peers_;
  std::set<NodeId> empty_;  ///< Removed nodes that hold nothing, under today's history.
};

/// The vnodes that this disk is complete for: one record of Q bits, which never grows.
class CompleteVnodes {
 public:
  CompleteVnodes(Env& env, std::uint32_t q) : env_(env), bits_((q + 7) / 8, '\0') {}

  void start() {
    if (const auto kept = env_.storage().get(kNotes, kRecord)) bits_ = *kept;
  }
  bool on_disk() const { return env_.storage().get(kNotes, kRecord).has_value(); }
  bool has(VnodeId vnode) const {
    return vnode / 8 < bits_.size() && (bits_[vnode / 8] >> (vnode % 8) & 1) != 0;
  }
  void set(VnodeId vnode, bool complete) {
    const auto bit = static_cast<char>(1U << (vnode % 8));
    char& byte = bits_[vnode / 8];
    byte = static_cast<char>(complete ? byte | bit : byte & ~bit);
  }
  bool room() const { return on_disk() || env_.storage().room(kRecord.size() + bits_.size()); }
  void keep() { env_.storage().put(kNotes, kRecord, bits_); }

 private:
  static constexpr std::string_view kRecord = "complete";
  Env& env_;
  std::string bits_;
};

class TableTransfer final : public Transfer {
 public:
  TableTransfer(Env& env, const ReplicationConfig& config, ClusterView& view, LocalStore& store)
      : env_(env),
        config_(config),
        view_(view),
        store_(store),
        talk_(view),
        complete_(env, config.q) {}

  void start(bool bootstrap) override {
    complete_.start();
    const History& history = view_.history();
    const bool first = history.size() == 1 && history.front().subject == env_.self() &&
                       history.front().change == Change::join;
    if (bootstrap && first && !complete_.on_disk() && complete_.room()) {
      for (VnodeId vnode = 0; vnode < config_.q; ++vnode) complete_.set(vnode, true);
      complete_.keep();
    }
    begin_anew();
    every(env_, config_.retry_period, [this] { tick(); });
  }

  bool complete(VnodeId vnode) const override { return complete_.has(vnode); }

  void handle(const AskTransfer& request, Responder<AskTransferReply> responder) override {
    const bool equal = view_.learn(request.known);
    responder.reply({view_.known(!equal)});
    if (!equal || request.from == env_.self()) return;
    for (const VnodeId vnode : request.vnodes) {
      if (vnode < config_.q) asked(request.from, request.incarnation, vnode);
    }
    pump(request.from);
  }

  void handle(const SentAll& request, Responder<SentAllReply> responder) override {
    const bool equal = view_.learn(request.known);
    responder.reply({view_.known(!equal)});
    if (!equal || request.incarnation != env_.incarnation()) return;
    for (const VnodeId vnode : request.complete) became_complete(vnode);
    for (const VnodeId vnode : request.partial) {
      const auto search = searches_.find(vnode);
      if (search == searches_.end()) continue;
      search->second.said.insert(request.from);
      if (search->second.source == request.from) search->second.source.clear();
    }
    ask();
  }

  void history_grew(const History& before) override {
    const History& history = view_.history();
    const auto differ = std::mismatch(before.begin(), before.end(), history.begin(), history.end());
    const auto first_new = static_cast<std::size_t>(differ.second - history.begin());
    bool changed = false;
    for (VnodeId vnode = 0; vnode < config_.q; ++vnode) {
      if (!complete_.has(vnode) || owned_since(first_new, vnode)) continue;
      complete_.set(vnode, false);
      changed = true;
    }
    if (changed) complete_.keep();
    begin_anew();
  }

 private:
  /// How far `peer` has confirmed what is held of a vnode, under today's history.
  struct Handover {
    bool stray = false;                ///< Offered unasked: this node does not own the vnode.
    std::optional<Incarnation> asker;  ///< Asked for by this disk, which was not told the end yet.
    bool was_complete = false;         ///< Before the first key was offered.
    std::string after;                 ///< Keys up to this one are confirmed.
    bool at_end = false;               ///< All are.
    StateHash sum;                     ///< Of the hashes that were confirmed.
  };

  /// What is under way to one peer: a window of its handovers, hashes first, then states.
  struct Window {
    struct Item {
      VnodeId vnode = 0;
      bool sent = false;                   ///< With its state.
      std::optional<StateHash> confirmed;  ///< Was that of the state held here.
    };
    std::uint64_t turn = 0;  ///< Late replies belong to another one.
    bool busy = false;
    bool waits = false;  ///< Until the next period.
    int failures = 0;    ///< Calls without an answer, one after the other.
    bool offered = false;
    std::map<std::string, Item> items;
    std::map<VnodeId, std::string> last;  ///< The last key of each vnode in the window.
    std::set<VnodeId> ends;               ///< Vnodes of which nothing lies behind the window.
  };

  /// The search for the keys of one vnode that this node receives.
  struct Search {
    NodeId source;                ///< Who is asked; empty: nobody.
    int periods = 0;              ///< For which it has been asked.
    std::set<NodeId> said;        ///< Who has said "partial" under today's history.
    std::map<NodeId, int> turns;  ///< How often each was the source.
  };

  static constexpr int kPatience = 5;         // calls without an answer
  static constexpr int kPeriods = 30;         // of one source that answers, and does not say
  static constexpr int kGone = 3;             // AskTransfers that failed
  static constexpr std::size_t kDrops = 256;  // in one handler

  static void add(StateHash& sum, const StateHash& hash) {
    sum.high ^= hash.high;
    sum.low ^= hash.low;
  }

  bool owns(VnodeId vnode) const { return among(view_.preference_list(vnode), env_.self()); }

  bool owned_since(std::size_t first_new, VnodeId vnode) const {
    for (std::size_t i = first_new + 1; i <= view_.history().size(); ++i) {
      if (!among(view_.preference_list_after(i, vnode), env_.self())) return false;
    }
    return true;
  }

  void begin_anew() {
    handovers_.clear();
    windows_.clear();
    searches_.clear();
    cleared_.clear();
    ++epoch_;
    // Who receives asks others first: offering the same keys at once would send them twice.
    push_from_ = env_.now() + config_.retry_period;
    for (VnodeId vnode = 0; vnode < config_.q; ++vnode) {
      if (owns(vnode) && !complete_.has(vnode)) searches_[vnode];
    }
    ask();
  }

  void tick() {
    if (env_.now() >= push_from_) find_strays();
    std::set<NodeId> peers;
    for (const auto& [where, handover] : handovers_) peers.insert(where.first);
    for (const NodeId& peer : peers) {
      windows_[peer].waits = false;
      pump(peer);
    }
    for (auto& [vnode, search] : searches_) {
      if (!search.source.empty() && ++search.periods > kPeriods) search.source.clear();
    }
    ask(true);
  }

  // Receiving.

  /// Whom to ask for a vnode, in the order of hope: who owned it before is complete.
  std::vector<NodeId> sources(VnodeId vnode) const {
    const std::size_t events = view_.history().size();
    std::vector<NodeId> found;
    const auto append = [&](const std::vector<NodeId>& nodes) {
      for (const NodeId& node : nodes) {
        if (node != env_.self() && !among(found, node)) found.push_back(node);
      }
    };
    std::vector<NodeId> owners = view_.preference_list(vnode);
    std::vector<NodeId> before;
    if (events > 0) before = view_.preference_list_after(events - 1, vnode);
    std::stable_partition(before.begin(), before.end(),
                          [&](const NodeId& node) { return among(owners, node); });
    append(before);
    append(owners);
    append(view_.members());
    append(view_.removed());
    return found;
  }

  /// The one that was asked least; at equal turns, one that has not said.
  NodeId next_source(VnodeId vnode, Search& search) const {
    const std::vector<NodeId> owners = view_.preference_list(vnode);
    std::optional<std::pair<int, bool>> best;
    NodeId chosen;
    for (const NodeId& node : sources(vnode)) {
      const bool said = search.said.contains(node);
      if (said && !among(owners, node)) continue;
      const std::pair<int, bool> rank{search.turns[node], said};
      if (best && *best <= rank) continue;
      best = rank;
      chosen = node;
    }
    return chosen;
  }

  bool all_said(const Search& search) const {
    const auto said = [&](const NodeId& node) { return search.said.contains(node); };
    for (const NodeId& node : view_.members()) {
      if (node != env_.self() && !said(node)) return false;
    }
    for (const NodeId& node : view_.removed()) {
      const auto failed = failed_asks_.find(node);
      const bool gone = failed != failed_asks_.end() && failed->second >= kGone;
      if (node != env_.self() && !said(node) && !gone) return false;
    }
    return true;
  }

  void became_complete(VnodeId vnode) {
    if (!searches_.contains(vnode) || !complete_.room()) return;
    searches_.erase(vnode);
    complete_.set(vnode, true);
    complete_.keep();
  }

  /// Asks one source for each vnode; `again`: also those that were asked before.
  void ask(bool again = false) {
    std::vector<VnodeId> ready;
    for (const auto& [vnode, search] : searches_) {
      if (all_said(search)) ready.push_back(vnode);
    }
    for (const VnodeId vnode : ready) became_complete(vnode);

    std::map<NodeId, std::vector<VnodeId>> questions;
    for (auto& [vnode, search] : searches_) {
      const bool fresh = search.source.empty();
      if (fresh) {
        search.source = next_source(vnode, search);
        search.periods = 0;
        if (search.source.empty()) continue;
        ++search.turns[search.source];
      }
      if (fresh || again) questions[search.source].push_back(vnode);
    }
    for (const auto& [source, vnodes] : questions) ask(source, vnodes);
  }

  void ask(const NodeId& source, const std::vector<VnodeId>& vnodes, bool retold = false) {
    const AskTransfer question{talk_.to(source), env_.self(), env_.incarnation(), vnodes};
    env_.call(source, question, config_.call_timeout,
              [this, source, vnodes, retold, epoch = epoch_](Result<AskTransferReply> reply) {
                if (reply.ok()) {
                  failed_asks_[source] = 0;
                  const bool equal = talk_.heard(source, reply->known);
                  if (!equal && epoch == epoch_ && !retold) ask(source, vnodes, true);
                } else {
                  ++failed_asks_[source];
                  if (epoch == epoch_) turn_from(source, vnodes);
                }
              });
  }

  /// `source` does not answer: others get their turn, at once unless all have had it.
  void turn_from(const NodeId& source, const std::vector<VnodeId>& vnodes) {
    for (const VnodeId vnode : vnodes) {
      const auto found = searches_.find(vnode);
      if (found == searches_.end() || found->second.source != source) continue;
      Search& search = found->second;
      const NodeId next = next_source(vnode, search);
      if (search.turns[next] < search.turns[source]) {
        search.source.clear();
      } else {
        search.periods = kPeriods;  // until the next period
      }
    }
    ask();
  }

  // Handing over.

  void asked(const NodeId& from, Incarnation incarnation, VnodeId vnode) {
    Handover& handover = handovers_[{from, vnode}];
    if (handover.asker == incarnation) return;
    const bool mine = owns(vnode);
    handover = {!mine, incarnation, mine && complete_.has(vnode), {}, false, {}};
    // What is under way may carry keys of this vnode, confirmed by another disk.
    Window& window = windows_[from];
    if (window.last.contains(vnode) || window.ends.contains(vnode)) window = fresh_window();
    window.waits = false;
    window.failures = 0;
  }

  Window fresh_window() {
    Window window;
    window.turn = ++turns_;
    return window;
  }

  void find_strays() {
    for (const VnodeId vnode : store_.vnodes()) {
      const std::vector<NodeId> owners = view_.preference_list(vnode);
      if (among(owners, env_.self())) continue;
      for (const NodeId& owner : owners) handovers_[{owner, vnode}].stray = true;
      drop(vnode);
    }
  }

  /// Says or sends `peer` the next thing of its handovers, if nothing is under way to it.
  void pump(const NodeId& peer) {
    Window& window = windows_[peer];
    if (window.turn == 0) window = fresh_window();
    if (window.busy || window.waits) return;
    if (say_ends(peer)) return;
    if (window.items.empty() && !open(peer)) return;
    if (window.items.empty()) return close(peer);

    Update update;
    std::size_t bytes = 0;
    bool open_items = false;
    for (auto& [key, item] : window.items) {
      if (item.confirmed) continue;
      const std::optional<State> state = store_.get(key);
      if (!state) {
        item.confirmed = StateHash{};  // dropped: nothing is left to confirm
        continue;
      }
      open_items = true;
      if (!window.offered) {
        update.copies.push_back({key, hash_of(key, *state), std::nullopt});
      } else if (!item.sent) {
        const std::size_t more = key.size() + state->bytes.size() + sizeof(StateHash);
        if (!update.copies.empty() && bytes + more > config_.batch_bytes) break;
        bytes += more;
        item.sent = true;
        update.copies.push_back({key, hash_of(key, *state), state});
      }
    }
    if (!open_items) return close(peer);
    if (update.copies.empty()) return wait(peer);
    update.known = talk_.to(peer);
    window.busy = true;
    env_.call(peer, update, config_.call_timeout,
              [this, peer, turn = window.turn](Result<UpdateReply> reply) {
                const bool equal = reply.ok() && talk_.heard(peer, reply->known);
                if (current(peer, turn, reply.ok(), equal)) confirmed(peer, *reply);
              });
  }

  /// After a call to `peer`: is it of today, and answered under equal histories?
  bool current(const NodeId& peer, std::uint64_t turn, bool answered, bool equal) {
    const auto found = windows_.find(peer);
    if (found == windows_.end() || found->second.turn != turn) return false;
    Window& window = found->second;
    window.busy = false;
    window.failures = answered ? 0 : window.failures + 1;
    if (answered && equal) return true;
    if (answered || window.failures == kPatience) end_asked(peer);
    wait(peer);
    return false;
  }

  void wait(const NodeId& peer) {
    Window window = fresh_window();
    window.failures = windows_[peer].failures;
    window.waits = true;
    windows_[peer] = std::move(window);
  }

  /// Fills the window from the rows of `peer`. False: there is nothing to do.
  bool open(const NodeId& peer) {
    Window& window = windows_[peer];
    std::size_t bytes = 0;
    for (auto row = handovers_.lower_bound({peer, 0});
         row != handovers_.end() && row->first.first == peer; ++row) {
      if (row->second.at_end) continue;
      if (bytes > config_.batch_bytes) break;
      const VnodeId vnode = row->first.second;
      bool whole = true;
      store_.scan(vnode, row->second.after, [&](std::string_view key, const StateHash&) {
        if (bytes > config_.batch_bytes) return whole = false;
        bytes += key.size() + sizeof(StateHash);
        window.items[std::string(key)].vnode = vnode;
        window.last[vnode] = key;
        return true;
      });
      if (whole) window.ends.insert(vnode);
    }
    return !window.items.empty() || !window.ends.empty();
  }

  /// All of the window is confirmed.
  void close(const NodeId& peer) {
    const Window window = std::exchange(windows_[peer], fresh_window());
    for (const auto& [key, item] : window.items) {
      const auto row = handovers_.find({peer, item.vnode});
      if (row != handovers_.end()) add(row->second.sum, *item.confirmed);
    }
    for (const auto& [vnode, key] : window.last) {
      const auto row = handovers_.find({peer, vnode});
      if (row != handovers_.end()) row->second.after = key;
    }
    for (const VnodeId vnode : window.ends) {
      const auto row = handovers_.find({peer, vnode});
      if (row == handovers_.end()) continue;
      row->second.at_end = true;
      drop(vnode);
    }
    pump(peer);
  }

  void confirmed(const NodeId& peer, const UpdateReply& reply) {
    Window& window = windows_[peer];
    for (const Copy& copy : reply.confirmed) {
      const auto item = window.items.find(copy.key);
      if (item == window.items.end() || store_.hash(copy.key) != copy.hash) continue;
      item->second.confirmed = copy.hash;
    }
    const bool full = window.offered && reply.confirmed.empty();
    window.offered = true;
    if (full) return wait(peer);
    pump(peer);
  }

  /// Tells `peer` the end of what it asked for. False: there is nothing to tell.
  bool say_ends(const NodeId& peer) {
    SentAll end{{}, env_.self(), 0, {}, {}};
    for (auto row = handovers_.lower_bound({peer, 0});
         row != handovers_.end() && row->first.first == peer; ++row) {
      const Handover& handover = row->second;
      if (!handover.at_end || !handover.asker) continue;
      if (!end.complete.empty() || !end.partial.empty()) {
        if (end.incarnation != *handover.asker) continue;
      }
      end.incarnation = *handover.asker;
      (handover.was_complete ? end.complete : end.partial).push_back(row->first.second);
    }
    if (end.complete.empty() && end.partial.empty()) return false;
    end.known = talk_.to(peer);
    Window& window = windows_[peer];
    window.busy = true;
    std::vector<VnodeId> vnodes = end.complete;
    vnodes.insert(vnodes.end(), end.partial.begin(), end.partial.end());
    env_.call(peer, end, config_.call_timeout,
              [this, peer, vnodes, turn = window.turn,
               incarnation = end.incarnation](Result<SentAllReply> reply) {
                const bool equal = reply.ok() && talk_.heard(peer, reply->known);
                if (!current(peer, turn, reply.ok(), equal)) return;
                for (const VnodeId vnode : vnodes) end_asked(peer, vnode, incarnation);
                pump(peer);
              });
    return true;
  }

  void end_asked(const NodeId& peer, VnodeId vnode, Incarnation incarnation) {
    const auto row = handovers_.find({peer, vnode});
    if (row == handovers_.end() || row->second.asker != incarnation) return;
    row->second.asker.reset();
    if (!row->second.stray) handovers_.erase(row);
  }

  void end_asked(const NodeId& peer) {
    for (auto& [where, row] : handovers_) {
      if (where.first == peer) row.asker.reset();
    }
    std::erase_if(handovers_,
                  [&](const auto& row) { return row.first.first == peer && !row.second.stray; });
  }

  // Dropping.

  /// Drops a vnode of others if each of its owners has confirmed all that is held of it.
  void drop(VnodeId vnode) {
    const std::vector<NodeId> owners = view_.preference_list(vnode);
    if (owners.empty() || among(owners, env_.self())) return;
    if (!cleared_.contains(vnode)) {
      StateHash held;
      store_.scan(vnode, "", [&](std::string_view, const StateHash& hash) {
        add(held, hash);
        return true;
      });
      for (const NodeId& owner : owners) {
        const auto row = handovers_.find({owner, vnode});
        if (row == handovers_.end() || !row->second.stray || !row->second.at_end) return;
        if (row->second.sum == held) continue;
        row->second.after.clear();  // what it confirmed is not what is held now
        row->second.at_end = false;
        row->second.sum = {};
        return;
      }
      cleared_.insert(vnode);
    }
    std::vector<std::pair<std::string, StateHash>> keys;
    store_.scan(vnode, "", [&](std::string_view key, const StateHash& hash) {
      keys.emplace_back(key, hash);
      return keys.size() < kDrops;
    });
    for (const auto& [key, hash] : keys) store_.drop(key, hash);
    if (keys.size() == kDrops) {
      env_.after(std::chrono::milliseconds(1), [this, vnode, epoch = epoch_] {
        if (epoch == epoch_) drop(vnode);
      });
    } else {
      cleared_.erase(vnode);
      std::erase_if(handovers_, [&](const auto& row) {
        return row.first.second == vnode && !row.second.asker;
      });
    }
  }

  Env& env_;
  const ReplicationConfig config_;
  ClusterView& view_;
  LocalStore& store_;
  Talk talk_;
  CompleteVnodes complete_;

  std::uint64_t epoch_ = 0;  ///< Grows with the history.
  std::uint64_t turns_ = 0;  ///< Of windows.
  Instant push_from_{};      ///< From here on strays are offered unasked.
  std::map<std::pair<NodeId, VnodeId>, Handover> handovers_;
  std::map<NodeId, Window> windows_;
  std::map<VnodeId, Search> searches_;
  std::set<VnodeId> cleared_;  ///< Of others, and confirmed by all its owners: being dropped.
  std::map<NodeId, int> failed_asks_;  ///< AskTransfers since the last that was answered.
};

}  // namespace

std::unique_ptr<LazyCoordinator> make_coordinator(Env& env, const ReplicationConfig& config,
                                                  ClusterView& view, LocalStore& store,
                                                  const Transfer& transfer) {
  return std::make_unique<TableCoordinator>(env, config, view, store, transfer);
}

std::unique_ptr<Transfer> make_transfer(Env& env, const ReplicationConfig& config,
                                        ClusterView& view, LocalStore& store) {
  return std::make_unique<TableTransfer>(env, config, view, store);
}

}  // namespace dynamo
