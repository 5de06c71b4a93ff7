// Commits in the background: what gathers while the disk syncs, in which order it becomes durable,
// and what is left when it does not.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <tuple>

#include "folder.h"
#include "held_sync.h"
#include "storage/journal.h"
#include "storage/lmdb_store.h"

namespace dynamo {
namespace {

using Content = std::map<std::string, std::string>;

/// The news of one store, for the thread that waits for them.
class News {
 public:
  std::function<void()> function() {
    return [this] {
      const std::lock_guard lock(mutex_);
      ++count_;
      changed_.notify_all();
    };
  }
  /// True once so many have come.
  bool came(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

class SealedJournal : public ::testing::Test {
 protected:
  Journal open() { return Journal(path_, {sync_.function(), news_.function()}); }

  /// A transaction that sets "n" to `n`; the number of its record.
  static std::uint64_t seal(Journal& journal, int n, std::size_t padding = 0) {
    journal.put("n", std::to_string(n));
    journal.put("k" + std::to_string(n), std::string(padding, 'p'));
    return journal.seal();
  }

  /// What somebody reads who opens `file` now.
  static Content content(const std::filesystem::path& file) {
    Journal journal(file, {});
    Content found;
    EXPECT_EQ(journal.replay(0,
                             [&](auto key, auto value) {
                               if (value) found[std::string(key)] = *value;
                             }),
              "");
    return found;
  }

  const testing::Folder folder_;
  const std::filesystem::path path_ = folder_.path() / "journal";
  const Journal::Apply nothing_ = [](auto, auto) {};
  testing::HeldSync sync_;
  News news_;
};

TEST_F(SealedJournal, what_is_sealed_while_a_sync_runs_is_one_record_after_it) {
  Journal journal = open();
  EXPECT_EQ(journal.replay(0, nothing_), "");
  sync_.hold();
  EXPECT_EQ(seal(journal, 1), 1u);
  ASSERT_TRUE(sync_.begun(1));
  EXPECT_EQ(seal(journal, 2), 2u);
  EXPECT_EQ(seal(journal, 3), 2u);
  EXPECT_EQ(seal(journal, 4), 2u);
  EXPECT_EQ(journal.durable(), 0u);
  EXPECT_EQ(content(path_)["n"], "1") << "no record is written before the one ahead is durable";
  sync_.let_one_go();
  ASSERT_TRUE(news_.came(1));
  EXPECT_EQ(journal.durable(), 1u);
  ASSERT_TRUE(sync_.begun(2));
  EXPECT_EQ(seal(journal, 5), 3u);
  sync_.let_go();
  journal.wait();
  EXPECT_EQ(journal.durable(), 3u);
  EXPECT_EQ(sync_.done(), 3);
  EXPECT_EQ(content(path_),
            (Content{{"n", "5"}, {"k1", ""}, {"k2", ""}, {"k3", ""}, {"k4", ""}, {"k5", ""}}));
}

TEST_F(SealedJournal, unwritten_bytes_are_counted_until_they_are_durable) {
  Journal journal = open();
  EXPECT_EQ(journal.replay(0, nothing_), "");
  const std::uint64_t nothing = journal.unwritten();
  sync_.hold();
  seal(journal, 1, 1'000'000);
  ASSERT_TRUE(sync_.begun(1));
  seal(journal, 2, 2'000'000);
  journal.put("open", std::string(3'000'000, 'p'));
  EXPECT_GT(journal.unwritten(), 6'000'000u);
  EXPECT_LT(journal.unwritten(), 6'001'000u);
  const std::uint64_t came = journal.came();
  sync_.let_go();
  journal.wait();
  EXPECT_LT(journal.unwritten(), 3'001'000u);
  journal.commit();
  EXPECT_EQ(journal.unwritten(), nothing);
  EXPECT_EQ(journal.came(), came);
}

TEST_F(SealedJournal, failed_sync_is_told_to_whoever_asks_and_nothing_is_written_after_it) {
  Journal journal = open();
  EXPECT_EQ(journal.replay(0, nothing_), "");
  sync_.hold();
  sync_.fail_with(EIO);
  seal(journal, 1);
  ASSERT_TRUE(sync_.begun(1));
  seal(journal, 2);
  EXPECT_EQ(journal.durable(), 0u);
  sync_.let_go();
  ASSERT_TRUE(news_.came(1));
  EXPECT_THROW(journal.durable(), std::system_error);
  EXPECT_THROW(journal.wait(), std::system_error);
  EXPECT_THROW(seal(journal, 3), std::system_error);
  EXPECT_EQ(sync_.begun(), 1);
  EXPECT_EQ(content(path_)["n"], "1") << "whether it is there is the disk's secret, but no more is";
}

TEST_F(SealedJournal, end_waits_for_the_record_under_way) {
  sync_.hold();
  std::future<void> let;
  {
    Journal journal = open();
    EXPECT_EQ(journal.replay(0, nothing_), "");
    seal(journal, 1);
    ASSERT_TRUE(sync_.begun(1));
    seal(journal, 2);
    let = std::async(std::launch::async, [this] { sync_.let_go(); });
  }
  EXPECT_EQ(sync_.done(), sync_.begun()) << "its thread is gone, and so is its file";
  EXPECT_GE(content(path_).size(), 2u);
}

/// Until `done`, or until it is clear that this does not come.
void wait_in_vain(const std::atomic<bool>& done) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  while (!done && std::chrono::steady_clock::now() < until) std::this_thread::yield();
}

TEST_F(SealedJournal, no_more_gathers_than_is_allowed) {
  std::atomic<bool> all = false;
  Journal journal(path_, {[&](int) {
                            wait_in_vain(all);
                            return 0;
                          },
                          {}});
  EXPECT_EQ(journal.replay(0, nothing_), "");
  for (int i = 1; i <= 20; ++i) seal(journal, i, 1u << 20);
  all = true;
  EXPECT_GE(journal.number(), 3u) << "20 MiB were let in while one record was synced";
  journal.wait();
  EXPECT_EQ(content(path_)["n"], "20");
}

/// All that is in the store's folder, as a backup or a snapshot of the disk would have it.
void copy_folder(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

std::string value_in(const std::filesystem::path& folder, const std::string& key) {
  LmdbStore store({folder, 16u << 20, false}, 2);
  store.begin();
  return store.get("s", key).value_or("absent");
}

class SealedStore : public ::testing::Test {
 protected:
  LmdbOptions options() {
    LmdbOptions made{folder_.path() / "disk", 64u << 20, true};
    made.sync_for_test = sync_.function();
    made.news = news_.function();
    made.free_bytes_for_test = [this] { return free_; };
    return made;
  }

  static Commit seal(LmdbStore& store, const std::string& value, int writes = 1) {
    store.begin();
    for (int i = 0; i < writes; ++i) store.put("s", "k" + std::to_string(i), value);
    return store.seal();
  }

  const testing::Folder folder_;
  testing::HeldSync sync_;
  News news_;
  std::uint64_t free_ = 1u << 30;
};

TEST_F(SealedStore, reads_see_what_is_not_durable_yet_and_say_what_they_depend_on) {
  LmdbStore store(options(), 1);
  sync_.hold();
  const Commit first = seal(store, "1");
  ASSERT_TRUE(sync_.begun(1));
  const Commit second = seal(store, "2", 3);
  EXPECT_EQ(second.writes, 3u);
  EXPECT_GT(second.number, first.number);
  store.begin();
  EXPECT_EQ(store.get("s", "k0"), "2");
  EXPECT_FALSE(store.wrote());
  const Commit reading = store.seal();
  EXPECT_EQ(reading.writes, 0u);
  EXPECT_EQ(reading.number, second.number);
  EXPECT_LT(store.durable(), first.number);
  sync_.let_go();
  ASSERT_TRUE(news_.came(2));
  EXPECT_EQ(store.durable(), second.number);
}

TEST_F(SealedStore, disk_as_it_is_in_the_middle_of_a_sync_opens_well) {
  LmdbOptions few = options();
  few.checkpoint_writes = 4;
  LmdbStore store(few, 1);
  for (int i = 1; i <= 10; ++i) {
    sync_.hold();
    const int before = sync_.begun();
    seal(store, std::to_string(i));
    ASSERT_TRUE(sync_.begun(before + 1));
    const auto copy = folder_.path() / ("copy" + std::to_string(i));
    copy_folder(folder_.path() / "disk", copy);
    EXPECT_EQ(value_in(copy, "k0"), std::to_string(i)) << "it is written, and not synced";
    sync_.let_go();
    seal(store, "after " + std::to_string(i));
    store.commit();
    copy_folder(folder_.path() / "disk", copy / "later");
    EXPECT_EQ(value_in(copy / "later", "k0"), "after " + std::to_string(i));
  }
}

TEST_F(SealedStore, checkpoint_waits_for_the_sync_under_way) {
  std::atomic<bool> returned = false;
  std::atomic<int> synced = 0;
  LmdbOptions few = options();
  few.checkpoint_writes = 5;
  few.sync_for_test = [&](int) {
    wait_in_vain(returned);
    ++synced;
    return 0;
  };
  LmdbStore store(few, 1);
  seal(store, "1");
  const Commit last = seal(store, "2", 10);
  EXPECT_EQ(synced, static_cast<int>(last.number)) << "else records are written over too early";
  returned = true;
  EXPECT_EQ(store.durable(), last.number);
  seal(store, "3");
  store.commit();
  copy_folder(folder_.path() / "disk", folder_.path() / "copy");
  EXPECT_EQ(value_in(folder_.path() / "copy", "k0"), "3");
  EXPECT_EQ(value_in(folder_.path() / "copy", "k9"), "2");
}

TEST_F(SealedStore, failed_sync_makes_it_useless) {
  LmdbStore store(options(), 1);
  sync_.fail_with(ENOSPC);
  seal(store, "1");
  ASSERT_TRUE(news_.came(1));
  try {
    std::ignore = store.durable();
    FAIL() << "it is durable";
  } catch (const StorageError& error) {
    EXPECT_EQ(std::string(error.what()), (folder_.path() / "disk").string() +
                                             ": cannot make the writes durable: No space left on "
                                             "device");
  }
  EXPECT_THROW(seal(store, "2"), StorageError);
}

TEST_F(SealedStore, checkpoints_come_early_on_a_disk_that_is_nearly_full) {
  const auto journal_after = [&](std::uint64_t free, const std::string& name) {
    LmdbOptions made = options();
    made.folder = folder_.path() / name;
    made.sync_for_test = [](int) { return 0; };
    free_ = free;
    LmdbStore store(made, 1);
    for (int i = 0; i < 30; ++i) {
      seal(store, std::string(100'000, 'v'), 10);
      store.commit();
    }
    return std::filesystem::file_size(made.folder / "journal");
  };
  EXPECT_GT(journal_after(1u << 30, "roomy"), 29'000'000u);
  EXPECT_LT(journal_after(30u << 20, "tight"), 19'000'000u);
}

TEST_F(SealedStore, room_leaves_place_for_what_is_not_written_yet) {
  free_ = 10u << 20;
  LmdbStore store(options(), 1);
  store.begin();
  EXPECT_TRUE(store.room(4u << 20));
  store.seal();
  sync_.hold();
  seal(store, std::string(1u << 20, 'v'));
  ASSERT_TRUE(sync_.begun(1));
  seal(store, std::string(1u << 20, 'v'));
  store.begin();
  store.put("s", "more", std::string(1u << 20, 'v'));
  EXPECT_FALSE(store.room(4u << 20)) << "3 of 10 MiB wait to be written, and twice 4 are asked for";
  EXPECT_TRUE(store.room(1u << 20));
  sync_.let_go();
  ASSERT_TRUE(news_.came(2));
  EXPECT_FALSE(store.room(4u << 20)) << "what was free has not been looked at since";
  store.erase("s", "more");
  store.commit();
  store.begin();
  EXPECT_TRUE(store.room(3u << 20)) << "the system says itself what is free now";
  free_ = 1u << 20;
  EXPECT_TRUE(store.room(3u << 20)) << "one look a transaction";
  store.seal();
  store.begin();
  EXPECT_FALSE(store.room(1u << 20));
}

}  // namespace
}  // namespace dynamo
