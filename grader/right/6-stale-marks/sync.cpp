// Lab 6, another right solution: a change hashes nothing. It counts keys up or down on the way from
// the root to a leaf, says that what stands there is stale, and leaves a mark on the disk; hashes
// are made when somebody asks for them. Now and then all that is stale is hashed and written, and
// the marks go. A restart takes the tree that was written last and counts only the leaves that are
// marked; there are never more of them than a small share of the keys, so it looks at few. Trees
// are one flat map from places to counts and hashes. An exchange is an object that works off a
// queue of ranges, one question at a time, and moves keys whenever enough of them were found.
#include "sync.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace dynamo {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::string_view kPlaceSpace = "places";  ///< By vnode and path: keys and hash.
constexpr std::string_view kMarkSpace = "marks";    ///< By vnode and a key's path: changed since.
constexpr std::string_view kWrittenSpace = "places.written";
constexpr std::string_view kWritten = "all";
constexpr std::size_t kVnodeDigits = 8;
constexpr std::size_t kRecordBytes = 72;     ///< Of a place or a mark, generously.
constexpr std::size_t kSpareBytes = 16'384;  ///< First trees leave so much of a disk to others.
constexpr std::size_t kKeysForAMark = 256;   ///< So a restart looks at one key of fifteen.
constexpr std::size_t kMostMarks = 64;       ///< However many keys there are.
constexpr std::size_t kMostKeyBytes = 256;   ///< Of a key of the store.
constexpr std::size_t kMostWanted = 128;     ///< Keys that one AskCopies asks for.

std::string place_key(VnodeId vnode, std::string_view path) {
  std::string text(kVnodeDigits, '0');
  for (std::size_t i = kVnodeDigits; i-- > 0; vnode /= 16) text[i] = kDigits[vnode % 16];
  return text.append(path);
}
VnodeId vnode_in(std::string_view place) {
  VnodeId vnode = 0;
  for (const char c : place.substr(0, kVnodeDigits)) {
    vnode = vnode * 16 + static_cast<VnodeId>(kDigits.find(c));
  }
  return vnode;
}
TreePath path_in(std::string_view place) { return TreePath(place.substr(kVnodeDigits)); }

struct Entry {
  std::string key;
  StateHash hash;
  TreePath path;
};
using Entries = std::vector<Entry>;

TreeHash leaf_hash(Entries::const_iterator begin, Entries::const_iterator end) {
  std::vector<StateHash> hashes;
  hashes.reserve(static_cast<std::size_t>(end - begin));
  for (auto entry = begin; entry != end; ++entry) hashes.push_back(entry->hash);
  return hash_of_leaf(hashes);
}

/// The trees of all vnodes.
class Places {
 public:
  Places(Env& env, LocalStore& store, std::uint32_t q) : env_(env), store_(store), q_(q) {}

  void start() {
    if (!env_.storage().get(kWrittenSpace, kWritten)) return plant();
    env_.storage().scan(kPlaceSpace, "", [&](std::string_view place, std::string_view bytes) {
      const auto hashes = from_bytes<std::vector<TreeHash>>(bytes).value();
      places_[std::string(place)] = {hashes.at(0).low, hashes.at(1), false};
      if (place.size() == kVnodeDigits) keys_ += hashes.at(0).low;
      return true;
    });
    env_.storage().scan(kMarkSpace, "", [&](std::string_view mark, std::string_view) {
      marks_.emplace(mark);
      return true;
    });
    for (const std::string& mark : marks_) recount(vnode_in(mark), path_in(mark));
  }

  void changed(std::string_view key, VnodeId vnode, bool before, bool after) {
    const TreePath path = path_of(key, q_);
    adjust(vnode, path, static_cast<std::int64_t>(after) - static_cast<std::int64_t>(before));
    if (!kept_) return unwritten_.clear();
    const std::string mark = place_key(vnode, path);
    if (!marks_.insert(mark).second) return;
    if (marks_.size() > std::min<std::uint64_t>(kMostMarks, keys_ / kKeysForAMark) ||
        !env_.storage().room(kRecordBytes)) {
      return write(0);
    }
    env_.storage().put(kMarkSpace, mark, "");
  }

