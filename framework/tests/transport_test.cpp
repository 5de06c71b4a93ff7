// Requests and replies between transports on loopback.
#include "net/transport.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "core/keys.h"
#include "waiting.h"

namespace dynamo::net {
namespace {

using boost::asio::ip::tcp;
using testing::run_until;

/// One end, and what it heard. Answers each request with "re: " and its bytes, or keeps it.
struct End {
  End(boost::asio::io_context& io, TransportOptions options)
      : transport(io, std::move(options), metrics) {
    transport.start(
        [this](const NodeId& from, std::uint64_t, MessageType, const std::string& bytes,
               const Answer& answer) {
          requests.push_back(from + ": " + bytes);
          if (answers) answer("re: " + bytes);
        },
        [this](std::uint64_t call, const std::string& bytes) {
          replies.push_back(std::to_string(call) + " " + bytes);
        },
        [this](std::uint64_t call, const std::string& why) {
          refused.push_back(std::to_string(call) + " " + why);
        });
  }

  Metrics metrics;
  Transport transport;
  bool answers = true;
  std::vector<std::string> requests;
  std::vector<std::string> replies;
  std::vector<std::string> refused;
};

class TransportTest : public ::testing::Test {
 protected:
  TransportTest() {
    for (const char* id : {"n1", "n2"}) peers_[id].peer = {"127.0.0.1", testing::free_port()};
  }

  End& make(const NodeId& id, std::string secret = "s", std::uint64_t queue_bytes = 1u << 20) {
    // A stopped end stays to the end: its last handlers may still be on their way.
    ends_.push_back(std::make_unique<End>(
        io_, TransportOptions{id, peers_, queue_bytes, std::move(secret), 4}));
    return *ends_.back();
  }

  /// A connection of raw bytes to n1's port.
  tcp::socket raw() {
    tcp::socket socket(io_);
    socket.connect({boost::asio::ip::make_address("127.0.0.1"), peers_.at("n1").peer.port});
    return socket;
  }

  static std::string hello(const NodeId& from = "n2", std::uint64_t version = kProtocolVersion) {
    return to_frame(
        {FrameKind::hello, version, from, "n1", 0, std::to_string(hash_of("dynamo-labs s"))});
  }

  static std::string ping(std::uint64_t call, const std::string& payload) {
    return to_frame({FrameKind::request, call, "n2", "n1", 0, payload});
  }

  /// Runs until the other end has closed `socket`.
  bool closed(tcp::socket& socket) {
    socket.non_blocking(true);
    return run_until(io_, [&] {
      char byte = 0;
      boost::system::error_code error;
      socket.read_some(boost::asio::buffer(&byte, 1), error);
      return error && error != boost::asio::error::would_block;
    });
  }

