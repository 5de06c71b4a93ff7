// The durable store: what a crash leaves, who may open it, and what happens at its limit.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>

#include "folder.h"
#include "storage/lmdb_store.h"

namespace dynamo {
namespace {

constexpr std::uint64_t kLimit = 4u << 20;

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const StorageError& error) {
    return error.what();
  }
  return "no error";
}

TEST(LmdbStore, keeps_what_was_committed_and_nothing_else) {
  const testing::Folder folder;
  const LmdbOptions options{folder.path() / "made" / "here", kLimit, true};
  {
    LmdbStore store(options, 11);
    EXPECT_TRUE(store.was_empty());
    store.begin();
    store.put("s", "kept", "1");
    const Commit commit = store.commit();
    EXPECT_EQ(commit.writes, 1u);
    EXPECT_EQ(commit.bytes, std::string("_s"
                                        "kept"
                                        "1")
                                .size());
    store.begin();
    EXPECT_EQ(store.commit().writes, 0u) << "nothing was written";
    store.begin();
    store.put("s", "lost", "1");
    store.erase("s", "kept");
  }
  LmdbStore store(options, 12);
  EXPECT_FALSE(store.was_empty());
  EXPECT_EQ(store.incarnation(), 11u) << "it belongs to the disk";
  store.begin();
  EXPECT_EQ(store.get("s", "kept"), "1");
  EXPECT_EQ(store.get("s", "lost"), std::nullopt);
}

TEST(LmdbStore, disk_that_no_module_wrote_to_is_empty_also_the_second_time) {
  const testing::Folder folder;
  EXPECT_EQ(LmdbStore({folder.path(), kLimit, false}, 5).incarnation(), 5u);
  const LmdbStore again({folder.path(), kLimit, false}, 6);
  EXPECT_EQ(again.incarnation(), 5u);
  EXPECT_TRUE(again.was_empty());
}

TEST(LmdbStore, is_of_no_use_outside_of_a_handler) {
  const testing::Folder folder;
  LmdbStore store({folder.path(), kLimit, false}, 1);
  EXPECT_THROW(store.put("s", "k", "v"), std::logic_error);
  EXPECT_THROW(store.get("s", "k"), std::logic_error);
  EXPECT_THROW(store.erase("s", "k"), std::logic_error);
  EXPECT_THROW(store.scan("s", "", [](auto, auto) { return true; }), std::logic_error);
  EXPECT_THROW(store.room(1), std::logic_error);
}

TEST(LmdbStore, second_user_is_refused) {
  const testing::Folder folder;
  const LmdbOptions options{folder.path(), kLimit, false};
  auto first = std::make_unique<LmdbStore>(options, 1);
  EXPECT_EQ(error_of([&] { LmdbStore second(options, 2); }),
            folder.path().string() +
                ": cannot use the folder: another process uses it; give each node a --data folder "
                "of its own");
  first.reset();
  LmdbStore third(options, 3);
  EXPECT_EQ(third.incarnation(), 1u);
}

TEST(LmdbStore, folder_that_cannot_be_made_says_the_cure) {
  const testing::Folder folder;
  const auto file = folder.file("plain", "x");
  const std::string error = error_of([&] { LmdbStore store({file / "disk", kLimit, false}, 1); });
  EXPECT_TRUE(error.starts_with((file / "disk").string() + ": cannot make the folder: ")) << error;
  EXPECT_TRUE(error.ends_with("; give --data a folder that you may write to")) << error;
}

TEST(LmdbStore, damaged_file_is_an_error_not_a_crash) {
  const testing::Folder folder;
  folder.file("data.mdb", std::string(8192, 'x'));
  const std::string error = error_of([&] { LmdbStore store({folder.path(), kLimit, false}, 1); });
  EXPECT_TRUE(error.starts_with((folder.path() / "data.mdb").string() + ": is damaged: page 0 "))
      << error;
  EXPECT_NE(error.find("; put a good copy in its place, or give --data an empty folder"),
            error.npos)
      << error;
}

TEST(LmdbStore, at_its_limit_fails_and_keeps_the_old) {
  const testing::Folder folder;
  const LmdbOptions options{folder.path(), 1u << 20, false};
  {
    LmdbStore store(options, 1);
    store.begin();
    store.put("s", "old", "content");
    store.commit();
    const std::string error = error_of([&] {
      store.begin();
      store.put("s", "old", "changed");
      for (int i = 0; i < 1000; ++i) store.put("s", std::to_string(i), std::string(4000, 'v'));
      store.commit();
    });
    EXPECT_EQ(error, folder.path().string() +
                         ": cannot write: the store has reached disk_limit_bytes; raise it in the "
                         "config");
    EXPECT_NE(error_of([&] { store.commit(); }), "no error") << "of no use any more";
  }
  LmdbStore store(options, 2);
  store.begin();
  EXPECT_EQ(store.get("s", "old"), "content");
  EXPECT_EQ(store.get("s", "0"), std::nullopt);
}

/// What a child does until it is killed: numbered transactions, each announced when it is durable.
[[noreturn]] void write_for_ever(const LmdbOptions& options, int announce) {
  LmdbStore store(options, 1);
  for (std::uint32_t i = 1;; ++i) {
    store.begin();
    for (const char* key : {"a", "b", "c"}) store.put("s", key, std::to_string(i));
    store.put("log", std::to_string(i), std::string(i % 5000, 'x'));
    store.commit();
    if (write(announce, &i, sizeof(i)) != sizeof(i)) _exit(1);
  }
}

TEST(LmdbStore, kill_in_the_middle_of_writes_leaves_a_prefix) {
  const testing::Folder folder;
  const LmdbOptions options{folder.path(), 64u << 20, false};

  for (int round = 0; round < 10; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      alarm(60);  // should this test die
      write_for_ever(options, pipe_ends[1]);
    }
    close(pipe_ends[1]);
    std::uint32_t announced = 0;
    for (int i = 0; i < 7 + round * 13; ++i) {
      ASSERT_EQ(read(pipe_ends[0], &announced, sizeof(announced)), ssize_t{sizeof(announced)});
    }
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    std::uint32_t more = 0;
    while (read(pipe_ends[0], &more, sizeof(more)) == sizeof(more)) announced = more;
    close(pipe_ends[0]);

    LmdbStore store(options, 2);
    store.begin();
    const std::uint32_t last = static_cast<std::uint32_t>(std::stoul(store.get("s", "a").value()));
    EXPECT_GE(last, announced) << "what was announced is there";
    EXPECT_LE(last, announced + 1) << "and at most the one under way";
    EXPECT_EQ(store.get("s", "b"), std::to_string(last)) << "whole transactions only";
    EXPECT_EQ(store.get("s", "c"), std::to_string(last));
    EXPECT_TRUE(store.get("log", std::to_string(last)).has_value());
  }
}

}  // namespace
}  // namespace dynamo
