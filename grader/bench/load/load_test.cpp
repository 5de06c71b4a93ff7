#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

#include "core/json.h"
#include "load/dialect.h"
#include "load/pace.h"
#include "load/samples.h"

namespace dynamo::load {
namespace {

using namespace std::chrono_literals;

std::vector<std::uint64_t> one_to(std::uint64_t last) {
  std::vector<std::uint64_t> numbers(last);
  std::iota(numbers.begin(), numbers.end(), 1);
  return numbers;
}

TEST(Percentile, is_the_nearest_rank) {
  EXPECT_EQ(percentile(one_to(1000), 500), 500u);
  EXPECT_EQ(percentile(one_to(1000), 990), 990u);
  EXPECT_EQ(percentile(one_to(1000), 999), 999u);
  EXPECT_EQ(percentile(one_to(1000), 1000), 1000u);
  EXPECT_EQ(percentile(one_to(10), 999), 10u);  // never between two samples
  EXPECT_EQ(percentile(one_to(3), 500), 2u);
  EXPECT_EQ(percentile({7}, 1), 7u);
  EXPECT_EQ(percentile({}, 999), 0u);
}

TEST(Samples, tells_what_was_done_and_what_failed) {
  Samples samples;
  for (int ms = 10; ms >= 1; --ms) samples.add(std::chrono::milliseconds(ms));
  samples.fail("first");
  samples.fail("second");
  const Json told = Json::parse(samples.json(2.0));
  EXPECT_EQ(told["done"], 10);
  EXPECT_EQ(told["failed"], 2);
  EXPECT_EQ(told["first_error"], "first");
  EXPECT_EQ(told["per_second"], 5.0);
  EXPECT_EQ(told["p50_us"], 5000.0);
  EXPECT_EQ(told["max_us"], 10000.0);
}

TEST(Pace, counts_from_when_a_request_was_meant_to_begin) {
  const Clock::time_point begin{};
  Pace pace(begin, 1000, 4);
  EXPECT_EQ(pace.take(begin), begin);
  EXPECT_EQ(pace.take(begin), std::nullopt);
  EXPECT_EQ(pace.next(), begin + 1ms);
  // A server that stood still for a second: nothing is left out, and all of it is late.
  EXPECT_EQ(pace.take(begin + 1s), begin + 1ms);
  EXPECT_EQ(pace.take(begin + 1s), begin + 2ms);
  EXPECT_EQ(pace.take(begin + 1s), begin + 3ms);
  EXPECT_EQ(pace.next(), std::nullopt);
  EXPECT_EQ(pace.take(begin + 1s), std::nullopt);
}

/// The answer in two parts, cut at each place; the error that the dialect sees.
std::string told(const std::string& system, const Workload& workload, const std::string& answer) {
  std::string first;
  for (std::size_t cut = 0; cut <= answer.size(); ++cut) {
    const auto dialect = make_dialect(system, workload, "127.0.0.1:1");
    dialect->request("key", std::string(workload.value_bytes, 'v'));
    EXPECT_FALSE(dialect->done());
    std::size_t taken = dialect->take(std::string_view(answer).substr(0, cut));
    if (cut < answer.size()) {
      EXPECT_FALSE(dialect->done()) << system << " at " << cut;
      taken += dialect->take(std::string_view(answer).substr(taken));
    }
    EXPECT_EQ(taken, answer.size()) << system << " at " << cut;
    EXPECT_TRUE(dialect->done()) << system << " at " << cut;
    if (cut == 0) first = dialect->error();
    EXPECT_EQ(dialect->error(), first);
  }
  return first;
}

std::string http(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

constexpr Workload kPut{true, 3, 0};
constexpr Workload kGet{false, 3, 0};

TEST(Dialect, dynamo_takes_204_for_a_put_and_the_value_for_a_get) {
  const auto dialect = make_dialect("dynamo", kPut, "127.0.0.1:1");
  EXPECT_EQ(dialect->request("a1", "vvv"),
            "PUT /kv/a1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Type: application/octet-stream\r\n"
            "Content-Length: 3\r\n\r\nvvv");
  EXPECT_EQ(told("dynamo", kPut, "HTTP/1.1 204 No Content\r\n\r\n"), "");
  EXPECT_EQ(told("dynamo", kGet, http("200 OK", "vvv")), "");
  EXPECT_NE(told("dynamo", kGet, http("200 OK", "vv")), "");
  EXPECT_NE(told("dynamo", kGet, http("300 Multiple Choices", "vvv")), "");
  EXPECT_NE(told("dynamo", kPut, http("503 Service Unavailable", "{}")).find("503"),
            std::string::npos);
}

TEST(Dialect, etcd_speaks_base64_and_an_absent_key_is_a_failure) {
  const auto dialect = make_dialect("etcd", kPut, "h");
  EXPECT_NE(dialect->request("key", "vvv").find(R"({"key":"a2V5","value":"dnZ2"})"),
            std::string_view::npos);
  EXPECT_NE(dialect->request("keys", "vv").find(R"({"key":"a2V5cw==","value":"dnY="})"),
            std::string_view::npos);
  EXPECT_EQ(told("etcd", kPut, http("200 OK", R"({"header":{}})")), "");
  EXPECT_EQ(told("etcd", kGet, http("200 OK", R"({"kvs":[{"value":"dnZ2"}],"count":"1"})")), "");
  EXPECT_NE(told("etcd", kGet, http("200 OK", R"({"header":{"revision":"1"}})")), "");
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n9\r\n{\"count\":\r\n4\r\n\"1\"}\r\n0\r\n\r\n";
  EXPECT_EQ(told("etcd", kGet, chunked), "");
}

TEST(Dialect, redis_waits_for_its_replicas) {
  constexpr Workload both{true, 3, 1};
  const auto dialect = make_dialect("redis", both, "");
  EXPECT_EQ(dialect->request("key", "vvv"),
            "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$3\r\nvvv\r\n"
            "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$4\r\n2000\r\n");
  EXPECT_EQ(told("redis", both, "+OK\r\n:1\r\n"), "");
  EXPECT_EQ(told("redis", both, "+OK\r\n:2\r\n"), "");
  EXPECT_EQ(told("redis", both, "+OK\r\n:0\r\n"), ":0");
  EXPECT_EQ(told("redis", both, "-READONLY\r\n:1\r\n"), "-READONLY");
  EXPECT_EQ(told("redis", kPut, "+OK\r\n"), "");
  EXPECT_EQ(told("redis", kGet, "$3\r\nv\r\n\r\n"), "");
  EXPECT_EQ(told("redis", kGet, "$-1\r\n"), "$-1");
}

TEST(Dialect, what_is_no_answer_is_said) {
  for (const std::string system : {"dynamo", "etcd", "redis"}) {
    const auto dialect = make_dialect(system, kGet, "h");
    dialect->request("key", "");
    EXPECT_THROW(dialect->take("?? nonsense\r\n\r\n"), std::runtime_error) << system;
  }
  EXPECT_EQ(make_dialect("oracle", kGet, "h"), nullptr);
}

}  // namespace
}  // namespace dynamo::load