  TreeHash hash(VnodeId vnode, const TreePath& path) {
    const auto [place, below_a_leaf] = find(vnode, path);
    if (below_a_leaf) {
      const Entries entries = scanned(vnode, path);
      return leaf_hash(entries.begin(), entries.end());
    }
    return place == nullptr ? TreeHash{} : fresh(vnode, path, *place);
  }

  TreeNode node(VnodeId vnode, const TreePath& path) {
    TreeNode node{path, true, {}, {}};
    const auto [place, below_a_leaf] = find(vnode, path);
    if (place == nullptr && !below_a_leaf) return node;
    if (place != nullptr && inner(*place, path.size())) {
      node.leaf = false;
      node.children = row(vnode, path);
      return node;
    }
    for (Entry& entry : scanned(vnode, path)) {
      node.copies.push_back({std::move(entry.key), entry.hash, std::nullopt});
    }
    return node;
  }

  /// The keys below a place, in order.
  Entries scanned(VnodeId vnode, const TreePath& path) const {
    Entries entries;
    const HashRange range = range_of(vnode, path, q_);
    if (range.first > range.last) return entries;
    store_.scan(range.first, range.last, [&](std::string_view key, const StateHash& hash) {
      entries.push_back({std::string(key), hash, path_of(key, q_)});
      return true;
    });
    return entries;
  }

 private:
  /// A place with keys: a root, or a child of an inner node.
  struct Place {
    std::uint64_t keys = 0;
    TreeHash hash;
    bool stale = false;  ///< The hash is that of before.
  };

  static bool inner(const Place& place, std::size_t depth) {
    return place.keys > kLeafKeys && depth < kMostDepth;
  }

  /// What stands there; nothing if no key lies there, or if the place lies below a leaf.
  std::tuple<Place*, bool> find(VnodeId vnode, const TreePath& path) {
    for (std::size_t depth = 0;; ++depth) {
      const auto place = places_.find(place_key(vnode, path.substr(0, depth)));
      if (place == places_.end()) return {nullptr, false};
      if (depth == path.size()) return {&place->second, false};
      if (!inner(place->second, depth)) return {nullptr, true};
    }
  }

  TreeHash fresh(VnodeId vnode, const TreePath& path, Place& place) {
    if (!place.stale) return place.hash;
    if (inner(place, path.size())) {
      place.hash = hash_of_children(row(vnode, path));
    } else {
      const Entries entries = scanned(vnode, path);
      place.hash = leaf_hash(entries.begin(), entries.end());
    }
    place.stale = false;
    return place.hash;
  }

  std::vector<TreeHash> row(VnodeId vnode, const TreePath& path) {
    std::vector<TreeHash> hashes;
    hashes.reserve(kFanout);
    for (const char digit : kDigits) {
      const auto child = places_.find(place_key(vnode, path + digit));
      hashes.push_back(child == places_.end() ? TreeHash{}
                                              : fresh(vnode, path + digit, child->second));
    }
    return hashes;
  }

  /// So many keys more (or less) lie in the leaf of `path`, and one of them may be another.
  void adjust(VnodeId vnode, const TreePath& path, std::int64_t more) {
    keys_ += static_cast<std::uint64_t>(more);
    for (std::size_t depth = 0; depth <= kMostDepth; ++depth) {
      const TreePath above = path.substr(0, depth);
      const std::string key = place_key(vnode, above);
      Place& place = places_[key];
      const bool was_inner = inner(place, depth);
      place.keys += static_cast<std::uint64_t>(more);
      place.stale = true;
      unwritten_.insert(key);
      const bool is_inner = inner(place, depth);
      if (was_inner && is_inner) continue;
      if (is_inner) {
        const Entries entries = scanned(vnode, above);
        grow(vnode, above, entries.begin(), entries.end());
      } else if (was_inner) {
        forget_below(key);
      }
      if (place.keys == 0) places_.erase(key);
      return;
    }
  }

  /// These keys lie there, as a scan shows them.
  void grow(VnodeId vnode, const TreePath& path, Entries::const_iterator begin,
            Entries::const_iterator end) {
    const std::string key = place_key(vnode, path);
    Place& place = places_[key];
    place.keys = static_cast<std::uint64_t>(end - begin);
    unwritten_.insert(key);
    place.stale = inner(place, path.size());
    if (!place.stale) {
      place.hash = leaf_hash(begin, end);
      return;
    }
    while (begin != end) {
      const char digit = begin->path[path.size()];
      const auto next = std::find_if(
          begin, end, [&](const Entry& entry) { return entry.path[path.size()] != digit; });
      grow(vnode, path + digit, begin, next);
      begin = next;
    }
  }

