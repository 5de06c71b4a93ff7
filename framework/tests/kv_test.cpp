// /kv as clients of the store use it.
#include <algorithm>
#include <string>
#include <vector>

#include "kv_fixture.h"

namespace dynamo {
namespace {

using boost::asio::ip::tcp;
using net::HttpHeaders;
using net::HttpResponse;
using testing::kContext;
using testing::kRequestId;
using testing::KvTest;
using testing::run_until;

TEST_F(KvTest, put_get_and_delete) {
  RealNode& node = start(options());
  const HttpResponse put_answer = ask(node, "PUT", "/kv/cart", "milk");
  EXPECT_EQ(put_answer.status, 204) << put_answer.body;
  EXPECT_TRUE(put_answer.headers.contains(kRequestId))
      << "the node makes one if the client has none";
  const HttpResponse read = ask(node, "GET", "/kv/cart");
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.body, "milk");
  EXPECT_EQ(read.content_type, "application/octet-stream");
  EXPECT_TRUE(read.headers.contains(kContext));
  EXPECT_EQ(ask(node, "DELETE", "/kv/cart").status, 204);
  const HttpResponse gone = ask(node, "GET", "/kv/cart");
  EXPECT_EQ(gone.status, 404);
  EXPECT_EQ(error_of(gone)["code"], "not_found");
  EXPECT_EQ(put(node, "cart", "eggs", gone.headers.at(kContext)), 204);
  EXPECT_EQ(seen(node, "cart"), "200 eggs");
}

TEST_F(KvTest, a_key_that_nobody_put_has_a_context_too) {
  RealNode& node = start(options());
  const HttpResponse absent = ask(node, "GET", "/kv/cart");
  EXPECT_EQ(absent.status, 404);
  EXPECT_EQ(put(node, "cart", "milk", absent.headers.at(kContext)), 204);
  EXPECT_EQ(put(node, "cart", "eggs", absent.headers.at(kContext)), 204);
  EXPECT_EQ(seen(node, "cart"), "300 eggs milk") << "neither writer had seen the other's value";
}

TEST_F(KvTest, values_are_any_bytes) {
  RealNode& node = start(options());
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  for (const std::string& value : {bytes, std::string(), std::string(1, '\0')}) {
    ASSERT_EQ(put(node, "k", value, context_of(node, "k")), 204);
    const HttpResponse read = ask(node, "GET", "/kv/k");
    EXPECT_EQ(read.status, 200);
    EXPECT_EQ(read.body, value);
  }
}

TEST_F(KvTest, keys_are_utf8_of_at_most_256_bytes) {
  RealNode& node = start(options());
  std::vector<std::string> good = {"%20", "a%2Fb", "%00", "Gr%C3%BC%C3%9Fe", "%F0%9F%9B%92"};
  good.emplace_back(256, 'k');
  for (const std::string& key : good) {
    EXPECT_EQ(put(node, key, key), 204) << key;
    EXPECT_EQ(seen(node, key), "200 " + key);
  }
  std::vector<std::string> bad = {"", "%FF", "%C3", "%ED%A0%80", "a/b"};
  bad.emplace_back(257, 'k');
  for (const std::string& key : bad) {
    for (const char* method : {"GET", "PUT", "DELETE"}) {
      const HttpResponse response = ask(node, method, "/kv/" + key, "value");
      EXPECT_EQ(response.status, 400) << key;
      EXPECT_EQ(error_of(response)["code"], "invalid_argument");
    }
  }
  EXPECT_EQ(error_of(ask(node, "GET", "/kv/a/b"))["message"],
            "a slash in a key is written as %2F: /kv/a%2Fb");
}

TEST_F(KvTest, siblings_all_come_and_a_put_with_their_context_replaces_them) {
  RealNode& node = start(options());
  const std::string nothing = context_of(node, "cart");
  ASSERT_EQ(put(node, "cart", "milk", nothing), 204);
  ASSERT_EQ(put(node, "cart", "\xff\x01", nothing), 204);
  const HttpResponse both = ask(node, "GET", "/kv/cart");
  EXPECT_EQ(both.status, 300);
  EXPECT_EQ(both.content_type, "application/json");
  const Json siblings = json::parse_or_throw(both.body)["siblings"];
  ASSERT_EQ(siblings.size(), 2u);
  EXPECT_TRUE(std::find(siblings.begin(), siblings.end(), Json{{"text", "milk"}}) != siblings.end())
      << both.body;
  EXPECT_TRUE(std::find(siblings.begin(), siblings.end(), Json{{"base64", "/wE="}}) !=
              siblings.end())
      << both.body;
  ASSERT_EQ(put(node, "cart", "blind"), 204);
  ASSERT_EQ(put(node, "cart", "merged", both.headers.at(kContext)), 204);
  EXPECT_EQ(seen(node, "cart"), "300 blind merged") << "what the context had not seen stays";
  EXPECT_EQ(put(node, "cart", "all", context_of(node, "cart")), 204);
  EXPECT_EQ(seen(node, "cart"), "200 all");
}

TEST_F(KvTest, value_beside_a_tombstone_is_one_value) {
  RealNode& node = start(options());
  ASSERT_EQ(put(node, "cart", "milk"), 204);
  const std::string context = context_of(node, "cart");
  EXPECT_EQ(ask(node, "DELETE", "/kv/cart", "", {{kContext, context}}).status, 204);
  ASSERT_EQ(put(node, "cart", "eggs", context), 204);
  EXPECT_EQ(seen(node, "cart"), "200 eggs");
}

TEST_F(KvTest, forged_cut_and_foreign_contexts_get_400_and_change_nothing) {
  RealNode& node = start(options());
  ASSERT_EQ(put(node, "cart", "milk"), 204);
  ASSERT_EQ(put(node, "other", "milk"), 204);
  const std::string good = context_of(node, "cart");
  std::vector<std::string> wrong = {
      "", "x", "AAAA", good + "A", good + "=", " " + good, context_of(node, "other")};
  wrong.push_back(ContextSeal("another secret").seal("cart", to_bytes(VectorClock{})));
  for (std::size_t end = 0; end < good.size(); ++end) wrong.push_back(good.substr(0, end));
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string forged = good;
    forged[at] = forged[at] == 'A' ? 'B' : 'A';
    wrong.push_back(std::move(forged));
  }
  for (const std::string& context : wrong) {
    for (const char* method : {"PUT", "DELETE"}) {
      const HttpResponse response = ask(node, method, "/kv/cart", "forged", {{kContext, context}});
      EXPECT_EQ(response.status, 400) << context;
      EXPECT_NE(response.body.find(kContext), std::string::npos) << response.body;
    }
  }
  EXPECT_EQ(seen(node, "cart"), "200 milk");
  EXPECT_EQ(put(node, "cart", "eggs", good), 204);
  EXPECT_EQ(seen(node, "cart"), "200 eggs");
}

