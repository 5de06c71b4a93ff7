// Lab 5: quorums, read repair, hinted handoff. labs/5-quorum/README.md says what is asked for.
//
// Debts and hints are one thing here, kept on two shelves: a Shelf is a LocalStore with a ledger on
// disk that says who has not confirmed what lies there. From the shelf `own` a state goes to the
// other owners and stays; from the shelf `kept` it goes to its owners, and is dropped when the last
// of them has confirmed it. Every retry period a round visits each creditor, in batches.
//
// A message carries the puts that were open when it was filled, so its confirmation counts for
// exactly those: nothing has to be numbered. A put or a get knows how many of its calls are in the
// air; whenever one lands, hosts that take part by now and were not asked yet are asked, and when
// none is left in the air, nobody is left who could still answer.
#include "quorum.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace dynamo {
namespace {

using Names = std::set<NodeId>;

bool contains(const std::vector<NodeId>& names, const NodeId& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Names without(const std::vector<NodeId>& names, const NodeId& name) {
  Names rest(names.begin(), names.end());
  rest.erase(name);
  return rest;
}

Error too_few() { return {ErrorCode::unavailable, "quorum not met"}; }

/// Who still has to confirm which key; memory mirrors the disk.
class Ledger {
 public:
  Ledger(Env& env, std::string space) : env_(env), space_(std::move(space)) {}

  void load() {
    std::map<std::string, Names> found;
    env_.storage().scan(space_, "", [&found](std::string_view key, std::string_view value) {
      const auto names = from_bytes<std::vector<std::string>>(value);
      if (names) found[std::string(key)] = Names(names->begin(), names->end());
      return true;
    });
    for (const auto& [key, names] : found) remember(key, names);
  }

  bool room_for(const std::string& key, const Names& names) const {
    return env_.storage().room(key.size() + bytes_of(names).size());
  }

  /// From now on exactly `names` are owed `key`; no names: the record goes.
  void set(const std::string& key, const Names& names) {
    if (creditors(key) == names) return;
    forget(key);
    remember(key, names);
    if (names.empty()) {
      env_.storage().erase(space_, key);
    } else {
      env_.storage().put(space_, key, bytes_of(names));
    }
  }

  Names creditors(const std::string& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? Names{} : found->second;
  }

  /// The first key after `after` that is owed to `peer`.
  std::optional<std::string> next(const NodeId& peer, const std::string& after) const {
    const auto owed = by_peer_.find(peer);
    if (owed == by_peer_.end()) return std::nullopt;
    const auto key = owed->second.upper_bound(after);
    if (key == owed->second.end()) return std::nullopt;
    return *key;
  }

  std::vector<std::string> keys() const {
    std::vector<std::string> all;
    for (const auto& [key, names] : by_key_) all.push_back(key);
    return all;
  }

  std::vector<NodeId> peers() const {
    std::vector<NodeId> all;
    for (const auto& [peer, keys] : by_peer_) all.push_back(peer);
    return all;
  }

 private:
  static std::string bytes_of(const Names& names) {
    return to_bytes(std::vector<std::string>(names.begin(), names.end()));
  }

  void remember(const std::string& key, const Names& names) {
    if (!names.empty()) by_key_[key] = names;
    for (const NodeId& name : names) by_peer_[name].insert(key);
  }

  void forget(const std::string& key) {
    for (const NodeId& name : creditors(key)) {
      by_peer_[name].erase(key);
      if (by_peer_[name].empty()) by_peer_.erase(name);
    }
    by_key_.erase(key);
  }

  Env& env_;
  const std::string space_;
  std::map<std::string, Names> by_key_;
  std::map<NodeId, std::set<std::string>> by_peer_;
};

struct Shelf;

struct Put {
  std::string key;
  std::uint32_t w;
  Responder<WriteOutcome> responder;
  Shelf* shelf;            ///< Where the write lies here.
  Names holders;           ///< Who is known to hold it, this host among them.
  Names asked;             ///< Who was sent it because of this put.
  std::size_t flying = 0;  ///< Calls that may still confirm it.
  bool answered = false;
};
using Puts = std::vector<std::shared_ptr<Put>>;

/// A store, who is owed what lies in it, and the puts that wait for confirmations.
struct Shelf {
  LocalStore& store;
  Ledger ledger;
  bool drops;                              ///< What all creditors have confirmed leaves the shelf.
  std::map<std::string, Puts> open{};      ///< By key; not answered yet.
  std::map<NodeId, std::string> rounds{};  ///< Peers that a round is under way to: the last key.
};

struct Get {
  std::string key;
  std::uint32_t r;
  Responder<ReadOutcome> responder;
  std::map<NodeId, std::optional<State>> answers{};  ///< Those that count.
  std::optional<State> merged{};
  Names asked{};
  std::size_t flying = 0;
  bool answered = false;
};

/// One key in a message: the hash that was sent, and the puts that it carries.
struct Parcel {
  Copy copy;
  Puts puts;
};

/// A message under way: an Update, or StoreHints for `owner`.
struct Flight {
  Shelf* shelf;
  NodeId peer;
  std::vector<Parcel> parcels;
  std::optional<NodeId> owner{};
  bool second = false;    ///< Repeated since the digests differed.
  bool in_round = false;  ///< The round to this peer goes on when it has landed.
};
using FlightPtr = std::shared_ptr<Flight>;

class Quorums final : public QuorumCoordinator {
 public:
  Quorums(Env& env, const QuorumConfig& config, ClusterView& view, LocalStore& store,
          LocalStore& hints, const Transfer& transfer)
      : env_(env),
        config_(config),
        view_(view),
        transfer_(transfer),
        own_{store, Ledger(env, "quorum.debts"), false},
        kept_{hints, Ledger(env, "quorum.hints"), true} {}

  void start() override {
    own_.ledger.load();
    kept_.ledger.load();
    deliver_all();
    every(env_, config_.retry_period, [this] { deliver_all(); });
  }

  void history_grew(const History& /*before*/) override {
    for (const std::string& key : own_.ledger.keys()) {
      const bool held = own_.store.hash(key).has_value();
      own_.ledger.set(key, held ? without(owners(key), self()) : Names{});
    }
    for (const std::string& key : kept_.ledger.keys()) {
      const std::vector<NodeId> today = owners(key);
      if (!today.empty()) kept_.ledger.set(key, Names(today.begin(), today.end()));
    }
    deliver_all();
  }

  // What clients ask.

  void put(const QuorumWrite& write, Responder<WriteOutcome> responder) override {
    Shelf& shelf = shelf_for(write);
    if (&shelf == &kept_ && strict() && !write.again) {
      return responder.reply({Error{ErrorCode::unavailable, "no owner"}, write.w, 0});
    }
    if (!write.again) {
      const Status written = write_down(shelf, write);
      if (!written.ok()) return responder.reply({written, write.w, 0});
    }
    auto put = std::make_shared<Put>(
        Put{write.key, write.w, std::move(responder), &shelf, {self()}, {self()}});
    shelf.open[put->key].push_back(put);
    recruit(put);
    look_at(*put);
    if (!put->answered) {
      env_.after(config_.deadline, [this, put] { answer(*put); });
    }
  }

  void get(const QuorumRead& read, Responder<ReadOutcome> responder) override {
    auto get = std::make_shared<Get>(Get{read.key, read.r, std::move(responder)});
    recruit(get);
    look_at(*get);
    if (!get->answered) {
      env_.after(config_.deadline, [this, get] { answer(*get); });
    }
  }

  // What other nodes ask.

  void handle(const Update& request, Responder<UpdateReply> responder) override {
    const bool equal = view_.learn(request.known);
    UpdateReply reply;
    for (const Copy& copy : request.copies) {
      if (owned(copy.key, self()) && taken(copy)) {
        reply.confirmed.push_back({copy.key, copy.hash, std::nullopt});
      }
    }
    reply.known = view_.known(!equal);
    responder.reply(reply);
  }

  void handle(const Read& request, Responder<ReadReply> responder) override {
    const bool equal = view_.learn(request.known);
    ReadReply reply;
    reply.state = held(request.key);
    reply.holding = holding(request.key, reply.state);
    reply.empty =
        !view_.member(self()) && own_.store.vnodes().empty() && kept_.store.vnodes().empty();
    reply.known = view_.known(!equal);
    responder.reply(reply);
  }

  void handle(const StoreHints& request, Responder<StoreHintsReply> responder) override {
    const bool equal = view_.learn(request.known);
    StoreHintsReply reply;
    for (const Hint& hint : request.hints) {
      const bool mine = owned(hint.copy.key, self());
      if (mine ? taken(hint.copy) : keep(hint)) {
        reply.kept.push_back({hint.copy.key, hint.copy.hash, std::nullopt});
      }
    }
    reply.known = view_.known(!equal);
    responder.reply(reply);
  }

 private:
  const NodeId& self() const { return env_.self(); }
  bool strict() const { return config_.mode == QuorumMode::strict; }
  std::vector<NodeId> owners(const std::string& key) const {
    return view_.preference_list(view_.vnode_of(key));
  }
  bool owned(const std::string& key, const NodeId& by) const { return contains(owners(key), by); }

  // What this node holds.

  /// Of `key`, on both shelves together.
  std::optional<State> held(const std::string& key) const {
    const auto mine = own_.store.get(key);
    const auto theirs = kept_.store.get(key);
    if (!mine || !theirs) return mine ? mine : theirs;
    const Result<State> both = own_.store.joined(*mine, *theirs);
    return both.ok() ? both.value() : mine;
  }

  Holding holding(const std::string& key, const std::optional<State>& state) const {
    if (state) return Holding::found;
    const bool knows = owned(key, self()) && transfer_.complete(view_.vnode_of(key));
    return knows ? Holding::absent : Holding::not_mine;
  }

  /// An owner takes a copy; true if it may be confirmed.
  bool taken(const Copy& copy) {
    if (!copy.state) return own_.store.hash(copy.key) == copy.hash;
    return own_.store.merge(copy.key, *copy.state).ok();
  }

  /// Takes a hint; true if it may be confirmed.
  bool keep(const Hint& hint) {
    const std::string& key = hint.copy.key;
    Names names = kept_.ledger.creditors(key);
    const std::vector<NodeId> today = owners(key);
    if (contains(today, hint.owner) || today.empty()) {
      names.insert(hint.owner);
    } else {
      names.insert(today.begin(), today.end());
    }
    if (!hint.copy.state || !kept_.ledger.room_for(key, names)) return false;
    if (!kept_.store.merge(key, *hint.copy.state).ok()) return false;
    kept_.ledger.set(key, names);
    return true;
  }

  /// Where a put belongs, or where the request that is repeated was executed.
  Shelf& shelf_for(const QuorumWrite& write) {
    if (write.again && own_.store.hash(write.key)) return own_;
    return owned(write.key, self()) ? own_ : kept_;
  }

  Status write_down(Shelf& shelf, const QuorumWrite& write) {
    const Names creditors = without(owners(write.key), self());
    if (!shelf.ledger.room_for(write.key, creditors)) {
      return Error{ErrorCode::no_room, "the disk has no room for what would be owed"};
    }
    const Result<StateHash> written = shelf.store.write(write.key, write.version);
    if (!written.ok()) return written.error();
    shelf.ledger.set(write.key, creditors);
    return Done{};
  }

  // Messages.

  /// Events go along if the peer's last reply showed another history than ours.
  Known known_for(const NodeId& peer) const {
    const auto last = digests_.find(peer);
    return view_.known(last != digests_.end() && last->second != view_.known().digest);
  }

  /// True if the digests are equal after this.
  bool hear(const NodeId& peer, const Known& known) {
    digests_[peer] = known.digest;
    return view_.learn(known);
  }

  /// The state held now, with the puts that it covers: the open ones, and `put`.
  std::optional<Parcel> parcel(Shelf& shelf, const std::string& key,
                               const std::shared_ptr<Put>& put = nullptr) {
    const auto state = shelf.store.get(key);
    if (!state) return std::nullopt;
    Parcel parcel{{key, hash_of(key, *state), state}, {}};
    if (const auto open = shelf.open.find(key); open != shelf.open.end()) {
      parcel.puts = open->second;
    }
    if (put && put->answered) parcel.puts.push_back(put);
    return parcel;
  }

  void send(Flight flight) {
    std::vector<Copy> copies;
    for (const Parcel& parcel : flight.parcels) {
      copies.push_back(parcel.copy);
      in_the_air_.insert({flight.peer, parcel.copy.key});
      for (const auto& put : parcel.puts) ++put->flying;
    }
    const auto sent = std::make_shared<Flight>(std::move(flight));
    for (Parcel& parcel : sent->parcels) parcel.copy.state.reset();
    if (!sent->owner) {
      const auto land = [this, sent](const Result<UpdateReply>& reply) {
        landed(*sent, reply.ok() ? &reply->known : nullptr,
               reply.ok() ? reply->confirmed : std::vector<Copy>{});
      };
      return env_.call(sent->peer, Update{known_for(sent->peer), copies}, config_.call_timeout,
                       land);
    }
    StoreHints message{known_for(sent->peer), {}};
    for (const Copy& copy : copies) message.hints.push_back({*sent->owner, copy});
    env_.call<StoreHints>(sent->peer, message, config_.call_timeout,
                          [this, sent](const Result<StoreHintsReply>& reply) {
                            landed(*sent, reply.ok() ? &reply->known : nullptr,
                                   reply.ok() ? reply->kept : std::vector<Copy>{});
                          });
  }

  /// A call has ended; `known`: with a reply.
  void landed(const Flight& flight, const Known* known, const std::vector<Copy>& confirmed) {
    const bool equal = known != nullptr && hear(flight.peer, *known);
    for (const Parcel& parcel : flight.parcels) {
      in_the_air_.erase(in_the_air_.find({flight.peer, parcel.copy.key}));
      if (equal && names(confirmed, parcel.copy)) confirm(flight, parcel);
    }
    if (known != nullptr && !equal && !flight.second && !flight.in_round) repeat(flight);
    for (const Parcel& parcel : flight.parcels) {
      for (const auto& put : parcel.puts) {
        if (!put->holders.contains(flight.peer)) recruit(put);
        --put->flying;
        look_at(*put);
      }
    }
    if (flight.in_round) go_on(*flight.shelf, flight.peer, known != nullptr);
  }

  static bool names(const std::vector<Copy>& copies, const Copy& copy) {
    return std::any_of(copies.begin(), copies.end(), [&](const Copy& other) {
      return other.key == copy.key && other.hash == copy.hash;
    });
  }

  void confirm(const Flight& flight, const Parcel& parcel) {
    for (const auto& put : parcel.puts) put->holders.insert(flight.peer);
    if (!flight.owner) settle(*flight.shelf, parcel.copy, flight.peer);
  }

  void settle(Shelf& shelf, const Copy& copy, const NodeId& peer) {
    if (shelf.store.hash(copy.key) != copy.hash) return;
    Names creditors = shelf.ledger.creditors(copy.key);
    if (creditors.erase(peer) == 0) return;
    shelf.ledger.set(copy.key, creditors);
    if (creditors.empty() && shelf.drops) shelf.store.drop(copy.key, copy.hash);
  }

  /// The peer knows another history: once more, with events, and with what is held now.
  void repeat(const Flight& flight) {
    Flight next{flight.shelf, flight.peer, {}, flight.owner, true};
    for (const Parcel& old : flight.parcels) {
      if (!flight.owner && !owned(old.copy.key, flight.peer)) continue;
      auto again = parcel(*flight.shelf, old.copy.key);
      if (again) next.parcels.push_back(std::move(*again));
    }
    if (!next.parcels.empty()) send(std::move(next));
  }

  // Rounds: what is owed, again and again.

  void deliver_all() {
    for (const std::string& key : kept_.ledger.keys()) {
      if (owned(key, self())) adopt(key);
    }
    for (Shelf* shelf : {&own_, &kept_}) {
      for (const NodeId& peer : shelf->ledger.peers()) {
        if (shelf->rounds.emplace(peer, "").second) go_on(*shelf, peer, true);
      }
    }
  }

  /// This node has become an owner of what it kept for others.
  void adopt(const std::string& key) {
    const auto state = kept_.store.get(key);
    const Names creditors = without(owners(key), self());
    if (state) {
      if (!own_.ledger.room_for(key, creditors)) return;
      if (!own_.store.merge(key, *state).ok()) return;
      own_.ledger.set(key, creditors);
      kept_.store.drop(key, hash_of(key, *state));
    }
    kept_.ledger.set(key, {});
    for (const auto& put : kept_.open[key]) {
      put->shelf = &own_;
      own_.open[key].push_back(put);
    }
    kept_.open.erase(key);
  }

  /// The next batch of a round; at its end, or if the peer does not answer, the round is over.
  void go_on(Shelf& shelf, const NodeId& peer, bool answers) {
    Flight flight{&shelf, peer, {}, std::nullopt, false, true};
    if (answers) fill(flight);
    if (flight.parcels.empty()) {
      shelf.rounds.erase(peer);
      return;
    }
    shelf.rounds[peer] = flight.parcels.back().copy.key;
    send(std::move(flight));
  }

  void fill(Flight& flight) {
    Shelf& shelf = *flight.shelf;
    std::string last = shelf.rounds[flight.peer];
    for (std::size_t bytes = 0; bytes < config_.batch_bytes;) {
      const auto key = shelf.ledger.next(flight.peer, last);
      if (!key) return;
      last = *key;
      if (in_the_air_.contains({flight.peer, *key})) continue;
      auto next = parcel(shelf, *key);
      if (!next) {
        shelf.ledger.set(*key, {});
        continue;
      }
      bytes += next->copy.key.size() + next->copy.state->bytes.size();
      flight.parcels.push_back(std::move(*next));
    }
  }

  // Puts.

  /// Sends the write to those who take part by now and were not asked.
  void recruit(const std::shared_ptr<Put>& put) {
    for (const NodeId& owner : owners(put->key)) ask(put, owner, std::nullopt);
    if (strict()) return;
    for (const Placement& place : view_.active_list(view_.vnode_of(put->key))) {
      if (!place.stands_in_for.empty()) ask(put, place.host, place.stands_in_for);
    }
  }

  void ask(const std::shared_ptr<Put>& put, const NodeId& host,
           const std::optional<NodeId>& stands_in_for) {
    if (put->asked.contains(host)) return;
    auto filled = parcel(*put->shelf, put->key, put);
    if (!filled) return;
    put->asked.insert(host);
    send({put->shelf, host, {std::move(*filled)}, stands_in_for});
  }

  std::uint32_t count(const Put& put) const {
    if (!strict()) return static_cast<std::uint32_t>(put.holders.size());
    std::uint32_t got = 0;
    for (const NodeId& owner : owners(put.key)) got += put.holders.contains(owner) ? 1 : 0;
    return got;
  }

  void look_at(Put& put) {
    if (put.flying == 0 || count(put) >= put.w) answer(put);
  }

  void answer(Put& put) {
    if (put.answered) return;
    put.answered = true;
    const auto open = put.shelf->open.find(put.key);
    std::erase_if(open->second, [&](const auto& other) { return other.get() == &put; });
    if (open->second.empty()) put.shelf->open.erase(open);
    const std::uint32_t got = count(put);
    const Status status = got >= put.w ? Status(Done{}) : Status(too_few());
    put.responder.reply({status, put.w, got});
  }

  // Gets.

  std::vector<NodeId> readers(const std::string& key) const {
    if (strict()) return owners(key);
    std::vector<NodeId> hosts;
    for (const Placement& place : view_.active_list(view_.vnode_of(key))) {
      hosts.push_back(place.host);
    }
    return hosts;
  }

  void recruit(const std::shared_ptr<Get>& get) {
    for (const NodeId& host : readers(get->key)) {
      if (!get->asked.insert(host).second) continue;
      if (host == self()) {
        const auto state = held(get->key);
        note(*get, host, holding(get->key, state), state);
      } else {
        ask(get, host, false);
      }
    }
  }

  void ask(const std::shared_ptr<Get>& get, const NodeId& host, bool second) {
    ++get->flying;
    env_.call<Read>(host, {known_for(host), get->key}, config_.call_timeout,
                    [this, get, host, second](const Result<ReadReply>& reply) {
                      landed(get, host, second, reply);
                    });
  }

  void landed(const std::shared_ptr<Get>& get, const NodeId& host, bool second,
              const Result<ReadReply>& reply) {
    if (reply.ok()) {
      const bool equal = hear(host, reply->known);
      if (!equal && reply->holding != Holding::found) {
        if (!second) ask(get, host, true);
      } else {
        note(*get, host, reply->holding, reply->state);
      }
    }
    if (!get->answered) recruit(get);
    --get->flying;
    look_at(*get);
    if (get->flying == 0) repair(*get);
  }

  /// What `host` says, if it counts.
  void note(Get& get, const NodeId& host, Holding holding, const std::optional<State>& state) {
    const bool owner = owned(get.key, host);
    if (strict() && !owner) return;
    if (holding == Holding::not_mine && owner) return;
    if (holding != Holding::found) {
      get.answers[host] = std::nullopt;
      return;
    }
    if (!state) return;
    const Result<State> merged = own_.store.joined(get.merged ? *get.merged : *state, *state);
    if (!merged.ok()) return;
    get.merged = merged.value();
    get.answers[host] = state;
  }

  void look_at(Get& get) {
    if (get.flying == 0 || get.answers.size() >= get.r) answer(get);
  }

  void answer(Get& get) {
    if (get.answered) return;
    get.answered = true;
    const auto got = static_cast<std::uint32_t>(get.answers.size());
    if (got >= get.r) {
      get.responder.reply({get.merged, get.r, got});
    } else {
      get.responder.reply({too_few(), get.r, got});
    }
  }

  /// All have answered or never will: mend the owners that lack something.
  void repair(const Get& get) {
    if (!get.merged) return;
    const Copy copy{get.key, hash_of(get.key, *get.merged), get.merged};
    for (const auto& [host, state] : get.answers) {
      if (host == self() || !owned(get.key, host) || state == get.merged) continue;
      env_.call<Update>(host, {known_for(host), {copy}}, config_.call_timeout,
                        [this, host = host](const Result<UpdateReply>& reply) {
                          if (reply.ok()) hear(host, reply->known);
                        });
    }
    if (owned(get.key, self()) && own_.store.hash(get.key) != copy.hash) taken(copy);
  }

  Env& env_;
  const QuorumConfig config_;
  ClusterView& view_;
  const Transfer& transfer_;
  Shelf own_;                                                 ///< What this node holds as an owner.
  Shelf kept_;                                                ///< What waits here for its owners.
  std::map<NodeId, HistoryDigest> digests_;                   ///< In each peer's last reply.
  std::multiset<std::pair<NodeId, std::string>> in_the_air_;  ///< Keys under way to a peer.
};

}  // namespace

std::unique_ptr<QuorumCoordinator> make_quorum(Env& env, const QuorumConfig& config,
                                               ClusterView& view, LocalStore& store,
                                               LocalStore& hints, const Transfer& transfer) {
  return std::make_unique<Quorums>(env, config, view, store, hints, transfer);
}

}  // namespace dynamo
