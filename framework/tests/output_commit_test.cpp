// Output commit while the disk is slow, or fails: a real node in this process, and a sync that the
// test holds back.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "folder.h"
#include "held_sync.h"
#include "node/real_node.h"
#include "waiting.h"

namespace dynamo {
namespace {

using testing::run_until;

class OutputCommit : public ::testing::Test {
 protected:
  void SetUp() override {
    start(true);
    settle();
  }

  void start(bool bootstrap) {
    RealNodeOptions made;
    made.id = "n1";
    made.data = folder_.path() / "n1";
    made.config.disk_limit_bytes = 4u << 20;
    made.config.modules = {"membership", "ring", "warmup"};
    for (const char* name : {"n1", "n2", "n3", "n4", "n5"}) {
      made.peers[name] = {{"127.0.0.1", testing::free_port()}, {"127.0.0.1", 0}};
    }
    made.bootstrap = bootstrap;
    made.sync_for_test = sync_.function();
    node_ = std::make_unique<RealNode>(*io_, std::move(made));
    node_->start();
  }

  /// A handler that writes, or one that only reads; `ran_` and `answered_` get its number.
  void write(int number) {
    node_->run_handler(
        [this, number](Node& inner) {
          EXPECT_TRUE(inner.membership()->add("n" + std::to_string(++members_)).ok());
          ran_.push_back(number);
        },
        [this, number] { answered_.push_back(number); });
  }
  void read(int number) {
    node_->run_handler([this, number](Node&) { ran_.push_back(number); },
                       [this, number] { answered_.push_back(number); });
  }

  bool run_until_ran(std::size_t handlers) {
    return run_until(*io_, [&] { return ran_.size() >= handlers; });
  }
  bool run_until_answered(std::size_t handlers) {
    return run_until(*io_, [&] { return answered_.size() >= handlers; });
  }

  /// What was begun is over, and its answers are out.
  void settle() {
    read(0);
    ASSERT_TRUE(run_until_answered(1));
    ran_.clear();
    answered_.clear();
  }

  const testing::Folder folder_;
  testing::HeldSync sync_;
  int members_ = 1;
  std::vector<int> ran_;
  std::vector<int> answered_;
  std::optional<boost::asio::io_context> io_{std::in_place};
  std::unique_ptr<RealNode> node_;
};

TEST_F(OutputCommit, turns_run_while_the_disk_syncs_and_their_outputs_leave_in_order_after_it) {
  sync_.hold();
  const int before = sync_.begun();
  write(1);
  ASSERT_TRUE(run_until_ran(1));
  ASSERT_TRUE(sync_.begun(before + 1));
  for (const int number : {2, 4, 6}) {
    read(number);
    ASSERT_TRUE(run_until_ran(ran_.size() + 1));
    write(number + 1);
    ASSERT_TRUE(run_until_ran(ran_.size() + 1));
  }
  EXPECT_EQ(ran_, (std::vector<int>{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(answered_, std::vector<int>{}) << "not even what only read: it may have seen write 1";
  const std::uint64_t commits = node_->metrics().value("dynamo_commits_total");
  sync_.let_one_go();
  ASSERT_TRUE(run_until_answered(1));
  EXPECT_EQ(answered_, (std::vector<int>{1, 2})) << "the rest depends on the next record";
  EXPECT_EQ(node_->metrics().value("dynamo_commits_total"), commits + 1);
  sync_.let_go();
  ASSERT_TRUE(run_until_answered(7));
  EXPECT_EQ(answered_, ran_);
  EXPECT_EQ(node_->metrics().value("dynamo_commits_total"), commits + 4);
  EXPECT_EQ(sync_.done(), before + 2) << "three turns, one sync";
}

TEST_F(OutputCommit, what_came_before_the_first_write_need_not_wait_for_it) {
  sync_.hold();
  read(1);
  write(2);
  read(3);
  ASSERT_TRUE(run_until_answered(1));
  EXPECT_EQ(ran_, (std::vector<int>{1, 2, 3})) << "one turn";
  EXPECT_EQ(answered_, std::vector<int>{1});
  sync_.let_go();
  ASSERT_TRUE(run_until_answered(3));
  EXPECT_EQ(answered_, ran_);
}

TEST_F(OutputCommit, after_a_failed_sync_nothing_leaves_and_the_node_stops) {
  sync_.hold();
  sync_.fail_with(EIO);
  const int before = sync_.begun();
  write(1);
  ASSERT_TRUE(run_until_ran(1));
  ASSERT_TRUE(sync_.begun(before + 1));
  read(2);
  write(3);
  ASSERT_TRUE(run_until_ran(3));
  sync_.let_go();
  try {
    run_until_answered(1);
    FAIL() << "it goes on";
  } catch (const StorageError& error) {
    EXPECT_NE(std::string(error.what()).find("cannot make the writes durable: Input/output error"),
              std::string::npos)
        << error.what();
  }
  EXPECT_EQ(answered_, std::vector<int>{});
}

TEST_F(OutputCommit, stop_lets_nothing_out_any_more) {
  sync_.hold();
  const int before = sync_.begun();
  write(1);
  ASSERT_TRUE(run_until_ran(1));
  ASSERT_TRUE(sync_.begun(before + 1));
  write(2);
  ASSERT_TRUE(run_until_ran(2));
  node_->stop();
  sync_.let_go();
  while (io_->poll() != 0) {
  }
  node_.reset();
  EXPECT_EQ(answered_, std::vector<int>{});
  io_.emplace();
  start(false);  // what a kill would have left: each turn in full, or not
  settle();
}

}  // namespace
}  // namespace dynamo
