// The HTTP server, spoken to with raw bytes.
#include "net/http_server.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>

#include "waiting.h"

namespace dynamo::net {
namespace {

using boost::asio::ip::tcp;
using testing::run_until;

class HttpTest : public ::testing::Test {
 protected:
  void serve(HttpOptions options = {{"127.0.0.1", 0}, std::chrono::seconds(20), 1000, 8}) {
    server_ = std::make_unique<HttpServer>(io_, options, metrics_);
    server_->start([this](const HttpRequest& request, HttpServer::Respond respond) {
      std::string text = request.method;
      for (const std::string& segment : request.path) text += " [" + segment + "]";
      for (const auto& [name, value] : request.query) text += " " + name + "=" + value;
      last_ = request;
      respond({200, "text/plain", text + " " + request.body + "\n", {}});
    });
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
    return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n";
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
  EXPECT_EQ(metrics_.value("dynamo_http_responses_total", "status=\"200\""), 4u);
}

TEST_F(HttpTest, three_requests_in_one_write_are_answered_in_order) {
  serve();
  const std::string answer = exchange(
      get("/1") + "POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody" + get_once("/3"));
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
  const std::string answer = exchange("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
  EXPECT_NE(answer.find("Content-Length: 9\r\n"), answer.npos) << answer;
}

TEST_F(HttpTest, oversize_body_gets_413_though_it_is_still_being_sent) {
  serve();
  const std::string body(3'000'000, 'x');
  const std::string answer =
      exchange("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" + body);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
  EXPECT_NE(answer.find("\"the body is larger than 1000 bytes\""), answer.npos) << answer;
  EXPECT_TRUE(last_.path.empty());
}

TEST_F(HttpTest, oversize_chunked_body_gets_413) {
  serve();
  const std::string answer =
      exchange("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
               std::string(2000, 'x') + "\r\n0\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
}

TEST_F(HttpTest, oversize_header_gets_431) {
  serve();
  const std::string answer = exchange(get("/a", "X: " + std::string(20'000, 'x') + "\r\n"));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 431 ")) << answer;
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
      [&](const HttpRequest&, HttpServer::Respond respond) { kept = std::move(respond); });
  tcp::socket socket = connect();
  boost::asio::write(socket, boost::asio::buffer(get("/")));
  ASSERT_TRUE(run_until(io_, [&] { return kept != nullptr; }));
  server_->stop();
  kept({200, "text/plain", "late", {}});
  io_.restart();
  io_.poll();
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
