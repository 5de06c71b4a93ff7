// Lab 6, another right solution: a tree of pointers in memory for each vnode, read when it is first
// needed, and on the disk a log of grafts: "at this place now stand these leaves". A change appends
// one short record; when the log has become twice as long as the tree, it is written anew. No inner
// node and no hash of one is ever stored: both follow from the leaves. An exchange asks about
// several vnodes at once, and for each answer that is still under way it sets aside the bytes that
// it may have, so that all of them together keep to the rate. That is right since a log that is
// replayed gives the leaves as they were, and the record belongs to the transaction of the change.
#include "sync.h"

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace dynamo {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::string_view kLogSpace = "grafts";  ///< By vnode and number: Graft.
constexpr std::string_view kMarkSpace = "grafted";
constexpr std::string_view kMark = "all";    ///< There while the log has all vnodes.
constexpr std::size_t kMostKeyBytes = 256;   ///< Of a key of the store.
constexpr std::size_t kGraftLeaves = 64;     ///< A record of a log that is written anew.
constexpr std::size_t kSlack = 32;           ///< So many leaves a log may always have too many.
constexpr std::size_t kSpareBytes = 16'384;  ///< First trees leave so much of a disk to others.
constexpr std::size_t kMostWanted = 256;     ///< Keys of an AskCopies.
constexpr std::size_t kFewWanted = 16;
/// What one place of an answer has at most: a leaf of the longest keys.
constexpr std::size_t kPlaceBytes = kLeafKeys * (kMostKeyBytes + 24);

std::size_t digit(char c) { return kDigits.find(c); }

bool well_formed(const TreePath& path) {
  return path.size() <= kMostDepth && path.find_first_not_of(kDigits) == std::string::npos;
}

/// `value` in hexadecimal digits, so that records lie in the order of their numbers.
std::string padded(std::uint64_t value, std::size_t width) {
  std::string text(width, '0');
  for (std::size_t i = width; i-- > 0; value /= 16) text[i] = kDigits[value % 16];
  return text;
}

std::uint64_t number_in(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char c : digits) value = value * 16 + digit(c);
  return value;
}

struct Entry {
  std::string key;
  StateHash hash;
  TreePath path;  ///< Of the key: all its digits.
};

/// A place of a tree. Without children it is a leaf, perhaps an empty one.
struct Twig {
  using Children = std::array<Twig, kFanout>;
  std::uint64_t keys = 0;
  TreeHash hash;
  std::unique_ptr<Children> children;

  Twig& child(char c) {
    if (!children) children = std::make_unique<Children>();
    return (*children)[digit(c)];
  }
  /// Sums up the children.
  void settle() {
    keys = 0;
    std::vector<TreeHash> row;
    row.reserve(kFanout);
    for (const Twig& child : *children) {
      keys += child.keys;
      row.push_back(child.hash);
    }
    hash = hash_of_children(row);
  }
  void settle_all() {
    if (!children) return;
    for (Twig& child : *children) child.settle_all();
    settle();
  }
};

struct Leaf {
  TreePath path;
  std::uint64_t keys = 0;
  TreeHash hash;
};

void collect(const Twig& twig, const TreePath& path, std::vector<Leaf>& leaves) {
  if (!twig.children) {
    if (twig.keys > 0) leaves.push_back({path, twig.keys, twig.hash});
    return;
  }
  for (std::size_t i = 0; i < kFanout; ++i) {
    collect((*twig.children)[i], path + kDigits[i], leaves);
  }
}

/// Entries in the order of a scan, all of them below the place, which has `depth` digits.
Twig grown(const Entry* begin, const Entry* end, std::size_t depth) {
  Twig twig;
  if (static_cast<std::size_t>(end - begin) <= kLeafKeys || depth == kMostDepth) {
    std::vector<StateHash> hashes;
    hashes.reserve(static_cast<std::size_t>(end - begin));
    for (const Entry* entry = begin; entry != end; ++entry) hashes.push_back(entry->hash);
    twig.keys = hashes.size();
    twig.hash = hash_of_leaf(hashes);
    return twig;
  }
  for (const char c : kDigits) {
    const Entry* last =
        std::find_if(begin, end, [&](const Entry& entry) { return entry.path[depth] != c; });
    twig.child(c) = grown(begin, last, depth + 1);
    begin = last;
  }
  twig.settle();
  return twig;
}

