// JSON from field lists: units in names, and errors that say where, what, and what instead.
#include "core/json.h"

#include <gtest/gtest.h>

#include "node/config.h"
#include "ring.h"

namespace dynamo {
namespace {

std::string error_of(const char* text) {
  NodeConfig config;
  try {
    json::from(json::parse_or_throw(text), config, "c.json");
  } catch (const JsonError& error) {
    return error.what();
  }
  return "no error";
}

TEST(JsonOut, fields_in_order_with_units) {
  EXPECT_EQ(json::text(json::to(Version{7, "n1", 9})),
            R"({"counter":7,"node":"n1","incarnation":9})");
  EXPECT_EQ(
      json::text(json::to(Event{"n2", Change::leave, {1, "n1", 2}})),
      R"({"subject":"n2","change":"leave","version":{"counter":1,"node":"n1","incarnation":2}})");
  EXPECT_EQ(json::text(json::to(std::vector<Placement>{{"n3", "n1"}, {"n4", ""}})),
            R"([{"host":"n3","stands_in_for":"n1"},{"host":"n4","stands_in_for":""}])");
  const Json config = json::to(NodeConfig{});
  EXPECT_EQ(config.at("gossip_period_ms"), 1000);
  EXPECT_FALSE(config.contains("gossip_period"));
}

TEST(JsonOut, digest_is_hexadecimal_and_errors_are_named) {
  EXPECT_EQ(json::to(HistoryDigest{1, 255}), "000000000000000100000000000000ff");
  EXPECT_EQ(json::text(json::to(Status(Error{ErrorCode::no_room, "full"}))),
            R"({"error":{"code":"no_room","message":"full"}})");
  EXPECT_EQ(json::to(Duration(1500)), 1.5);
  EXPECT_EQ(name_of(static_cast<ErrorCode>(99)), "error 99");
}

TEST(JsonIn, absent_fields_keep_what_they_have) {
  NodeConfig config;
  json::from(json::parse_or_throw(R"({"q": 64, "gossip_period_ms": 0.25, "seeds": ["n1"]})"),
             config, "c");
  EXPECT_EQ(config.q, 64u);
  EXPECT_EQ(config.n, NodeConfig{}.n);
  EXPECT_EQ(config.gossip_period, Duration(250));
  EXPECT_EQ(config.seeds, std::vector<NodeId>{"n1"});
}

TEST(JsonIn, what_goes_out_comes_in) {
  NodeConfig config;
  config.q = 7;
  config.call_timeout = Duration(1234567);
  config.seeds = {"a", "b"};
  config.cluster_secret = "…";
  NodeConfig back;
  json::from(json::to(config), back, "c");
  EXPECT_EQ(codec::encode(back), codec::encode(config));
}

TEST(JsonErrors, name_place_field_and_cure) {
  EXPECT_EQ(error_of(R"({"q": "many"})"),
            R"(c.json.q: expected a whole number from 0 to 4294967295, found "many")");
  EXPECT_EQ(error_of(R"({"q": 4294967296})"),
            "c.json.q: expected a whole number from 0 to 4294967295, found 4294967296");
  EXPECT_EQ(error_of(R"({"q": -1})"),
            "c.json.q: expected a whole number from 0 to 4294967295, found -1");
  EXPECT_EQ(error_of(R"({"q": 1.5})"),
            "c.json.q: expected a whole number from 0 to 4294967295, found 1.5");
  EXPECT_EQ(error_of(R"({"gossip_period_ms": -1})"),
            "c.json.gossip_period_ms: expected milliseconds, from 0 to 10^12, found -1");
  EXPECT_EQ(error_of(R"({"seeds": "n1"})"), R"(c.json.seeds: expected a list, found "n1")");
  EXPECT_EQ(error_of(R"({"seeds": ["n1", null]})"),
            "c.json.seeds[1]: expected a string, found null");
  EXPECT_EQ(error_of("[]"), "c.json: expected an object, found a list");
}

TEST(JsonErrors, unknown_field_lists_the_known_ones) {
  const std::string error = error_of(R"({"gossip_period": 5})");
  EXPECT_EQ(error.rfind("c.json: unknown field \"gossip_period\"; known are: q, n, "
                        "gossip_period_ms, call_timeout_ms, seeds, modules, ",
                        0),
            0u)
      << error;
}

TEST(JsonErrors, show_an_excerpt_of_what_is_long) {
  const std::string text = R"({"q": ")" + std::string(5000, 'x') + R"("})";
  EXPECT_LT(error_of(text.c_str()).size(), 160u);
}

}  // namespace
}  // namespace dynamo