  void forget_below(const std::string& key) {
    auto below = places_.upper_bound(key);
    while (below != places_.end() && below->first.starts_with(key)) {
      unwritten_.insert(below->first);
      below = places_.erase(below);
    }
  }

  /// After a restart: the leaf that has this path was changed after it was written.
  void recount(VnodeId vnode, const TreePath& path) {
    TreePath place;
    std::uint64_t keys = 0;
    for (std::size_t depth = 0; depth <= kMostDepth; ++depth) {
      place = path.substr(0, depth);
      const auto found = places_.find(place_key(vnode, place));
      keys = found == places_.end() ? 0 : found->second.keys;
      if (found == places_.end() || !inner(found->second, depth)) break;
    }
    const auto now = static_cast<std::int64_t>(scanned(vnode, place).size());
    adjust(vnode, path, now - static_cast<std::int64_t>(keys));
  }

  /// On a disk without trees.
  void plant() {
    erase_all();
    for (const VnodeId vnode : store_.vnodes()) {
      const Entries entries = scanned(vnode, "");
      keys_ += entries.size();
      grow(vnode, "", entries.begin(), entries.end());
    }
    kept_ = true;
    env_.storage().put(kWrittenSpace, kWritten, "");
    write(kSpareBytes);
  }

  /// Hashes what is stale, and writes what was not written yet. If the disk would have less than
  /// `spare` bytes left, the trees are in memory from now on, until the next start makes them anew.
  void write(std::size_t spare) {
    if (!env_.storage().room(unwritten_.size() * kRecordBytes + spare)) {
      env_.note("no room for the trees: they stay in memory");
      kept_ = false;
      return erase_all();
    }
    for (const std::string& key : unwritten_) {
      const auto place = places_.find(key);
      if (place == places_.end()) {
        env_.storage().erase(kPlaceSpace, key);
        continue;
      }
      const TreeHash hash = fresh(vnode_in(key), path_in(key), place->second);
      env_.storage().put(kPlaceSpace, key,
                         to_bytes(std::vector<TreeHash>{{0, place->second.keys}, hash}));
    }
    unwritten_.clear();
    for (const std::string& mark : marks_) env_.storage().erase(kMarkSpace, mark);
    marks_.clear();
  }

  void erase_all() {
    for (const std::string_view space : {kPlaceSpace, kMarkSpace, kWrittenSpace}) {
      std::vector<std::string> keys;
      env_.storage().scan(space, "", [&](std::string_view key, std::string_view) {
        keys.emplace_back(key);
        return true;
      });
      for (const std::string& key : keys) env_.storage().erase(space, key);
    }
    unwritten_.clear();
    marks_.clear();
  }

  Env& env_;
  LocalStore& store_;
  const std::uint32_t q_;
  std::map<std::string, Place> places_;  ///< All places of all trees, by place_key.
  std::set<std::string> unwritten_;      ///< Places that the disk has otherwise.
  std::set<std::string> marks_;          ///< As on the disk.
  std::uint64_t keys_ = 0;               ///< In all trees.
  bool kept_ = true;                     ///< On the disk.
};

/// Bytes that may be sent: so many a second since `since_`, and a burst.
class Rate {
 public:
  Rate(Env& env, std::uint64_t bytes_per_second, std::size_t burst)
      : env_(env), rate_(std::max<std::uint64_t>(bytes_per_second, 1)), burst_(burst) {}

  void spend(std::size_t bytes) {
    if (spent_ <= earned()) {  // What was not used is not saved up.
      since_ = env_.now();
      spent_ = 0;
    }
    spent_ += bytes;
  }
  /// Until no more than a burst is owed; zero: now.
  Duration wait() const {
    const std::uint64_t free = earned() + burst_;
    if (spent_ <= free) return Duration(0);
    return Duration((spent_ - free) * 1'000'000 / rate_ + 1);
  }

 private:
  std::uint64_t earned() const {
    const auto micros = static_cast<std::uint64_t>((env_.now() - since_).count());
    return micros / 1'000'000 * rate_ + micros % 1'000'000 * rate_ / 1'000'000;
  }

