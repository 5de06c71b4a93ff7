// The HTTP server, spoken to with raw bytes.
#include "net/http_server.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>

#include <boost/asio/read.hpp>

#include "waiting.h"

namespace dynamo::net {
namespace {

using boost::asio::ip::tcp;
using testing::run_until;

class HttpTest : public ::testing::Test {
 protected:
  void serve(const HttpOptions& options = {{"127.0.0.1", 0}, std::chrono::seconds(20), 1000, 8}) {
    server_ = std::make_unique<HttpServer>(io_, options, metrics_);
    server_->start(
        [this](const HttpRequest& request, const HttpServer::Respond& respond) {
          std::string text = request.method;
          for (const std::string& segment : request.path) text += " [" + segment + "]";
          for (const auto& [name, value] : request.query) text += " " + name + "=" + value;
          last_ = request;
          respond({200, "text/plain", text + " " + request.body + "\n", {}});
        },
        [](const HttpRequest&) { return std::string_view("/any"); });
  }

  tcp::socket connect() {
    tcp::socket socket(io_);
    socket.connect({boost::asio::ip::make_address("127.0.0.1"), server_->address().port});
    return socket;
  }

  /// Sends `bytes`, and reads until the server closes or `done` says enough.
  std::string exchange(const std::string& bytes,
                       const std::function<bool(const std::string&)>& done = nullptr) {
    tcp::socket socket = connect();
    std::string answer;
    std::array<char, 4096> chunk{};
    bool closed = false;
    boost::asio::async_write(socket, boost::asio::buffer(bytes), [](auto, auto) {});
    std::function<void()> read = [&] {
      socket.async_read_some(boost::asio::buffer(chunk),
                             [&](const boost::system::error_code& error, std::size_t count) {
                               answer.append(chunk.data(), count);
                               if (error) {
                                 closed = true;
                               } else {
                                 read();
                               }
                             });
    };
    read();
    const bool in_time = run_until(io_, [&] { return closed || (done && done(answer)); });
    EXPECT_TRUE(in_time) << "after " << answer;
    if (!closed) {
      socket.close();
      run_until(io_, [&] { return closed; });
    }
    return answer;
  }

  static std::string get(const std::string& target, const std::string& headers = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
  }
  static std::string get_once(const std::string& target) {
    return get(target, "Connection: close\r\n");
  }

  static std::size_t count_of(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
    return count;
  }

