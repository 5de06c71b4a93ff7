// What is given from lab 5 on: stamps, and the table of request ids.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "node/request_table.h"
#include "node/stamps.h"
#include "scripted_env.h"

namespace dynamo {
namespace {

using namespace std::chrono_literals;
using testing::ScriptedEnv;

constexpr std::uint64_t kMuch = 16u << 20;

TEST(stamps, increase_also_over_restarts_and_when_the_clock_runs_back) {
  ScriptedEnv env;
  env.wall = Instant(1000s);
  Stamp last;
  for (const Duration step : {0s, 0s, 5s, -900s, 0s, -9000s}) {
    env.wall += step;
    Stamps stamps(env);
    stamps.load();
    for (int i = 0; i < 3; ++i) {
      const auto stamp = stamps.next();
      ASSERT_TRUE(stamp.has_value());
      EXPECT_GT(*stamp, last);
      EXPECT_GT(stamp->sequence, last.sequence) << "a sequence number names one stamp";
      EXPECT_EQ(stamp->node, "n1");
      EXPECT_EQ(stamp->incarnation, 1u);
      last = *stamp;
    }
  }
  EXPECT_EQ(last.time_us, 1'005'000'000u) << "the latest time that the clock has shown";
}

TEST(stamps, a_full_disk_takes_all_but_the_very_first) {
  ScriptedEnv env;
  env.storage().set_room(20);
  Stamps stamps(env);
  stamps.load();
  EXPECT_EQ(stamps.next(), std::nullopt);
  env.storage().set_room(kMuch);
  ASSERT_TRUE(stamps.next().has_value());
  env.storage().set_room(0);
  for (int i = 0; i < 1000; ++i) {
    env.wall += 1h;
    ASSERT_TRUE(stamps.next().has_value());
  }
  EXPECT_FALSE(env.storage().overdrawn()) << "the record never grows";
}

TEST(stamps, a_malformed_record_is_an_error) {
  for (const char* wrong : {"", "12", "0000000000000000000000000000000000000001x"}) {
    ScriptedEnv env;
    env.storage().put("given", "last stamp", wrong);
    Stamps stamps(env);
    EXPECT_THROW(stamps.load(), std::runtime_error) << wrong;
  }
}

RequestId id_number(std::uint64_t number) { return {"amy", 1, number}; }

TEST(request_table, remembers_an_id_for_its_time_and_not_for_ever) {
  for (const Duration since : {0s, 1s, 59s}) {
    ScriptedEnv env;
    RequestTable table(env, 60s);
    table.load();
    env.advance(since);
    EXPECT_FALSE(table.executed(id_number(1)));
    ASSERT_TRUE(table.add(id_number(1)));
    EXPECT_TRUE(table.executed(id_number(1)));
    EXPECT_FALSE(table.executed(id_number(2)));
    env.advance(60s);
    EXPECT_TRUE(table.executed(id_number(1)));
    env.advance(61s);
    EXPECT_FALSE(table.executed(id_number(1)));
    EXPECT_EQ(env.timers(), 1u) << "one for the turn, none for an id";
  }
}

TEST(request_table, a_restart_begins_the_time_anew) {
  ScriptedEnv env;
  for (int start = 0; start < 5; ++start) {
    env.restart();
    RequestTable table(env, 60s);
    table.load();
    if (start == 0) {
      ASSERT_TRUE(table.add(id_number(1)));
    }
    EXPECT_TRUE(table.executed(id_number(1)));
    env.advance(59s);
  }
}

TEST(request_table, an_emptied_turn_leaves_nothing_on_the_disk) {
  ScriptedEnv env;
  RequestTable table(env, 60s);
  table.load();
  for (std::uint64_t i = 0; i < 1700; ++i) ASSERT_TRUE(table.add(id_number(i)));
  env.advance(122s);
  for (std::uint64_t i = 0; i < 1700; ++i) ASSERT_FALSE(table.executed(id_number(i)));
  std::size_t left = 0;
  for (const char* space : {"requests 0", "requests 1", "requests 2"}) {
    env.storage().scan(space, "", [&](std::string_view, std::string_view) {
      ++left;
      return true;
    });
  }
  EXPECT_EQ(left, 0u);
}

TEST(request_table, a_flood_ends_a_turn_before_its_time) {
  ScriptedEnv env;
  RequestTable table(env, 60s, 10);
  table.load();
  for (std::uint64_t i = 0; i < 30; ++i) {
    ASSERT_TRUE(table.add(id_number(i)));
    EXPECT_TRUE(table.executed(id_number(i)));
  }
  EXPECT_FALSE(table.executed(id_number(0)));
  EXPECT_TRUE(table.executed(id_number(25))) << "of the last turn";
  EXPECT_EQ(env.timers(), 1u);
}

TEST(request_table, what_was_refused_is_forgotten) {
  ScriptedEnv env;
  RequestTable table(env, 60s);
  table.load();
  ASSERT_TRUE(table.add(id_number(1)));
  table.forget(id_number(1));
  EXPECT_FALSE(table.executed(id_number(1)));
  ASSERT_TRUE(table.add(id_number(2)));
  env.advance(61s);
  table.forget(id_number(2));
  EXPECT_FALSE(table.executed(id_number(2))) << "also in a later turn";
}

TEST(request_table, a_full_disk_takes_no_id) {
  ScriptedEnv env;
  RequestTable table(env, 60s);
  table.load();
  env.storage().set_room(10);
  EXPECT_FALSE(table.add(id_number(1)));
  EXPECT_FALSE(table.executed(id_number(1)));
  EXPECT_FALSE(env.storage().overdrawn());
  env.advance(200s);  // turns go by all the same
  EXPECT_FALSE(env.storage().overdrawn());
}

}  // namespace
}  // namespace dynamo