  Env& env_;
  const std::uint64_t rate_;
  const std::size_t burst_;
  Instant since_{};
  std::uint64_t spent_ = 0;
};

/// What one exchange still has to do.
struct Exchange {
  struct Range {
    VnodeId vnode = 0;
    TreePath path;
  };
  NodeId peer;
  std::deque<VnodeId> vnodes;  ///< Whose roots were not compared yet.
  std::deque<Range> ranges;    ///< In which the two differ: what stands there?
  std::deque<Copy> take;       ///< Copies of the peer's, without states, that this node lacks.
  std::deque<Copy> give;       ///< Keys that the peer has with this hash; {0, 0}: not at all.
};
using ExchangePtr = std::shared_ptr<Exchange>;

class LazySync final : public Sync {
 public:
  LazySync(Env& env, const SyncConfig& config, ClusterView& view, LocalStore& store)
      : env_(env),
        config_(config),
        view_(view),
        store_(store),
        places_(env, store, config.q),
        rate_(env, config.bytes_per_second, config.batch_bytes) {}

  void start() override {
    places_.start();
    every(env_, config_.sync_period, [this] {
      if (!current_) begin();
    });
  }

  void changed(std::string_view key, const std::optional<StateHash>& before,
               const std::optional<StateHash>& after) override {
    places_.changed(key, view_.vnode_of(key), before.has_value(), after.has_value());
  }

  void history_grew(const History& /*before*/) override { current_.reset(); }

  TreeHash root(VnodeId vnode) const override { return places_.hash(vnode, ""); }
  TreeNode node(VnodeId vnode, const TreePath& path) const override {
    return places_.node(vnode, path);
  }

  void handle(const CompareRoots& ask, Responder<CompareRootsReply> responder) override {
    const bool equal = view_.learn(ask.known);
    CompareRootsReply reply{view_.known(!equal), {}};
    for (const VnodeRoot& theirs : ask.roots) {
      if (!equal || !mine(theirs.vnode)) continue;
      if (root(theirs.vnode) != theirs.root) reply.differing.push_back(theirs.vnode);
    }
    responder.reply(reply);
  }

  void handle(const AskNodes& ask, Responder<AskNodesReply> responder) override {
    const bool equal = view_.learn(ask.known);
    AskNodesReply reply{view_.known(!equal), {}};
    const auto is_path = [](const TreePath& path) {
      return path.size() <= kMostDepth && path.find_first_not_of(kDigits) == TreePath::npos;
    };
    const bool sense = ask.paths.size() <= AskNodes::kMostPaths &&
                       std::all_of(ask.paths.begin(), ask.paths.end(), is_path);
    if (equal && sense && mine(ask.vnode)) {
      reply.nodes.reserve(ask.paths.size());
      for (const TreePath& path : ask.paths) reply.nodes.push_back(node(ask.vnode, path));
    }
    responder.reply(reply);
  }

  void handle(const AskCopies& ask, Responder<AskCopiesReply> responder) override {
    const bool equal = view_.learn(ask.known);
    AskCopiesReply reply{view_.known(!equal), 0, {}};
    std::size_t bytes = 0;
    if (equal && std::all_of(ask.keys.begin(), ask.keys.end(), is_key)) {
      for (const std::string& key : ask.keys) {
        const std::optional<State> state =
            mine(view_.vnode_of(key)) ? store_.get(key) : std::nullopt;
        const std::size_t size = state ? state->bytes.size() : 0;
        if (reply.answered > 0 && bytes + size > config_.batch_bytes) break;
        ++reply.answered;
        if (!state) continue;
        bytes += size;
        reply.copies.push_back({key, hash_of(key, *state), state});
      }
    }
    responder.reply(reply);
  }

 private:
  static bool is_key(const std::string& key) { return !key.empty() && key.size() <= kMostKeyBytes; }

  bool mine(VnodeId vnode) const { return vnode < config_.q && owned_by(vnode, env_.self()); }
  bool owned_by(VnodeId vnode, const NodeId& node) const {
    const std::vector<NodeId> owners = view_.preference_list(vnode);
    return std::find(owners.begin(), owners.end(), node) != owners.end();
  }

