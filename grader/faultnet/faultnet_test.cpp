// Each fault, seen through real frames on real sockets.
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/codec.h"
#include "core/json.h"
#include "faultnet/network.h"
#include "faultnet/recorder.h"
#include "faultnet/relay.h"
#include "faultnet/spec.h"
#include "net/frame.h"

namespace dynamo::faultnet {
namespace {

using boost::asio::ip::tcp;
using net::Envelope;
using net::FrameKind;

/// One end of a connection, as a node would hold it: counts frames, keeps what they said.
class Peer : public std::enable_shared_from_this<Peer> {
 public:
  explicit Peer(tcp::socket socket) : socket_(std::move(socket)) {}

  void listen() {
    socket_.async_read_some(boost::asio::buffer(buffer_),
                            [this, self = shared_from_this()](const auto& error, std::size_t size) {
                              if (error) {
                                closed = true;
                                return;
                              }
                              reader_.feed({buffer_.data(), size});
                              for (auto state = reader_.next();
                                   state != net::FrameReader::State::more; state = reader_.next()) {
                                if (state == net::FrameReader::State::checksum) {
                                  ++damaged;
                                } else {
                                  envelopes.push_back(net::envelope_of(reader_.body()).value());
                                }
                              }
                              listen();
                            });
  }
  void send(const Envelope& envelope) {
    boost::asio::write(socket_, boost::asio::buffer(net::to_frame(envelope)));
  }
  void request(std::uint64_t call) {
    send({FrameKind::request, call, "n1", "n2", 1, codec::encode(Gossip{})});
  }
  void reply(std::uint64_t call) {
    send({FrameKind::reply, call, "n2", "n1", 1, codec::encode(GossipReply{})});
  }
  void close() { socket_.close(); }
  std::vector<std::uint64_t> calls() const {
    std::vector<std::uint64_t> all;
    for (const Envelope& envelope : envelopes) all.push_back(envelope.call);
    return all;
  }

  std::vector<Envelope> envelopes;
  int damaged = 0;
  bool closed = false;

 private:
  tcp::socket socket_;
  std::array<char, 4096> buffer_{};
  net::FrameReader reader_;
};

/// n1 calls n2 through faultnet; this test plays both.
class FaultnetTest : public testing::Test {
 protected:
  FaultnetTest() : acceptor_(io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
    spec_.nodes = {"n1", "n2"};
    spec_.upstream = {{"n1", {"127.0.0.1", 1}},
                      {"n2", {"127.0.0.1", acceptor_.local_endpoint().port()}}};
    spec_.links.delay_min = spec_.links.delay_max = Duration::zero();
    accept();
  }

  void begin() {
    recorder_ = std::make_unique<Recorder>(spec_.record);
    network_ = std::make_unique<Network>(spec_, *recorder_, [] { return Instant{}; });
    relay_ = std::make_unique<Relay>(io_, *network_, spec_);
  }
  std::shared_ptr<Peer> call() {
    tcp::socket socket(io_);
    const auto port = relay_->ports()["n1"]["n2"].get<std::uint16_t>();
    socket.connect({boost::asio::ip::address_v4::loopback(), port});
    auto peer = std::make_shared<Peer>(std::move(socket));
    peer->listen();
    peer->send({FrameKind::hello, net::kProtocolVersion, "n1", "n2", 0, ""});
    return peer;
  }
  void act(const std::string& line) {
    network_->apply(read_command(line));
    relay_->network_changed();
  }
  /// Runs the loop until the condition holds. False after a deadline that only a fault reaches.
  bool comes(const std::function<bool()>& condition) {
    return runs_until(condition, std::chrono::seconds(20));
  }
  /// For what must not happen: everything that is on its way has long arrived by then.
  void run_on() {
    runs_until([] { return false; }, std::chrono::milliseconds(60));
  }
  /// Copies are not counted when they are made: who waits for them waits for silence.
  void run_until_nothing_comes() {
    for (int tries = 0; tries < 100; ++tries) {
      const std::uint64_t before = counted("request", "received");
      run_on();
      const bool all_here = callees_.at(0)->calls().size() == before + 1;  // and the greeting
      if (all_here && counted("request", "received") == before) return;
    }
  }
  std::uint64_t counted(const std::string& kind, const std::string& fate) {
    std::uint64_t messages = 0;
    for (const Json& row : network_->counts()) {
      if (row["kind"] == kind && row["fate"] == fate)
        messages += row["messages"].get<std::uint64_t>();
    }
    return messages;
  }

  Spec spec_;
  boost::asio::io_context io_;
  tcp::acceptor acceptor_;
  std::vector<std::shared_ptr<Peer>> callees_;  ///< Connections that n2 has accepted.
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Relay> relay_;

 private:
  void accept() {
    acceptor_.async_accept([this](const auto& error, tcp::socket socket) {
      if (error) return;
      callees_.push_back(std::make_shared<Peer>(std::move(socket)));
      callees_.back()->listen();
      accept();
    });
  }
  bool runs_until(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() >= end) return false;
      io_.run_one_for(std::chrono::milliseconds(5));
      io_.restart();
    }
    return true;
  }
};