TEST_F(KvTest, any_node_takes_any_request_and_contexts_are_good_at_all) {
  RealNode& n1 = start(options("n1"));
  RealNode& n2 = start(options("n2"));
  ASSERT_EQ(ask(n1, "POST", "/admin/members/n2").status, 200);
  ASSERT_TRUE(run_until(io_, [&] {
    return json::parse_or_throw(ask(n2, "GET", "/admin/view").body)["member"] == true;
  }));
  ASSERT_EQ(put(n1, "cart", "milk"), 204);
  ASSERT_TRUE(run_until(io_, [&] { return seen(n2, "cart") == "200 milk"; }));
  ASSERT_EQ(put(n2, "cart", "eggs", context_of(n2, "cart")), 204);
  EXPECT_TRUE(run_until(io_, [&] { return seen(n1, "cart") == "200 eggs"; })) << seen(n1, "cart");
}

TEST_F(KvTest, value_over_the_limit_gets_413_that_names_it) {
  RealNodeOptions with = options();
  with.config.max_value_bytes = 1000;
  RealNode& node = start(with);
  EXPECT_EQ(put(node, "k", std::string(1000, 'v')), 204);
  const HttpResponse large = ask(node, "PUT", "/kv/k", std::string(1001, 'v'));
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(error_of(large)["message"], "a value has at most 1000 bytes, this one 1001");
  const std::string refused =
      exchange(node,
               "PUT /kv/k HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
               "Content-Length: 1001\r\n\r\n",
               [](const std::string& text) { return text.find("max_value_bytes") != text.npos; });
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 413 ")) << "at once, before the body: " << refused;
  EXPECT_EQ(ask(node, "GET", "/kv/k").body, std::string(1000, 'v'));
}