  Metrics metrics_;
  HttpRequest last_;
  boost::asio::io_context io_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpTest, answers_and_closes_when_told) {
  serve();
  const std::string answer = exchange(get_once("/a/b?c=d"));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_NE(answer.find("Content-Type: text/plain\r\n"), answer.npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\nGET [a] [b] c=d \n")) << answer;
}

TEST_F(HttpTest, keeps_a_connection_for_the_next_request) {
  serve();
  const auto answers = [](std::size_t n) {
    return [n](const std::string& text) { return count_of(text, "HTTP/1.1 200") == n; };
  };
  exchange(get("/1"), answers(1));
  exchange(get("/1") + get("/2") + get_once("/3"), nullptr);
  EXPECT_EQ(metrics_.value("dynamo_http_requests_total",
                           {{"method", "GET"}, {"route", "/any"}, {"status", "200"}}),
            4u);
}

TEST_F(HttpTest, three_requests_in_one_write_are_answered_in_order) {
  serve();
  const std::string answer =
      exchange(get("/1") + "POST /2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody" +
               get_once("/3"));
  EXPECT_EQ(count_of(answer, "HTTP/1.1 200"), 3u);
  EXPECT_LT(answer.find("GET [1]"), answer.find("POST [2] body"));
  EXPECT_LT(answer.find("POST [2] body"), answer.find("GET [3]"));
}

TEST_F(HttpTest, requests_in_single_bytes_are_understood) {
  serve();
  tcp::socket socket = connect();
  for (const char byte : get_once("/slow")) {
    boost::asio::write(socket, boost::asio::buffer(&byte, 1));
    io_.poll();
    io_.restart();
  }
  ASSERT_TRUE(run_until(io_, [&] { return !last_.path.empty(); }));
  EXPECT_EQ(last_.path, std::vector<std::string>{"slow"});
}

TEST_F(HttpTest, head_is_a_get_without_the_body) {
  serve();
  const std::string answer =
      exchange("HEAD /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
  EXPECT_NE(answer.find("Content-Length: 9\r\n"), answer.npos) << answer;
}

TEST_F(HttpTest, oversize_body_gets_413_though_it_is_still_being_sent) {
  serve();
  const std::string body(3'000'000, 'x');
  const std::string answer =
      exchange("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n" + body);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
  EXPECT_NE(
      answer.find(
          "\"the body is larger than 1000 bytes, the limit of this server (max_value_bytes)\""),
      answer.npos)
      << answer;
  EXPECT_TRUE(last_.path.empty());
}

TEST_F(HttpTest, oversize_chunked_body_gets_413) {
  serve();
  const std::string answer =
      exchange("POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
               std::string(2000, 'x') + "\r\n0\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
}

TEST_F(HttpTest, oversize_header_gets_431) {
  serve();
  const auto with = [](std::size_t bytes) {
    return get("/a", "Connection: close\r\nX: " + std::string(bytes, 'x') + "\r\n");
  };
  EXPECT_TRUE(exchange(with(60'000)).starts_with("HTTP/1.1 200 "));
  const std::string answer = exchange(with(70'000));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 431 ")) << answer;
  EXPECT_NE(answer.find("65536"), std::string::npos) << answer;
}

TEST_F(HttpTest, garbage_gets_400_and_the_connection_ends) {
  serve();
  for (const char* garbage :
       {"\x01\x02\x03\r\n\r\n", "GET\r\n\r\n", "GET / SPDY/3\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n"}) {
    const std::string answer = exchange(std::string(garbage) + get("/next"));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << garbage << answer;
    EXPECT_NE(answer.find("\"invalid_argument\""), answer.npos) << answer;
    EXPECT_EQ(count_of(answer, "HTTP/1.1 "), count_of(answer, "no HTTP/1.1 request") + 1);
  }
}

TEST_F(HttpTest, targets_that_are_no_path_get_400) {
  serve();
  for (const char* target :
       {"*", "http://elsewhere/", "/%", "/%4", "/%zz", "/a?b=%1", "/a?%g0=1"}) {
    const std::string answer = exchange(get_once(target));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << target << " " << answer;
  }
}

TEST_F(HttpTest, silent_and_slow_clients_are_cut_off) {
  serve({{"127.0.0.1", 0}, std::chrono::milliseconds(100), 1000, 8});
  EXPECT_EQ(exchange(""), "");
  EXPECT_EQ(exchange("GET / HT"), "");
  EXPECT_EQ(exchange("POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf"), "");
}

TEST_F(HttpTest, one_connection_more_than_allowed_is_closed) {
  serve({{"127.0.0.1", 0}, std::chrono::seconds(20), 1000, 2});
  tcp::socket first = connect();
  tcp::socket second = connect();
  EXPECT_EQ(exchange(""), "");
}

TEST_F(HttpTest, taken_port_is_an_error_with_a_cure) {
  serve();
  try {
    HttpServer second(io_, {server_->address(), std::chrono::seconds(1), 10, 1}, metrics_);
    FAIL() << "two on one port";
  } catch (const ConfigError& error) {
    EXPECT_EQ(std::string(error.what()),
              "cannot listen for HTTP on " + server_->address().text() +
                  ": Address already in use; is another node running, or is the address not this "
                  "machine's?");
  }
}

TEST_F(HttpTest, late_answer_after_stop_is_swallowed) {
  HttpServer::Respond kept;
  server_ = std::make_unique<HttpServer>(
      io_, HttpOptions{{"127.0.0.1", 0}, std::chrono::seconds(20), 1000, 8}, metrics_);
  server_->start(
      [&](const HttpRequest&, HttpServer::Respond respond) { kept = std::move(respond); },
      [](const HttpRequest&) { return std::string_view("/any"); });
  tcp::socket socket = connect();
  boost::asio::write(socket, boost::asio::buffer(get("/")));
  ASSERT_TRUE(run_until(io_, [&] { return kept != nullptr; }));
  server_->stop();
  kept({200, "text/plain", "late", {}});
  io_.restart();
  io_.poll();
}

TEST_F(HttpTest, expect_100_continue_is_answered_before_the_body_comes) {
  serve();
  tcp::socket socket = connect();
  const std::string head =
      "POST /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
  boost::asio::write(socket, boost::asio::buffer(head));
  const std::string wanted = "HTTP/1.1 100 Continue\r\n\r\n";
  std::string got(wanted.size(), '\0');
  bool have = false;
  boost::asio::async_read(socket, boost::asio::buffer(got),
                          [&](auto error, auto) { have = !error; });
  ASSERT_TRUE(run_until(io_, [&] { return have; }));
  EXPECT_EQ(got, wanted);
  boost::asio::write(socket, boost::asio::buffer(std::string("body")));
  ASSERT_TRUE(run_until(io_, [&] { return last_.body == "body"; }));
}

TEST_F(HttpTest, expect_100_continue_of_too_much_gets_413_at_once) {
  serve();
  const std::string answer = exchange(
      "POST /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
      "Content-Length: 5000\r\n\r\n",
      [](const std::string& text) { return text.find("max_value_bytes") != text.npos; });
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
  EXPECT_TRUE(exchange("GET / HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\n\r\n")
                  .starts_with("HTTP/1.1 417 "));
}

TEST_F(HttpTest, head_and_get_have_the_same_header_and_leave_the_connection_in_order) {
  serve();
  const std::string answer =
      exchange("HEAD /a HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/a") + get_once("/b"));
  const std::size_t end = answer.find("\r\n\r\n") + 4;
  const std::string header = answer.substr(0, end);
  EXPECT_EQ(answer.substr(end, header.size()), header) << answer;
  EXPECT_TRUE(answer.substr(2 * end).starts_with("GET [a] \nHTTP/1.1 200")) << answer;
}

TEST_F(HttpTest, bodies_are_any_bytes_and_header_names_any_case) {
  serve();
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  const std::string answer = exchange(
      "POST /%00%ff%2F HTTP/1.1\r\nhost: localhost\r\nX-One: 1\r\nx-oNE: 2\r\n"
      "Content-Type: image/png\r\nConnection: close\r\nContent-Length: 256\r\n\r\n" +
      bytes);
  EXPECT_EQ(last_.body, bytes);
  EXPECT_NE(answer.find(bytes), answer.npos);
  EXPECT_EQ(last_.path, std::vector<std::string>{std::string("\0\xff/", 3)});
  EXPECT_EQ(*last_.header("CONTENT-type"), "image/png");
  EXPECT_EQ(*last_.header("x-one"), "1, 2");
  EXPECT_EQ(last_.header("absent"), nullptr);
}

TEST_F(HttpTest, response_without_a_body_has_no_length) {
  server_ = std::make_unique<HttpServer>(
      io_, HttpOptions{{"127.0.0.1", 0}, std::chrono::seconds(20), 1000, 8}, metrics_);
  server_->start(
      [](const HttpRequest&, const HttpServer::Respond& respond) {
        respond({204, "", "", {{"X-Dynamo-Context", "abc"}}});
      },
      [](const HttpRequest&) { return std::string_view("/any"); });
  const std::string answer = exchange(get("/") + get_once("/"));
  EXPECT_EQ(count_of(answer, "HTTP/1.1 204 No Content\r\n"), 2u) << answer;
  EXPECT_EQ(count_of(answer, "X-Dynamo-Context: abc\r\n"), 2u) << answer;
  EXPECT_EQ(answer.find("Content-"), answer.npos) << answer;
}

TEST_F(HttpTest, http_1_0_is_answered_in_kind) {
  serve();
  const std::string answer = exchange("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.0 200 OK\r\n")) << answer;
  const std::string kept =
      exchange("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n");
  EXPECT_EQ(count_of(kept, "HTTP/1.0 200"), 2u) << kept;
  EXPECT_EQ(count_of(kept, "Connection: keep-alive"), 1u) << kept;
}

TEST_F(HttpTest, ambiguous_requests_get_400) {
  serve();
  for (const char* header :
       {"", "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n",
        "Host: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n"}) {
    const std::string answer =
        exchange(std::string("POST / HTTP/1.1\r\n") + header + "\r\n0\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << header << answer;
  }
  EXPECT_TRUE(last_.path.empty());
}

TEST_F(HttpTest, methods_in_the_metrics_are_few) {
  serve();
  for (const char* method : {"BREW", "LINK", "PATCH"}) {
    exchange(std::string(method) + " /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  }
  exchange("HEAD /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  exchange("\x01\r\n\r\n");
  const std::string text = metrics_.text();
  for (const char* line : {"{method=\"HEAD\",route=\"/any\",status=\"200\"} 1\n",
                           "{method=\"none\",route=\"none\",status=\"400\"} 1\n",
                           "{method=\"other\",route=\"/any\",status=\"200\"} 3\n"}) {
    EXPECT_NE(text.find(std::string("dynamo_http_requests_total") + line), text.npos) << text;
  }
}

/// What a page in a browser can make it send to a node on the same machine.
TEST_F(HttpTest, foreign_pages_are_refused) {
  serve();
  const std::string own = server_->address().text();
  struct Case {
    std::string request;  ///< Up to its Host.
    std::string headers;
    std::string status;
  };
  const std::string post = "POST /admin/members/n2 HTTP/1.1\r\n";
  const std::string ask = "GET /admin/view HTTP/1.1\r\n";
  for (const Case& one : {
           Case{post, "Host: " + own, "200"},
           Case{post, "Host: localhost:8001", "200"},
           Case{post, "Host: LOCALHOST", "200"},
           Case{post, "Host: [::1]:8001", "200"},
           Case{post, "Host: 127.0.0.2", "200"},
           Case{post, "Host: " + own + "\r\nOrigin: http://" + own, "200"},
           Case{post, "Host: " + own + "\r\nSec-Fetch-Site: same-origin", "200"},
           Case{post, "Host: " + own + "\r\nSec-Fetch-Site: none", "200"},
           Case{ask, "Host: " + own + "\r\nOrigin: http://evil.example", "200"},
           Case{post, "Host: " + own + "\r\nOrigin: http://evil.example", "403"},
           Case{post, "Host: " + own + "\r\nOrigin: null", "403"},
           Case{post, "Host: localhost:8001\r\nOrigin: http://localhost:9999", "403"},
           Case{post, "Host: localhost:8001\r\nOrigin: https://localhost:8001", "403"},
           Case{post, "Host: " + own + "\r\nSec-Fetch-Site: cross-site", "403"},
           Case{post, "Host: " + own + "\r\nSec-Fetch-Site: same-site", "403"},
           Case{post, "Host: evil.example:8001", "403"},
           Case{ask, "Host: evil.example:8001", "403"},
           Case{ask, "Host: localhost.evil.example", "403"},
           Case{ask, "Host: 127.0.0.1.evil.example", "403"},
           Case{ask, "Host: [::1", "403"},
           Case{ask, "Host:", "403"},
       }) {
    const std::string answer =
        exchange(one.request + one.headers + "\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + one.status + " ")) << one.headers << answer;
    EXPECT_EQ(answer.find("\"forbidden\"") == answer.npos, one.status == "200") << answer;
  }
}

TEST(SplitTarget, decodes_path_and_query) {
  HttpRequest request;
  ASSERT_TRUE(split_target("/kv/a%2Fb%20c+d/?r=2&name=x+y%26&flag&r=3&=e", request));
  EXPECT_EQ(request.path, (std::vector<std::string>{"kv", "a/b c+d", ""}));
  EXPECT_EQ(request.query, (std::map<std::string, std::string>{
                               {"", "e"}, {"flag", ""}, {"name", "x y&"}, {"r", "2"}}));
  HttpRequest root;
  ASSERT_TRUE(split_target("/", root));
  EXPECT_EQ(root.path, std::vector<std::string>{""});
  HttpRequest nul;
  ASSERT_TRUE(split_target("/%00%fF?", nul));
  EXPECT_EQ(nul.path, std::vector<std::string>{std::string("\0\xff", 2)});
}

}  // namespace
}  // namespace dynamo::net