/// A record of the log: whatever stood at `place`, now these leaves stand there and below.
struct Graft {
  TreePath place;
  std::vector<Leaf> leaves;

  std::string bytes() const {
    std::string out;
    append(out, place);
    for (const Leaf& leaf : leaves) {
      append(out, leaf.path);
      for (const std::uint64_t value : {leaf.keys, leaf.hash.high, leaf.hash.low}) {
        for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(value >> shift);
      }
    }
    return out;
  }

  static Graft from(std::string_view in) {
    Graft graft;
    graft.place = path(in);
    while (!in.empty()) {
      Leaf leaf;
      leaf.path = path(in);
      leaf.keys = number(in);
      leaf.hash.high = number(in);
      leaf.hash.low = number(in);
      graft.leaves.push_back(std::move(leaf));
    }
    return graft;
  }

 private:
  static void append(std::string& out, const TreePath& path) {
    out += static_cast<char>(path.size());
    out += path;
  }
  static std::string_view take(std::string_view& in, std::size_t bytes) {
    if (in.size() < bytes) throw std::runtime_error("a record of a tree on this disk is broken");
    const std::string_view taken = in.substr(0, bytes);
    in.remove_prefix(bytes);
    return taken;
  }
  static TreePath path(std::string_view& in) {
    const auto size = static_cast<unsigned char>(take(in, 1).front());
    return TreePath(take(in, size));
  }
  static std::uint64_t number(std::string_view& in) {
    std::uint64_t value = 0;
    const std::string_view raw = take(in, 8);
    for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<unsigned char>(raw[i]);
    return value;
  }
};

/// The tree of one vnode, and where its log stands.
struct Tree {
  Twig root;
  std::uint64_t next = 0;   ///< Number of the next record.
  std::size_t written = 0;  ///< Leaves in all records of the log; an empty record counts as one.
};

/// All trees of this node.
class Trees {
 public:
  Trees(Env& env, LocalStore& store, std::uint32_t q) : env_(env), store_(store), q_(q) {}

  /// Reads nothing if the log is there; each vnode's part of it is read when it is needed.
  void start() {
    if (env_.storage().get(kMarkSpace, kMark)) return;
    forget_log();
    for (const VnodeId vnode : store_.vnodes()) plant(vnode);
    std::size_t bytes = 0;
    for (const auto& [vnode, tree] : trees_) bytes += bytes_of(tree.root);
    logged_ = env_.storage().room(bytes + kSpareBytes);
    if (!logged_) return env_.note("no room for the trees: they stay in memory");
    for (auto& [vnode, tree] : trees_) write_anew(vnode, tree);
    env_.storage().put(kMarkSpace, kMark, "");
  }

  void changed(std::string_view key, VnodeId vnode) {
    Tree& tree = at(vnode);
    const TreePath path = path_of(key, q_);
    std::vector<Twig*> way{&tree.root};
    while (way.back()->children) way.push_back(&way.back()->child(path[way.size() - 1]));
    std::size_t depth = way.size() - 1;
    regrow(*way.back(), vnode, path.substr(0, depth));
    for (std::size_t above = depth; above-- > 0;) {
      way[above]->settle();
      if (way[above]->keys <= kLeafKeys) depth = above;
    }
    if (depth + 1 < way.size()) {
      regrow(*way[depth], vnode, path.substr(0, depth));
      for (std::size_t above = depth; above-- > 0;) way[above]->settle();
    }
    Graft graft{path.substr(0, depth), {}};
    collect(*way[depth], graft.place, graft.leaves);
    log(vnode, tree, graft);
  }

  TreeHash hash(VnodeId vnode, const TreePath& path) {
    const Twig* twig = find(vnode, path);
    if (twig != nullptr) return twig->hash;
    const std::vector<Entry> entries = scanned(vnode, path);
    return grown(entries.data(), entries.data() + entries.size(), path.size()).hash;
  }