  /// The members take turns; those that share nothing with this node are passed over.
  void begin() {
    const std::vector<NodeId> members = view_.members();
    auto next = std::upper_bound(members.begin(), members.end(), last_peer_);
    for (std::size_t i = 0; i < members.size(); ++i, ++next) {
      if (next == members.end()) next = members.begin();
      if (*next == env_.self()) continue;
      std::deque<VnodeId> shared;
      for (VnodeId vnode = 0; vnode < config_.q; ++vnode) {
        if (mine(vnode) && owned_by(vnode, *next)) shared.push_back(vnode);
      }
      if (shared.empty()) continue;
      last_peer_ = *next;
      current_ = std::make_shared<Exchange>();
      current_->peer = *next;
      current_->vnodes = std::move(shared);
      return go_on();
    }
  }

  /// Asks, or says, the next thing of the current exchange, once the rate allows it.
  void go_on() {
    if (const Duration wait = rate_.wait(); wait > Duration(0)) {
      env_.after(wait, [this, exchange = current_] {
        if (exchange == current_) go_on();
      });
      return;
    }
    Exchange& now = *current_;
    const bool found_all = now.ranges.empty() && now.vnodes.empty();
    if (now.take.size() >= kMostWanted || (found_all && !now.take.empty())) return take();
    if (!now.ranges.empty()) return look();
    if (!now.vnodes.empty()) return compare();
    if (!give()) current_.reset();
  }

  /// `use` returns false if the reply makes no sense: that ends the exchange, as silence does.
  template <class Request, class Use>
  void ask(Request request, Use use) {
    request.known = view_.known(others_.contains(current_->peer));
    rate_.spend(to_bytes(request).size());
    env_.call<Request>(current_->peer, request, config_.call_timeout,
                       [this, exchange = current_, request, use](auto reply) {
                         const bool good = hear(exchange->peer, reply);
                         if (exchange != current_) return;
                         if (!good || !use(request, *reply)) return current_.reset();
                         go_on();
                       });
  }

  template <class Reply>
  bool hear(const NodeId& peer, const Result<Reply>& reply) {
    if (!reply.ok()) return false;
    rate_.spend(to_bytes(*reply).size());
    const bool equal = view_.learn(reply->known);
    if (equal) others_.erase(peer);
    if (!equal) others_.insert(peer);
    return equal;
  }

  void compare() {
    CompareRoots request;
    std::deque<VnodeId>& vnodes = current_->vnodes;
    while (!vnodes.empty() && request.roots.size() < CompareRoots::kMostRoots) {
      request.roots.push_back({vnodes.front(), root(vnodes.front())});
      vnodes.pop_front();
    }
    ask(std::move(request), [this](const CompareRoots& asked, const CompareRootsReply& reply) {
      auto next = asked.roots.begin();
      for (const VnodeId vnode : reply.differing) {  // in the order of the question
        next = std::find_if(next, asked.roots.end(),
                            [&](const VnodeRoot& root) { return root.vnode == vnode; });
        if (next == asked.roots.end()) return false;
        ++next;
        current_->ranges.push_back({vnode, ""});
      }
      return true;
    });
  }

  void look() {
    std::deque<Exchange::Range>& ranges = current_->ranges;
    AskNodes request;
    request.vnode = ranges.front().vnode;
    while (!ranges.empty() && ranges.front().vnode == request.vnode &&
           request.paths.size() < AskNodes::kMostPaths) {
      request.paths.push_back(std::move(ranges.front().path));
      ranges.pop_front();
    }
    ask(std::move(request), [this](const AskNodes& asked, const AskNodesReply& reply) {
      if (reply.nodes.size() != asked.paths.size()) return false;
      for (std::size_t i = 0; i < reply.nodes.size(); ++i) {
        if (!sense(asked.vnode, asked.paths[i], reply.nodes[i])) return false;
      }
      for (const TreeNode& theirs : reply.nodes) {
        if (theirs.leaf) compare_keys(asked.vnode, theirs);
        for (std::size_t i = 0; !theirs.leaf && i < kFanout; ++i) {
          const TreePath child = theirs.path + kDigits[i];
          if (places_.hash(asked.vnode, child) == theirs.children[i]) continue;
          current_->ranges.push_back({asked.vnode, child});
        }
      }
      return true;
    });
  }

