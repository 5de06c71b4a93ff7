// Lab 5, another right solution: a debt is an account with receipts. On the disk stands who *has*
// confirmed the key, not who is still to have it; an account that is opened, or that begins anew,
// is a record without names, so new owners cost no room, and a receipt for which there is none is
// left out: after a restart that owner is only sent the key once more. Puts and gets are one kind
// of thing, a Poll: hosts that were asked, calls that are under way, hosts that count. A call notes
// when it is filled which puts it carries, so a confirmation needs no numbers to be understood. One
// courier for each peer makes the rounds, every retry period, of what that peer is owed.
#include "quorum.h"

#include <algorithm>
#include <compare>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace dynamo {
namespace {

constexpr std::string_view kAccountSpace = "accounts";  ///< By shelf and key: see Account.
constexpr std::size_t kRecordBytes = 64;  ///< Of a record beside key and names, generously.

/// Where a state lies: among this node's own keys, or among those that it keeps for others.
enum class Shelf : char { own = 'o', hints = 'h' };

/// A key on one of the shelves.
struct Item {
  Shelf shelf = Shelf::own;
  std::string key;
  auto operator<=>(const Item&) const = default;
  std::string record() const { return static_cast<char>(shelf) + key; }
};

/// Who is owed an item. Its record is a list: "all" or "only", and the names.
struct Account {
  bool all = true;         ///< All owners of today, but those that are named; else those only.
  std::set<NodeId> names;  ///< Of `all`: who has confirmed; else who has not.

