// What a commit step tells of a disk.
#include "sim/state_words.h"

#include <gtest/gtest.h>

#include "core/codec.h"
#include "core/history.h"
#include "core/json.h"
#include "node/local_store.h"
#include "sim/places.h"
#include "tree.h"

namespace dynamo::sim {
namespace {

/// Where LocalStore keeps a key.
std::string place_of(const std::string& key) { return std::string(8, '\0') + key; }

TEST(StateWords, states_of_keys_are_told_with_versions_and_clocks) {
  const Dot dot{{"n1", 7, 1}, 3};
  KeyState state;
  state.versions = {{dot, {{{{"n2", 8, 1}, 2}}}, "milk", {}}, {{{"n3", 9, 1}, 1}, {}, {}, {}}};
  state.clock.entries = {dot};
  const Held held{4, {1, 2}, state_of(state)};
  const DiskWrite write{std::string(kStateSpace), place_of("cart"), codec::encode(held)};
  const Json told = json::parse(changes_text({write}));
  const Json& cart = told["state"]["cart"];
  ASSERT_EQ(cart["versions"].size(), 2u) << told;
  EXPECT_EQ(cart["versions"][0]["value"], "milk");
  EXPECT_EQ(cart["versions"][0]["dot"]["actor"]["node"], "n1");
  EXPECT_EQ(cart["versions"][0]["seen"]["entries"][0]["counter"], 2);
  EXPECT_TRUE(cart["versions"][1]["value"].is_null()) << "a tombstone";
}

TEST(StateWords, events_text_erasures_and_sizes) {
  const Event event{"n2", Change::join, {5, "n1", 9}};
  const Json told = json::parse(changes_text({{"history", "5", codec::encode(event)},
                                              {"mine", "name", "plain text"},
                                              {"mine", "gone", std::nullopt},
                                              {"mine", std::string("\x01\xff", 2), "\x80\x81\x01"},
                                              {"state", place_of("k"), "no state"}}));
  EXPECT_EQ(told["history"]["5"]["subject"], "n2");
  EXPECT_EQ(told["history"]["5"]["version"]["counter"], 5);
  EXPECT_EQ(told["mine"]["name"], "plain text");
  EXPECT_TRUE(told["mine"]["gone"].is_null());
  EXPECT_EQ(told["mine"]["0x01ff"], "3 bytes");
  EXPECT_EQ(told["state"]["k"], "no state") << "a student's own use of the space stays readable";
}

TEST(StateWords, a_whole_disk_reads_like_a_commit_that_wrote_it) {
  const Disk disk = {{{"mine", "name"}, "plain text"}, {{"other", "k"}, "v"}};
  EXPECT_EQ(disk_text(disk), changes_text({{"mine", "name", "plain text"}, {"other", "k", "v"}}));
}

TEST(StateWords, many_writes_are_counted) {
  std::vector<DiskWrite> writes;
  for (std::size_t i = 0; i < kMostTold + 5; ++i) writes.push_back({"s", std::to_string(i), "v"});
  const Json told = json::parse(changes_text(writes));
  EXPECT_EQ(told["s"].size(), kMostTold);
  EXPECT_EQ(told["…"]["and"], "5 more");
  EXPECT_FALSE(told["…"].contains("states"));
}

TEST(StateWords, states_are_not_crowded_out_by_other_writes) {
  std::vector<DiskWrite> writes;
  for (std::size_t i = 0; i < kMostTold + 5; ++i) writes.push_back({"s", std::to_string(i), "v"});
  for (std::size_t i = 0; i < kMostStates + 3; ++i) {
    writes.push_back({std::string(kStateSpace), place_of(std::to_string(i)), "x"});
  }
  const Json told = json::parse(changes_text(writes));
  EXPECT_EQ(told["state"].size(), kMostStates);
  EXPECT_EQ(told["…"]["states"], 3);
}

TEST(Places, tell_where_each_key_lies_that_was_written) {
  NodeConfig config;
  config.q = 8;
  config.modules = {"membership", "ring", "versioning", "quorum", "sync"};
  const auto commit = [](const std::string& data) {
    Step step;
    step.kind = Step::Kind::commit;
    step.data = data;
    return step;
  };
  const std::vector<Step> steps = {commit(R"({"state": {"cart": {"hash": "00"}}})"),
                                   commit(R"({"mine": {"x": "y"}, "state": {"tea": null}})"),
                                   commit(R"({"history": {"1": "an event"}})")};
  const std::vector<Step> told = places_of(steps, config);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(name_of(told[0].kind), "places");
  const Json data = json::parse(told[0].data);
  EXPECT_EQ(data["q"], 8);
  EXPECT_EQ(data["n"], 3);
  ASSERT_EQ(data["keys"].size(), 2u) << data;
  EXPECT_EQ(data["keys"]["cart"]["path"], path_of("cart", 8));
  const HashRange range = range_of(data["keys"]["cart"]["vnode"], path_of("cart", 8), 8);
  EXPECT_TRUE(range.first <= hash_of("cart") && hash_of("cart") <= range.last);
  config.modules.pop_back();
  EXPECT_TRUE(places_of(steps, config).empty()) << "no trees are at work";
}

}  // namespace
}  // namespace dynamo::sim
