#include "storage/memory_store.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace dynamo {
namespace {

std::vector<std::string> keys_from(const Storage& store, const std::string& from) {
  std::vector<std::string> keys;
  store.scan("s", from, [&](std::string_view key, std::string_view) {
    keys.emplace_back(key);
    return true;
  });
  return keys;
}

TEST(MemoryStore, reads_its_own_writes) {
  MemoryStore store(1000);
  EXPECT_EQ(store.get("s", "k"), std::nullopt);
  store.put("s", "k", "1");
  store.put("s", "k", "2");
  EXPECT_EQ(store.get("s", "k"), "2");
  EXPECT_EQ(store.get("t", "k"), std::nullopt) << "spaces are apart";
  store.erase("s", "k");
  store.erase("s", "k");
  EXPECT_EQ(store.get("s", "k"), std::nullopt);
}

TEST(MemoryStore, scans_bytewise_from_a_key_and_stops_when_told) {
  MemoryStore store(1000);
  for (const char* key : {"\xff", "b", "a", "c", "\x80"}) store.put("s", key, "v");
  EXPECT_EQ(keys_from(store, "b"), (std::vector<std::string>{"b", "c", "\x80", "\xff"}));
  int seen = 0;
  store.scan("s", "", [&](std::string_view, std::string_view) { return ++seen < 2; });
  EXPECT_EQ(seen, 2);
  store.scan("never written", "", [](std::string_view, std::string_view) { return true; });
}

TEST(MemoryStore, lengths_are_bounded) {
  MemoryStore store(1000);
  store.put(std::string(60, 's'), std::string(400, 'k'), "");
  EXPECT_THROW(store.put(std::string(61, 's'), "k", ""), std::length_error);
  EXPECT_THROW(store.put("s", std::string(401, 'k'), ""), std::length_error);
  EXPECT_THROW(store.put("s", "", ""), std::length_error);
  EXPECT_THROW(store.put("", "k", ""), std::length_error);
}

TEST(MemoryStore, room_counts_what_was_written_and_erased) {
  MemoryStore store(10);
  EXPECT_TRUE(store.room(10));
  EXPECT_FALSE(store.room(11));
  EXPECT_FALSE(store.room(static_cast<std::size_t>(-1)));
  store.put("s", "key", "1234");
  EXPECT_TRUE(store.room(3));
  EXPECT_FALSE(store.room(4));
  store.put("s", "key", "12345678");
  EXPECT_FALSE(store.room(0)) << "overdrawn";
  EXPECT_TRUE(store.overdrawn());
  store.erase("s", "key");
  EXPECT_FALSE(store.overdrawn());
  EXPECT_TRUE(store.room(10));
  store.set_room(0);
  EXPECT_TRUE(store.room(0));
  EXPECT_FALSE(store.room(1));
}

TEST(MemoryStore, erasing_what_was_loaded_makes_room) {
  MemoryStore store(0);
  store.load("s", "key", "value");
  EXPECT_FALSE(store.room(1));
  store.erase("s", "key");
  EXPECT_TRUE(store.room(8));
  EXPECT_FALSE(store.room(9));
}

TEST(MemoryStore, write_during_a_scan_is_refused) {
  MemoryStore store(1000);
  store.put("s", "k", "v");
  EXPECT_THROW(store.scan("s", "",
                          [&](std::string_view, std::string_view) {
                            store.erase("s", "k");
                            return true;
                          }),
               std::logic_error);
  store.put("s", "l", "after it, all is well");
}

TEST(MemoryStore, watcher_hears_of_each_write_in_order) {
  struct Listener : MemoryStore::Watcher {
    void wrote(std::string_view space, std::string_view key, std::string_view value) override {
      heard.push_back(std::string(space) + " " + std::string(key) + "=" + std::string(value));
    }
    void erased(std::string_view space, std::string_view key) override {
      heard.push_back(std::string(space) + " -" + std::string(key));
    }
    std::vector<std::string> heard;
  } listener;
  MemoryStore store(1000, &listener);
  store.load("s", "silent", "v");
  store.put("s", "a", "1");
  store.erase("s", "absent");
  store.erase("s", "a");
  EXPECT_EQ(listener.heard, (std::vector<std::string>{"s a=1", "s -a"}));
}

}  // namespace
}  // namespace dynamo