TEST_F(KvTest, siblings_over_the_limit_get_413_and_a_reconciling_put_passes) {
  RealNodeOptions with = options();
  with.config.max_siblings = 2;
  RealNode& node = start(with);
  EXPECT_EQ(put(node, "k", "a"), 204);
  EXPECT_EQ(put(node, "k", "b"), 204);
  const HttpResponse third = ask(node, "PUT", "/kv/k", "c");
  EXPECT_EQ(third.status, 413);
  EXPECT_EQ(error_of(third)["code"], "too_large");
  EXPECT_EQ(seen(node, "k"), "300 a b");
  EXPECT_EQ(put(node, "k", "ab", context_of(node, "k")), 204);
  EXPECT_EQ(seen(node, "k"), "200 ab");
}

TEST_F(KvTest, wrong_parameters_are_named) {
  RealNode& node = start(options());
  struct Case {
    const char* method;
    const char* target;
    const char* message;
  };
  for (const Case& one :
       {Case{"GET", "/kv/k?r=0", "r must be 1, since one host decides here; it is \"0\""},
        Case{"GET", "/kv/k?r=2", "r must be 1, since one host decides here; it is \"2\""},
        Case{"GET", "/kv/k?w=1", "unknown parameter \"w\"; this request takes: r"},
        Case{"PUT", "/kv/k?w=x", "w must be 1, since one host decides here; it is \"x\""},
        Case{"PUT", "/kv/k?w=", "w must be 1, since one host decides here; it is \"\""},
        Case{"DELETE", "/kv/k?w=-1", "w must be 1, since one host decides here; it is \"-1\""},
        Case{"DELETE", "/kv/k?kez=1", "unknown parameter \"kez\"; this request takes: w"}}) {
    const HttpResponse response = ask(node, one.method, one.target, "value");
    EXPECT_EQ(response.status, 400) << one.target;
    EXPECT_EQ(error_of(response)["message"], one.message);
  }
  EXPECT_EQ(ask(node, "PUT", "/kv/k?w=1", "value").status, 204);
  EXPECT_EQ(ask(node, "GET", "/kv/k?r=1").body, "value");
}

TEST_F(KvTest, repeated_request_id_is_executed_once) {
  RealNode& node = start(options());
  const HttpHeaders first = {{kRequestId, "client:1:1"}};
  const HttpResponse done = ask(node, "PUT", "/kv/cart", "milk", first);
  EXPECT_EQ(done.status, 204);
  EXPECT_EQ(done.headers.at(kRequestId), "client:1:1");
  ASSERT_EQ(put(node, "cart", "eggs", context_of(node, "cart")), 204);
  EXPECT_EQ(ask(node, "PUT", "/kv/cart", "milk", first).status, 204);
  EXPECT_EQ(seen(node, "cart"), "200 eggs");
  for (const std::string other : {"client:1:2", "client:2:1", "client"}) {
    ASSERT_EQ(put(node, "cart", "eggs", context_of(node, "cart")), 204);
    EXPECT_EQ(ask(node, "PUT", "/kv/cart", other, {{kRequestId, other}}).status, 204);
    EXPECT_EQ(seen(node, "cart"), "300 " + other + " eggs") << "another request";
  }
  for (const std::string& wrong :
       {std::string(), std::string(129, 'x'), std::string("tab\t"), std::string("\xc3\xa9")}) {
    const HttpResponse response = ask(node, "PUT", "/kv/cart", "v", {{kRequestId, wrong}});
    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(error_of(response)["message"], "X-Request-Id has 1 to 128 printable characters");
  }
}

TEST_F(KvTest, last_write_wins_if_the_config_says_so) {
  RealNodeOptions with = options();
  with.config.reconciliation = "last_write_wins";
  RealNode& node = start(with);
  const std::string nothing = context_of(node, "cart");
  ASSERT_EQ(put(node, "cart", "milk", nothing), 204);
  ASSERT_EQ(put(node, "cart", "eggs", nothing), 204);
  EXPECT_EQ(seen(node, "cart"), "200 eggs");
}

TEST_F(KvTest, stranger_gets_503_and_a_node_without_a_coordinator_501) {
  start(options("n1"));
  RealNode& stranger = start(options("n2"));
  RealNodeOptions with = options("n3");
  with.config.modules = {"membership", "ring"};
  RealNode& keyless = start(with);
  for (const char* method : {"GET", "PUT", "DELETE"}) {
    const HttpResponse refused = ask(stranger, method, "/kv/cart", "value");
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(error_of(refused)["message"], "n2 is not a member; ask a node that is one");
    EXPECT_FALSE(json::parse_or_throw(refused.body).contains("acked"));
    const HttpResponse absent = ask(keyless, method, "/kv/cart", "value");
    EXPECT_EQ(absent.status, 501);
    EXPECT_EQ(error_of(absent)["code"], "not_at_work");
  }
}

