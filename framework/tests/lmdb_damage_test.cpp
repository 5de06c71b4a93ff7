// What stands in for a worn or badly copied disk: a store's file cut short, or with garbage in it.
// The node must say so when it opens the file: LMDB alone would die of SIGBUS, then or later.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

#include <algorithm>
#include <fstream>
#include <functional>
#include <set>

#include "core/random.h"
#include "folder.h"
#include "storage/lmdb_store.h"

#ifdef __linux__
namespace {
std::set<std::string> synced_paths;  // NOLINT: what fsync() below has seen
}
/// In the place of the C library's, for this program: it notes what it is called for.
extern "C" int fsync(int file) {
  char path[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  const ssize_t bytes = readlink(link.c_str(), path, sizeof(path));
  if (bytes > 0) synced_paths.emplace(path, static_cast<std::size_t>(bytes));
  return static_cast<int>(syscall(SYS_fsync, file));
}
#endif

namespace dynamo {
namespace {

constexpr std::uint64_t kLimit = 8u << 20;
constexpr std::size_t kPage = 4096;

class LmdbDamage : public ::testing::Test {
 protected:
  LmdbOptions options() const { return {folder_.path(), kLimit, false, 1}; }  // no journal left

  /// Some thousand keys, long values, and pages that were freed.
  void fill() const {
    LmdbStore store(options(), 1);
    for (int round = 0; round < 5; ++round) {
      store.begin();
      for (int i = 0; i < 2000; ++i) {
        const std::string key = std::to_string(i * 7 % 2000);
        if (round == 4 && i % 2 == 0) {
          store.erase("s", key);
        } else {
          store.put("s", key, std::string(static_cast<std::size_t>(50 + round * 10), 'v'));
        }
      }
      for (int i = 0; i < 10; ++i) {
        store.put("long", std::to_string(i), std::string(20'000 - round * 1000, 'w'));
      }
      store.commit();
    }
  }

  std::string read_file() const {
    std::ifstream in(folder_.path() / "data.mdb", std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write_file(const std::string& bytes) const { folder_.file("data.mdb", bytes); }

  /// Opens and uses the store as a node does; 0 if it is right, 1 after a StorageError that names
  /// file and cure, 2 after another one, -signal if it died. In a child: a SIGBUS must not end all.
  int use() const {
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);
      _exit(use_here());
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  int use_here() const {
    try {
      LmdbStore store(options(), 2);
      store.begin();
      std::size_t bytes = 0;
      for (const char* space : {"s", "long"}) {
        store.scan(space, "", [&](auto key, auto value) {
          for (const char c : value) bytes += static_cast<unsigned char>(c);
          bytes += key.size();
          return true;
        });
      }
      for (int i = 0; i < 300; ++i)
        store.put("s", "new" + std::to_string(i), std::to_string(bytes));
      store.commit();
      return 0;
    } catch (const StorageError& error) {
      const std::string file = (folder_.path() / "data.mdb").string();
      const std::string text = error.what();
      return text.starts_with(file + ": is damaged: ") &&
                     text.find("; put a good copy in its place") != text.npos
                 ? 1
                 : 2;
    }
  }

  testing::Folder folder_;
};

TEST_F(LmdbDamage, whole_file_is_taken) {
  fill();
  EXPECT_EQ(use(), 0);
  EXPECT_EQ(use(), 0);
}

TEST_F(LmdbDamage, file_that_was_cut_short_is_told) {
  fill();
  const std::string whole = read_file();
  ASSERT_GT(whole.size(), 100 * kPage);
  for (const std::size_t bytes :
       {std::size_t{1}, std::size_t{100}, kPage, kPage + 50, 2 * kPage, 4 * kPage,
        std::size_t{100'000}, whole.size() / 2, whole.size() / 2 + 77}) {
    write_file(whole.substr(0, bytes));
    EXPECT_EQ(use(), 1) << bytes << " of " << whole.size();
  }
  write_file("");
  folder_.file("journal", "");
  EXPECT_EQ(use(), 0) << "a new store is made";
}

TEST_F(LmdbDamage, any_page_cut_off_is_told_or_was_free) {
  fill();
  const std::string whole = read_file();
  bool told = false;
  for (std::size_t pages = whole.size() / kPage; pages > 0 && !told; --pages) {
    write_file(whole.substr(0, pages * kPage));
    const int outcome = use();
    ASSERT_TRUE(outcome == 0 || outcome == 1) << pages << " pages: " << outcome;
    told = outcome == 1;
  }
  EXPECT_TRUE(told);
}

TEST_F(LmdbDamage, garbage_anywhere_is_told_or_harmless) {
  fill();
  const std::string whole = read_file();
  Random random(7);
  int told = 0;
  for (int i = 0; i < 120; ++i) {
    std::string damaged = whole;
    const std::size_t at = i < 20 ? static_cast<std::size_t>(i) * 100 : random.below(whole.size());
    const std::size_t count = 1 + random.below(i % 2 == 0 ? 16 : 6000);
    for (std::size_t k = at; k < std::min(whole.size(), at + count); ++k) {
      damaged[k] = static_cast<char>(random.below(256));
    }
    write_file(damaged);
    const int outcome = use();
    ASSERT_TRUE(outcome == 0 || outcome == 1) << at << ", " << count << " bytes: " << outcome;
    told += outcome;
  }
  EXPECT_GT(told, 8) << "most of the file is free or long values";
}

TEST_F(LmdbDamage, stores_of_any_history_are_right) {
  Random random(3);
  for (int life = 0; life < 40; ++life) {
    LmdbStore store({folder_.path(), 128u << 20, false, 1 + random.below(400)},
                    1);  // throws if it finds damage
    for (int turn = 0; turn < 20; ++turn) {
      store.begin();
      for (std::uint64_t i = 0, n = random.below(60); i < n; ++i) {
        const std::string key(1 + random.below(300), static_cast<char>('a' + random.below(20)));
        if (random.below(3) == 0) {
          store.erase("s", key);
        } else {
          store.put("s", key, std::string(random.below(10) == 0 ? 30'000 : random.below(900), 'x'));
        }
      }
      store.commit();
    }
  }
}

#ifdef __linux__
TEST_F(LmdbDamage, new_store_and_its_new_folders_are_synced) {
  const auto made = std::filesystem::canonical(folder_.path()) / "a" / "b";
  synced_paths.clear();
  { LmdbStore store({made, kLimit, true}, 1); }
  for (const auto& folder : {made, made.parent_path(), made.parent_path().parent_path()}) {
    EXPECT_TRUE(synced_paths.contains(folder.string())) << folder;
  }
}
#endif

}  // namespace
}  // namespace dynamo
