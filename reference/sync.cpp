// Lab 6: Merkle trees. labs/6-sync/README.md says what is asked for.
#include "sync.h"

// BEGIN SOLUTION
#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <limits>
#include <map>
// END SOLUTION
#include <memory>
// BEGIN SOLUTION
#include <numeric>
#include <optional>
#include <set>
// END SOLUTION
#include <stdexcept>
// BEGIN SOLUTION
#include <string>
#include <utility>
#include <vector>
// END SOLUTION

namespace dynamo {
namespace {

// BEGIN SOLUTION
constexpr std::string_view kRows = "tree rows";    // vnode and path of an inner node → its row
constexpr std::string_view kRoots = "tree roots";  // vnode → the whole tree in short
constexpr std::string_view kSpace = "sync";        // this node's own small records
constexpr std::string_view kKept = "trees kept";   // for so many vnodes: the mark

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

bool contains(const std::vector<NodeId>& nodes, const NodeId& node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

bool is_path(const TreePath& path) {
  return path.size() <= kMostDepth && path.find_first_not_of(kDigits) == TreePath::npos;
}

/// Brings two nodes that talk to each other to the same history. Digests travel with each message,
/// events only to a peer that was seen to have another digest.
class Introductions {
 public:
  explicit Introductions(ClusterView& view) : view_(view) {}

  /// For a request to `peer`.
  Known to(const NodeId& peer) const { return view_.known(differing_.contains(peer)); }

  /// Takes in what `peer` replied. True if both know the same history now.
  bool heard(const NodeId& peer, const Known& reply) {
    const bool equal = view_.learn(reply);
    if (equal) {
      differing_.erase(peer);
    } else {
      differing_.insert(peer);
    }
    return equal;
  }

 private:
  ClusterView& view_;
  std::set<NodeId> differing_;  ///< Peers whose last reply showed another digest.
};

/// What lies below a place, in short.
struct Summary {
  std::uint64_t keys = 0;
  TreeHash hash;
};

/// What stands on disk for an inner node: its children, by digit.
using Row = std::array<Summary, kFanout>;

// Records have a fixed size: one that changes can be written on a full disk, too.

constexpr std::size_t kNumberBytes = 8;
constexpr std::size_t kSummaryBytes = 3 * kNumberBytes;
constexpr std::size_t kMarkBytes = kKept.size() + kNumberBytes;

void append(std::string& bytes, std::uint64_t number, std::size_t size = kNumberBytes) {
  for (std::size_t i = size; i-- > 0;) bytes.push_back(static_cast<char>(number >> (8 * i)));
}

void append(std::string& bytes, const Summary& summary) {
  append(bytes, summary.keys);
  append(bytes, summary.hash.high);
  append(bytes, summary.hash.low);
}

std::uint64_t number_at(std::string_view bytes, std::size_t at) {
  std::uint64_t number = 0;
  for (const char byte : bytes.substr(at, kNumberBytes)) {
    number = number << 8 | static_cast<unsigned char>(byte);
  }
  return number;
}

Summary summary_at(std::string_view bytes, std::size_t at) {
  return {number_at(bytes, at),
          {number_at(bytes, at + kNumberBytes), number_at(bytes, at + 2 * kNumberBytes)}};
}

std::string record_key(VnodeId vnode, const TreePath& path = {}) {
  std::string key;
  append(key, vnode, sizeof vnode);
  return key + path;
}

/// The trees of all keys of a LocalStore. The disk holds a row for each inner node; a leaf is a
/// range of the store. So an update reads and writes a row a level and scans one leaf, a restart
/// reads nothing, and no memory is taken by any key (about 400 bytes of disk for an inner node).
class Trees {
 public:
  Trees(Env& env, const LocalStore& store, std::uint32_t q) : env_(env), store_(store), q_(q) {}

  void start() {
    kept_ = env_.storage().get(kSpace, kKept) == to_bytes(std::uint64_t{q_});
    if (kept_) return;
    erase_all(kRows);
    erase_all(kRoots);
    memory_.emplace();
    for (const VnodeId vnode : store_.vnodes()) {
      set_root(vnode, build(vnode, ""));
    }
    keep_on_disk();
  }

  TreeHash root(VnodeId vnode) const {
    const auto bytes = record(kRoots, record_key(vnode));
    return bytes ? summary_at(*bytes, 0).hash : TreeHash{};
  }

  TreeNode node(VnodeId vnode, const TreePath& path) const {
    const std::optional<Row> row = row_at(vnode, path);
    if (!row) return {path, true, {}, keys_below(vnode, path)};
    return {path, false, hashes(*row), {}};
  }

  /// The hashes of the places one digit below `path`, which has less than kMostDepth digits.
  std::vector<TreeHash> children(VnodeId vnode, const TreePath& path) const {
    if (const std::optional<Row> row = row_at(vnode, path)) return hashes(*row);
    std::vector<TreeHash> children;
    for (const char digit : kDigits) {
      children.push_back(in_short(keys_below(vnode, path + digit)).hash);
    }
    return children;
  }

  void changed(VnodeId vnode, std::string_view key) {
    mark();
    const TreePath path = path_of(key, q_);
    std::vector<Row> rows;  // from the root down to the leaf that has changed
    while (const std::optional<Row> row = row_at(vnode, path.substr(0, rows.size()))) {
      rows.push_back(*row);
    }
    Summary below = build(vnode, path.substr(0, rows.size()));
    while (!rows.empty()) {
      Row row = rows.back();
      rows.pop_back();
      row[kDigits.find(path[rows.size()])] = below;
      below = keep(vnode, path.substr(0, rows.size()), row);
    }
    set_root(vnode, below);
  }

 private:
  std::vector<Copy> keys_below(VnodeId vnode, const TreePath& path,
                               std::size_t most = kNoLimit) const {
    std::vector<Copy> keys;
    const HashRange range = range_of(vnode, path, q_);
    if (range.first > range.last) return keys;
    store_.scan(range.first, range.last, [&](std::string_view key, const StateHash& hash) {
      keys.push_back({std::string(key), hash, std::nullopt});
      return keys.size() < most;
    });
    return keys;
  }

  /// Of a leaf.
  static Summary in_short(const std::vector<Copy>& keys) {
    std::vector<StateHash> states;
    states.reserve(keys.size());
    for (const Copy& copy : keys) states.push_back(copy.hash);
    return {keys.size(), hash_of_leaf(states)};
  }

  static std::vector<TreeHash> hashes(const Row& row) {
    std::vector<TreeHash> hashes;
    for (const Summary& child : row) hashes.push_back(child.hash);
    return hashes;
  }

  /// Makes the rows at `path` and below from the keys, where there are none yet.
  Summary build(VnodeId vnode, const TreePath& path) {
    const bool deepest = path.size() == kMostDepth;
    const auto keys = keys_below(vnode, path, deepest ? kNoLimit : kLeafKeys + 1);
    if (deepest || keys.size() <= kLeafKeys) return in_short(keys);
    Row row;
    for (std::size_t i = 0; i < kFanout; ++i) row[i] = build(vnode, path + kDigits[i]);
    return keep(vnode, path, row);
  }

  /// Keeps the row of a place, unless so few keys are left that the place is a leaf now.
  Summary keep(VnodeId vnode, const TreePath& path, const Row& row) {
    const std::uint64_t keys =
        std::accumulate(row.begin(), row.end(), std::uint64_t{0},
                        [](std::uint64_t sum, const Summary& child) { return sum + child.keys; });
    if (keys <= kLeafKeys) {
      erase(kRows, record_key(vnode, path));
      return in_short(keys_below(vnode, path));
    }
    std::string bytes;
    for (const Summary& child : row) append(bytes, child);
    put(kRows, record_key(vnode, path), bytes);
    return {keys, hash_of_children(hashes(row))};
  }

  /// The row of an inner node; nothing stands where there is a leaf, or nothing.
  std::optional<Row> row_at(VnodeId vnode, const TreePath& path) const {
    const auto bytes = record(kRows, record_key(vnode, path));
    if (!bytes) return std::nullopt;
    if (bytes->size() != kFanout * kSummaryBytes) {
      throw std::runtime_error("a row of a tree on disk is malformed");
    }
    Row row;
    for (std::size_t i = 0; i < kFanout; ++i) row[i] = summary_at(*bytes, i * kSummaryBytes);
    return row;
  }

  void set_root(VnodeId vnode, const Summary& tree) {
    const std::string key = record_key(vnode);
    if (tree.keys == 0) return erase(kRoots, key);
    std::string bytes;
    append(bytes, tree);
    put(kRoots, key, bytes);
  }

  /// From now on the disk has trees. One without keys needs no mark, and stays empty.
  void mark() {
    if (kept_ || memory_) return;
    env_.storage().put(kSpace, kKept, to_bytes(std::uint64_t{q_}));
    kept_ = true;
  }

  /// The first trees go to the disk, if they fit there. Else they stay in memory, and the next
  /// start makes them again.
  void keep_on_disk() {
    std::size_t bytes = kMarkBytes;
    for (const auto& [name, value] : *memory_) bytes += name.second.size() + value.size();
    if (!memory_->empty() && !env_.storage().room(bytes)) return;
    const auto first = *std::exchange(memory_, std::nullopt);
    for (const auto& [name, value] : first) put(name.first, name.second, value);
    if (!first.empty()) mark();
  }

  std::optional<std::string> record(std::string_view space, const std::string& key) const {
    if (!memory_) return env_.storage().get(space, key);
    const auto found = memory_->find({std::string(space), key});
    return found == memory_->end() ? std::nullopt : std::optional(found->second);
  }

  void put(std::string_view space, const std::string& key, const std::string& bytes) {
    if (!memory_) return env_.storage().put(space, key, bytes);
    (*memory_)[{std::string(space), key}] = bytes;
  }

  void erase(std::string_view space, const std::string& key) {
    if (!memory_) return env_.storage().erase(space, key);
    memory_->erase({std::string(space), key});
  }

  void erase_all(std::string_view space) {
    std::vector<std::string> keys;
    env_.storage().scan(space, "", [&](std::string_view key, std::string_view) {
      keys.emplace_back(key);
      return true;
    });
    for (const std::string& key : keys) env_.storage().erase(space, key);
  }

  Env& env_;
  const LocalStore& store_;
  const std::uint32_t q_;
  bool kept_ = false;  ///< The mark is on the disk.
  /// Rows and roots, by space and key, if they did not fit on the disk when the node started.
  std::optional<std::map<std::pair<std::string, std::string>, std::string>> memory_;
};

/// Bytes cost time: what was spent must be paid off, up to one burst, before more is spent.
class Budget {
 public:
  Budget(Env& env, const SyncConfig& config)
      : env_(env),
        bytes_per_second_(config.bytes_per_second),
        burst_(time_of(config.batch_bytes)) {}

  void spend(std::size_t bytes) { paid_ = std::max(paid_, env_.now()) + time_of(bytes); }

  /// How long to wait before spending again.
  Duration wait() const { return std::max(paid_ - burst_ - env_.now(), Duration::zero()); }

 private:
  Duration time_of(std::size_t bytes) const {
    constexpr std::uint64_t kMicroseconds = 1'000'000;
    return Duration(bytes * kMicroseconds / bytes_per_second_);
  }

  Env& env_;
  const std::uint64_t bytes_per_second_;
  const Duration burst_;
  Instant paid_{};  ///< When all that was spent will be paid off.
};

/// A key that the two nodes do not hold alike, as far as is known.
struct Difference {
  std::string key;
  std::optional<StateHash> theirs;  ///< Nothing: the peer lacks it.
};

/// A place at which the trees differ.
struct Place {
  TreePath path;
  std::optional<std::vector<Copy>> theirs;  ///< The peer's keys below it, if they are known.
};

/// One comparison with one peer, from the roots down. Places are a stack, so that few are open.
struct Exchange {
  NodeId peer;
  std::vector<VnodeId> vnodes;      ///< That both own and whose roots are to be compared yet.
  std::deque<VnodeId> differing;    ///< Vnodes whose roots differ.
  VnodeId vnode = 0;                ///< The one at work now.
  std::vector<Place> places;        ///< Of that vnode, to be looked at; the last one is the next.
  int fruitless = 0;                ///< Answers in a row in which no differing key was found.
  std::deque<Difference> wanted{};  ///< Held by the peer, perhaps newer.
  std::deque<Difference> owed{};    ///< To be sent to the peer.
};

/// This node's exchanges: one at a time, with each co-owner in turn.
class Exchanges {
 public:
  Exchanges(Env& env, const SyncConfig& config, ClusterView& view, LocalStore& store,
            const Trees& trees)
      : env_(env),
        config_(config),
        view_(view),
        store_(store),
        trees_(trees),
        introductions_(view),
        budget_(env, config) {}

  void start() {
    last_peer_ = env_.self();  // its successor comes first: not all begin with the same peer
    every(env_, config_.sync_period, [this] { begin(); });
  }

  void history_grew() {
    current_.reset();
    common_.reset();
  }

 private:
  using ExchangePtr = std::shared_ptr<Exchange>;

  static constexpr std::size_t kMostFound = 1024;  ///< Keys that are moved before more is compared.
  /// A sane peer comes to the point within a tree's depth, but for changes on the way.
  static constexpr int kMostFruitless = 2 * kMostDepth;

  /// The vnodes that this node owns together with each other node.
  const std::map<NodeId, std::vector<VnodeId>>& common() {
    if (common_) return *common_;
    common_.emplace();
    for (VnodeId vnode = 0; vnode < config_.q; ++vnode) {
      const std::vector<NodeId> owners = view_.preference_list(vnode);
      if (!contains(owners, env_.self())) continue;
      for (const NodeId& node : owners) {
        if (node != env_.self()) (*common_)[node].push_back(vnode);
      }
    }
    return *common_;
  }

  void begin() {
    if (current_ || common().empty()) return;
    auto next = common().upper_bound(last_peer_);
    if (next == common().end()) next = common().begin();
    last_peer_ = next->first;
    current_ = std::make_shared<Exchange>(Exchange{next->first, next->second, {}, 0, {}});
    // Beginning anywhere, two nodes that compare with each other at the same time seldom do the
    // same work, and a vnode with which all exchanges end keeps no other from its turn for ever.
    std::vector<VnodeId>& vnodes = current_->vnodes;
    const auto first = static_cast<std::ptrdiff_t>(env_.random(vnodes.size()));
    std::rotate(vnodes.begin(), vnodes.begin() + first, vnodes.end());
    go_on();
  }

  /// Asks the peer. An answer under the same history goes to `take`, which returns false if it is
  /// nonsense; then, and without an answer, the exchange ends.
  template <class Request>
  void ask(Request request, std::function<bool(const typename Request::Reply&)> take) {
    request.known = introductions_.to(current_->peer);
    budget_.spend(to_bytes(request).size());
    env_.call(current_->peer, request, config_.call_timeout,
              [this, exchange = current_, take](Result<typename Request::Reply> reply) {
                if (reply.ok()) budget_.spend(to_bytes(*reply).size());
                const bool equal = reply.ok() && introductions_.heard(exchange->peer, reply->known);
                if (exchange != current_) return;
                if (equal && take(*reply)) return go_on();
                current_.reset();
              });
  }

  /// Not before the next request may be paid for.
  void go_on() {
    const Duration wait = budget_.wait();
    if (wait == Duration::zero()) return next_request();
    env_.after(wait, [this, exchange = current_] {
      if (exchange == current_) next_request();
    });
  }

  /// Moves what was found, if that is much or all; else compares on.
  void next_request() {
    Exchange& now = *current_;
    bool asked = false;
    while (!asked) {
      look_at_known_places();
      const bool compared = now.places.empty() && now.differing.empty() && now.vnodes.empty();
      const bool move = compared || now.wanted.size() + now.owed.size() >= kMostFound;
      if (move && !now.wanted.empty()) {
        asked = ask_for_copies();
      } else if (move && !now.owed.empty()) {
        asked = send_states();
      } else if (!now.places.empty()) {
        asked = ask_for_nodes();
      } else if (!now.differing.empty()) {
        now.vnode = now.differing.front();
        now.differing.pop_front();
        now.places.push_back({"", std::nullopt});
        now.fruitless = 0;
      } else if (!now.vnodes.empty()) {
        asked = compare_roots();
      } else {
        return current_.reset();
      }
    }
  }

  // Compare.

  bool compare_roots() {
    Exchange& now = *current_;
    CompareRoots request;
    const std::size_t some = std::min(now.vnodes.size(), CompareRoots::kMostRoots);
    for (std::size_t i = now.vnodes.size() - some; i < now.vnodes.size(); ++i) {
      request.roots.push_back({now.vnodes[i], trees_.root(now.vnodes[i])});
    }
    now.vnodes.resize(now.vnodes.size() - some);
    ask(request, [this, roots = request.roots](const CompareRootsReply& reply) {
      std::size_t at = 0;  // the answer is in the order of the question
      for (const VnodeId vnode : reply.differing) {
        while (at < roots.size() && roots[at].vnode != vnode) ++at;
        if (at == roots.size()) return false;
        current_->differing.push_back(vnode);
      }
      return true;
    });
    return true;
  }

  bool ask_for_nodes() {
    AskNodes request{{}, current_->vnode, {}};
    std::vector<Place>& places = current_->places;
    while (!places.empty() && !places.back().theirs &&
           request.paths.size() < AskNodes::kMostPaths) {
      request.paths.push_back(std::move(places.back().path));
      places.pop_back();
    }
    ask(request, [this, paths = request.paths](const AskNodesReply& reply) {
      if (reply.nodes.size() != paths.size()) return false;
      for (std::size_t i = 0; i < paths.size(); ++i) {
        if (!makes_sense(reply.nodes[i], paths[i])) return false;
      }
      for (const TreeNode& node : reply.nodes) compare(node);
      return ++current_->fruitless <= kMostFruitless;
    });
    return true;
  }

  bool makes_sense(const TreeNode& node, const TreePath& path) const {
    if (node.path != path) return false;
    if (!node.leaf) {
      return path.size() < kMostDepth && node.children.size() == kFanout && node.copies.empty();
    }
    if (!node.children.empty()) return false;
    if (path.size() < kMostDepth && node.copies.size() > kLeafKeys) return false;
    return std::all_of(node.copies.begin(), node.copies.end(), [&](const Copy& copy) {
      return !copy.key.empty() && !copy.state && view_.vnode_of(copy.key) == current_->vnode &&
             path_of(copy.key, config_.q).starts_with(path);
    });
  }

  void compare(const TreeNode& theirs) {
    std::vector<Place>& places = current_->places;
    if (theirs.leaf) {
      places.push_back({theirs.path, theirs.copies});
      return;
    }
    const std::vector<TreeHash> mine = trees_.children(current_->vnode, theirs.path);
    for (std::size_t i = 0; i < kFanout; ++i) {
      if (mine[i] == theirs.children[i]) continue;
      Place place{theirs.path + kDigits[i], std::nullopt};
      if (theirs.children[i] == TreeHash{}) place.theirs.emplace();  // nothing lies there
      places.push_back(std::move(place));
    }
  }

  /// Goes down this node's own tree where the peer's keys are known.
  void look_at_known_places() {
    Exchange& now = *current_;
    while (!now.places.empty() && now.places.back().theirs &&
           now.wanted.size() + now.owed.size() < kMostFound) {
      const Place place = std::move(now.places.back());
      now.places.pop_back();
      const TreeNode mine = trees_.node(now.vnode, place.path);
      if (mine.leaf) {
        compare(mine.copies, *place.theirs);
        continue;
      }
      for (const char digit : kDigits) {
        Place child{place.path + digit, std::vector<Copy>{}};
        for (const Copy& copy : *place.theirs) {
          if (path_of(copy.key, config_.q).starts_with(child.path)) child.theirs->push_back(copy);
        }
        now.places.push_back(std::move(child));
      }
    }
  }

  void compare(const std::vector<Copy>& mine, const std::vector<Copy>& theirs) {
    std::map<std::string, StateHash> held;
    for (const Copy& copy : mine) held[copy.key] = copy.hash;
    for (const Copy& copy : theirs) {
      const auto found = held.find(copy.key);
      const bool equal = found != held.end() && found->second == copy.hash;
      if (found != held.end()) held.erase(found);
      if (!equal) found_difference(current_->wanted, {copy.key, copy.hash});
    }
    for (const auto& [key, hash] : held) found_difference(current_->owed, {key, std::nullopt});
  }

  void found_difference(std::deque<Difference>& differences, Difference difference) {
    differences.push_back(std::move(difference));
    current_->fruitless = 0;
  }

  // Move. Time has passed since a difference was found, so each is looked at again.

  bool settled(const Difference& difference) const {
    return store_.hash(difference.key) == difference.theirs;
  }

  bool ask_for_copies() {
    std::deque<Difference>& wanted = current_->wanted;
    std::vector<Difference> asked;
    AskCopies request;
    for (std::size_t filled = 0; !wanted.empty() && filled < config_.batch_bytes;) {
      if (!settled(wanted.front())) {
        filled += wanted.front().key.size();
        request.keys.push_back(wanted.front().key);
        asked.push_back(std::move(wanted.front()));
      }
      wanted.pop_front();
    }
    if (asked.empty()) return false;
    ask(request, [this, asked](const AskCopiesReply& reply) {
      if (reply.answered == 0 || reply.answered > asked.size()) return false;
      const auto answered = asked.begin() + reply.answered;
      current_->wanted.insert(current_->wanted.begin(), answered, asked.end());
      return merge({asked.begin(), answered}, reply.copies);
    });
    return true;
  }

  /// Whether `copies` are states of keys that were asked for, in the order of the question.
  static bool makes_sense(const std::vector<Difference>& asked, const std::vector<Copy>& copies) {
    auto next = asked.begin();
    for (const Copy& copy : copies) {
      while (next != asked.end() && next->key != copy.key) ++next;
      if (next == asked.end()) return false;
      ++next;
      if (!copy.state || hash_of(copy.key, *copy.state) != copy.hash) return false;
    }
    return true;
  }

  /// False if `copies` are no answer to what was asked, or the disk is full: then nothing more can
  /// be taken in.
  bool merge(const std::vector<Difference>& asked, const std::vector<Copy>& copies) {
    if (!makes_sense(asked, copies)) return false;
    auto copy = copies.begin();
    for (const Difference& difference : asked) {
      std::optional<StateHash> theirs;  // nothing: the peer has dropped it meanwhile
      if (copy != copies.end() && copy->key == difference.key) {
        if (!store_.merge(copy->key, *copy->state).ok()) return false;
        theirs = copy->hash;
        ++copy;
      }
      current_->owed.push_back({difference.key, theirs});  // unless the merge is what it has
    }
    return true;
  }

  bool send_states() {
    std::deque<Difference>& owed = current_->owed;
    Update request;
    for (std::size_t filled = 0; !owed.empty() && filled < config_.batch_bytes; owed.pop_front()) {
      const std::optional<State> state = store_.get(owed.front().key);
      if (!state || settled(owed.front())) continue;
      const std::string& key = owed.front().key;
      filled += key.size() + sizeof(StateHash) + state->bytes.size();
      request.copies.push_back({key, hash_of(key, *state), state});
    }
    if (request.copies.empty()) return false;
    // What it does not confirm, the next exchange finds again.
    ask(request, [](const UpdateReply&) { return true; });
    return true;
  }

  Env& env_;
  const SyncConfig config_;
  ClusterView& view_;
  LocalStore& store_;
  const Trees& trees_;
  Introductions introductions_;
  Budget budget_;
  std::optional<std::map<NodeId, std::vector<VnodeId>>> common_;  ///< Under today's history.
  NodeId last_peer_;
  ExchangePtr current_;  ///< Null between exchanges; answers to an earlier one count no more.
};

class MerkleSync final : public Sync {
 public:
  MerkleSync(Env& env, const SyncConfig& config, ClusterView& view, LocalStore& store)
      : env_(env),
        config_(config),
        view_(view),
        store_(store),
        trees_(env, store, config.q),
        exchanges_(env, config, view, store, trees_) {}

  void start() override {
    trees_.start();
    exchanges_.start();
  }

  TreeHash root(VnodeId vnode) const override { return trees_.root(vnode); }
  TreeNode node(VnodeId vnode, const TreePath& path) const override {
    return trees_.node(vnode, path);
  }

  void changed(std::string_view key, const std::optional<StateHash>& /*before*/,
               const std::optional<StateHash>& /*after*/) override {
    trees_.changed(view_.vnode_of(key), key);
  }

  void handle(const CompareRoots& request, Responder<CompareRootsReply> responder) override {
    const bool equal = view_.learn(request.known);
    CompareRootsReply reply{view_.known(!equal), {}};
    for (const VnodeRoot& theirs : request.roots) {
      if (equal && owns(theirs.vnode) && root(theirs.vnode) != theirs.root) {
        reply.differing.push_back(theirs.vnode);
      }
    }
    responder.reply(reply);
  }

  void handle(const AskNodes& request, Responder<AskNodesReply> responder) override {
    const bool equal = view_.learn(request.known);
    AskNodesReply reply{view_.known(!equal), {}};
    const bool sane = request.paths.size() <= AskNodes::kMostPaths &&
                      std::all_of(request.paths.begin(), request.paths.end(), is_path);
    if (equal && sane && owns(request.vnode)) {
      for (const TreePath& path : request.paths) reply.nodes.push_back(node(request.vnode, path));
    }
    responder.reply(reply);
  }

  void handle(const AskCopies& request, Responder<AskCopiesReply> responder) override {
    const bool equal = view_.learn(request.known);
    AskCopiesReply reply{view_.known(!equal), 0, {}};
    std::size_t filled = 0;
    for (const std::string& key : request.keys) {
      if (!equal) break;
      const bool mine = owns(view_.vnode_of(key));
      const std::optional<State> state = mine ? store_.get(key) : std::nullopt;
      const std::size_t bytes = state ? state->bytes.size() : 0;
      if (reply.answered > 0 && filled + bytes > config_.batch_bytes) break;
      filled += bytes;
      ++reply.answered;
      if (state) reply.copies.push_back({key, hash_of(key, *state), state});
    }
    responder.reply(reply);
  }

  void history_grew(const History& /*before*/) override { exchanges_.history_grew(); }

 private:
  bool owns(VnodeId vnode) const {
    return vnode < config_.q && contains(view_.preference_list(vnode), env_.self());
  }

  Env& env_;
  const SyncConfig config_;
  ClusterView& view_;
  LocalStore& store_;
  Trees trees_;
  Exchanges exchanges_;
};
// END SOLUTION
// BEGIN SKELETON
// class MerkleSync final : public Sync {
//  public:
//   MerkleSync(Env& env, const SyncConfig& config, ClusterView& view, LocalStore& store)
//       : env_(env), config_(config), view_(view), store_(store) {}
//
//   // These three do nothing until you write them, since the framework calls them from part A on.
//
//   void start() override {}  // TODO(lab6 A, C): read the trees, or make them; B: begin to compare
//   void changed(std::string_view /*key*/, const std::optional<StateHash>& /*before*/,
//                const std::optional<StateHash>& /*after*/) override {}  // TODO(lab6 A)
//   void history_grew(const History& /*before*/) override {}  // TODO(lab6 B): other owners?
//
//   TreeHash root(VnodeId /*vnode*/) const override {
//     throw std::logic_error("TODO(lab6 A): root: the hash at the place \"\"");
//   }
//
//   TreeNode node(VnodeId /*vnode*/, const TreePath& /*path*/) const override {
//     throw std::logic_error("TODO(lab6 A): node: a leaf with its keys, or 16 children's hashes");
//   }
//
//   // What other nodes ask.
//
//   void handle(const CompareRoots& /*ask*/, Responder<CompareRootsReply> /*responder*/) override {
//     throw std::logic_error("TODO(lab6 B): CompareRoots: which of these are others here?");
//   }
//
//   void handle(const AskNodes& /*ask*/, Responder<AskNodesReply> /*responder*/) override {
//     throw std::logic_error("TODO(lab6 B): AskNodes: what stands at these places?");
//   }
//
//   void handle(const AskCopies& /*ask*/, Responder<AskCopiesReply> /*responder*/) override {
//     throw std::logic_error("TODO(lab6 B): AskCopies: the states, as many as a batch holds");
//   }
//
//  private:
//   Env& env_;
//   const SyncConfig config_;
//   ClusterView& view_;
//   LocalStore& store_;
// };
// END SKELETON

}  // namespace

std::unique_ptr<Sync> make_sync(Env& env, const SyncConfig& config, ClusterView& view,
                                LocalStore& store) {
  return std::make_unique<MerkleSync>(env, config, view, store);
}

}  // namespace dynamo