  TreeNode node(VnodeId vnode, const TreePath& path) {
    TreeNode node{path, true, {}, {}};
    const Twig* twig = find(vnode, path);
    if (twig != nullptr && twig->children) {
      node.leaf = false;
      node.children.reserve(kFanout);
      for (const Twig& child : *twig->children) node.children.push_back(child.hash);
      return node;
    }
    if (twig != nullptr && twig->keys == 0) return node;
    for (Entry& entry : scanned(vnode, path)) {
      node.copies.push_back({std::move(entry.key), entry.hash, std::nullopt});
    }
    return node;
  }

  std::vector<Entry> scanned(VnodeId vnode, const TreePath& path) const {
    std::vector<Entry> entries;
    const HashRange range = range_of(vnode, path, q_);
    if (range.first > range.last) return entries;
    store_.scan(range.first, range.last, [&](std::string_view key, const StateHash& hash) {
      entries.push_back({std::string(key), hash, path_of(key, q_)});
      return true;
    });
    return entries;
  }

 private:
  /// What stands at a place; nothing if it lies below a leaf.
  const Twig* find(VnodeId vnode, const TreePath& path) {
    const Twig* twig = &at(vnode).root;
    for (const char c : path) {
      if (!twig->children) return nullptr;
      twig = &(*twig->children)[digit(c)];
    }
    return twig;
  }

  void regrow(Twig& twig, VnodeId vnode, const TreePath& path) const {
    const std::vector<Entry> entries = scanned(vnode, path);
    twig = grown(entries.data(), entries.data() + entries.size(), path.size());
  }

  /// From the keys, where there is no log.
  void plant(VnodeId vnode) { regrow(trees_[vnode].root, vnode, ""); }

  Tree& at(VnodeId vnode) {
    const auto [place, fresh] = trees_.try_emplace(vnode);
    Tree& tree = place->second;
    if (!fresh || !logged_) return tree;
    each_record(vnode, [&](std::string_view key, std::string_view value) {
      const Graft graft = Graft::from(value);
      Twig* twig = &tree.root;
      for (const char c : graft.place) twig = &twig->child(c);
      *twig = Twig{};
      for (const Leaf& leaf : graft.leaves) {
        Twig* below = &tree.root;
        for (const char c : leaf.path) below = &below->child(c);
        below->keys = leaf.keys;
        below->hash = leaf.hash;
      }
      tree.next = number_in(key.substr(8)) + 1;
      tree.written += std::max<std::size_t>(1, graft.leaves.size());
    });
    tree.root.settle_all();
    return tree;
  }

  void each_record(VnodeId vnode,
                   const std::function<void(std::string_view, std::string_view)>& visit) const {
    const std::string prefix = padded(vnode, 8);
    env_.storage().scan(kLogSpace, prefix, [&](std::string_view key, std::string_view value) {
      if (!key.starts_with(prefix)) return false;
      visit(key, value);
      return true;
    });
  }

  void log(VnodeId vnode, Tree& tree, const Graft& graft) {
    if (!logged_) return;
    std::vector<Leaf> leaves;
    const std::size_t rows = tree.written + std::max<std::size_t>(1, graft.leaves.size());
    if (rows > kSlack) collect(tree.root, "", leaves);
    const std::string bytes = graft.bytes();
    if (rows <= kSlack + 2 * leaves.size() && fits(bytes)) {
      tree.written = rows;
      return env_.storage().put(kLogSpace, padded(vnode, 8) + padded(tree.next++, 16), bytes);
    }
    erase_log(vnode);
    if (env_.storage().room(bytes_of(tree.root))) return write_anew(vnode, tree);
    env_.note("no room for the trees any more: the next start reads the keys");
    // What was not read yet can only be had from the log that goes away now.
    for (const VnodeId other : store_.vnodes()) at(other);
    forget_log();
    logged_ = false;
  }

  bool fits(const std::string& bytes) const {
    return env_.storage().room(bytes.size() + 24 + kLogSpace.size());
  }

  static std::size_t bytes_of(const Twig& twig) {
    std::vector<Leaf> leaves;
    collect(twig, "", leaves);
    return leaves.size() * 96;
  }

