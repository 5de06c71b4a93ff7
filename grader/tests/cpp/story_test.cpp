// How failures are told: what is folded, what is left out, what is always there.
#include "sim/story.h"

#include <gtest/gtest.h>

#include "core/json.h"
#include "sim/checks.h"
#include "sim/trace.h"

namespace dynamo::sim {
namespace {

TEST(Story, steps_alike_are_folded) {
  std::vector<std::string> steps{"begin"};
  for (int i = 1; i <= 19; ++i) steps.push_back("n" + std::to_string(i) + " starts");
  steps.emplace_back("end");
  EXPECT_EQ(tell(UnitStory{{}, 0, steps}, {"", "it broke"}),
            "  1. begin\n  2. n1 starts\n  3. n2 starts\n     … 16 more like this …\n"
            " 20. n19 starts\n 21. end\n  actual:   it broke\n");
}

TEST(Story, links_cut_at_one_moment_are_told_as_who_is_cut_off_from_whom) {
  const auto told = [](const std::vector<std::pair<NodeId, NodeId>>& links) {
    std::vector<Step> steps;
    for (const auto& [from, to] : links) {
      Step& step = steps.emplace_back();
      step.kind = Step::Kind::cut;
      step.node = from;
      step.peer = to;
    }
    const std::string story = tell(steps, {"", "it broke"});
    return story.substr(0, story.find('\n'));
  };
  const std::string cut = "  1. t=0.000 s  the network is cut";
  EXPECT_EQ(told({{"n1", "n2"}}), cut + ": n1 → n2");
  EXPECT_EQ(told({{"n1", "n2"}, {"n3", "n2"}}), cut + " from [n1, n3] to n2");
  EXPECT_EQ(told({{"n2", "n1"}, {"n2", "n3"}, {"n1", "n2"}, {"n3", "n2"}}),
            cut + " between n2 and [n1, n3]");
  EXPECT_EQ(told({{"n1", "n2"}, {"n2", "n3"}}), cut + ": n1 → n2, n2 → n3");
  EXPECT_EQ(told({{"n1", "n2"},
                  {"n1", "n3"},
                  {"n1", "n4"},
                  {"n2", "n1"},
                  {"n3", "n1"},
                  {"n4", "n1"},
                  {"n2", "n3"},
                  {"n2", "n4"},
                  {"n3", "n2"},
                  {"n4", "n2"}}),
            cut + " around [n1, n2]: from each other and from [n3, n4]");
}

TEST(Story, what_goes_round_and_round_is_told_once) {
  std::vector<std::string> steps{"begin"};
  for (int i = 0; i < 4; ++i) {
    steps.push_back(std::to_string(100 + i) + " ms pass");
    steps.emplace_back("a call ends");
    steps.emplace_back("another one ends");
  }
  steps.emplace_back("end");
  EXPECT_EQ(tell(UnitStory{{}, 0, steps}, {"", "it broke"}),
            "  1. begin\n  2. 100 ms pass\n  3. a call ends\n  4. another one ends\n"
            "     … these 3 in turn, 3 times more …\n 14. end\n  actual:   it broke\n");
}

TEST(Story, a_short_one_is_told_step_by_step) {
  EXPECT_EQ(tell(UnitStory{{}, 0, {"a ping", "a ping", "a ping", "a ping", "a ping", "a ping"}},
                 {"", "it broke"})
                .find("more"),
            std::string::npos);
}

TEST(Story, a_long_one_keeps_its_first_steps) {
  std::vector<std::string> steps{"n1 starts", "n2 is asked", "n3 is asked"};
  for (char c = 'a'; c <= 'z'; ++c) steps.push_back(std::string("it asks for ") + c);
  steps.insert(steps.begin() + 10, "something else");
  const std::string told = tell(UnitStory{{}, 0, steps}, {"", "it broke"});
  EXPECT_EQ(told.find("  1. n1 starts\n  2. n2 is asked\n  3. n3 is asked\n"), 0U) << told;
  const std::string kept = tell(UnitStory{{"n1 starts"}, 7, {"it ends"}}, {"", "it broke"});
  EXPECT_EQ(kept.find("  1. n1 starts\n     … 7 more steps …\n  9. it ends\n"), 0U) << kept;
}

TEST(Story, looks_that_find_nothing_new_are_left_out) {
  const std::vector<std::string> steps = {"view() → [n1]", "add(n2)",       "view() → [n1]",
                                          "add(n3)",       "view() → [n3]", "view() → [n3]"};
  EXPECT_EQ(tell(UnitStory{{}, 0, steps}, {"", "it broke"}),
            "  1. view() → [n1]\n  2. add(n2)\n  3. add(n3)\n  4. view() → [n3]\n"
            "  5. view() → [n3]\n  actual:   it broke\n")
      << "the last step is always told";
}

/// A client's put, and what it is told, at the `second`.
void put(std::vector<Step>& steps, const std::string& key, int second) {
  for (const Step::Kind kind : {Step::Kind::client, Step::Kind::told}) {
    Step& step = steps.emplace_back();
    step.kind = kind;
    step.at = Instant(std::chrono::seconds(second));
    step.node = "n1";
    step.message = "put";
    step.id = static_cast<std::uint64_t>(second);
    step.data = R"({"key":")" + key + R"("})";
    step.text = kind == Step::Kind::told ? "done" : key + " = v";
  }
}

TEST(Story, the_put_of_the_key_that_it_is_about_is_told_however_much_came_after) {
  std::vector<Step> steps;
  for (int i = 0; i < 60; ++i) put(steps, "cart" + std::to_string(i), i);
  Step& crash = steps.emplace_back();
  crash.at = Instant(std::chrono::seconds(60));
  crash.kind = Step::Kind::crash;
  crash.node = "n2";
  crash.text = "kill -9";
  const std::string told = tell(steps, {"all is there", "cart7 is missing: there is nothing"});
  EXPECT_NE(told.find("a client asks n1 to put cart7 = v; it is told: done"), std::string::npos)
      << told;
  EXPECT_NE(told.find("n2 is killed"), std::string::npos) << told;
  EXPECT_NE(told.find("put cart0 = v"), std::string::npos) << "how it begins: " << told;
  EXPECT_EQ(told.find("put cart20 = v"), std::string::npos) << told;
}

TEST(Story, what_a_unit_check_did_to_the_key_that_it_is_about_is_told_with_the_key_in_long_lists) {
  UnitSteps steps;
  const auto update = [&](int first) {  // of ten keys
    Json copies = Json::array();
    for (int i = first; i < first + 10; ++i) {
      copies.push_back({{"key", "cart" + std::to_string(i)}, {"hash", "?"}, {"state", "milk"}});
    }
    const std::string text = json::text(Json{{"copies", copies}});
    steps.add([text](const KeySet& about) { return "an Update: " + in_words(text, 60, about); }, {},
              [text] { return text; });
    steps.add([first](const KeySet&) { return std::string(1 + first / 10, 'x') + " happens"; });
  };
  for (int first = 0; first < 400; first += 10) update(first);
  const StoryEnd about_one{"n1 holds [tea] for cart107", "it holds [milk]"};
  const std::string told = tell(steps.told(about_one), about_one);
  EXPECT_NE(told.find("an Update: copies [cart100, cart101, cart107 milk, … 7 more]\n"), told.npos)
      << told;
  EXPECT_EQ(told.find("  1. an Update: copies [cart0, cart1, … 8 more]\n  2. x happens\n"), 0U)
      << told;
  EXPECT_NE(told.find(" happens\n  expected: n1 holds"), told.npos) << "the last step: " << told;
  EXPECT_EQ(told.find("cart50,"), told.npos) << "of another key: " << told;
  const StoryEnd about_none{"n1 goes on", "it ends"};
  EXPECT_EQ(tell(steps.told(about_none), about_none).find("cart107"), told.npos);
}

TEST(Story, steps_before_the_last_ones_are_counted) {
  std::vector<std::string> steps;
  for (char c = 'a'; c <= 'z'; ++c)
    steps.push_back(std::string("it asks for ") + c + "\n     → so");
  const std::string told = tell(UnitStory{{}, 5, steps}, {"", "it broke"});
  EXPECT_EQ(told.find("     … 19 earlier steps …\n 20. it asks for o\n     → so\n 21. "), 0U)
      << told;
  EXPECT_NE(told.find(" 31. it asks for z\n"), std::string::npos) << told;
}

TEST(Story, long_sentences_are_broken_between_words) {
  std::string words;
  for (int i = 0; i < 40; ++i) words += "größer ";
  const std::string told = tell(UnitStory{}, {"a", words + "\nand more"});
  EXPECT_NE(told.find("größer\n            größer"), std::string::npos) << told;
  EXPECT_NE(told.find("\n            and more\n"), std::string::npos) << told;
  EXPECT_EQ(told.find("  expected: a\n  actual:   größer größer"), 0U) << told;
}

TEST(Story, what_is_not_written_yet_breaks_no_expectation) {
  const StoryEnd todo = end_of_death("not written yet: ring.cpp line 7, TODO(lab2 A): rebuild");
  EXPECT_EQ(tell(UnitStory{}, todo), "  not written yet: ring.cpp line 7, TODO(lab2 A): rebuild\n");
  EXPECT_EQ(end_of_death("segmentation fault").expected, "the node's process goes on");
}

}  // namespace
}  // namespace dynamo::sim
