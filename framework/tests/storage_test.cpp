// What Storage promises (core/storage.h), of both engines alike.
#include "core/storage.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include "folder.h"
#include "storage/lmdb_store.h"
#include "storage/memory_store.h"

namespace dynamo {
namespace {

/// An engine between begin() and commit(), with 2 MiB.
class Engine {
 public:
  explicit Engine(const std::string& kind) {
    constexpr std::uint64_t limit = 2u << 20;
    if (kind == "Memory") {
      memory_ = std::make_unique<MemoryStore>(limit);
    } else {
      folder_ = std::make_unique<testing::Folder>();
      lmdb_ = std::make_unique<LmdbStore>(LmdbOptions{folder_->path(), limit, false}, 7);
      lmdb_->begin();
    }
  }

  Storage& store() { return lmdb_ ? static_cast<Storage&>(*lmdb_) : *memory_; }

  /// The end of one handler, and the beginning of the next.
  void next_handler() {
    if (!lmdb_) return;
    lmdb_->commit();
    lmdb_->begin();
  }

 private:
  std::unique_ptr<testing::Folder> folder_;
  std::unique_ptr<LmdbStore> lmdb_;
  std::unique_ptr<MemoryStore> memory_;
};

class StorageContract : public ::testing::TestWithParam<const char*> {
 protected:
  Engine engine_{GetParam()};
  Storage& store_ = engine_.store();

