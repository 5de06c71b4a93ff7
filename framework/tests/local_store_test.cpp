// VersionedStore: who hears of changes, what scans visit, and what it keeps apart.
#include "node/local_store.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/codec.h"
#include "node/last_write_wins.h"
#include "stub_env.h"

namespace dynamo {
namespace {

constexpr std::uint32_t kQ = 16;
constexpr KeyHash kLastHash = ~KeyHash{0};

NewVersion version(const std::optional<std::string>& value, std::uint64_t number) {
  return {value, "", {number, "n9", 1, number}};
}

/// Keeps what it hears, and what the store said of the key at that moment.
class Listener final : public StoreObserver {
 public:
  struct Change {
    std::string key;
    std::optional<StateHash> before;
    std::optional<StateHash> after;
    std::optional<StateHash> held;
  };

  explicit Listener(const LocalStore& store) : store_(store) {}

  void changed(std::string_view key, const std::optional<StateHash>& before,
               const std::optional<StateHash>& after) override {
    heard.push_back({std::string(key), before, after, store_.hash(key)});
  }

  std::vector<Change> heard;

 private:
  const LocalStore& store_;
};

class LocalStoreTest : public ::testing::Test {
 protected:
  LocalStoreTest() { store_.observe(&listener_); }

  /// The state that a write of its own leaves, on a node that holds nothing else.
  static State elsewhere(const std::string& key, const std::string& value, std::uint64_t number) {
    testing::StubEnv env;
    const auto versioning = make_last_write_wins();
    VersionedStore store(env, *versioning, limits(), kStateSpace);
    EXPECT_TRUE(store.write(key, version(value, number)).ok());
    return store.get(key).value();
  }

  static StoreLimits limits() { return {kQ, 64, 1u << 20}; }

  std::vector<std::string> in_order(KeyHash first, KeyHash last) const {
    std::vector<std::string> keys;
    store_.scan(first, last, [&](std::string_view key, const StateHash& hash) {
      EXPECT_EQ(store_.hash(key), hash);
      keys.emplace_back(key);
      return true;
    });
    return keys;
  }