  void write_anew(VnodeId vnode, Tree& tree) {
    erase_log(vnode);
    tree.written = 0;
    write_below(vnode, tree, tree.root, "");
  }
  void write_below(VnodeId vnode, Tree& tree, const Twig& twig, const TreePath& path) {
    Graft graft{path, {}};
    collect(twig, path, graft.leaves);
    if (graft.leaves.empty()) return;
    if (twig.children && graft.leaves.size() > kGraftLeaves) {
      for (std::size_t i = 0; i < kFanout; ++i) {
        write_below(vnode, tree, (*twig.children)[i], path + kDigits[i]);
      }
      return;
    }
    tree.written += graft.leaves.size();
    env_.storage().put(kLogSpace, padded(vnode, 8) + padded(tree.next++, 16), graft.bytes());
  }

  void erase_log(VnodeId vnode) {
    std::vector<std::string> keys;
    each_record(vnode, [&](std::string_view key, std::string_view) { keys.emplace_back(key); });
    for (const std::string& key : keys) env_.storage().erase(kLogSpace, key);
  }
  void forget_log() {
    for (VnodeId vnode = 0; vnode < q_; ++vnode) erase_log(vnode);
    env_.storage().erase(kMarkSpace, kMark);
  }

  Env& env_;
  LocalStore& store_;
  const std::uint32_t q_;
  bool logged_ = true;             ///< False: the disk has no room, all trees are in memory.
  std::map<VnodeId, Tree> trees_;  ///< Those that were needed so far.
};

/// What exchanges may send: bytes are owed, and time pays for them.
class Allowance {
 public:
  Allowance(Env& env, std::uint64_t bytes_per_second, std::size_t burst)
      : env_(env), rate_(std::max<std::uint64_t>(1, bytes_per_second)), burst_(burst) {}

  void charge(std::size_t bytes) {
    pay();
    owed_ += bytes * kMicro;
  }
  /// How long to wait until what is owed, and `more` bytes, are one burst.
  Duration wait(std::size_t more) {
    pay();
    const std::uint64_t total = owed_ + more * kMicro;
    const std::uint64_t free = burst_ * kMicro;
    if (total <= free) return Duration(0);
    return Duration((total - free) / rate_ + 1);
  }

 private:
  static constexpr std::uint64_t kMicro = 1'000'000;

  void pay() {
    const auto passed = static_cast<std::uint64_t>((env_.now() - since_).count());
    since_ = env_.now();
    owed_ = passed > owed_ / rate_ ? 0 : owed_ - passed * rate_;
  }

  Env& env_;
  const std::uint64_t rate_;
  const std::size_t burst_;
  Instant since_{};
  std::uint64_t owed_ = 0;  ///< Bytes, times kMicro.
};

class GraftSync final : public Sync {
 public:
  GraftSync(Env& env, const SyncConfig& config, ClusterView& view, LocalStore& store)
      : env_(env),
        config_(config),
        view_(view),
        store_(store),
        trees_(env, store, config.q),
        allowance_(env, config.bytes_per_second, config.batch_bytes) {}

  void start() override {
    trees_.start();
    every(env_, config_.sync_period, [this] { begin(); });
  }

  void changed(std::string_view key, const std::optional<StateHash>& /*before*/,
               const std::optional<StateHash>& /*after*/) override {
    trees_.changed(key, view_.vnode_of(key));
  }

  void history_grew(const History& /*before*/) override {
    shared_.reset();
    current_.reset();
  }

  TreeHash root(VnodeId vnode) const override { return trees_.hash(vnode, ""); }
  TreeNode node(VnodeId vnode, const TreePath& path) const override {
    return trees_.node(vnode, path);
  }

  void handle(const CompareRoots& ask, Responder<CompareRootsReply> responder) override {
    CompareRootsReply reply{answer_to(ask.known), {}};
    for (const VnodeRoot& theirs : ask.roots) {
      if (owns(theirs.vnode) && root(theirs.vnode) != theirs.root) {
        reply.differing.push_back(theirs.vnode);
      }
    }
    responder.reply(reply);
  }