  bool sense(VnodeId vnode, const TreePath& path, const TreeNode& node) const {
    if (node.path != path) return false;
    if (!node.leaf) return path.size() < kMostDepth && node.children.size() == kFanout;
    if (path.size() < kMostDepth && node.copies.size() > kLeafKeys) return false;
    const HashRange range = range_of(vnode, path, config_.q);
    for (std::size_t i = 0; i < node.copies.size(); ++i) {
      const std::string& key = node.copies[i].key;
      if (!is_key(key) || hash_of(key) < range.first || hash_of(key) > range.last) return false;
      if (i > 0 && !before(node.copies[i - 1].key, key)) return false;
    }
    return true;
  }

  static bool before(const std::string& a, const std::string& b) {
    return std::pair(hash_of(a), a) < std::pair(hash_of(b), b);
  }

  /// Both lists have the order of a leaf.
  void compare_keys(VnodeId vnode, const TreeNode& theirs) {
    const Entries here = places_.scanned(vnode, theirs.path);
    auto own = here.begin();
    for (const Copy& copy : theirs.copies) {
      for (; own != here.end() && before(own->key, copy.key); ++own) lacks(own->key);
      const bool same_key = own != here.end() && own->key == copy.key;
      if (!same_key || own->hash != copy.hash) current_->take.push_back(copy);
      if (same_key) ++own;
    }
    for (; own != here.end(); ++own) lacks(own->key);
  }
  void lacks(const std::string& key) { current_->give.push_back({key, {}, std::nullopt}); }

  void take() {
    AskCopies request;
    const std::size_t many = std::min(kMostWanted, current_->take.size());
    request.keys.reserve(many);
    for (std::size_t i = 0; i < many; ++i) request.keys.push_back(current_->take[i].key);
    ask(std::move(request), [this](const AskCopies& asked, const AskCopiesReply& reply) {
      if (reply.answered == 0 || reply.answered > asked.keys.size()) return false;
      std::map<std::string, const Copy*> copies;
      for (const Copy& copy : reply.copies) {
        if (!copy.state || !copies.emplace(copy.key, &copy).second) return false;
      }
      std::size_t expected = 0;
      for (std::size_t i = 0; i < reply.answered; ++i) expected += copies.count(asked.keys[i]);
      if (expected != copies.size()) return false;
      for (std::size_t i = 0; i < reply.answered; ++i) {
        const auto copy = copies.find(asked.keys[i]);
        const StateHash theirs = copy != copies.end() ? copy->second->hash : StateHash{};
        if (copy != copies.end() && !store_.merge(asked.keys[i], *copy->second->state).ok()) {
          env_.note("not merged: " + asked.keys[i]);
        }
        current_->take.pop_front();
        if (store_.hash(asked.keys[i]) != theirs) {
          current_->give.push_back({asked.keys[i], theirs, std::nullopt});
        }
      }
      return true;
    });
  }

  /// False: there is nothing to give.
  bool give() {
    Update request;
    std::size_t bytes = 0;
    while (!current_->give.empty()) {
      const Copy& theirs = current_->give.front();
      const std::optional<State> state = store_.get(theirs.key);
      const bool send = state && store_.hash(theirs.key) != theirs.hash;
      const std::size_t size = send ? state->bytes.size() : 0;
      if (!request.copies.empty() && bytes + size > config_.batch_bytes) break;
      if (send) {
        bytes += size;
        request.copies.push_back({theirs.key, hash_of(theirs.key, *state), state});
      }
      current_->give.pop_front();
    }
    if (request.copies.empty()) return false;
    ask(std::move(request), [](const Update&, const UpdateReply&) { return true; });
    return true;
  }

  Env& env_;
  const SyncConfig config_;
  ClusterView& view_;
  LocalStore& store_;
  mutable Places places_;  ///< To ask for a hash makes it, if it is stale.
  Rate rate_;
  NodeId last_peer_;
  std::set<NodeId> others_;  ///< Whose last reply showed another digest.
  ExchangePtr current_;      ///< Nothing: none is under way.
};

}  // namespace

std::unique_ptr<Sync> make_sync(Env& env, const SyncConfig& config, ClusterView& view,
                                LocalStore& store) {
  return std::make_unique<LazySync>(env, config, view, store);
}

}  // namespace dynamo