  std::string bytes() const {
    std::vector<std::string> list{all ? "all" : "only"};
    list.insert(list.end(), names.begin(), names.end());
    return to_bytes(list);
  }
  static Account from(std::string_view bytes) {
    Account account;
    const auto list = from_bytes<std::vector<std::string>>(bytes);
    if (!list || list->empty()) return account;  // broken: all are owed, to be on the safe side
    account.all = list->front() != "only";
    account.names.insert(list->begin() + 1, list->end());
    return account;
  }
};

bool contains(const std::vector<NodeId>& names, const NodeId& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// What puts and gets have in common.
struct Poll {
  std::string key;
  std::uint32_t needed = 0;
  std::set<NodeId> asked;   ///< Or need not be.
  std::size_t open = 0;     ///< Calls of this request without an end.
  bool answered = false;    ///< The client.
  std::set<NodeId> counts;  ///< Hold the write, or have answered.
};

struct Put : Poll {
  Put(const QuorumWrite& write, Shelf on, Responder<WriteOutcome> to)
      : shelf(on), responder(std::move(to)) {
    key = write.key;
    needed = write.w;
  }
  Shelf shelf;  ///< Where this node has the write.
  Responder<WriteOutcome> responder;
};
using PutPtr = std::shared_ptr<Put>;

struct Answer {
  Holding holding = Holding::not_mine;
  std::optional<State> state;
};
struct Get : Poll {
  Get(const QuorumRead& read, Responder<ReadOutcome> to) : responder(std::move(to)) {
    key = read.key;
    needed = read.r;
  }
  std::map<NodeId, Answer> answers;  ///< Last one of each host, this node among them.
  Responder<ReadOutcome> responder;
};
using GetPtr = std::shared_ptr<Get>;

/// What a call carried of one item.
struct Parcel {
  Item item;
  StateHash hash;
  std::vector<PutPtr> puts;  ///< Whose writes are in that state.
};

/// Takes to one peer what it is owed, one call at a time.
struct Courier {
  bool out = false;
  std::deque<Item> round;  ///< What is still to be taken there before the next retry period.
  Item last;               ///< Taken last; the next round begins behind it.
};

class Receipts final : public QuorumCoordinator {
 public:
  Receipts(Env& env, const QuorumConfig& config, ClusterView& view, LocalStore& store,
           LocalStore& hints, const Transfer& transfer)
      : env_(env),
        config_(config),
        view_(view),
        store_(store),
        hints_(hints),
        transfer_(transfer) {}

  void start() override {
    env_.storage().scan(kAccountSpace, "", [&](std::string_view key, std::string_view value) {
      const Item item{static_cast<Shelf>(key.front()), std::string(key.substr(1))};
      accounts_.emplace(item, Account::from(value));
      return true;
    });
    every(env_, config_.retry_period, [this] { send_round(); });
    send_round();
  }

  void history_grew(const History& /*before*/) override {
    for (auto& [item, account] : accounts_) {
      account = Account{};
      save(item, account);
    }
    adopt_all();
    // Copies: who answers a client leaves the lists.
    for (const PutPtr& put : std::vector<PutPtr>(puts_)) widen(put);
    for (const GetPtr& get : std::vector<GetPtr>(gets_)) widen(get);
    env_.after(Duration(0), [this] { send_round(); });
  }

  // ---- What clients ask
  // --------------------------------------------------------------------------

  void put(const QuorumWrite& write, Responder<WriteOutcome> responder) override {
    const bool owner = owns(write.key);
    std::optional<Shelf> shelf = owner ? Shelf::own : Shelf::hints;
    const auto refuse = [&](const Error& error) { responder.reply({error, write.w, 0}); };
    if (write.again) {
      shelf = shelf_of_write(write.key);
      if (!shelf) return refuse({ErrorCode::unavailable, "no room to bring both states together"});
    } else {
      if (!owner && strict()) return refuse({ErrorCode::unavailable, "not an owner of this key"});
      if (!env_.storage().room(kRecordBytes + write.key.size())) {
        return refuse({ErrorCode::no_room, "no room for what is owed to the other owners"});
      }
      const Result<StateHash> written = on(*shelf).write(write.key, write.version);
      if (!written.ok()) return refuse(written.error());
      open_account({*shelf, write.key});
    }
    const auto put = std::make_shared<Put>(write, *shelf, std::move(responder));
    puts_.push_back(put);
    if (on(*shelf).hash(write.key)) put->counts.insert(env_.self());
    if (write.again) count_receipts(*put);
    env_.after(config_.deadline, [this, put] { judge(put, true); });
    widen(put);
    judge(put);
  }

  void get(const QuorumRead& read, Responder<ReadOutcome> responder) override {
    const auto get = std::make_shared<Get>(read, std::move(responder));
    gets_.push_back(get);
    env_.after(config_.deadline, [this, get] { judge(get, true); });
    widen(get);
    judge(get);
  }

  // ---- What other nodes ask
  // ----------------------------------------------------------------------

  void handle(const Update& request, Responder<UpdateReply> responder) override {
    const bool equal = view_.learn(request.known);
    UpdateReply reply;
    for (const Copy& copy : request.copies) {
      if (owns(copy.key) && take(copy)) reply.confirmed.push_back({copy.key, copy.hash, {}});
    }
    reply.known = view_.known(!equal);
    responder.reply(reply);
  }

  void handle(const Read& request, Responder<ReadReply> responder) override {
    const bool equal = view_.learn(request.known);
    const Answer mine = own_answer(request.key);
    ReadReply reply{view_.known(!equal), mine.holding, mine.state, false};
    reply.empty = !view_.member(env_.self()) && store_.vnodes().empty() && hints_.vnodes().empty();
    responder.reply(reply);
  }

  void handle(const StoreHints& request, Responder<StoreHintsReply> responder) override {
    const bool equal = view_.learn(request.known);
    StoreHintsReply reply;
    for (const Hint& hint : request.hints) {
      const bool kept = owns(hint.copy.key) ? take(hint.copy) : keep(hint);
      if (kept) reply.kept.push_back({hint.copy.key, hint.copy.hash, {}});
    }
    reply.known = view_.known(!equal);
    responder.reply(reply);
  }

 private:
  bool strict() const { return config_.mode == QuorumMode::strict; }
  LocalStore& on(Shelf shelf) const { return shelf == Shelf::own ? store_ : hints_; }
  std::vector<NodeId> owners(std::string_view key) const {
    return view_.preference_list(view_.vnode_of(key));
  }
  bool owns(std::string_view key) const { return contains(owners(key), env_.self()); }

  /// As an owner.
  bool take(const Copy& copy) {
    if (!copy.state) return store_.hash(copy.key) == copy.hash;
    return store_.merge(copy.key, *copy.state).ok();
  }

  /// As a stand-in. The name first: its record may find no room, and a merge is not undone.
  bool keep(const Hint& hint) {
    const std::string& key = hint.copy.key;
    if (!hint.copy.state && hints_.hash(key) != hint.copy.hash) return false;
    const Item item{Shelf::hints, key};
    const auto found = accounts_.find(item);
    Account account = found != accounts_.end() ? found->second : Account{false, {}};
    const std::vector<NodeId> today = owners(key);
    if (!contains(today, hint.owner) && !today.empty()) {
      account = Account{};
    } else if (account.all) {
      account.names.erase(hint.owner);
    } else {
      account.names.insert(hint.owner);
    }
    const std::size_t bytes = kRecordBytes + key.size() + account.bytes().size();
    if (!env_.storage().room(bytes)) return false;
    if (hint.copy.state && !hints_.merge(key, *hint.copy.state).ok()) return false;
    accounts_[item] = account;
    save(item, account);
    return true;
  }

  Answer own_answer(const std::string& key) const {
    const std::optional<State> own = store_.get(key);
    const std::optional<State> kept = hints_.get(key);
    if (own && kept) {
      const Result<State> both = store_.joined(*own, *kept);
      return {Holding::found, both.ok() ? both.value() : *own};
    }
    if (own || kept) return {Holding::found, own ? own : kept};
    const VnodeId vnode = view_.vnode_of(key);
    if (owns(key) && transfer_.complete(vnode)) return {Holding::absent, {}};
    return {Holding::not_mine, {}};
  }

  // ---- Accounts
  // ----------------------------------------------------------------------------------

  /// Everybody is owed the item (again).
  void open_account(const Item& item) {
    accounts_[item] = Account{};
    save(item, Account{});
    if (debtors(item, Account{}).empty() && !owners(item.key).empty()) close(item);
  }

  void save(const Item& item, const Account& account) {
    env_.storage().put(kAccountSpace, item.record(), account.bytes());
  }

  void close(const Item& item) {
    accounts_.erase(item);
    env_.storage().erase(kAccountSpace, item.record());
    if (item.shelf == Shelf::own) return;
    if (const auto hash = hints_.hash(item.key)) hints_.drop(item.key, *hash);
  }

  /// To whom the item is owed today.
  std::vector<NodeId> debtors(const Item& item, const Account& account) const {
    if (!account.all) return {account.names.begin(), account.names.end()};
    std::vector<NodeId> names = owners(item.key);
    std::erase_if(names, [&](const NodeId& name) {
      return name == env_.self() || account.names.contains(name);
    });
    return names;
  }
  bool owed(const NodeId& host, const Item& item) const {
    const auto account = accounts_.find(item);
    return account != accounts_.end() && contains(debtors(item, account->second), host);
  }

  /// `host` has confirmed what is held now.
  void receipt(const NodeId& host, const Item& item) {
    const auto found = accounts_.find(item);
    if (found == accounts_.end() || !owed(host, item)) return;
    Account account = found->second;
    if (account.all) account.names.insert(host);
    if (!account.all) account.names.erase(host);
    if (debtors(item, account).empty() && !owners(item.key).empty()) return close(item);
    found->second = account;
    // Without room the receipt is in memory only: after a restart the host is sent the item again.
    if (!account.all || env_.storage().room(kRecordBytes + host.size())) save(item, account);
  }

  /// Takes hints into the store where this node has become an owner of their keys.
  void adopt_all() {
    std::vector<std::string> keys;
    for (const auto& [item, account] : accounts_) {
      if (item.shelf == Shelf::hints && owns(item.key)) keys.push_back(item.key);
    }
    for (const std::string& key : keys) adopt(key);
  }
  void adopt(const std::string& key) {
    const std::optional<State> state = hints_.get(key);
    if (state) {
      if (!env_.storage().room(kRecordBytes + key.size())) return;
      if (!store_.merge(key, *state).ok()) return;
      open_account({Shelf::own, key});
    }
    close({Shelf::hints, key});
    for (const PutPtr& put : puts_) {
      if (put->key == key) put->shelf = Shelf::own;
    }
  }

  // ---- Couriers
  // ----------------------------------------------------------------------------------

  void send_round() {
    adopt_all();
    std::vector<Item> dropped;
    std::map<NodeId, std::deque<Item>> rounds;
    for (const auto& [item, account] : accounts_) {
      if (!on(item.shelf).hash(item.key)) dropped.push_back(item);
      for (const NodeId& host : debtors(item, account)) rounds[host].push_back(item);
    }
    for (const Item& item : dropped) close(item);
    for (auto& [host, items] : rounds) {
      Courier& courier = couriers_[host];
      if (courier.out) continue;
      std::rotate(items.begin(), std::upper_bound(items.begin(), items.end(), courier.last),
                  items.end());
      courier.round = std::move(items);
      send_batch(host);
    }
  }

  void send_batch(const NodeId& host) {
    Courier& courier = couriers_[host];
    Update update;
    std::vector<Parcel> parcels;
    std::size_t bytes = 0;
    while (!courier.round.empty()) {
      const Item item = courier.round.front();
      const auto state = on(item.shelf).get(item.key);
      if (!state || !owed(host, item) || on_way_.contains({host, item})) {
        courier.round.pop_front();
        continue;
      }
      bytes += state->bytes.size();
      if (!parcels.empty() && bytes > config_.batch_bytes) break;
      parcels.push_back(parcel(item, *state));
      update.copies.push_back({item.key, parcels.back().hash, state});
      courier.last = item;
      courier.round.pop_front();
    }
    if (parcels.empty()) return;
    courier.out = true;
    update.known = known_for(host);
    env_.call<Update>(host, update, config_.call_timeout,
                      [this, host, parcels](Result<UpdateReply> reply) {
                        couriers_[host].out = false;
                        const bool equal = reply.ok() && heard(host, reply->known);
                        const bool some = equal && settle(host, parcels, reply->confirmed);
                        if (!some) return couriers_[host].round.clear();
                        send_batch(host);
                      });
  }

  Parcel parcel(const Item& item, const State& state) const {
    Parcel parcel{item, hash_of(item.key, state), {}};
    for (const PutPtr& put : puts_) {
      if (put->key == item.key && put->shelf == item.shelf) parcel.puts.push_back(put);
    }
    return parcel;
  }

  /// What confirmations under equal digests are worth. False: nothing.
  bool settle(const NodeId& host, const std::vector<Parcel>& parcels,
              const std::vector<Copy>& confirmed) {
    bool some = false;
    for (const Parcel& parcel : parcels) {
      const bool good = std::any_of(confirmed.begin(), confirmed.end(), [&](const Copy& copy) {
        return copy.key == parcel.item.key && copy.hash == parcel.hash;
      });
      if (!good) continue;
      some = true;
      if (on(parcel.item.shelf).hash(parcel.item.key) == parcel.hash) receipt(host, parcel.item);
      for (const PutPtr& put : parcel.puts) {
        put->counts.insert(host);
        judge(put);
      }
    }
    return some;
  }

  Known known_for(const NodeId& host) const { return view_.known(others_.contains(host)); }

  /// Whether a reply was given under this node's own history.
  bool heard(const NodeId& host, const Known& known) {
    const bool equal = view_.learn(known);
    if (equal) others_.erase(host);
    if (!equal) others_.insert(host);
    return equal;
  }

  // ---- Puts
  // --------------------------------------------------------------------------------------

  /// Of a request that was executed here before. Nothing: this cannot be said.
  std::optional<Shelf> shelf_of_write(const std::string& key) {
    if (owns(key)) return Shelf::own;
    const std::optional<State> own = store_.get(key);
    if (own && hints_.hash(key)) {
      // It may be on either shelf, so let the one have what the other has.
      if (!env_.storage().room(kRecordBytes + key.size())) return std::nullopt;
      if (!hints_.merge(key, *own).ok()) return std::nullopt;
      open_account({Shelf::hints, key});
    }
    return hints_.hash(key) ? Shelf::hints : Shelf::own;
  }

  /// Owners that are owed nothing have confirmed what is here.
  void count_receipts(Put& put) const {
    for (const NodeId& owner : owners(put.key)) {
      if (owner == env_.self() || owed(owner, {put.shelf, put.key})) continue;
      put.counts.insert(owner);
      put.asked.insert(owner);
    }
  }

  /// Asks the hosts that take part now and were not asked yet.
  void widen(const PutPtr& put) {
    if (put->answered) return;
    for (const NodeId& owner : owners(put->key)) {
      if (owner != env_.self() && put->asked.insert(owner).second) send(put, owner, {}, false);
    }
    if (strict()) return;
    for (const Placement& place : view_.active_list(view_.vnode_of(put->key))) {
      if (place.host == env_.self() || !put->asked.insert(place.host).second) continue;
      send(put, place.host, place.stands_in_for, false);
    }
  }

  /// To an owner, or to who stands in for `owner`.
  void send(const PutPtr& put, const NodeId& host, const NodeId& owner, bool once_more) {
    const Item item{put->shelf, put->key};
    const auto state = on(item.shelf).get(item.key);
    if (!state) return;
    const Parcel sent = parcel(item, *state);
    const Copy copy{item.key, sent.hash, state};
    if (owner.empty()) {
      return deliver(put, host, owner, once_more, sent, Update{known_for(host), {copy}},
                     &UpdateReply::confirmed);
    }
    deliver(put, host, owner, once_more, sent, StoreHints{known_for(host), {{owner, copy}}},
            &StoreHintsReply::kept);
  }

  template <class Request>
  void deliver(const PutPtr& put, const NodeId& host, const NodeId& owner, bool once_more,
               const Parcel& sent, const Request& request,
               std::vector<Copy> Request::Reply::*confirmed) {
    using Reply = typename Request::Reply;
    ++put->open;
    on_way_.insert({host, sent.item});
    env_.call<Request>(
        host, request, config_.call_timeout,
        [this, put, host, owner, once_more, sent, confirmed](const Result<Reply>& reply) {
          --put->open;
          on_way_.erase(on_way_.find({host, sent.item}));
          const bool equal = reply.ok() && heard(host, reply->known);
          if (equal) settle(host, {sent}, (*reply).*confirmed);
          if (reply.ok() && !equal && !once_more && !put->answered) send(put, host, owner, true);
          if (!reply.ok()) widen(put);
          judge(put);
        });
  }

  void judge(const PutPtr& put, bool late = false) {
    if (put->answered) return;
    const std::uint32_t got = counted(*put);
    const bool enough = got >= put->needed;
    if (!enough && !late && put->open > 0) return;
    put->answered = true;
    std::erase(puts_, put);
    put->responder.reply({enough ? Status(Done{}) : Status(not_met()), put->needed, got});
  }

  std::uint32_t counted(const Poll& poll) const {
    if (!strict()) return static_cast<std::uint32_t>(poll.counts.size());
    const std::vector<NodeId> today = owners(poll.key);
    return static_cast<std::uint32_t>(
        std::count_if(today.begin(), today.end(),
                      [&](const NodeId& owner) { return poll.counts.contains(owner); }));
  }

  static Error not_met() { return {ErrorCode::unavailable, "too few hosts could be reached"}; }

  // ---- Gets
  // --------------------------------------------------------------------------------------

  void widen(const GetPtr& get) {
    if (get->answered) return;
    std::vector<NodeId> hosts;
    if (strict()) {
      hosts = owners(get->key);
    } else {
      for (const Placement& place : view_.active_list(view_.vnode_of(get->key))) {
        hosts.push_back(place.host);
      }
    }
    for (const NodeId& host : hosts) {
      if (!get->asked.insert(host).second) continue;
      if (host == env_.self()) {
        take_answer(*get, host, own_answer(get->key), true);
      } else {
        ask(get, host, false);
      }
    }
  }

  void ask(const GetPtr& get, const NodeId& host, bool once_more) {
    ++get->open;
    const Read request{known_for(host), get->key};
    env_.call<Read>(host, request, config_.call_timeout,
                    [this, get, host, once_more](const Result<ReadReply>& reply) {
                      --get->open;
                      if (reply.ok()) {
                        const bool equal = heard(host, reply->known);
                        take_answer(*get, host, {reply->holding, reply->state}, equal);
                        const bool said = reply->holding == Holding::found;
                        if (!equal && !said && !once_more) ask(get, host, true);
                      } else {
                        widen(get);
                      }
                      judge(get);
                      if (get->open == 0) mend(*get);
                    });
  }

  /// `equal`: it was given under this node's own history.
  void take_answer(Get& get, const NodeId& host, const Answer& answer, bool equal) const {
    const bool found = answer.holding == Holding::found;
    if (found && (!answer.state || !store_.joined(*answer.state, *answer.state).ok())) return;
    get.answers[host] = answer;
    const bool stand_in = !strict() && !contains(owners(get.key), host);
    const bool says = found || answer.holding == Holding::absent || stand_in;
    if (found || (equal && says)) get.counts.insert(host);
  }

  void judge(const GetPtr& get, bool late = false) {
    if (get->answered) return;
    const std::uint32_t got = counted(*get);
    const bool enough = got >= get->needed;
    if (!enough && !late && get->open > 0) return;
    get->answered = true;
    std::erase(gets_, get);
    if (!enough) return get->responder.reply({not_met(), get->needed, got});
    get->responder.reply({merged(*get), get->needed, got});
  }

  std::optional<State> merged(const Get& get) const {
    std::optional<State> sum = hints_.get(get.key);
    for (const auto& [host, answer] : get.answers) {
      if (!answer.state) continue;
      const Result<State> both = store_.joined(sum.value_or(*answer.state), *answer.state);
      if (both.ok()) sum = both.value();
    }
    return sum;
  }

  /// When all calls have ended: read repair.
  void mend(const Get& get) {
    const std::optional<State> sum = merged(get);
    if (!sum) return;
    const Copy copy{get.key, hash_of(get.key, *sum), sum};
    const std::vector<NodeId> today = owners(get.key);
    if (owns(get.key) && store_.hash(get.key) != copy.hash) {
      if (!store_.merge(get.key, *sum).ok()) env_.note("no room to mend " + get.key);
    }
    for (const auto& [host, answer] : get.answers) {
      const bool agrees = answer.holding == Holding::not_mine || answer.state == sum;
      if (host == env_.self() || agrees || !contains(today, host)) continue;
      const NodeId to = host;
      env_.call<Update>(to, Update{known_for(to), {copy}}, config_.call_timeout,
                        [this, to](const Result<UpdateReply>& reply) {
                          if (reply.ok()) heard(to, reply->known);
                        });
    }
  }

  Env& env_;
  const QuorumConfig config_;
  ClusterView& view_;
  LocalStore& store_;
  LocalStore& hints_;
  const Transfer& transfer_;
  std::map<Item, Account> accounts_;  ///< As on the disk, perhaps with more receipts.
  std::map<NodeId, Courier> couriers_;
  std::multiset<std::pair<NodeId, Item>> on_way_;  ///< In calls of puts: couriers leave these out.
  std::vector<PutPtr> puts_;                       ///< Those that wait for hosts.
  std::vector<GetPtr> gets_;
  std::set<NodeId> others_;  ///< Whose last reply showed another digest.
};

}  // namespace

std::unique_ptr<QuorumCoordinator> make_quorum(Env& env, const QuorumConfig& config,
                                               ClusterView& view, LocalStore& store,
                                               LocalStore& hints, const Transfer& transfer) {
  return std::make_unique<Receipts>(env, config, view, store, hints, transfer);
}

}  // namespace dynamo