  void handle(const AskNodes& ask, Responder<AskNodesReply> responder) override {
    AskNodesReply reply{answer_to(ask.known), {}};
    if (owns(ask.vnode) && ask.paths.size() <= AskNodes::kMostPaths &&
        std::all_of(ask.paths.begin(), ask.paths.end(), well_formed)) {
      reply.nodes.reserve(ask.paths.size());
      for (const TreePath& path : ask.paths) reply.nodes.push_back(node(ask.vnode, path));
    }
    responder.reply(reply);
  }

  void handle(const AskCopies& ask, Responder<AskCopiesReply> responder) override {
    AskCopiesReply reply{answer_to(ask.known), 0, {}};
    std::size_t bytes = 0;
    for (const std::string& key : ask.keys) {
      if (bytes >= config_.batch_bytes) break;
      ++reply.answered;
      if (key.empty() || key.size() > kMostKeyBytes || !owns(view_.vnode_of(key))) continue;
      const std::optional<State> state = store_.get(key);
      if (!state) continue;
      bytes += state->bytes.size();
      reply.copies.push_back({key, hash_of(key, *state), state});
    }
    responder.reply(reply);
  }

 private:
  /// Places of one vnode that one AskNodes asks about.
  struct Question {
    VnodeId vnode = 0;
    std::vector<TreePath> paths;
    std::size_t answer_bytes() const { return paths.size() * (kPlaceBytes + kMostDepth); }
  };

  /// With one peer: goes down from the roots, and then moves the keys that were found to differ.
  struct Exchange {
    NodeId peer;
    std::vector<VnodeId> shared;
    std::size_t compared = 0;  ///< Of `shared`: their roots were asked about.
    std::deque<Question> questions;
    std::size_t under_way = 0;  ///< Calls without an answer yet,
    std::size_t reserved = 0;   ///< and the bytes that their answers may have.
    bool waiting = false;       ///< For the rate.
    std::map<std::string, std::optional<StateHash>> theirs;  ///< What the peer holds, by key.
    std::deque<std::string> wanted;                          ///< Keys to ask for,
    std::size_t ask_for = kMostWanted / 2;                   ///< so many at a time,
    std::deque<std::string> offered;                         ///< and keys to send.
  };
  using Current = std::shared_ptr<Exchange>;

  bool owns(VnodeId vnode) const {
    if (vnode >= config_.q) return false;
    const std::vector<NodeId> owners = view_.preference_list(vnode);
    return std::find(owners.begin(), owners.end(), env_.self()) != owners.end();
  }

  Known answer_to(const Known& theirs) {
    const bool equal = view_.learn(theirs);
    return view_.known(!equal);
  }

  /// The vnodes that this node shares, by who else owns them.
  const std::map<NodeId, std::vector<VnodeId>>& shared() {
    if (shared_) return *shared_;
    shared_.emplace();
    for (VnodeId vnode = 0; vnode < config_.q; ++vnode) {
      if (!owns(vnode)) continue;
      for (const NodeId& owner : view_.preference_list(vnode)) {
        if (owner != env_.self()) (*shared_)[owner].push_back(vnode);
      }
    }
    return *shared_;
  }

  void begin() {
    if (current_ || shared().empty()) return;
    auto next = shared().upper_bound(last_peer_);
    if (next == shared().end()) next = shared().begin();
    last_peer_ = next->first;
    current_ = std::make_shared<Exchange>();
    current_->peer = next->first;
    current_->shared = next->second;
    go_on(current_);
  }

  /// Sends whatever may be sent now. Only places are asked about while others are under way.
  void go_on(const Current& exchange) {
    while (exchange == current_ && !exchange->waiting) {
      if (!exchange->questions.empty()) {
        const Question& next = exchange->questions.front();
        const bool beside = exchange->under_way > 0;
        const std::size_t more = beside ? exchange->reserved + next.answer_bytes() : 0;
        if (beside && allowance_.wait(more) > Duration(0)) return;  // an answer will come
        if (!beside && waits(exchange)) return;
        ask_places(exchange);
        continue;
      }
      if (exchange->under_way > 0 || waits(exchange)) return;
      if (!exchange->wanted.empty()) return ask_copies(exchange);
      if (!exchange->offered.empty() && offer(exchange)) return;
      if (exchange->compared == exchange->shared.size()) return current_.reset();
      return compare_roots(exchange);
    }
  }