TEST_F(FaultnetTest, passes_greeting_requests_and_replies_unchanged) {
  begin();
  const auto n1 = call();
  n1->request(7);
  ASSERT_TRUE(comes([&] { return callees_.size() == 1 && callees_[0]->envelopes.size() == 2; }));
  EXPECT_EQ(callees_[0]->envelopes[0].kind, FrameKind::hello);
  EXPECT_EQ(callees_[0]->envelopes[1],
            (Envelope{FrameKind::request, 7, "n1", "n2", 1, codec::encode(Gossip{})}));
  callees_[0]->reply(7);
  ASSERT_TRUE(comes([&] { return n1->envelopes.size() == 1; }));
  EXPECT_EQ(n1->envelopes[0].kind, FrameKind::reply);
  EXPECT_EQ(counted("request", "sent"), 1);
  EXPECT_EQ(counted("reply", "received"), 1);
}

TEST_F(FaultnetTest, a_cut_swallows_one_direction_only) {
  begin();
  const auto n1 = call();
  ASSERT_TRUE(comes([&] { return callees_.size() == 1; }));
  act(R"({"act": "cut", "nodes": ["n2"], "peers": ["n1"]})");
  n1->request(1);
  ASSERT_TRUE(comes([&] { return callees_[0]->envelopes.size() == 2; }));
  callees_[0]->reply(1);
  ASSERT_TRUE(comes([&] { return counted("reply", "the link is cut") == 1; }));
  run_on();
  EXPECT_TRUE(n1->envelopes.empty());
  EXPECT_FALSE(n1->closed);

  act(R"({"act": "heal"})");
  callees_[0]->reply(2);
  EXPECT_TRUE(comes([&] { return n1->calls() == std::vector<std::uint64_t>{2}; }));
}

TEST_F(FaultnetTest, a_new_connection_over_a_cut_is_silent_and_ends_with_the_cut) {
  begin();
  act(R"({"act": "cut", "nodes": ["n1"], "peers": ["n2"]})");
  const auto n1 = call();
  n1->request(1);
  ASSERT_TRUE(comes([&] { return counted("request", "the link is cut") == 1; }));
  run_on();
  EXPECT_TRUE(callees_.empty());
  EXPECT_FALSE(n1->closed);
  act(R"({"act": "heal", "nodes": ["n1"], "peers": ["n2"]})");
  EXPECT_TRUE(comes([&] { return n1->closed; }));
}

TEST_F(FaultnetTest, a_node_that_dies_behind_a_cut_is_not_noticed_before_it_heals) {
  begin();
  const auto n1 = call();
  ASSERT_TRUE(comes([&] { return callees_.size() == 1 && callees_[0]->envelopes.size() == 1; }));
  act(R"({"act": "cut", "nodes": ["n2"], "peers": ["n1"]})");
  callees_[0]->close();
  n1->request(1);
  ASSERT_TRUE(comes([&] { return counted("request", "sent") == 1; }));
  run_on();
  EXPECT_FALSE(n1->closed);
  act(R"({"act": "heal"})");
  EXPECT_TRUE(comes([&] { return n1->closed; }));
}

TEST_F(FaultnetTest, a_dead_node_refuses) {
  acceptor_.close();
  begin();
  const auto n1 = call();
  EXPECT_TRUE(comes([&] { return n1->closed; }));
}

TEST_F(FaultnetTest, what_a_caller_sent_before_it_died_still_arrives) {
  spec_.links.delay_min = spec_.links.delay_max = std::chrono::milliseconds(40);
  begin();
  auto n1 = call();
  n1->request(1);
  n1->close();
  EXPECT_TRUE(comes([&] { return callees_.size() == 1 && callees_[0]->envelopes.size() == 2; }));
  EXPECT_TRUE(comes([&] { return callees_[0]->closed; }));
}

TEST_F(FaultnetTest, losses_and_copies_are_the_seeds_and_about_as_many_as_asked_for) {
  spec_.links.loss_ppm = 200'000;
  spec_.links.duplicate_ppm = 200'000;
  std::vector<std::uint64_t> first;
  for (int round = 0; round < 2; ++round) {
    callees_.clear();
    begin();
    const auto n1 = call();
    for (std::uint64_t call = 0; call < 500; ++call) n1->request(call);
    ASSERT_TRUE(comes([&] { return counted("request", "sent") == 500; }));
    run_until_nothing_comes();
    std::vector<std::uint64_t> calls = callees_.at(0)->calls();
    const std::uint64_t lost = counted("request", "lost");
    EXPECT_NEAR(static_cast<double>(lost), 100, 40);
    EXPECT_NEAR(static_cast<double>(calls.size() - 1), 400 * 1.2, 60);
    EXPECT_EQ(counted("request", "received"), calls.size() - 1);
    if (round == 0) first = calls;
    EXPECT_EQ(calls, first);
    n1->close();
    run_on();
  }
}