  testing::StubEnv env_;
  const std::unique_ptr<Versioning> versioning_ = make_last_write_wins();
  VersionedStore store_{env_, *versioning_, limits(), kStateSpace};
  VersionedStore hints_{env_, *versioning_, limits(), kHintSpace};
  Listener listener_{store_};
};

TEST_F(LocalStoreTest, each_change_is_told_once_and_nothing_else_is) {
  const StateHash first = store_.write("k", version("1", 1)).value();
  const StateHash second = store_.write("k", version("2", 2)).value();
  const StateHash third = store_.merge("k", elsewhere("k", "3", 3)).value();
  ASSERT_EQ(listener_.heard.size(), 3u);
  const std::vector<std::optional<StateHash>> hashes = {std::nullopt, first, second, third};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(listener_.heard[i].key, "k");
    EXPECT_EQ(listener_.heard[i].before, hashes[i]);
    EXPECT_EQ(listener_.heard[i].after, hashes[i + 1]);
    EXPECT_EQ(listener_.heard[i].held, hashes[i + 1]) << "the store shows the new state already";
  }
  EXPECT_EQ(store_.merge("k", elsewhere("k", "0", 1)).value(), third) << "an older one";
  EXPECT_EQ(store_.merge("k", store_.get("k").value()).value(), third);
  EXPECT_FALSE(store_.drop("k", first)) << "it is held otherwise by now";
  EXPECT_FALSE(store_.drop("other", first));
  EXPECT_EQ(listener_.heard.size(), 3u) << "nothing has changed";
  EXPECT_TRUE(store_.drop("k", third));
  ASSERT_EQ(listener_.heard.size(), 4u);
  EXPECT_EQ(listener_.heard[3].before, third);
  EXPECT_EQ(listener_.heard[3].after, std::nullopt);
  EXPECT_EQ(listener_.heard[3].held, std::nullopt);
}

TEST_F(LocalStoreTest, what_is_refused_is_no_change) {
  EXPECT_EQ(store_.merge("k", State{"nonsense"}).error().code, ErrorCode::invalid_argument);
  const State state = elsewhere("k", "1", 1);
  EXPECT_EQ(store_.merge("", state).error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(store_.merge(std::string(kMaxKeyBytes, 'k'), state).ok());
  EXPECT_EQ(store_.merge(std::string(kMaxKeyBytes + 1, 'k'), state).error().code,
            ErrorCode::invalid_argument);
  EXPECT_EQ(store_.get(std::string(kMaxKeyBytes + 1, 'k')), std::nullopt);
  const std::size_t before = listener_.heard.size();
  env_.storage().set_room(0);
  EXPECT_EQ(store_.write("other", version("1", 1)).error().code, ErrorCode::no_room);
  EXPECT_EQ(store_.merge("other", state).error().code, ErrorCode::no_room);
  EXPECT_EQ(store_.get("other"), std::nullopt);
  EXPECT_EQ(listener_.heard.size(), before);
}

TEST_F(LocalStoreTest, a_range_scan_visits_the_hashes_between_its_ends_in_their_order) {
  std::map<KeyHash, std::string> keys;
  for (int i = 0; i < 100; ++i) {
    const std::string key = std::string("cart").append(std::to_string(i));
    keys[hash_of(key)] = key;
    ASSERT_TRUE(store_.write(key, version("x", 1)).ok());
  }
  std::vector<KeyHash> hashes;
  std::vector<std::string> order;
  for (const auto& [hash, key] : keys) {
    hashes.push_back(hash);
    order.push_back(key);
  }
  EXPECT_EQ(in_order(0, kLastHash), order);
  const auto part = [&](std::size_t from, std::size_t to) {
    return std::vector<std::string>(order.begin() + static_cast<std::ptrdiff_t>(from),
                                    order.begin() + static_cast<std::ptrdiff_t>(to));
  };
  EXPECT_EQ(in_order(hashes[10], hashes[20]), part(10, 21)) << "both ends belong to it";
  EXPECT_EQ(in_order(hashes[10] + 1, hashes[20] - 1), part(11, 20));
  EXPECT_EQ(in_order(hashes[7], hashes[7]), part(7, 8));
  EXPECT_EQ(in_order(hashes[99], kLastHash), part(99, 100));
  EXPECT_EQ(in_order(0, hashes[0]), part(0, 1));
  EXPECT_EQ(in_order(hashes[99] + 1, kLastHash), part(0, 0));
  for (VnodeId vnode = 0; vnode < kQ; ++vnode) {
    std::vector<std::string> by_vnode;
    store_.scan(vnode, "", [&](std::string_view key, const StateHash& /*hash*/) {
      by_vnode.emplace_back(key);
      return true;
    });
    const KeyHash last = vnode + 1 == kQ ? kLastHash : first_hash(vnode + 1, kQ) - 1;
    EXPECT_EQ(in_order(first_hash(vnode, kQ), last), by_vnode) << "vnode " << vnode;
  }
}

TEST_F(LocalStoreTest, visits_are_counted_as_far_as_the_visitor_goes) {
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(store_.write(std::to_string(i), version("x", 1)).ok());
  }
  EXPECT_EQ(store_.visited(), 0u) << "writes are no scans";
  int left = 4;
  store_.scan(0, kLastHash, [&](std::string_view, const StateHash&) { return --left > 0; });
  EXPECT_EQ(store_.visited(), 4u);
  (void)in_order(0, kLastHash);
  EXPECT_EQ(store_.visited(), 14u);
  (void)store_.vnodes();
  EXPECT_EQ(store_.visited(), 14u) << "vnodes() looks for the next vnode, not at each key";
  EXPECT_EQ(hints_.visited(), 0u) << "each store counts for itself";
}

TEST_F(LocalStoreTest, a_scan_throws_over_bytes_that_are_no_record) {
  ASSERT_TRUE(store_.write("k", version("x", 1)).ok());
  std::string place;
  env_.storage().scan(kStateSpace, "", [&](std::string_view key, std::string_view) {
    place = key;
    return false;
  });
  env_.storage().put(kStateSpace, place, "\x01");
  EXPECT_THROW((void)in_order(0, kLastHash), std::runtime_error);
}

TEST_F(LocalStoreTest, joined_is_what_a_merge_would_keep_and_keeps_nothing) {
  const State older = elsewhere("k", "1", 1);
  const State newer = elsewhere("k", "2", 2);
  EXPECT_EQ(store_.joined(older, newer).value(), newer);
  EXPECT_EQ(store_.joined(newer, older).value(), newer);
  EXPECT_EQ(store_.joined(older, older).value(), older);
  EXPECT_EQ(store_.joined(older, State{"x"}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(store_.joined(State{"x"}, older).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(store_.get("k"), std::nullopt);
  EXPECT_TRUE(listener_.heard.empty());
}

TEST_F(LocalStoreTest, hints_lie_apart) {
  ASSERT_TRUE(hints_.write("k", version("hint", 1)).ok());
  EXPECT_EQ(store_.get("k"), std::nullopt);
  EXPECT_TRUE(store_.vnodes().empty());
  EXPECT_TRUE(in_order(0, kLastHash).empty());
  EXPECT_TRUE(listener_.heard.empty()) << "the observer is the store's, not the hints'";
  const StateHash own = store_.write("k", version("own", 1)).value();
  ASSERT_TRUE(store_.drop("k", own));
  EXPECT_NE(hints_.get("k"), std::nullopt);
}

Dot dot_in(const LocalStore& store) {
  return key_state_of(store.get("k").value()).value().versions.front().dot;
}

TEST(LocalStores, two_of_one_node_never_make_the_same_dot) {
  testing::StubEnv env;
  const auto versioning = make_versioning(Reconciliation::siblings);
  const StoreLimits limits{kQ, 64, 1u << 20};
  VersionedStore store(env, *versioning, limits, kStateSpace);
  VersionedStore hints(env, *versioning, limits, kHintSpace);
  std::set<Dot> dots;
  for (std::uint64_t round = 1; round <= 3; ++round) {
    for (VersionedStore* const at : {&hints, &store}) {
      const StateHash hash = at->write("k", version("x", round)).value();
      EXPECT_TRUE(dots.insert(dot_in(*at)).second) << "in round " << round;
      ASSERT_TRUE(at->drop("k", hash));
    }
  }
}

}  // namespace
}  // namespace dynamo