TEST_F(KvTest, dead_owner_is_a_503_with_what_was_needed_and_what_was_got) {
  RealNodeOptions with = options();
  with.config.n = 1;
  RealNode& node = start(with);
  ASSERT_EQ(ask(node, "POST", "/admin/members/n2").status, 200);
  const std::string key = key_of(node, "n2");
  for (const char* method : {"GET", "PUT", "DELETE"}) {
    const HttpResponse response = ask(node, method, "/kv/" + key, "value");
    EXPECT_EQ(response.status, 503) << response.body;
    const Json body = json::parse_or_throw(response.body);
    EXPECT_EQ(body["error"]["code"], "unavailable");
    EXPECT_EQ(body["needed"], 1);
    EXPECT_EQ(body["acked"], 0);
  }
  EXPECT_EQ(put(node, key_of(node, "n1"), "value"), 204) << "its own keys are not concerned";
}

TEST_F(KvTest, owner_that_accepts_and_never_answers_is_a_504_at_the_deadline) {
  RealNodeOptions with = options();
  with.config.n = 1;
  with.config.call_timeout = std::chrono::seconds(60);
  with.config.request_deadline = std::chrono::milliseconds(100);
  tcp::acceptor silent(io_, {boost::asio::ip::address_v4::loopback(), peers_.at("n2").peer.port});
  RealNode& node = start(with);
  ASSERT_EQ(ask(node, "POST", "/admin/members/n2").status, 200);
  const std::string key = key_of(node, "n2");
  for (const char* method : {"GET", "PUT", "DELETE"}) {
    const HttpResponse response = ask(node, method, "/kv/" + key, "value");
    EXPECT_EQ(response.status, 504) << response.body;
    const Json body = json::parse_or_throw(response.body);
    EXPECT_EQ(body["error"]["code"], "timed_out");
    EXPECT_EQ(body["needed"], 1);
    EXPECT_EQ(body["acked"], 0);
  }
}

TEST_F(KvTest, full_disk_gets_507_and_loses_nothing) {
  RealNodeOptions with = options();
  with.config.disk_limit_bytes = 2u << 20;
  RealNode& node = start(with);
  const std::string value(100'000, 'v');
  int stored = 0;
  HttpResponse last{204, "", "", {}};
  while (last.status == 204 && stored < 100) {
    last = ask(node, "PUT", "/kv/k" + std::to_string(stored), value);
    if (last.status == 204) ++stored;
  }
  EXPECT_EQ(last.status, 507) << last.body;
  EXPECT_EQ(error_of(last)["code"], "no_room");
  ASSERT_GT(stored, 3);
  for (int i = 0; i < stored; ++i) {
    EXPECT_EQ(ask(node, "GET", "/kv/k" + std::to_string(i)).body, value) << i;
  }
  for (int i = 0; i < stored; ++i) {
    EXPECT_EQ(ask(node, "DELETE", "/kv/k" + std::to_string(i)).status, 204)
        << "a delete frees room";
  }
  EXPECT_EQ(put(node, "new", value), 204);
}

TEST_F(KvTest, requests_on_one_connection_are_answered_in_order) {
  RealNode& node = start(options());
  const std::string answer =
      exchange(node,
               "PUT /kv/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nmilk"
               "HEAD /kv/a HTTP/1.1\r\nHost: localhost\r\n\r\n"
               "GET /kv/a HTTP/1.1\r\nHost: localhost\r\n\r\n"
               "DELETE /kv/a HTTP/1.1\r\nHost: localhost\r\n\r\n"
               "PUT /kv/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
               "4\r\neggs\r\n0\r\n\r\n"
               "GET /kv/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  std::vector<std::string> lines;
  for (std::size_t at = answer.find("HTTP/1.1 "); at != answer.npos;
       at = answer.find("HTTP/1.1 ", at + 1)) {
    lines.push_back(answer.substr(at + 9, 3));
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"204", "200", "200", "204", "204", "200"})) << answer;
  EXPECT_EQ(answer.find("milk"), answer.rfind("milk")) << "a HEAD has no body: " << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\neggs")) << answer;
  EXPECT_NE(answer.find("Content-Length: 4\r\n"), answer.npos);
}

}  // namespace
}  // namespace dynamo