  bool waits(const Current& exchange) {
    const Duration wait = allowance_.wait(0);
    if (wait == Duration(0)) return false;
    exchange->waiting = true;
    env_.after(wait, [this, exchange] {
      exchange->waiting = false;
      go_on(exchange);
    });
    return true;
  }

  /// Calls the peer; `use` sees only what counts, and returns false for nonsense.
  template <class Request, class Use>
  void ask(const Current& exchange, Request request, std::size_t reserve, Use use) {
    using Reply = typename Request::Reply;
    request.known = view_.known(behind_.contains(exchange->peer));
    allowance_.charge(to_bytes(request).size());
    ++exchange->under_way;
    exchange->reserved += reserve;
    env_.call<Request>(exchange->peer, request, config_.call_timeout,
                       [this, exchange, reserve, use](Result<Reply> reply) {
                         --exchange->under_way;
                         exchange->reserved -= reserve;
                         const bool good = heard(exchange->peer, reply);
                         if (exchange != current_) return;
                         if (!good || !use(*reply)) return current_.reset();
                         go_on(exchange);
                       });
  }

  /// Whether there is an answer, and one under this node's own history.
  template <class Reply>
  bool heard(const NodeId& peer, const Result<Reply>& reply) {
    if (!reply.ok()) return false;
    allowance_.charge(to_bytes(*reply).size());
    if (view_.learn(reply->known)) {
      behind_.erase(peer);
      return true;
    }
    behind_.insert(peer);
    return false;
  }

  void compare_roots(const Current& exchange) {
    CompareRoots request;
    const std::size_t end =
        std::min(exchange->shared.size(), exchange->compared + CompareRoots::kMostRoots);
    for (; exchange->compared < end; ++exchange->compared) {
      const VnodeId vnode = exchange->shared[exchange->compared];
      request.roots.push_back({vnode, root(vnode)});
    }
    std::set<VnodeId> asked;
    for (const VnodeRoot& root : request.roots) asked.insert(root.vnode);
    ask(exchange, std::move(request), 0, [exchange, asked](const CompareRootsReply& reply) {
      std::set<VnodeId> left = asked;
      for (const VnodeId vnode : reply.differing) {
        if (left.erase(vnode) == 0) return false;
        to_ask(*exchange, vnode, "");
      }
      return true;
    });
  }

  void ask_places(const Current& exchange) {
    const Question question = std::move(exchange->questions.front());
    exchange->questions.pop_front();
    ask(exchange, AskNodes{{}, question.vnode, question.paths}, question.answer_bytes(),
        [this, exchange, question](const AskNodesReply& reply) {
          if (reply.nodes.size() != question.paths.size()) return false;
          for (std::size_t i = 0; i < reply.nodes.size(); ++i) {
            if (!sensible(question.vnode, question.paths[i], reply.nodes[i])) return false;
          }
          go_down(*exchange, question.vnode, reply.nodes);
          return true;
        });
  }

  bool sensible(VnodeId vnode, const TreePath& path, const TreeNode& node) const {
    if (node.path != path) return false;
    if (!node.leaf) return node.children.size() == kFanout && path.size() < kMostDepth;
    if (node.copies.size() > kLeafKeys && path.size() < kMostDepth) return false;
    return std::all_of(node.copies.begin(), node.copies.end(), [&](const Copy& copy) {
      return !copy.key.empty() && copy.key.size() <= kMostKeyBytes &&
             view_.vnode_of(copy.key) == vnode && path_of(copy.key, config_.q).starts_with(path);
    });
  }

  void go_down(Exchange& exchange, VnodeId vnode, const std::vector<TreeNode>& nodes) {
    for (const TreeNode& node : nodes) {
      if (node.leaf) {
        compare_keys(exchange, vnode, node);
        continue;
      }
      for (std::size_t i = 0; i < kFanout; ++i) {
        const TreePath child = node.path + kDigits[i];
        if (trees_.hash(vnode, child) != node.children[i]) to_ask(exchange, vnode, child);
      }
    }
  }

