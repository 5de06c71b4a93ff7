// Lab 6: Merkle trees. labs/6-sync/README.md says what is asked for.
//
// Trees. Only leaves lie on the disk: a record says how many keys a leaf has and what its hash is,
// empty leaves have none. Inner nodes are nothing but sums of leaves, so they are in memory alone,
// and a start adds them up from the records without a look at any key. A change goes down to the
// place that will be a leaf after it (so splits and collapses are the same thing as a change within
// a leaf), makes that afresh from the store, and sums up again on the way back.
//
// Exchange. One at a time, with one peer, one call after the other. What is left to do stands in
// the Exchange: roots to compare, vnodes and places to go down, the peer's leaves to compare, keys
// to ask for, keys to send. go_on() picks the next call from there, as far as the rate allows.
#include "sync.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace dynamo {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kLongestKey = 256;  ///< LocalStore takes no longer ones.

std::size_t digit_at(const TreePath& path, std::size_t depth) { return kDigits.find(path[depth]); }

bool is_path(const TreePath& path) {
  return path.size() <= kMostDepth && path.find_first_not_of(kDigits) == TreePath::npos;
}

bool may_be_leaf(std::size_t keys, std::size_t depth) {
  return keys <= kLeafKeys || depth == kMostDepth;
}

/// Fixed length, so that records are ordered as the numbers are.
std::string big_endian(std::uint64_t value, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = bytes; i-- > 0; value >>= 8) text[i] = static_cast<char>(value);
  return text;
}

