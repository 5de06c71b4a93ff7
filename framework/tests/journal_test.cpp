// The journal: what it brings back after a crash, and what it says of a file that is not whole.
#include "storage/journal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

#include <atomic>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "core/random.h"
#include "folder.h"
#include "storage/lmdb_store.h"

#ifdef __linux__
namespace {
std::atomic<int> journal_syncs = 0;  // NOLINT: what fdatasync() below has seen
}
/// In the place of the C library's, for this program: it counts what it is called for.
extern "C" int fdatasync(int file) {
  char path[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  const ssize_t bytes = readlink(link.c_str(), path, sizeof(path));
  if (std::string_view(path, bytes > 0 ? static_cast<std::size_t>(bytes) : 0).ends_with("/journal"))
    ++journal_syncs;
  return static_cast<int>(syscall(SYS_fdatasync, file));
}
#endif

namespace dynamo {
namespace {

using Content = std::map<std::string, std::string>;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class JournalFile : public ::testing::Test {
 protected:
  /// What a new start sees; `told_` is what it says of the file.
  Content content(std::uint64_t applied = 0) {
    Journal journal(path_, {});
    Content found;
    told_ =
        journal.replay(applied, [&](std::string_view key, std::optional<std::string_view> value) {
          if (value) {
            found[std::string(key)] = *value;
          } else {
            found.erase(std::string(key));
          }
        });
    number_ = journal.number();
    return found;
  }

  /// Transactions `first` … `last`, each of which sets "n" to its number.
  static void write(Journal& journal, int first, int last) {
    for (int i = first; i <= last; ++i) {
      journal.put("n", std::to_string(i));
      journal.put("k" + std::to_string(i), std::string(static_cast<std::size_t>(i), 'v'));
      if (i > 1) journal.erase("k" + std::to_string(i - 1));
      journal.commit();
    }
  }

  testing::Folder folder_;
  const std::filesystem::path path_ = folder_.path() / "journal";
  const Journal::Apply nothing_ = [](auto, auto) {};
  std::string told_;
  std::uint64_t number_ = 0;
};

TEST_F(JournalFile, brings_back_what_was_committed_in_order) {
  {
    Journal journal(path_, {});
    EXPECT_EQ(journal.replay(0, nothing_), "");
    write(journal, 1, 3);
    journal.put("not", "committed");
  }
  EXPECT_EQ(content(), (Content{{"n", "3"}, {"k3", "vvv"}}));
  EXPECT_EQ(number_, 3u);
  EXPECT_EQ(content(2), (Content{{"n", "3"}, {"k3", "vvv"}})) << "only what was not applied";
  EXPECT_EQ(content(3), Content{});
}

TEST_F(JournalFile, is_written_on_behind_what_it_brought_back) {
  for (int i = 1; i <= 5; ++i) {
    Journal journal(path_, {});
    EXPECT_EQ(journal.replay(0, nothing_), "");
    write(journal, i, i);
  }
  EXPECT_EQ(content()["n"], "5");
}

TEST_F(JournalFile, last_record_is_there_in_full_or_not_at_all) {
  std::size_t before_last = 0;
  {
    Journal journal(path_, {});
    EXPECT_EQ(journal.replay(0, nothing_), "");
    write(journal, 1, 2);
    before_last = journal.bytes();
    write(journal, 3, 3);
  }
  const std::string whole = read_file(path_);
  for (std::size_t bytes = before_last; bytes < whole.size(); ++bytes) {
    folder_.file("journal", whole.substr(0, bytes));
    EXPECT_EQ(content()["n"], "2") << bytes;
    EXPECT_EQ(told_, "");
    // The disk had place for it already, and some of its bytes came there.
    folder_.file("journal", whole.substr(0, bytes) + std::string(whole.size() - bytes, '\0'));
    EXPECT_EQ(content()["n"], "2") << bytes;
    EXPECT_EQ(told_, "");
  }
}

TEST_F(JournalFile, what_an_unfinished_record_left_is_written_over) {
  {
    Journal journal(path_, {});
    EXPECT_EQ(journal.replay(0, nothing_), "");
    write(journal, 1, 3);
  }
  folder_.file("journal", read_file(path_).substr(0, read_file(path_).size() - 1));
  {
    Journal journal(path_, {});
    EXPECT_EQ(journal.replay(0, nothing_), "");
    journal.put("n", "other 3");
    journal.commit();
  }
  EXPECT_EQ(content(), (Content{{"n", "other 3"}, {"k2", "vv"}}));
}

TEST_F(JournalFile, what_stands_elsewhere_does_not_come_back) {
  {
    Journal journal(path_, {});
    EXPECT_EQ(journal.replay(0, nothing_), "");
    write(journal, 1, 9);
    journal.restart();
    EXPECT_EQ(journal.bytes(), 0u);
  }
  EXPECT_EQ(content(9), Content{}) << "nothing was written since";
  {
    Journal journal(path_, {});
    EXPECT_EQ(journal.replay(9, nothing_), "");
    journal.put("n", "10");
    journal.commit();
  }
  EXPECT_EQ(content(9), (Content{{"n", "10"}})) << "and not the old records behind it";
  EXPECT_EQ(number_, 10u);
  EXPECT_EQ(told_, "");
}

TEST_F(JournalFile, grows_seldom_while_it_is_synced) {
  constexpr int kRecords = 400;
  std::set<std::uintmax_t> lengths;
  {
    Journal journal(path_, {[&](int) {
                              lengths.insert(std::filesystem::file_size(path_));
                              return 0;
                            },
                            {}});
    EXPECT_EQ(journal.replay(0, nothing_), "");
    for (int i = 1; i <= kRecords; ++i) {
      journal.put("n", std::to_string(i) + std::string(5000, 'p'));
      journal.commit();
    }
    EXPECT_LE(lengths.size(), 20u) << "a sync of a file that has become longer is a dear one";
    EXPECT_LE(*lengths.rbegin(), journal.bytes() * 5 / 4 + (64 << 10));
    journal.restart();
    EXPECT_EQ(journal.number(), std::uint64_t{kRecords});
    write(journal, kRecords + 1, kRecords + 3);
  }
  EXPECT_EQ(content(kRecords)["n"], std::to_string(kRecords + 3));
  EXPECT_EQ(told_, "");
}

TEST_F(JournalFile, what_it_grew_by_is_no_record) {
  const JournalOptions synced{[](int) { return 0; }, {}};
  for (int i = 1; i <= 5; ++i) {
    Journal journal(path_, synced);
    EXPECT_EQ(journal.replay(0, nothing_), "");
    EXPECT_EQ(journal.number(), static_cast<std::uint64_t>(i - 1));
    write(journal, i, i);
    EXPECT_LT(journal.bytes(), std::filesystem::file_size(path_));
  }
  EXPECT_EQ(content()["n"], "5");
  EXPECT_EQ(told_, "");
}

TEST_F(JournalFile, damage_before_the_last_record_is_told) {
  std::size_t last = 0;
  {
    Journal journal(path_, {});
    EXPECT_EQ(journal.replay(0, nothing_), "");
    write(journal, 1, 4);
    last = journal.bytes();
    write(journal, 5, 5);
  }
  const std::string whole = read_file(path_);
  for (std::size_t at = 0; at < last; ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    folder_.file("journal", damaged);
    content();
    EXPECT_TRUE(told_.starts_with("a record before number ")) << at << ": " << told_;
  }
}

TEST_F(JournalFile, store_that_is_older_than_its_journal_is_told) {
  {
    Journal journal(path_, {});
    EXPECT_EQ(journal.replay(0, nothing_), "");
    write(journal, 1, 4);
    journal.restart();
    write(journal, 5, 9);
  }
  content(4);
  EXPECT_EQ(told_, "");
  content(3);
  EXPECT_EQ(told_, "a record before number 5 is missing or cannot be read");
}

#ifdef __linux__
TEST_F(JournalFile, each_commit_is_one_sync_of_the_store) {
  LmdbStore store({folder_.path(), 4u << 20, true}, 1);
  journal_syncs = 0;
  for (int i = 1; i <= 5; ++i) {
    store.begin();
    for (int k = 0; k < 10; ++k) store.put("s", std::to_string(k), std::to_string(i));
    EXPECT_EQ(journal_syncs, i - 1);
    store.commit();
    EXPECT_EQ(journal_syncs, i);
  }
  store.begin();
  store.commit();
  EXPECT_EQ(journal_syncs, 5) << "nothing was written";
}
#endif

Content content_of(const LmdbStore& store) {
  Content found;
  store.scan("s", "", [&](auto key, auto value) {
    found.emplace(key, value);
    return true;
  });
  return found;
}

TEST(LmdbStoreJournal, store_is_what_was_committed_whenever_it_is_opened_again) {
  const testing::Folder folder;
  Random random(5);
  Content expected;
  for (int life = 0; life < 60; ++life) {
    LmdbStore store({folder.path(), 64u << 20, false, 1 + random.below(300)}, 1);
    store.begin();
    ASSERT_EQ(content_of(store), expected) << "life " << life;
    store.commit();
    for (std::uint64_t turn = random.below(12); turn > 0; --turn) {
      store.begin();
      for (std::uint64_t i = random.below(40); i > 0; --i) {
        const std::string key = std::to_string(random.below(200));
        if (random.below(3) == 0) {
          store.erase("s", key);
          expected.erase(key);
        } else {
          expected[key] = std::string(random.below(2000), static_cast<char>('a' + i % 26));
          store.put("s", key, expected[key]);
        }
      }
      store.commit();
    }
    store.begin();
    store.put("s", "in the middle of a handler", "lost");
  }
}

/// The files' sizes after 2,000 commits of a kilobyte each.
std::pair<std::uintmax_t, std::uintmax_t> journal_and_store(std::uint64_t checkpoint_writes,
                                                            std::uint64_t checkpoint_bytes) {
  const testing::Folder folder;
  LmdbStore store({folder.path(), 64u << 20, false, checkpoint_writes, checkpoint_bytes}, 1);
  for (int i = 0; i < 2'000; ++i) {
    store.begin();
    store.put("s", std::to_string(i), std::string(1000, 'v'));
    store.commit();
  }
  return {std::filesystem::file_size(folder.path() / "journal"),
          std::filesystem::file_size(folder.path() / "data.mdb")};
}

TEST(LmdbStoreJournal, stays_small_and_its_store_grows) {
  constexpr std::uint64_t kAny = 1u << 30;
  const auto [all, nothing] = journal_and_store(kAny, kAny);
  EXPECT_GT(all, 2'000u * 1000u);
  EXPECT_LT(nothing, 100'000u);
  const auto [by_writes, grown] = journal_and_store(100, kAny);
  EXPECT_LT(by_writes, 110u * 1100u);
  EXPECT_GT(grown, 1'800u * 1000u);
  // Two pages a write, but no more than the whole tree has.
  const auto [by_bytes, grown_too] = journal_and_store(kAny, 200'000);
  EXPECT_LT(by_bytes, 300u * 1100u);
  EXPECT_GT(grown_too, 1'800u * 1000u);
}

TEST(LmdbStoreJournal, shorter_value_frees_what_the_long_one_took_also_before_a_checkpoint) {
  const testing::Folder folder;
  LmdbStore store({folder.path(), 2u << 20, false}, 1);
  store.begin();
  while (store.room(100'000)) {
    store.put("s", std::to_string(content_of(store).size()), std::string(100'000, 'v'));
  }
  for (const auto& [key, value] : content_of(store)) store.put("s", key, "short");
  EXPECT_TRUE(store.room(600'000));
}

TEST(LmdbStoreJournal, damage_names_the_file_and_the_cure) {
  const testing::Folder folder;
  {
    LmdbStore store({folder.path(), 4u << 20, false}, 1);
    for (int i = 0; i < 3; ++i) {
      store.begin();
      store.put("s", "k", std::to_string(i));
      store.commit();
    }
  }
  std::string damaged = read_file(folder.path() / "journal");
  damaged[30] = static_cast<char>(damaged[30] ^ 1);
  folder.file("journal", damaged);
  try {
    LmdbStore store({folder.path(), 4u << 20, false}, 1);
    FAIL() << "it was opened";
  } catch (const StorageError& error) {
    const std::string text = error.what();
    EXPECT_TRUE(text.starts_with((folder.path() / "journal").string() + ": is damaged: ")) << text;
    EXPECT_NE(text.find("; put a good copy in its place"), text.npos) << text;
  }
}

/// Commits numbered transactions until the journal's file may not grow; the last that succeeded.
std::uint32_t fill_file_up_to(std::uint64_t bytes, const LmdbOptions& options) {
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, bytes};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::uint32_t committed = 0;
  try {
    LmdbStore store(options, 1);
    for (std::uint32_t i = 1;; ++i) {
      store.begin();
      store.put("s", "n", std::to_string(i));
      store.put("s", "padding", std::string(10'000, 'p'));
      store.commit();
      committed = i;
    }
  } catch (const StorageError&) {
    return committed;
  }
}

TEST(LmdbStoreJournal, commit_that_finds_no_room_fails_and_those_before_it_stay) {
  const testing::Folder folder;
  const LmdbOptions options{folder.path(), 4u << 20, false};
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(60);
    const std::uint32_t committed = fill_file_up_to(300'000, options);
    _exit(::write(pipe_ends[1], &committed, sizeof(committed)) == sizeof(committed) ? 0 : 1);
  }
  close(pipe_ends[1]);
  std::uint32_t committed = 0;
  ASSERT_EQ(read(pipe_ends[0], &committed, sizeof(committed)), ssize_t{sizeof(committed)});
  close(pipe_ends[0]);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_GT(committed, 10u);
  LmdbStore store(options, 2);
  store.begin();
  EXPECT_EQ(store.get("s", "n"), std::to_string(committed));
}

}  // namespace
}  // namespace dynamo
