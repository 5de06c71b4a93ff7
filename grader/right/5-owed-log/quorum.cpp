// Lab 5, another right solution: what is owed, debts and hints alike, is one log in the order of
// its numbers; a record says which key, and whom it is for, and what is noted anew goes to the end.
// Who has confirmed is known in memory only: after a restart everybody is offered the hash first,
// and sent the state if he lacks it. Nothing is sent from within a put: what a handler has to say
// to a peer waits for that handler's end and goes in one message. A request is a table of hosts and
// how far each of them is; whether it is over follows from the table alone. Writes are numbered,
// and a message that is filled carries all writes to its keys up to the number of that moment.
#include "quorum.h"

#include <algorithm>
#include <compare>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dynamo {
namespace {

constexpr std::string_view kLogSpace = "owed";  ///< By number: shelf, key, and names or none.
constexpr std::size_t kRecordBytes = 96;        ///< Of a record beside key and names.
constexpr std::string_view kOwn = "own";        ///< Shelves: this node's keys,
constexpr std::string_view kHints = "hints";    ///< and those that it keeps for others.

struct Item {
  std::string_view shelf;
  std::string key;
  auto operator<=>(const Item&) const = default;
};

/// One line of the log.
struct Line {
  std::uint64_t number = 0;
  bool all = true;         ///< For all owners of today; else for those that the record names.
  std::set<NodeId> left;   ///< Who has not confirmed yet. Of `all` this is in memory only.
  std::set<NodeId> doubt;  ///< Of these: who may have confirmed before a restart.
};

std::string log_key(std::uint64_t number) {
  std::string key(16, '0');
  for (std::size_t i = 16; i-- > 0; number /= 16) key[i] = "0123456789abcdef"[number % 16];
  return key;
}

bool among(const std::vector<NodeId>& names, const NodeId& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// How far one host of a request is.
enum class Step : std::uint8_t { asked, asked_again, counts, says_no, silent };
bool is_open(Step step) { return step == Step::asked || step == Step::asked_again; }

using Table = std::map<NodeId, Step>;

bool nobody_is_left(const Table& table) {
  return std::none_of(table.begin(), table.end(),
                      [](const auto& row) { return is_open(row.second); });
}

struct Put {
  Item item;
  std::uint64_t number = 0;  ///< Of the write: all that is filled later carries it.
  std::uint32_t w = 0;
  Responder<WriteOutcome> responder;
  Table hosts;
  bool answered = false;
};
using PutPtr = std::shared_ptr<Put>;

struct Get {
  std::string key;
  std::uint32_t r = 0;
  Responder<ReadOutcome> responder;
  Table hosts;
  std::map<NodeId, ReadReply> said;  ///< The last answer of each host.
  bool answered = false;
};
using GetPtr = std::shared_ptr<Get>;

/// A key on its way to a peer.
struct Sent {
  Item item;
  StateHash hash;
  std::uint64_t upto = 0;  ///< Writes up to this number are in it.
  bool state = true;       ///< Or only the hash.
  PutPtr put;              ///< Which waits for this very message; or nobody.
};

/// What a put has to say to a peer when its handler is over.
struct Saying {
  PutPtr put;
  Item item;         ///< The put's, when this was noted.
  NodeId for_owner;  ///< Of a hint; empty: an Update.
};

/// Retries to one peer: one message at a time.
struct Retry {
  bool under_way = false;
  std::deque<Item> turn;   ///< What comes next.
  std::uint64_t last = 0;  ///< Number of the line that was tried last.
};

class OwedLog final : public QuorumCoordinator {
 public:
  OwedLog(Env& env, const QuorumConfig& config, ClusterView& view, LocalStore& store,
          LocalStore& hints, const Transfer& transfer)
      : env_(env),
        config_(config),
        view_(view),
        store_(store),
        hints_(hints),
        transfer_(transfer) {}

  void start() override {
    env_.storage().scan(kLogSpace, "", [&](std::string_view key, std::string_view value) {
      const auto record = from_bytes<std::vector<std::string>>(value).value();
      Line line;
      line.number = std::stoull(std::string(key), nullptr, 16);
      line.all = record.size() == 2;
      line.left.insert(record.begin() + 2, record.end());
      if (line.all) line.left = other_owners(record[1]);
      line.doubt = line.left;
      last_number_ = line.number;
      log_[{record[0] == kOwn ? kOwn : kHints, record[1]}] = line;
      return true;
    });
    every(env_, config_.retry_period, [this] { retry(); });
    retry();
  }

  void history_grew(const History& /*before*/) override {
    std::vector<Item> items;
    for (const auto& [item, line] : log_) items.push_back(item);
    for (const Item& item : items) note_for_all(item);
    take_over();
    for (const PutPtr& put : std::vector<PutPtr>(puts_)) ask_more(put);
    for (const GetPtr& get : std::vector<GetPtr>(gets_)) ask_more(get);
    env_.after(Duration(0), [this] { retry(); });
  }

  // ---- What clients ask
  // --------------------------------------------------------------------------

  void put(const QuorumWrite& write, Responder<WriteOutcome> responder) override {
    const bool owner = owns(write.key);
    const auto refuse = [&](const Error& error) { responder.reply({error, write.w, 0}); };
    if (!owner && strict() && !write.again) {
      return refuse({ErrorCode::unavailable, "this node does not own the key"});
    }
    Item item{owner ? kOwn : kHints, write.key};
    const bool room = env_.storage().room(kRecordBytes + write.key.size());
    if (!write.again) {
      if (!room) return refuse({ErrorCode::no_room, "the disk has no room for what is owed"});
      const Result<StateHash> written = shelf(item).write(write.key, write.version);
      if (!written.ok()) return refuse(written.error());
    } else if (!owner) {
      // The write may be on either shelf, or on both in parts: bring them together.
      const std::optional<State> own = store_.get(write.key);
      if (!hints_.hash(write.key)) {
        item.shelf = kOwn;
      } else if (own && !hints_.merge(write.key, *own).ok()) {
        return refuse({ErrorCode::unavailable, "the disk has no room to find out who holds it"});
      }
    }
    if (room && shelf(item).hash(write.key)) note_for_all(item);
    const auto put =
        std::make_shared<Put>(Put{item, ++writes_, write.w, std::move(responder), {}, false});
    puts_.push_back(put);
    if (shelf(item).hash(write.key)) put->hosts[env_.self()] = Step::counts;
    env_.after(config_.deadline, [this, put] { look_at(put, true); });
    ask_more(put);
    look_at(put, false);
  }

  void get(const QuorumRead& read, Responder<ReadOutcome> responder) override {
    const auto get =
        std::make_shared<Get>(Get{read.key, read.r, std::move(responder), {}, {}, false});
    gets_.push_back(get);
    env_.after(config_.deadline, [this, get] { look_at(get, true); });
    ask_more(get);
    look_at(get, false);
  }

  // ---- What other nodes ask
  // ----------------------------------------------------------------------

  void handle(const Update& request, Responder<UpdateReply> responder) override {
    const bool equal = view_.learn(request.known);
    std::vector<Copy> confirmed;
    for (const Copy& copy : request.copies) {
      if (owns(copy.key) && take_in(copy)) confirmed.push_back({copy.key, copy.hash, {}});
    }
    responder.reply({view_.known(!equal), confirmed});
  }

  void handle(const Read& request, Responder<ReadReply> responder) override {
    const bool equal = view_.learn(request.known);
    ReadReply reply = here(request.key);
    reply.known = view_.known(!equal);
    responder.reply(reply);
  }

  void handle(const StoreHints& request, Responder<StoreHintsReply> responder) override {
    const bool equal = view_.learn(request.known);
    std::vector<Copy> kept;
    for (const Hint& hint : request.hints) {
      const Copy& copy = hint.copy;
      const bool good = owns(copy.key) ? take_in(copy) : keep(hint.owner, copy);
      if (good) kept.push_back({copy.key, copy.hash, {}});
    }
    responder.reply({view_.known(!equal), kept});
  }

 private:
  bool strict() const { return config_.mode == QuorumMode::strict; }
  LocalStore& shelf(const Item& item) const { return item.shelf == kOwn ? store_ : hints_; }
  std::vector<NodeId> owners(std::string_view key) const {
    return view_.preference_list(view_.vnode_of(key));
  }
  bool owns(std::string_view key) const { return among(owners(key), env_.self()); }
  std::set<NodeId> other_owners(std::string_view key) const {
    const std::vector<NodeId> all = owners(key);
    std::set<NodeId> others(all.begin(), all.end());
    others.erase(env_.self());
    return others;
  }

  bool take_in(const Copy& copy) {
    if (!copy.state) return store_.hash(copy.key) == copy.hash;
    return store_.merge(copy.key, *copy.state).ok();
  }

  bool keep(const NodeId& owner, const Copy& copy) {
    const Item item{kHints, copy.key};
    const auto known = log_.find(item);
    Line line;
    line.all = known == log_.end() ? false : known->second.all;
    if (known != log_.end()) line = known->second;
    const std::vector<NodeId> today = owners(copy.key);
    if (among(today, owner) || today.empty()) {
      line.left.insert(owner);
      line.doubt.erase(owner);
    } else {
      line.all = true;
      line.left = other_owners(copy.key);
      line.doubt.clear();
    }
    std::size_t bytes = kRecordBytes + copy.key.size();
    for (const NodeId& name : line.left) bytes += name.size() + 1;
    if (!env_.storage().room(bytes)) return false;
    if (!copy.state && hints_.hash(copy.key) != copy.hash) return false;
    if (copy.state && !hints_.merge(copy.key, *copy.state).ok()) return false;
    write_line(item, line);
    return true;
  }

  /// What this node holds under the key, on both shelves together.
  ReadReply here(const std::string& key) const {
    ReadReply reply;
    reply.state = store_.get(key);
    if (const std::optional<State> kept = hints_.get(key)) {
      const Result<State> both = store_.joined(reply.state.value_or(*kept), *kept);
      if (both.ok()) reply.state = both.value();
    }
    if (reply.state) {
      reply.holding = Holding::found;
    } else if (owns(key) && transfer_.complete(view_.vnode_of(key))) {
      reply.holding = Holding::absent;
    }
    const bool nothing = store_.vnodes().empty() && hints_.vnodes().empty();
    reply.empty = nothing && !view_.member(env_.self());
    return reply;
  }

  // ---- The log
  // -----------------------------------------------------------------------------------

  void write_line(const Item& item, Line line) {
    if (const auto old = log_.find(item); old != log_.end()) {
      env_.storage().erase(kLogSpace, log_key(old->second.number));
    }
    line.number = ++last_number_;
    std::vector<std::string> record{std::string(item.shelf), item.key};
    if (!line.all) record.insert(record.end(), line.left.begin(), line.left.end());
    env_.storage().put(kLogSpace, log_key(line.number), to_bytes(record));
    log_[item] = std::move(line);
  }

  void note_for_all(const Item& item) {
    write_line(item, {0, true, other_owners(item.key), {}});
    settle(item);
  }

  /// A line that is for nobody any more goes, and a hint with it. No owners at all is not nobody.
  void settle(const Item& item) {
    const auto line = log_.find(item);
    if (line == log_.end()) return;
    const auto hash = shelf(item).hash(item.key);
    if (hash && (!line->second.left.empty() || owners(item.key).empty())) return;
    env_.storage().erase(kLogSpace, log_key(line->second.number));
    log_.erase(line);
    if (item.shelf == kHints && hash) hints_.drop(item.key, *hash);
  }

  /// `host` holds what is here now.
  void strike(const Item& item, const NodeId& host) {
    const auto found = log_.find(item);
    if (found == log_.end()) return;
    found->second.doubt.erase(host);
    if (found->second.left.erase(host) == 0) return;
    if (found->second.left.empty()) return settle(item);
    if (!found->second.all) write_line(item, found->second);
  }

  /// Hints for keys that this node owns now become its own.
  void take_over() {
    std::vector<Item> items;
    for (const auto& [item, line] : log_) {
      if (item.shelf == kHints && owns(item.key)) items.push_back(item);
    }
    for (const Item& item : items) {
      const std::optional<State> state = hints_.get(item.key);
      if (!state) continue;
      if (!env_.storage().room(kRecordBytes + item.key.size())) return;
      if (!store_.merge(item.key, *state).ok()) continue;
      const Item own{kOwn, item.key};
      note_for_all(own);
      log_.at(item).left.clear();
      settle(item);
      for (const PutPtr& put : puts_) {
        if (put->item == item) put->item = own;
      }
    }
  }

  // ---- Retries
  // -----------------------------------------------------------------------------------

  void retry() {
    take_over();
    std::map<std::uint64_t, Item> in_order;
    for (const auto& [item, line] : log_) in_order[line.number] = item;
    std::map<NodeId, std::deque<Item>> turns;
    for (const auto& [number, item] : in_order) {
      settle(item);
      const auto line = log_.find(item);
      if (line == log_.end()) continue;
      for (const NodeId& host : line->second.left) turns[host].push_back(item);
    }
    for (auto& [host, items] : turns) {
      Retry& retry = retries_[host];
      if (retry.under_way) continue;
      const auto next = std::find_if(items.begin(), items.end(), [&](const Item& item) {
        return log_.at(item).number > retry.last;
      });
      std::rotate(items.begin(), next, items.end());
      retry.turn = std::move(items);
      send_turn(host);
    }
  }

  void send_turn(const NodeId& host) {
    Retry& retry = retries_[host];
    Update update{known_to(host), {}};
    std::vector<Sent> sent;
    std::size_t bytes = 0;
    for (; !retry.turn.empty(); retry.turn.pop_front()) {
      const Item item = retry.turn.front();
      const auto line = log_.find(item);
      const auto state = shelf(item).get(item.key);
      if (line == log_.end() || !line->second.left.contains(host) || !state) continue;
      if (in_puts_.contains({host, item})) continue;  // it is on its way already
      const bool offer = line->second.doubt.contains(host);
      const std::size_t size = offer ? item.key.size() : state->bytes.size();
      if (!sent.empty() && bytes + size > config_.batch_bytes) break;
      bytes += size;
      retry.last = line->second.number;
      sent.push_back({item, hash_of(item.key, *state), writes_, !offer, nullptr});
      update.copies.push_back({item.key, sent.back().hash, state});
      if (offer) update.copies.back().state.reset();
    }
    if (sent.empty()) return;
    retry.under_way = true;
    env_.call<Update>(
        host, update, config_.call_timeout,
        [this, host, sent](const Result<UpdateReply>& reply) { retried(host, sent, reply); });
  }

  void retried(const NodeId& host, const std::vector<Sent>& sent,
               const Result<UpdateReply>& reply) {
    retries_[host].under_way = false;
    if (!reply.ok() || !hear(host, reply->known)) return retries_[host].turn.clear();
    bool some = false;
    for (const Sent& one : sent) {
      if (confirms(host, one, reply->confirmed)) {
        some = true;
      } else if (const auto line = log_.find(one.item); line != log_.end() && !one.state) {
        some = true;  // it is a state that he wants
        line->second.doubt.erase(host);
        retries_[host].turn.push_back(one.item);
      }
    }
    if (!some) return retries_[host].turn.clear();
    send_turn(host);
  }

  /// Under equal digests: whether the host has what it was sent.
  bool confirms(const NodeId& host, const Sent& sent, const std::vector<Copy>& confirmed) {
    const bool good = std::any_of(confirmed.begin(), confirmed.end(), [&](const Copy& copy) {
      return copy.key == sent.item.key && copy.hash == sent.hash;
    });
    if (!good) return false;
    if (shelf(sent.item).hash(sent.item.key) == sent.hash) strike(sent.item, host);
    for (const PutPtr& put : std::vector<PutPtr>(puts_)) {
      const bool carried = put->item.key == sent.item.key && put->number <= sent.upto &&
                           (put->item.shelf == sent.item.shelf || sent.put == put);
      if (!carried) continue;
      put->hosts[host] = Step::counts;
      look_at(put, false);
    }
    return true;
  }

  Known known_to(const NodeId& host) const { return view_.known(differ_.contains(host)); }
  bool hear(const NodeId& host, const Known& known) {
    const bool equal = view_.learn(known);
    if (equal) differ_.erase(host);
    if (!equal) differ_.insert(host);
    return equal;
  }

  // ---- Puts
  // --------------------------------------------------------------------------------------

  void ask_more(const PutPtr& put) {
    if (put->answered) return;
    for (const NodeId& owner : other_owners(put->item.key)) {
      if (put->hosts.try_emplace(owner, Step::asked).second) say(owner, {put, put->item, {}});
    }
    if (strict()) return;
    for (const Placement& place : view_.active_list(view_.vnode_of(put->item.key))) {
      if (place.host == env_.self()) continue;
      if (!put->hosts.try_emplace(place.host, Step::asked).second) continue;
      say(place.host, {put, put->item, place.stands_in_for});
    }
  }

  /// At the end of this handler, with all else that is to be said to that host.
  void say(const NodeId& host, const Saying& saying) {
    if (sayings_.empty()) env_.after(Duration(0), [this] { say_all(); });
    sayings_[host].push_back(saying);
    in_puts_.insert({host, saying.item});
  }

  void say_all() {
    const auto all = std::exchange(sayings_, {});
    for (const auto& [host, sayings] : all) {
      Update update;
      StoreHints keep;
      std::vector<Sent> updated;
      std::vector<Sent> kept;
      std::size_t bytes = 0;
      const auto flush = [&, &host = host] {
        if (!updated.empty()) send(host, std::exchange(update, {}), std::exchange(updated, {}));
        if (!kept.empty()) send(host, std::exchange(keep, {}), std::exchange(kept, {}));
        bytes = 0;
      };
      for (const auto& [put, item, owner] : sayings) {
        const auto state = shelf(put->item).get(put->item.key);
        in_puts_.erase(in_puts_.find({host, item}));
        if (!state) {  // it was handed over and dropped in the meantime
          put->hosts[host] = Step::says_no;
          look_at(put, false);
          continue;
        }
        if (bytes > 0 && bytes + state->bytes.size() > config_.batch_bytes) flush();
        bytes += state->bytes.size();
        const Sent sent{put->item, hash_of(put->item.key, *state), writes_, true, put};
        const Copy copy{put->item.key, sent.hash, state};
        in_puts_.insert({host, put->item});
        if (owner.empty()) update.copies.push_back(copy);
        if (!owner.empty()) keep.hints.push_back({owner, copy});
        (owner.empty() ? updated : kept).push_back(sent);
      }
      flush();
    }
  }

  static const std::vector<Copy>& confirmed_in(const UpdateReply& reply) { return reply.confirmed; }
  static const std::vector<Copy>& confirmed_in(const StoreHintsReply& reply) { return reply.kept; }

  template <class Request>
  void send(const NodeId& host, Request request, const std::vector<Sent>& sent) {
    using Reply = typename Request::Reply;
    request.known = known_to(host);
    env_.call<Request>(
        host, request, config_.call_timeout,
        [this, host, request, sent](const Result<Reply>& reply) {
          for (const Sent& one : sent) in_puts_.erase(in_puts_.find({host, one.item}));
          const bool equal = reply.ok() && hear(host, reply->known);
          for (std::size_t i = 0; i < sent.size(); ++i) {
            if (equal && confirms(host, sent[i], confirmed_in(*reply))) continue;
            Step& step = sent[i].put->hosts[host];
            if (!is_open(step)) continue;
            if (reply.ok() && !equal && step == Step::asked && !sent[i].put->answered) {
              step = Step::asked_again;
              say(host, {sent[i].put, sent[i].put->item, owner_in(request, i)});
              continue;
            }
            step = reply.ok() ? Step::says_no : Step::silent;
            if (step == Step::silent) ask_more(sent[i].put);
            look_at(sent[i].put, false);
          }
        });
  }
  static NodeId owner_in(const Update& /*request*/, std::size_t /*i*/) { return {}; }
  static NodeId owner_in(const StoreHints& request, std::size_t i) {
    return request.hints[i].owner;
  }

  void look_at(const PutPtr& put, bool too_late) {
    if (put->answered) return;
    const std::uint32_t got = counted(put->hosts, put->item.key);
    if (got < put->w && !too_late && !nobody_is_left(put->hosts)) return;
    put->answered = true;
    std::erase(puts_, put);
    put->responder.reply({got < put->w ? Status(too_few()) : Status(Done{}), put->w, got});
  }

  std::uint32_t counted(const Table& hosts, const std::string& key) const {
    const std::vector<NodeId> today = owners(key);
    std::uint32_t count = 0;
    for (const auto& [host, step] : hosts) {
      if (step == Step::counts && (!strict() || among(today, host))) ++count;
    }
    return count;
  }
  static Error too_few() { return {ErrorCode::unavailable, "not as many hosts as were needed"}; }

  // ---- Gets
  // --------------------------------------------------------------------------------------

  void ask_more(const GetPtr& get) {
    if (get->answered) return;
    std::vector<NodeId> hosts = owners(get->key);
    if (!strict()) {
      hosts.clear();
      for (const Placement& place : view_.active_list(view_.vnode_of(get->key))) {
        hosts.push_back(place.host);
      }
    }
    for (const NodeId& host : hosts) {
      if (!get->hosts.try_emplace(host, Step::asked).second) continue;
      if (host != env_.self()) {
        read(get, host);
        continue;
      }
      get->said[host] = here(get->key);
      get->hosts[host] = step_of(*get, host, get->said[host], true);
    }
  }

  void read(const GetPtr& get, const NodeId& host) {
    env_.call<Read>(host, Read{known_to(host), get->key}, config_.call_timeout,
                    [this, get, host](const Result<ReadReply>& reply) {
                      heard(get, host, reply);
                      look_at(get, false);
                      if (nobody_is_left(get->hosts)) mend(*get);
                    });
  }

  void heard(const GetPtr& get, const NodeId& host, const Result<ReadReply>& reply) {
    Step& step = get->hosts[host];
    if (!reply.ok()) {
      step = Step::silent;
      return ask_more(get);
    }
    const bool equal = hear(host, reply->known);
    const bool found = reply->holding == Holding::found;
    const bool malformed =
        found && (!reply->state || !store_.joined(*reply->state, *reply->state).ok());
    if (malformed) {
      step = Step::says_no;
      return;
    }
    get->said[host] = *reply;
    if (!equal && !found && step == Step::asked) {
      step = Step::asked_again;
      return read(get, host);
    }
    step = step_of(*get, host, *reply, equal);
  }

  Step step_of(const Get& get, const NodeId& host, const ReadReply& reply, bool equal) const {
    if (reply.holding == Holding::found) return Step::counts;
    if (!equal) return Step::says_no;
    if (reply.holding == Holding::absent) return Step::counts;
    const bool stands_in = !strict() && !among(owners(get.key), host);
    return stands_in ? Step::counts : Step::says_no;
  }

  void look_at(const GetPtr& get, bool too_late) {
    if (get->answered) return;
    const std::uint32_t got = counted(get->hosts, get->key);
    if (got < get->r && !too_late && !nobody_is_left(get->hosts)) return;
    get->answered = true;
    std::erase(gets_, get);
    if (got < get->r) return get->responder.reply({too_few(), get->r, got});
    get->responder.reply({sum(*get), get->r, got});
  }

  std::optional<State> sum(const Get& get) const {
    std::optional<State> sum;
    for (const auto& [host, reply] : get.said) {
      if (!reply.state) continue;
      const Result<State> both = store_.joined(sum.value_or(*reply.state), *reply.state);
      if (both.ok()) sum = both.value();
    }
    return sum;
  }

  /// Read repair, when the last call has ended.
  void mend(const Get& get) {
    const std::optional<State> right = sum(get);
    if (!right) return;
    const Copy copy{get.key, hash_of(get.key, *right), right};
    if (owns(get.key) && store_.hash(get.key) != copy.hash && !store_.merge(get.key, *right).ok()) {
      env_.note("no room for what a get has found");
    }
    for (const NodeId& owner : other_owners(get.key)) {
      const auto said = get.said.find(owner);
      if (said == get.said.end() || said->second.holding == Holding::not_mine) continue;
      if (said->second.state == right) continue;
      env_.call<Update>(owner, Update{known_to(owner), {copy}}, config_.call_timeout,
                        [this, owner](const Result<UpdateReply>& reply) {
                          if (reply.ok()) hear(owner, reply->known);
                        });
    }
  }

  Env& env_;
  const QuorumConfig config_;
  ClusterView& view_;
  LocalStore& store_;
  LocalStore& hints_;
  const Transfer& transfer_;
  std::map<Item, Line> log_;
  std::uint64_t last_number_ = 0;  ///< Of a line.
  std::uint64_t writes_ = 0;       ///< Since the process began.
  std::map<NodeId, Retry> retries_;
  std::map<NodeId, std::vector<Saying>> sayings_;   ///< For the end of this handler.
  std::multiset<std::pair<NodeId, Item>> in_puts_;  ///< What puts are about to send, or have sent.
  std::vector<PutPtr> puts_;                        ///< Without an answer.
  std::vector<GetPtr> gets_;
  std::set<NodeId> differ_;  ///< Whose last reply showed another digest.
};

}  // namespace

std::unique_ptr<QuorumCoordinator> make_quorum(Env& env, const QuorumConfig& config,
                                               ClusterView& view, LocalStore& store,
                                               LocalStore& hints, const Transfer& transfer) {
  return std::make_unique<OwedLog>(env, config, view, store, hints, transfer);
}

}  // namespace dynamo