  std::vector<std::string> keys_from(std::string_view from, std::string_view space = "s") const {
    std::vector<std::string> keys;
    store_.scan(space, from, [&](std::string_view key, std::string_view) {
      keys.emplace_back(key);
      return true;
    });
    return keys;
  }
};

using Keys = std::vector<std::string>;

TEST_P(StorageContract, own_writes_are_seen_and_stay) {
  store_.put("s", "k", "1");
  EXPECT_EQ(store_.get("s", "k"), "1");
  store_.put("s", "k", "");
  EXPECT_EQ(store_.get("s", "k"), "") << "an empty value is a value";
  engine_.next_handler();
  EXPECT_EQ(store_.get("s", "k"), "");
  store_.erase("s", "k");
  EXPECT_EQ(store_.get("s", "k"), std::nullopt);
  engine_.next_handler();
  EXPECT_EQ(store_.get("s", "k"), std::nullopt);
}

TEST_P(StorageContract, erasing_what_is_not_there_is_nothing) {
  store_.erase("s", "k");
  store_.put("s", "a", "1");
  store_.erase("s", "k");
  EXPECT_EQ(keys_from(""), Keys{"a"});
}

TEST_P(StorageContract, scan_is_bytewise_from_a_key_on) {
  for (const char* key : {"b", "\xff", "ab", "a", "\x80", "\x01"}) store_.put("s", key, "v");
  EXPECT_EQ(keys_from(""), (Keys{"\x01", "a", "ab", "b", "\x80", "\xff"}));
  EXPECT_EQ(keys_from("ab"), (Keys{"ab", "b", "\x80", "\xff"}));
  EXPECT_EQ(keys_from("aa"), (Keys{"ab", "b", "\x80", "\xff"}));
  EXPECT_EQ(keys_from("\xff\xff"), Keys{});
}

TEST_P(StorageContract, scan_stops_when_told_and_gives_values) {
  store_.put("s", "a", "1");
  store_.put("s", "b", "2");
  std::string seen;
  store_.scan("s", "", [&](std::string_view key, std::string_view value) {
    seen.append(key).append(value);
    return false;
  });
  EXPECT_EQ(seen, "a1");
}

TEST_P(StorageContract, spaces_are_apart) {
  store_.put("a", "k", "1");
  store_.put("ab", "k", "2");
  store_.put("a", "bk", "3");
  store_.put("b", "k", "4");
  EXPECT_EQ(keys_from("", "a"), (Keys{"bk", "k"}));
  EXPECT_EQ(keys_from("", "ab"), Keys{"k"});
  EXPECT_EQ(keys_from("", "c"), Keys{});
  EXPECT_EQ(store_.get("ab", "k"), "2");
  EXPECT_EQ(store_.get("c", "k"), std::nullopt);
}

TEST_P(StorageContract, keys_may_hold_any_bytes) {
  const std::string key("\0k\0", 3);
  store_.put("s", key, std::string("\0v", 2));
  EXPECT_EQ(store_.get("s", key), std::string("\0v", 2));
  EXPECT_EQ(keys_from(std::string("\0", 1)), Keys{key});
}

TEST_P(StorageContract, limits_of_names_are_kept) {
  const std::string space(60, 's');
  const std::string key(400, 'k');
  store_.put(space, key, "v");
  EXPECT_EQ(store_.get(space, key), "v");
  EXPECT_THROW(store_.put(space + "s", "k", ""), std::length_error);
  EXPECT_THROW(store_.put("s", key + "k", ""), std::length_error);
  EXPECT_THROW(store_.put("s", "", ""), std::length_error);
  EXPECT_THROW(store_.put("", "k", ""), std::length_error);
  EXPECT_THROW(store_.erase("s", key + "k"), std::length_error);
}

TEST_P(StorageContract, reading_under_impossible_names_finds_nothing) {
  store_.put("s", std::string(400, 'k'), "v");
  for (const std::size_t length : {61u, 255u, 256u, 257u, 1000u}) {
    EXPECT_EQ(store_.get(std::string(length, '\x01'), "incarnation"), std::nullopt) << length;
    EXPECT_EQ(keys_from("", std::string(length, '\x01')), Keys{}) << length;
  }
  EXPECT_EQ(store_.get("s", std::string(1000, 'k')), std::nullopt);
  EXPECT_EQ(store_.get("s", ""), std::nullopt);
  EXPECT_EQ(keys_from(std::string(1000, 'k')), Keys{});
  EXPECT_EQ(keys_from(std::string(1000, 'j')).size(), 1u);
}

TEST_P(StorageContract, write_during_a_scan_is_refused) {
  store_.put("s", "k", "v");
  const auto in_scan = [&](const std::function<void()>& write) {
    store_.scan("s", "", [&](std::string_view, std::string_view) {
      write();
      return true;
    });
  };
  EXPECT_THROW(in_scan([&] { store_.put("s", "l", "v"); }), std::logic_error);
  EXPECT_THROW(in_scan([&] { store_.erase("s", "k"); }), std::logic_error);
  store_.put("s", "l", "after it, all is well");
  EXPECT_EQ(keys_from(""), (Keys{"k", "l"}));
}

TEST_P(StorageContract, scans_may_nest_and_read) {
  store_.put("s", "a", "b");
  store_.put("s", "b", "c");
  Keys seen;
  store_.scan("s", "", [&](std::string_view, std::string_view value) {
    for (const std::string& key : keys_from(value)) seen.push_back(key);
    seen.push_back(store_.get("s", value).value_or("-"));
    return true;
  });
  EXPECT_EQ(seen, (Keys{"b", "c", "-"}));
}

TEST_P(StorageContract, room_ends_before_the_disk_does) {
  EXPECT_TRUE(store_.room(1000));
  EXPECT_FALSE(store_.room(4u << 20));
  EXPECT_FALSE(store_.room(static_cast<std::size_t>(-1)));
  int written = 0;
  while (store_.room(1104) && written < 100'000) {
    store_.put("s", std::string(100, 'k') + std::to_string(written++), std::string(1000, 'v'));
    if (written % 10 == 0) engine_.next_handler();
  }
  engine_.next_handler();
  EXPECT_GT(written, 500) << "it refused long before the limit of 2 MiB";
  EXPECT_LT(written, 2000);
  for (int i = 0; i < written; ++i) store_.erase("s", std::string(100, 'k') + std::to_string(i));
  engine_.next_handler();
  EXPECT_TRUE(store_.room(1104)) << "deleting makes room, also on a full disk";
}

INSTANTIATE_TEST_SUITE_P(Engines, StorageContract, ::testing::Values("Memory", "Lmdb"),
                         [](const auto& engine) { return std::string(engine.param); });

}  // namespace
}  // namespace dynamo