  /// In the last message about this vnode, if that has room and is not on its way yet.
  static void to_ask(Exchange& exchange, VnodeId vnode, const TreePath& path) {
    const auto last =
        std::find_if(exchange.questions.rbegin(), exchange.questions.rend(),
                     [&](const Question& question) { return question.vnode == vnode; });
    const bool room =
        last != exchange.questions.rend() && last->paths.size() < AskNodes::kMostPaths;
    if (room) return last->paths.push_back(path);
    exchange.questions.push_back({vnode, {path}});
  }

  void compare_keys(Exchange& exchange, VnodeId vnode, const TreeNode& node) const {
    std::map<std::string, StateHash> mine;
    for (Entry& entry : trees_.scanned(vnode, node.path)) {
      mine.emplace(std::move(entry.key), entry.hash);
    }
    for (const Copy& copy : node.copies) {
      const auto here = mine.find(copy.key);
      const bool equal = here != mine.end() && here->second == copy.hash;
      if (here != mine.end()) mine.erase(here);
      if (!equal && exchange.theirs.try_emplace(copy.key, copy.hash).second) {
        exchange.wanted.push_back(copy.key);
      }
    }
    for (const auto& [key, hash] : mine) {
      if (exchange.theirs.try_emplace(key).second) exchange.offered.push_back(key);
    }
  }

  void ask_copies(const Current& exchange) {
    AskCopies request;
    const std::size_t count = std::min(exchange->wanted.size(), exchange->ask_for);
    request.keys.assign(exchange->wanted.begin(),
                        exchange->wanted.begin() + static_cast<std::ptrdiff_t>(count));
    const std::vector<std::string> keys = request.keys;
    ask(exchange, std::move(request), 0, [this, exchange, keys](const AskCopiesReply& reply) {
      if (!sensible(keys, reply)) return false;
      for (std::size_t i = 0; i < reply.answered; ++i) {
        exchange->theirs[keys[i]].reset();
        exchange->offered.push_back(keys[i]);
        exchange->wanted.pop_front();
      }
      for (const Copy& copy : reply.copies) {
        exchange->theirs[copy.key] = copy.hash;
        if (!store_.merge(copy.key, *copy.state).ok()) env_.note("no room for " + copy.key);
      }
      exchange->ask_for = std::clamp<std::size_t>(2 * reply.answered, kFewWanted, kMostWanted);
      return true;
    });
  }

  /// The copies are a part of the first `answered` keys, in their order, each with a state.
  static bool sensible(const std::vector<std::string>& keys, const AskCopiesReply& reply) {
    if (reply.answered == 0 || reply.answered > keys.size()) return false;
    std::size_t at = 0;
    for (const Copy& copy : reply.copies) {
      while (at < reply.answered && keys[at] != copy.key) ++at;
      if (at == reply.answered || !copy.state) return false;
      ++at;
    }
    return true;
  }

  /// Sends a batch of what is held here otherwise than by the peer. False if there is nothing left.
  bool offer(const Current& exchange) {
    Update request;
    std::size_t bytes = 0;
    while (!exchange->offered.empty() && bytes < config_.batch_bytes) {
      const std::string key = std::move(exchange->offered.front());
      exchange->offered.pop_front();
      const std::optional<State> state = store_.get(key);
      if (!state || !owns(view_.vnode_of(key))) continue;
      const StateHash hash = hash_of(key, *state);
      if (exchange->theirs[key] == hash) continue;
      bytes += state->bytes.size();
      request.copies.push_back({key, hash, state});
    }
    if (request.copies.empty()) return false;
    ask(exchange, std::move(request), 0, [](const UpdateReply&) { return true; });
    return true;
  }

  Env& env_;
  const SyncConfig config_;
  ClusterView& view_;
  LocalStore& store_;
  mutable Trees trees_;  ///< Reading a tree for the first time changes what is in memory only.
  Allowance allowance_;
  std::optional<std::map<NodeId, std::vector<VnodeId>>> shared_;  ///< Until the history grows.
  std::set<NodeId> behind_;  ///< Whose last reply showed another digest.
  NodeId last_peer_;
  Current current_;  ///< Nothing: the last exchange is over.
};

}  // namespace

std::unique_ptr<Sync> make_sync(Env& env, const SyncConfig& config, ClusterView& view,
                                LocalStore& store) {
  return std::make_unique<GraftSync>(env, config, view, store);
}

}  // namespace dynamo