  Peers peers_;
  boost::asio::io_context io_;
  std::vector<std::unique_ptr<End>> ends_;
};

TEST_F(TransportTest, request_is_answered) {
  End& n1 = make("n1");
  End& n2 = make("n2");
  n1.transport.send("n2", 7, 0, "hello");
  EXPECT_TRUE(n1.replies.empty()) << "never called from within send()";
  ASSERT_TRUE(run_until(io_, [&] { return !n1.replies.empty(); }));
  EXPECT_EQ(n1.replies, std::vector<std::string>{"7 re: hello"});
  EXPECT_EQ(n2.requests, std::vector<std::string>{"n1: hello"});
  EXPECT_EQ(n2.metrics.value("dynamo_frames_total", {{"direction", "in"}, {"type", "Ping"}}), 1u);
  EXPECT_EQ(n2.metrics.value("dynamo_frame_bytes_total", {{"direction", "in"}, {"type", "Ping"}}),
            to_frame({FrameKind::request, 7, "n1", "n2", 0, "hello"}).size());
}

TEST_F(TransportTest, types_from_outside_are_one_label) {
  End& n1 = make("n1");
  tcp::socket socket = raw();
  std::string bytes = hello();
  const auto next = static_cast<MessageType>(message_names().size());
  for (const MessageType type : {next, MessageType{999}, MessageType{65535}}) {
    bytes += to_frame({FrameKind::request, type, "n2", "n1", type, "x"});
  }
  boost::asio::write(socket, boost::asio::buffer(bytes));
  ASSERT_TRUE(run_until(io_, [&] { return n1.requests.size() == 3; }));
  EXPECT_EQ(n1.metrics.value("dynamo_frames_total", {{"direction", "in"}, {"type", "unknown"}}),
            3u);
}

TEST_F(TransportTest, many_requests_stay_in_order) {
  End& n1 = make("n1");
  make("n2");
  for (std::uint64_t call = 1; call <= 500; ++call) n1.transport.send("n2", call, 0, "x");
  ASSERT_TRUE(run_until(io_, [&] { return n1.replies.size() == 500; }));
  for (std::size_t i = 0; i < 500; ++i) EXPECT_EQ(n1.replies[i], std::to_string(i + 1) + " re: x");
}

TEST_F(TransportTest, refused_when_nothing_listens_or_the_name_is_unknown) {
  End& n1 = make("n1");
  n1.transport.send("n2", 1, 0, "x");
  n1.transport.send("n9", 2, 0, "x");
  EXPECT_TRUE(n1.refused.empty()) << "never called from within send()";
  ASSERT_TRUE(run_until(io_, [&] { return n1.refused.size() == 2; }));
  EXPECT_EQ(n1.refused[0], "2 the peers file does not name \"n9\"");
  EXPECT_EQ(n1.refused[1], "1 n2: Connection refused");
  n1.transport.send("n2", 3, 0, "x");
  ASSERT_TRUE(run_until(io_, [&] { return n1.refused.size() == 3; }));
  EXPECT_EQ(n1.refused[2], "3 n2: no connection yet; tried again soon");
}

TEST_F(TransportTest, connects_anew_after_the_peer_restarts) {
  End& n1 = make("n1");
  End& first = make("n2");
  first.answers = false;
  n1.transport.send("n2", 1, 0, "x");
  ASSERT_TRUE(run_until(io_, [&] { return !first.requests.empty(); }));
  first.transport.stop();
  ASSERT_TRUE(run_until(io_, [&] { return !n1.refused.empty(); }))
      << "a call that waits learns that the link broke";
  End& second = make("n2");
  std::uint64_t call = 1;
  ASSERT_TRUE(run_until(io_, [&] {
    if (n1.refused.size() == call) n1.transport.send("n2", ++call, 0, "y");
    return !n1.replies.empty();
  }));
  EXPECT_FALSE(second.requests.empty());
}

TEST_F(TransportTest, call_that_was_given_up_gets_no_reply) {
  End& n1 = make("n1");
  make("n2");
  n1.transport.send("n2", 1, 0, "x");
  n1.transport.forget("n2", 1);
  n1.transport.forget("n9", 1);
  n1.transport.send("n2", 2, 0, "x");
  ASSERT_TRUE(run_until(io_, [&] { return !n1.replies.empty(); }));
  EXPECT_EQ(n1.replies, std::vector<std::string>{"2 re: x"});
}

TEST_F(TransportTest, queue_has_a_bound_and_goes_on_after_it) {
  End& n1 = make("n1", "s", 1u << 16);
  make("n2");
  n1.transport.send("n2", 1, 0, std::string(40'000, 'a'));
  n1.transport.send("n2", 2, 0, std::string(40'000, 'b'));
  n1.transport.send("n2", 3, 0, "small");
  ASSERT_TRUE(run_until(io_, [&] { return n1.refused.size() + n1.replies.size() == 3; }));
  EXPECT_EQ(n1.refused,
            std::vector<std::string>{"2 n2: the queue is full (config: peer_queue_bytes)"});
  EXPECT_EQ(n1.replies.back(), "3 re: small");
  EXPECT_EQ(n1.metrics.value("dynamo_queue_full_total", {{"peer", "n2"}}), 1u);
}

TEST_F(TransportTest, frame_longer_than_the_queue_gets_through_alone) {
  End& n1 = make("n1", "s", 1u << 16);
  make("n2", "s", 1u << 16);
  const std::string large(1'000'000, 'a');
  n1.transport.send("n2", 1, 0, large);
  n1.transport.send("n2", 2, 0, "behind it");
  ASSERT_TRUE(run_until(io_, [&] { return n1.refused.size() + n1.replies.size() == 2; }));
  EXPECT_EQ(n1.refused,
            std::vector<std::string>{"2 n2: the queue is full (config: peer_queue_bytes)"});
  EXPECT_EQ(n1.replies, std::vector<std::string>{"1 re: " + large});
}

TEST_F(TransportTest, message_longer_than_any_frame_is_refused_alone) {
  End& n1 = make("n1", "s", 64u << 20);
  make("n2", "s", 64u << 20);
  n1.transport.send("n2", 1, 0, std::string(kMaxFrameBodyBytes, 'a'));
  n1.transport.send("n2", 2, 0, "small");
  ASSERT_TRUE(run_until(io_, [&] { return n1.refused.size() + n1.replies.size() == 2; }));
  ASSERT_EQ(n1.refused.size(), 1u);
  EXPECT_TRUE(n1.refused[0].starts_with("1 n2: a message of 167772")) << n1.refused[0];
  EXPECT_TRUE(n1.refused[0].ends_with(" bytes does not fit into a frame")) << n1.refused[0];
  EXPECT_EQ(n1.replies, std::vector<std::string>{"2 re: small"});
  EXPECT_EQ(n1.metrics.value("dynamo_frames_dropped_total", {{"reason", "too long"}}), 1u);
}

TEST_F(TransportTest, reply_that_does_not_fit_is_lost_alone) {
  End& n1 = make("n1");
  End& n2 = make("n2", "s", 1u << 16);
  n1.transport.send("n2", 1, 0, std::string(40'000, 'a'));
  n1.transport.send("n2", 2, 0, std::string(40'000, 'b'));
  n1.transport.send("n2", 3, 0, "small");
  ASSERT_TRUE(run_until(io_, [&] { return n1.replies.size() == 2; }));
  EXPECT_EQ(n1.replies.back(), "3 re: small");
  EXPECT_TRUE(n1.refused.empty());
  EXPECT_EQ(n2.metrics.value("dynamo_queue_full_total", {{"peer", "n1"}}), 1u);
}

TEST_F(TransportTest, another_secret_is_refused) {
  End& n1 = make("n1", "one");
  End& n2 = make("n2", "another");
  n1.transport.send("n2", 1, 0, "x");
  ASSERT_TRUE(run_until(io_, [&] { return !n1.refused.empty(); }));
  EXPECT_TRUE(n2.requests.empty());
  EXPECT_EQ(n2.metrics.value("dynamo_connections_refused_total"), 1u);
}

TEST_F(TransportTest, only_a_right_hello_opens_a_session) {
  End& n1 = make("n1");
  Envelope to_another{FrameKind::hello, 1, "n2", "n3", 0, std::to_string(hash_of("dynamo-labs s"))};
  for (const std::string& first :
       {hello("n9"), hello("n2", 99), ping(1, "x"), to_frame(to_another),
        std::string("GET / HTTP/1.1\r\nHost: here\r\n\r\n"),
        hello() + std::string("\xff\xff\xff\x7f and so on", 14),
        to_frame({FrameKind::hello, 1, "n2", "n1", 0, std::string(2000, 'x')})}) {
    tcp::socket socket = raw();
    boost::asio::write(socket, boost::asio::buffer(first));
    EXPECT_TRUE(closed(socket)) << first.substr(12, 20);
  }
  EXPECT_TRUE(n1.requests.empty());
}

TEST_F(TransportTest, damaged_frame_is_dropped_and_the_connection_lives_on) {
  End& n1 = make("n1");
  std::string damaged = ping(2, "two");
  damaged[20] = static_cast<char>(damaged[20] ^ 4);
  const Envelope forged{FrameKind::request, 3, "n3", "n1", 0, "not from n2"};
  const Envelope misled{FrameKind::request, 4, "n2", "n3", 0, "not for n1"};
  tcp::socket socket = raw();
  boost::asio::write(socket,
                     boost::asio::buffer(hello() + ping(1, "one") + damaged + to_frame(forged) +
                                         to_frame(misled) + ping(5, "five")));
  ASSERT_TRUE(run_until(io_, [&] { return n1.requests.size() == 2; }));
  EXPECT_EQ(n1.requests, (std::vector<std::string>{"n2: one", "n2: five"}));
  EXPECT_EQ(n1.metrics.value("dynamo_frames_dropped_total", {{"reason", "checksum"}}), 1u);
  EXPECT_EQ(n1.metrics.value("dynamo_frames_dropped_total", {{"reason", "not for this link"}}), 2u);
}

TEST_F(TransportTest, connections_have_a_bound) {
  make("n1");
  std::vector<tcp::socket> open;
  open.reserve(4);
  for (int i = 0; i < 4; ++i) open.push_back(raw());
  tcp::socket one_more = raw();
  EXPECT_TRUE(closed(one_more));
}

TEST_F(TransportTest, taken_port_is_an_error_with_a_cure) {
  make("n1");
  try {
    make("n1");
    FAIL() << "two on one port";
  } catch (const ConfigError& error) {
    EXPECT_EQ(std::string(error.what()),
              "cannot listen for peers on " + peers_.at("n1").peer.text() +
                  ": Address already in use; is another node running, or is the address not this "
                  "machine's?");
  }
}

TEST_F(TransportTest, stops_in_the_middle_of_everything) {
  End& n1 = make("n1");
  End& n2 = make("n2");
  for (std::uint64_t call = 1; call <= 50; ++call) {
    n1.transport.send("n2", call, 0, std::string(10'000, 'x'));
    n2.transport.send("n1", call, 0, std::string(10'000, 'x'));
  }
  ASSERT_TRUE(run_until(io_, [&] { return n1.replies.size() > 3; }));
  n1.transport.stop();
  const std::size_t replies = n1.replies.size();
  ASSERT_TRUE(run_until(io_, [&] { return n2.refused.size() + n2.replies.size() == 50; }));
  n2.transport.stop();
  EXPECT_EQ(n1.replies.size(), replies) << "nothing is told after stop()";
  io_.restart();
  io_.poll();
}

}  // namespace
}  // namespace dynamo::net