std::uint64_t from_big_endian(std::string_view text) {
  std::uint64_t value = 0;
  for (const char byte : text) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

/// A place in a tree and all that stands below it.
struct Place {
  using Children = std::array<Place, kFanout>;

  TreeHash hash;
  std::uint64_t keys = 0;              ///< That lie below.
  std::unique_ptr<Children> children;  ///< Of an inner node.

  /// Of an inner node whose children are right.
  void sum_up() {
    std::vector<TreeHash> hashes;
    keys = 0;
    for (const Place& child : *children) {
      hashes.push_back(child.hash);
      keys += child.keys;
    }
    hash = hash_of_children(hashes);
  }
};

/// The records of leaves: vnode and path, as the key, to number of keys and hash.
class LeafRecords {
 public:
  explicit LeafRecords(Env& env) : env_(env) {}

  /// Once trees were kept here, the records are all of their leaves, always.
  bool kept() const { return env_.storage().get(kSpace, kKept).has_value(); }
  void keep() { env_.storage().put(kSpace, kKept, ""); }

  void put(VnodeId vnode, const TreePath& path, const Place& leaf) {
    env_.storage().put(kSpace, key(vnode, path),
                       big_endian(leaf.keys, kWord) + big_endian(leaf.hash.high, kWord) +
                           big_endian(leaf.hash.low, kWord));
  }

  void erase(VnodeId vnode, const TreePath& path) {
    env_.storage().erase(kSpace, key(vnode, path));
  }

  void erase_all() {
    std::vector<std::string> keys;
    env_.storage().scan(kSpace, "", [&](std::string_view key, std::string_view) {
      keys.emplace_back(key);
      return true;
    });
    for (const std::string& key : keys) env_.storage().erase(kSpace, key);
  }

  /// Calls visit(vnode, path, leaf) for each; false if one is damaged.
  template <class Visit>
  bool each(Visit visit) const {
    bool sound = true;
    env_.storage().scan(kSpace, "", [&](std::string_view key, std::string_view value) {
      if (key == kKept) return true;
      const TreePath path(key.substr(std::min(kVnode, key.size())));
      sound = key.size() >= kVnode && value.size() == 3 * kWord && is_path(path);
      if (!sound) return false;
      Place leaf;
      leaf.keys = from_big_endian(value.substr(0, kWord));
      leaf.hash = {from_big_endian(value.substr(kWord, kWord)),
                   from_big_endian(value.substr(2 * kWord))};
      sound = visit(static_cast<VnodeId>(from_big_endian(key.substr(0, kVnode))), path, leaf);
      return sound;
    });
    return sound;
  }

 private:
  static constexpr std::string_view kSpace = "sync.leaves";
  static constexpr std::string_view kKept = "!";  ///< Shorter than any record's key.
  static constexpr std::size_t kVnode = 4;
  static constexpr std::size_t kWord = 8;

  static std::string key(VnodeId vnode, const TreePath& path) {
    return big_endian(vnode, kVnode) + path;
  }

  Env& env_;
};

/// Parts A and C: the trees of all vnodes.
class Trees {
 public:
  Trees(Env& env, LocalStore& store, std::uint32_t q)
      : env_(env), records_(env), store_(store), q_(q), roots_(q) {}

  void start() {
    if (records_.kept() && load()) return;
    roots_ = std::vector<Place>(q_);
    records_.erase_all();
    std::size_t leaves = 0;
    for (const VnodeId vnode : store_.vnodes()) {
      roots_.at(vnode) = made(vnode, "");
      each_leaf(roots_[vnode], "", [&](const TreePath&, const Place&) { ++leaves; });
    }
    // A full disk that has never had trees goes without them, and is read again next time.
    keeps_ = env_.storage().room((leaves + 1) * kRoomForRecord);
    if (!keeps_) return;
    records_.keep();
    for (VnodeId vnode = 0; vnode < q_; ++vnode) record(vnode, "", roots_[vnode]);
  }

  /// A key came (`more`), went (`fewer`), or has another state.
  void changed(VnodeId vnode, std::string_view key, bool more, bool fewer) {
    const TreePath way = path_of(key, q_);
    std::vector<Place*> above;
    Place* place = &roots_.at(vnode);
    while (place->children && place->keys + more - fewer > kLeafKeys) {
      above.push_back(place);
      place = &(*place->children)[digit_at(way, above.size() - 1)];
    }
    remake(vnode, way.substr(0, above.size()), *place);
    for (; !above.empty(); above.pop_back()) above.back()->sum_up();
  }

  /// Is it a leaf, or below one?
  bool leaf(VnodeId vnode, const TreePath& path) const { return !deepest(vnode, path)->children; }

  TreeHash hash(VnodeId vnode, const TreePath& path) const {
    std::size_t depth = 0;
    const Place* place = deepest(vnode, path, &depth);
    if (depth == path.size()) return place->hash;
    std::vector<StateHash> states;
    scan(vnode, path,
         [&](std::string_view, const StateHash& state) { return states.push_back(state), true; });
    return hash_of_leaf(states);
  }

  /// The hashes one digit below a place, also of a leaf's.
  std::vector<TreeHash> children(VnodeId vnode, const TreePath& path) const {
    std::vector<TreeHash> hashes;
    for (const char digit : kDigits) hashes.push_back(hash(vnode, path + digit));
    return hashes;
  }

  TreeNode node(VnodeId vnode, const TreePath& path) const {
    TreeNode node{path, leaf(vnode, path), {}, {}};
    if (node.leaf) {
      node.copies = copies(vnode, path);
    } else {
      node.children = children(vnode, path);
    }
    return node;
  }

  /// All keys below a place, without states.
  std::vector<Copy> copies(VnodeId vnode, const TreePath& path) const {
    std::vector<Copy> copies;
    scan(vnode, path, [&](std::string_view key, const StateHash& hash) {
      copies.push_back({std::string(key), hash, std::nullopt});
      return true;
    });
    return copies;
  }

 private:
  struct Entry {
    TreePath path;
    StateHash hash;
  };

  static constexpr std::size_t kRoomForRecord = 128;

  void scan(VnodeId vnode, const TreePath& path, const LocalStore::Visitor& visit) const {
    const HashRange range = range_of(vnode, path, q_);
    if (range.first <= range.last) store_.scan(range.first, range.last, visit);
  }

  /// What stands at `path`, or the leaf above it; its depth, too.
  const Place* deepest(VnodeId vnode, const TreePath& path, std::size_t* depth = nullptr) const {
    const Place* place = &roots_.at(vnode);
    std::size_t at = 0;
    for (; place->children && at < path.size(); ++at) {
      place = &(*place->children)[digit_at(path, at)];
    }
    if (depth != nullptr) *depth = at;
    return place;
  }

  /// What stands at a place, afresh from the store.
  Place made(VnodeId vnode, const TreePath& path) const {
    std::vector<Entry> entries;
    scan(vnode, path, [&](std::string_view key, const StateHash& hash) {
      entries.push_back({path_of(key, q_), hash});
      return true;
    });
    return made_of(entries, path.size());
  }

  /// From all keys below a place, in order.
  static Place made_of(std::span<const Entry> entries, std::size_t depth) {
    Place place;
    if (may_be_leaf(entries.size(), depth)) {
      std::vector<StateHash> states;
      for (const Entry& entry : entries) states.push_back(entry.hash);
      place.keys = entries.size();
      place.hash = hash_of_leaf(states);
      return place;
    }
    place.children = std::make_unique<Place::Children>();
    for (std::size_t digit = 0; digit < kFanout; ++digit) {
      std::size_t count = 0;
      while (count < entries.size() && entries[count].path[depth] == kDigits[digit]) ++count;
      (*place.children)[digit] = made_of(entries.first(count), depth + 1);
      entries = entries.subspan(count);
    }
    place.sum_up();
    return place;
  }

  void remake(VnodeId vnode, const TreePath& path, Place& place) {
    Place fresh = made(vnode, path);
    const bool overwritten = !place.children && !fresh.children && fresh.keys > 0;
    if (keeps_ && !overwritten) {
      each_leaf(place, path, [&](const TreePath& at, const Place&) { records_.erase(vnode, at); });
    }
    place = std::move(fresh);
    if (keeps_) record(vnode, path, place);
  }

  void record(VnodeId vnode, const TreePath& path, const Place& place) {
    each_leaf(place, path,
              [&](const TreePath& at, const Place& leaf) { records_.put(vnode, at, leaf); });
  }

  /// Those that have keys.
  template <class Visit>
  static void each_leaf(const Place& place, const TreePath& path, const Visit& visit) {
    if (place.keys == 0) return;
    if (!place.children) return visit(path, place);
    for (std::size_t i = 0; i < kFanout; ++i) {
      each_leaf((*place.children)[i], path + kDigits[i], visit);
    }
  }

  bool load() {
    const bool sound =
        records_.each([this](VnodeId vnode, const TreePath& path, const Place& leaf) {
          if (vnode >= q_) return false;
          Place* place = &roots_[vnode];
          for (std::size_t depth = 0; depth < path.size(); ++depth) {
            if (!place->children) place->children = std::make_unique<Place::Children>();
            place = &(*place->children)[digit_at(path, depth)];
          }
          place->keys = leaf.keys;
          place->hash = leaf.hash;
          return true;
        });
    for (Place& root : roots_) sum_up_all(root);
    return sound;
  }

  static void sum_up_all(Place& place) {
    if (!place.children) return;
    for (Place& child : *place.children) sum_up_all(child);
    place.sum_up();
  }

  Env& env_;
  LeafRecords records_;
  LocalStore& store_;
  const std::uint32_t q_;
  std::vector<Place> roots_;
  bool keeps_ = true;  ///< There is room for the records.
};

/// How much may be sent: bytes are a debt that time pays off.
class Meter {
 public:
  Meter(Env& env, std::uint64_t bytes_per_second, std::size_t burst)
      : env_(env),
        rate_(static_cast<double>(bytes_per_second) / 1e6),
        burst_(static_cast<double>(burst)) {}

  void spend(std::size_t bytes) {
    pay();
    debt_ += static_cast<double>(bytes);
  }

  /// How long until more may be spent; 0: now.
  Duration wait(Duration most) {
    pay();
    if (debt_ <= burst_) return Duration(0);
    const double micros = std::ceil((debt_ - burst_) / rate_);
    return micros < static_cast<double>(most.count()) ? Duration(static_cast<Duration::rep>(micros))
                                                      : most;
  }

 private:
  void pay() {
    const Instant now = env_.now();
    debt_ = std::max(0.0, debt_ - static_cast<double>((now - paid_).count()) * rate_);
    paid_ = now;
  }

  Env& env_;
  const double rate_;  ///< Bytes in a microsecond.
  const double burst_;
  double debt_ = 0;
  Instant paid_{};
};

/// A key that the peer holds otherwise, or not at all.
struct Difference {
  std::string key;
  std::optional<StateHash> theirs;
};

/// A leaf of the peer's, or the part of it that lies below a place.
struct PeersLeaf {
  VnodeId vnode = 0;
  TreePath path;
  std::vector<Copy> copies;
};

/// What is left to do with one peer.
struct Exchange {
  NodeId peer;
  std::deque<VnodeId> uncompared;  ///< Roots.
  std::deque<VnodeId> differing;   ///< Roots that do; to go down there.
  VnodeId vnode = 0;               ///< Where we go down now,
  std::vector<TreePath> places{};  ///< at these.
  std::vector<PeersLeaf> leaves{};
  std::deque<Difference> wanted{};
  std::deque<Difference> owed{};

  bool at_the_bottom() const { return places.empty() && differing.empty(); }
  std::size_t keys() const { return wanted.size() + owed.size(); }
};

bool lies_at(const std::string& key, VnodeId vnode, const TreePath& path, const ClusterView& view,
             std::uint32_t q) {
  return !key.empty() && key.size() <= kLongestKey && view.vnode_of(key) == vnode &&
         path_of(key, q).starts_with(path);
}

bool in_order(const Copy& a, const Copy& b) {
  const KeyHash first = hash_of(a.key);
  const KeyHash second = hash_of(b.key);
  return first < second || (first == second && a.key < b.key);
}

class MerkleSync final : public Sync {
 public:
  MerkleSync(Env& env, const SyncConfig& config, ClusterView& view, LocalStore& store)
      : env_(env),
        config_(config),
        view_(view),
        store_(store),
        trees_(env, store, config.q),
        meter_(env, config.bytes_per_second, config.batch_bytes),
        last_peer_(env.self()) {}

  void start() override {
    trees_.start();
    every(env_, config_.sync_period, [this] {
      if (!current_) begin();
    });
  }

  void changed(std::string_view key, const std::optional<StateHash>& before,
               const std::optional<StateHash>& after) override {
    trees_.changed(view_.vnode_of(key), key, after && !before, before && !after);
  }

  /// What the exchange compares may be shared no more. The next one asks anew.
  void history_grew(const History& /*before*/) override { current_.reset(); }

  TreeHash root(VnodeId vnode) const override { return trees_.hash(vnode, ""); }
  TreeNode node(VnodeId vnode, const TreePath& path) const override {
    return trees_.node(vnode, path);
  }

  // What other nodes ask.

  void handle(const CompareRoots& ask, Responder<CompareRootsReply> responder) override {
    const bool equal = view_.learn(ask.known);
    CompareRootsReply reply{view_.known(!equal), {}};
    for (const VnodeRoot& theirs : ask.roots) {
      if (!equal || !owned(theirs.vnode)) continue;
      if (theirs.root != root(theirs.vnode)) reply.differing.push_back(theirs.vnode);
    }
    responder.reply(reply);
  }

  void handle(const AskNodes& ask, Responder<AskNodesReply> responder) override {
    const bool equal = view_.learn(ask.known);
    AskNodesReply reply{view_.known(!equal), {}};
    const bool sound = ask.paths.size() <= AskNodes::kMostPaths &&
                       std::all_of(ask.paths.begin(), ask.paths.end(), is_path);
    if (equal && sound && owned(ask.vnode)) {
      for (const TreePath& path : ask.paths) reply.nodes.push_back(node(ask.vnode, path));
    }
    responder.reply(reply);
  }

  void handle(const AskCopies& ask, Responder<AskCopiesReply> responder) override {
    const bool equal = view_.learn(ask.known);
    AskCopiesReply reply{view_.known(!equal), 0, {}};
    std::size_t filled = 0;
    for (const std::string& key : ask.keys) {
      if (!equal) break;
      std::optional<Copy> copy = shared_copy(key);
      const std::size_t bytes = copy ? copy->state->bytes.size() : 0;
      if (reply.answered > 0 && filled + bytes > config_.batch_bytes) break;
      filled += bytes;
      ++reply.answered;
      if (copy) reply.copies.push_back(std::move(*copy));
    }
    responder.reply(reply);
  }

 private:
  using Current = std::shared_ptr<Exchange>;  ///< Or what was one, when its reply comes late.

  static constexpr std::size_t kKeysAtOnce = 256;     ///< Moved before more are looked for.
  static constexpr std::size_t kBytesOfPlace = 1024;  ///< Of the answer for one place, about.

  bool owned(VnodeId vnode) const { return vnode < config_.q && owns(env_.self(), vnode); }

  bool owns(const NodeId& node, VnodeId vnode) const {
    const std::vector<NodeId> owners = view_.preference_list(vnode);
    return std::find(owners.begin(), owners.end(), node) != owners.end();
  }

  std::optional<Copy> copy_of(const std::string& key) const {
    const auto hash = store_.hash(key);
    if (!hash) return std::nullopt;
    return Copy{key, *hash, store_.get(key)};
  }

  /// The same, of a key that a peer named.
  std::optional<Copy> shared_copy(const std::string& key) const {
    if (key.empty() || key.size() > kLongestKey || !owned(view_.vnode_of(key))) return std::nullopt;
    return copy_of(key);
  }

  // An exchange begins and ends.

  /// With the next co-owner after the last one, in the order of names.
  void begin() {
    std::map<NodeId, std::deque<VnodeId>> shared;
    for (VnodeId vnode = 0; vnode < config_.q; ++vnode) {
      const std::vector<NodeId> owners = view_.preference_list(vnode);
      if (std::find(owners.begin(), owners.end(), env_.self()) == owners.end()) continue;
      for (const NodeId& owner : owners) shared[owner].push_back(vnode);
    }
    shared.erase(env_.self());
    if (shared.empty()) return;
    auto next = shared.upper_bound(last_peer_);
    if (next == shared.end()) next = shared.begin();
    last_peer_ = next->first;
    auto& vnodes = next->second;
    // An exchange that fails in one vnode must not keep the others from their turn for ever.
    std::rotate(vnodes.begin(),
                std::lower_bound(vnodes.begin(), vnodes.end(), next_vnode_[last_peer_]),
                vnodes.end());
    current_ = std::make_shared<Exchange>(Exchange{last_peer_, std::move(vnodes), {}});
    go_on(current_);
  }

  void end() { current_.reset(); }

  /// Makes the next call of an exchange, now or when the rate allows it.
  void go_on(const Current& exchange) {
    if (exchange != current_) return;
    if (const Duration wait = meter_.wait(config_.sync_period); wait > Duration(0)) {
      env_.after(wait, [this, exchange] { go_on(exchange); });
      return;
    }
    if (move_keys(exchange)) return;
    if (exchange->places.empty() && !exchange->differing.empty()) go_down(*exchange);
    if (!exchange->places.empty()) return ask_nodes(exchange);
    if (!exchange->uncompared.empty()) return compare_roots(exchange);
    end();
  }

  /// The next vnode, from its root.
  void go_down(Exchange& exchange) {
    exchange.vnode = exchange.differing.front();
    exchange.differing.pop_front();
    exchange.places = {""};
    next_vnode_[exchange.peer] = exchange.vnode + 1;
  }

  /// Makes a call, if enough keys are found for one, or all. False: none was needed.
  bool move_keys(const Current& exchange) {
    while (true) {
      while (!exchange->leaves.empty() && exchange->keys() < kKeysAtOnce) compare_leaf(*exchange);
      const bool now = exchange->keys() >= kKeysAtOnce || exchange->at_the_bottom();
      if (now && (ask_copies(exchange) || send_copies(exchange))) return true;
      if (exchange->leaves.empty()) return false;
    }
  }

  /// Sends a request of `exchange`. `take` is given the reply, if it counts, and says whether it
  /// makes sense; then the exchange goes on.
  template <class Request, class Take>
  void call(const Current& exchange, Request request, Take take) {
    using Reply = typename Request::Reply;
    const NodeId& peer = exchange->peer;
    request.known = view_.known(differ_.contains(peer));
    meter_.spend(to_bytes(request).size());
    env_.call<Request>(peer, request, config_.call_timeout,
                       [this, exchange, request, take](const Result<Reply>& reply) {
                         const bool counts = reply.ok() && learned(exchange->peer, *reply);
                         if (exchange != current_) return;
                         if (!counts || !take(*exchange, request, *reply)) return end();
                         go_on(exchange);
                       });
  }

  /// Looks at what any reply has. True if the rest counts.
  template <class Reply>
  bool learned(const NodeId& peer, const Reply& reply) {
    meter_.spend(to_bytes(reply).size());
    const bool equal = view_.learn(reply.known);
    if (equal) {
      differ_.erase(peer);
    } else {
      differ_.insert(peer);
    }
    return equal;
  }

  // Roots.

  void compare_roots(const Current& current) {
    CompareRoots request;
    auto& vnodes = current->uncompared;
    while (!vnodes.empty() && request.roots.size() < CompareRoots::kMostRoots) {
      request.roots.push_back({vnodes.front(), root(vnodes.front())});
      vnodes.pop_front();
    }
    call(current, std::move(request),
         [](Exchange& exchange, const CompareRoots& asked, const CompareRootsReply& reply) {
           auto from = asked.roots.begin();
           for (const VnodeId vnode : reply.differing) {
             from = std::find_if(from, asked.roots.end(),
                                 [&](const VnodeRoot& root) { return root.vnode == vnode; });
             if (from++ == asked.roots.end()) return false;
           }
           exchange.differing.assign(reply.differing.begin(), reply.differing.end());
           return true;
         });
  }

  // Places.

  /// The last ones of the list: so it is never longer than the tree is deep, times its fanout.
  void ask_nodes(const Current& current) {
    const std::size_t most =
        std::clamp<std::size_t>(config_.batch_bytes / kBytesOfPlace, 1, AskNodes::kMostPaths);
    auto& places = current->places;
    const auto first = places.end() - static_cast<std::ptrdiff_t>(std::min(most, places.size()));
    AskNodes request{{}, current->vnode, {first, places.end()}};
    places.erase(first, places.end());
    call(current, std::move(request),
         [this](Exchange& exchange, const AskNodes& asked, const AskNodesReply& reply) {
           if (reply.nodes.size() != asked.paths.size()) return false;
           for (std::size_t i = 0; i < reply.nodes.size(); ++i) {
             if (!makes_sense(asked.vnode, asked.paths[i], reply.nodes[i])) return false;
           }
           for (const TreeNode& theirs : reply.nodes) take_node(exchange, asked.vnode, theirs);
           return true;
         });
  }

  bool makes_sense(VnodeId vnode, const TreePath& path, const TreeNode& node) const {
    if (node.path != path) return false;
    if (!node.leaf) {
      return node.children.size() == kFanout && node.copies.empty() && path.size() < kMostDepth;
    }
    const auto sound = [&](const Copy& copy) {
      return !copy.state && lies_at(copy.key, vnode, path, view_, config_.q);
    };
    const auto wrong_order = [](const Copy& a, const Copy& b) { return !in_order(a, b); };
    const auto& copies = node.copies;
    return node.children.empty() && may_be_leaf(copies.size(), path.size()) &&
           std::all_of(copies.begin(), copies.end(), sound) &&
           std::adjacent_find(copies.begin(), copies.end(), wrong_order) == copies.end();
  }

  void take_node(Exchange& exchange, VnodeId vnode, const TreeNode& theirs) {
    if (theirs.leaf) {
      exchange.leaves.push_back({vnode, theirs.path, theirs.copies});
      return;
    }
    const std::vector<TreeHash> mine = trees_.children(vnode, theirs.path);
    for (std::size_t i = 0; i < kFanout; ++i) {
      if (mine[i] != theirs.children[i]) exchange.places.push_back(theirs.path + kDigits[i]);
    }
  }

  // Keys.

  /// Where the peer has a leaf and we have more, its leaf is cut into as many parts as ours are.
  void compare_leaf(Exchange& exchange) {
    const PeersLeaf leaf = std::move(exchange.leaves.back());
    exchange.leaves.pop_back();
    if (!trees_.leaf(leaf.vnode, leaf.path)) return cut(exchange, leaf);
    std::map<std::string, StateHash> mine;
    for (const Copy& copy : trees_.copies(leaf.vnode, leaf.path)) mine[copy.key] = copy.hash;
    for (const Copy& theirs : leaf.copies) {
      const auto found = mine.find(theirs.key);
      if (found == mine.end() || found->second != theirs.hash) {
        exchange.wanted.push_back({theirs.key, theirs.hash});
      }
      if (found != mine.end()) mine.erase(found);
    }
    for (const auto& [key, hash] : mine) exchange.owed.push_back({key, std::nullopt});
  }

  void cut(Exchange& exchange, const PeersLeaf& leaf) {
    std::array<PeersLeaf, kFanout> parts;
    std::array<std::vector<StateHash>, kFanout> states;
    for (const Copy& copy : leaf.copies) {
      const std::size_t digit = digit_at(path_of(copy.key, config_.q), leaf.path.size());
      parts[digit].copies.push_back(copy);
      states[digit].push_back(copy.hash);
    }
    for (std::size_t i = 0; i < kFanout; ++i) {
      parts[i].vnode = leaf.vnode;
      parts[i].path = leaf.path + kDigits[i];
      if (trees_.hash(leaf.vnode, parts[i].path) == hash_of_leaf(states[i])) continue;
      exchange.leaves.push_back(std::move(parts[i]));
    }
  }

  /// Meanwhile it may have come from elsewhere.
  bool settled(const Difference& difference) const {
    return store_.hash(difference.key) == difference.theirs;
  }

  bool ask_copies(const Current& current) {
    std::erase_if(current->wanted, [this](const Difference& wanted) { return settled(wanted); });
    if (current->wanted.empty()) return false;
    AskCopies request;
    for (const Difference& wanted : current->wanted) {
      if (request.keys.size() == kKeysAtOnce) break;
      request.keys.push_back(wanted.key);
    }
    call(current, std::move(request),
         [this](Exchange& exchange, const AskCopies& asked, const AskCopiesReply& reply) {
           if (!makes_sense(asked, reply)) return false;
           auto& wanted = exchange.wanted;
           wanted.erase(wanted.begin(), wanted.begin() + reply.answered);
           for (const Copy& theirs : reply.copies) merge(exchange, theirs);
           return true;
         });
    return true;
  }

  /// States of some of the first `answered` keys, in their order.
  static bool makes_sense(const AskCopies& asked, const AskCopiesReply& reply) {
    if (reply.answered == 0 || reply.answered > asked.keys.size()) return false;
    auto from = asked.keys.begin();
    const auto end = from + reply.answered;
    for (const Copy& copy : reply.copies) {
      from = std::find(from, end, copy.key);
      if (from == end || !copy.state || hash_of(copy.key, *copy.state) != copy.hash) return false;
      ++from;
    }
    return true;
  }

  void merge(Exchange& exchange, const Copy& theirs) {
    const Result<StateHash> merged = store_.merge(theirs.key, *theirs.state);
    if (!merged.ok()) env_.note("cannot merge " + theirs.key + ": " + merged.error().message);
    if (store_.hash(theirs.key) != theirs.hash) exchange.owed.push_back({theirs.key, theirs.hash});
  }

  bool send_copies(const Current& exchange) {
    Update request;
    std::size_t filled = 0;
    while (!exchange->owed.empty()) {
      const Difference& owed = exchange->owed.front();
      if (std::optional<Copy> copy = copy_of(owed.key); copy && !settled(owed)) {
        filled += copy->state->bytes.size();
        if (!request.copies.empty() && filled > config_.batch_bytes) break;
        request.copies.push_back(std::move(*copy));
      }
      exchange->owed.pop_front();
    }
    if (request.copies.empty()) return false;
    // What the peer could not confirm, the next exchange finds again.
    call(exchange, std::move(request),
         [](Exchange&, const Update&, const UpdateReply&) { return true; });
    return true;
  }

  Env& env_;
  const SyncConfig config_;
  ClusterView& view_;
  LocalStore& store_;
  Trees trees_;
  Meter meter_;
  Current current_;  ///< Nothing: none is under way.
  NodeId last_peer_;
  std::map<NodeId, VnodeId> next_vnode_;  ///< With each peer: where the next exchange begins.
  std::set<NodeId> differ_;               ///< Whose last reply showed another digest.
};

}  // namespace

std::unique_ptr<Sync> make_sync(Env& env, const SyncConfig& config, ClusterView& view,
                                LocalStore& store) {
  return std::make_unique<MerkleSync>(env, config, view, store);
}

}  // namespace dynamo