TEST_F(FaultnetTest, delays_of_their_own_let_messages_overtake) {
  spec_.links.delay_max = std::chrono::milliseconds(30);
  begin();
  const auto n1 = call();
  for (std::uint64_t call = 1; call <= 50; ++call) n1->request(call);
  ASSERT_TRUE(comes([&] { return callees_.size() == 1 && callees_[0]->envelopes.size() == 51; }));
  std::vector<std::uint64_t> calls = callees_[0]->calls();
  calls.erase(calls.begin());  // the greeting
  EXPECT_FALSE(std::is_sorted(calls.begin(), calls.end()));
}

TEST_F(FaultnetTest, a_corrupt_message_fails_its_checksum_and_the_next_one_passes) {
  spec_.links.corrupt_ppm = 1'000'000;
  begin();
  const auto n1 = call();
  n1->request(1);
  ASSERT_TRUE(comes([&] { return callees_.size() == 1 && callees_[0]->damaged == 1; }));
  act(R"({"act": "link", "link": {"delay_min_ms": 0, "delay_max_ms": 0}})");
  n1->request(2);
  EXPECT_TRUE(comes([&] { return callees_[0]->calls().back() == 2; }));
}

TEST_F(FaultnetTest, drop_takes_the_next_of_its_type_and_no_more) {
  begin();
  act(R"({"act": "drop", "nodes": ["n1"], "peers": ["n2"], "message": "Gossip", "count": 2})");
  const auto n1 = call();
  for (std::uint64_t call = 1; call <= 4; ++call) n1->request(call);
  ASSERT_TRUE(comes([&] { return callees_.size() == 1 && callees_[0]->envelopes.size() == 3; }));
  run_on();
  EXPECT_EQ(callees_[0]->calls(), (std::vector<std::uint64_t>{net::kProtocolVersion, 3, 4}));
  EXPECT_EQ(counted("request", "the plan drops it"), 2);
}

TEST_F(FaultnetTest, drop_takes_replies_by_their_name) {
  begin();
  act(R"({"act": "drop", "nodes": ["n2"], "peers": ["n1"], "message": "Gossip reply"})");
  const auto n1 = call();
  ASSERT_TRUE(comes([&] { return callees_.size() == 1; }));
  callees_[0]->reply(1);
  callees_[0]->reply(2);
  EXPECT_TRUE(comes([&] { return n1->calls() == std::vector<std::uint64_t>{2}; }));
}

TEST_F(FaultnetTest, bytes_that_are_no_frames_close_the_connection) {
  begin();
  const auto n1 = call();
  tcp::socket socket(io_);
  socket.connect(
      {boost::asio::ip::address_v4::loopback(), relay_->ports()["n1"]["n2"].get<std::uint16_t>()});
  boost::asio::write(socket, boost::asio::buffer(std::string(64, '\xff')));
  const auto stranger = std::make_shared<Peer>(std::move(socket));
  stranger->listen();
  EXPECT_TRUE(comes([&] { return stranger->closed; }));
  EXPECT_FALSE(n1->closed);
}

TEST_F(FaultnetTest, news_are_what_happened_since_they_were_last_asked_for) {
  begin();
  const auto n1 = call();
  n1->request(1);
  ASSERT_TRUE(comes([&] { return counted("request", "received") == 1; }));
  EXPECT_EQ(network_->news(""), Json({{"steps", Json::array()}, {"missed", 0}})) << "it begins now";
  act(R"({"act": "drop", "nodes": ["n1"], "peers": ["n2"], "count": 1})");
  n1->request(2);
  n1->request(3);
  ASSERT_TRUE(comes([&] { return counted("request", "received") == 2; }));
  const Json steps = network_->news("Gossip")["steps"];
  std::vector<std::string> events;
  for (const Json& step : steps) events.push_back(step["event"].get<std::string>());
  EXPECT_EQ(events, (std::vector<std::string>{"send", "drop", "send", "receive"}));
  EXPECT_EQ(steps[0]["id"], 2);
  EXPECT_EQ(steps[3]["node"], "n2");
  EXPECT_FALSE(steps[0].contains("data"));
  n1->request(4);
  ASSERT_TRUE(comes([&] { return counted("request", "received") == 3; }));
  EXPECT_TRUE(network_->news("")["steps"][0].contains("data")) << "of Gossip, as was asked for";
  EXPECT_TRUE(network_->news("")["steps"].empty());
}

TEST_F(FaultnetTest, a_wrong_command_is_refused_and_changes_nothing) {
  begin();
  const auto refused = [&](const std::string& line) {
    try {
      act(line);
    } catch (const SpecError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_NE(refused(R"({"act": "cut", "nodes": ["n1"], "peers": ["n9"]})")
                .find("one of the plan's nodes (n1, n2)"),
            std::string::npos);
  EXPECT_NE(
      refused(R"({"act": "cut", "nodes": ["n1"]})").find("command.peers: expected at least one"),
      std::string::npos);
  EXPECT_NE(refused(R"({"act": "crash", "nodes": ["n1"]})").find("not to the network"),
            std::string::npos);
  EXPECT_NE(refused("{").find("no JSON"), std::string::npos);
  EXPECT_FALSE(network_->is_cut(0, 1));
}

}  // namespace
}  // namespace dynamo::faultnet
