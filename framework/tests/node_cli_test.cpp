// dynamo-node as an operator meets it: every wrong input is told with its file, field and cure.
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <memory>

#include "folder.h"
#include "net/asio.h"
#include "process.h"
#include "waiting.h"

namespace dynamo {
namespace {

using boost::asio::ip::tcp;
using testing::Process;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

class NodeCli : public ::testing::Test {
 protected:
  /// A peers file that names n1, with these addresses, and n2.
  std::string peers(const std::string& peer = "127.0.0.1:0",
                    const std::string& http = "127.0.0.1:0") {
    return folder_
        .file("peers.json", R"({"nodes": {"n1": {"peer": ")" + peer + R"(", "http": ")" + http +
                                R"("}, "n2": {"peer": "127.0.0.1:0", "http": "127.0.0.1:0"}}})")
        .string();
  }

  std::string data() const { return (folder_.path() / "disk").string(); }

  std::vector<std::string> good(std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"--id", "n1", "--data", data(), "--peers", peers()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  static std::unique_ptr<Process> run(std::vector<std::string> words, const char* program = NODE) {
    words.insert(words.begin(), program);
    return std::make_unique<Process>(words);
  }

  /// Expects that it ends with `code` and says exactly `error`; {} stands for the test's folder.
  void expect_error(const std::vector<std::string>& words, int code, std::string error) {
    const auto process = run(words);
    EXPECT_EQ(process->wait(), code) << process->err();
    for (auto at = error.find("{}"); at != error.npos; at = error.find("{}")) {
      error.replace(at, 2, folder_.path().string());
    }
    EXPECT_EQ(process->err(), "dynamo-node: " + error + "\n");
    EXPECT_EQ(process->out(), "");
  }

  /// The HTTP port that a node says it serves.
  static std::uint16_t http_port(const Process& node) {
    return static_cast<std::uint16_t>(std::stoi(node.out().substr(node.out().rfind(':') + 1)));
  }

  static std::string ask(std::uint16_t port, const std::string& request) {
    boost::asio::io_context io;
    tcp::socket socket(io);
    socket.connect({boost::asio::ip::make_address("127.0.0.1"), port});
    boost::asio::write(socket, boost::asio::buffer(request));
    std::string answer;
    std::array<char, 4096> chunk{};
    boost::system::error_code error;
    while (!error) {
      answer.append(chunk.data(), socket.read_some(boost::asio::buffer(chunk), error));
    }
    return answer;
  }

  testing::Folder folder_;
};

TEST_F(NodeCli, serves_and_ends_on_sigterm_in_the_middle_of_things) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const auto node = run(good({"--bootstrap"}));
    ASSERT_TRUE(node->wait_for("\n")) << node->err();
    EXPECT_TRUE(node->out().starts_with("ready n1 peer 127.0.0.1:")) << node->out();
    EXPECT_NE(node->out().find(" http 127.0.0.1:"), std::string::npos);
    // An idle keep-alive connection and half a request must not hold it up.
    boost::asio::io_context io;
    std::vector<tcp::socket> open;
    for (const char* sent : {"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /hea"}) {
      open.emplace_back(io).connect({boost::asio::ip::make_address("127.0.0.1"), http_port(*node)});
      boost::asio::write(open.back(), boost::asio::buffer(std::string(sent)));
    }
    std::array<char, 15> status{};
    std::size_t had = 0;
    while (had < status.size()) had += open[0].read_some(boost::asio::buffer(status) + had);
    EXPECT_EQ(std::string(status.data(), status.size()), "HTTP/1.1 200 OK");
    const auto asked = std::chrono::steady_clock::now();
    node->send(signal);
    EXPECT_EQ(node->wait(), 0) << node->err();
    EXPECT_LT(std::chrono::steady_clock::now() - asked, std::chrono::seconds(5));
  }
}

TEST_F(NodeCli, missing_arguments_and_unknown_ones) {
  expect_error({}, 2, "--id, --data and --peers are needed; --help explains them");
  expect_error({"--id", "n1"}, 2, "--id, --data and --peers are needed; --help explains them");
  const auto unknown = run(good({"--bootstarp"}));
  EXPECT_EQ(unknown->wait(), 2);
  EXPECT_NE(unknown->err().find("--bootstarp"), std::string::npos) << unknown->err();
  const auto help = run({"--help"});
  EXPECT_EQ(help->wait(), 0);
  EXPECT_NE(help->out().find("--admin-token-file"), std::string::npos);
  EXPECT_EQ(run({"--version"})->wait(), 0);
}

TEST_F(NodeCli, files_that_are_not_there_or_are_wrong) {
  const std::string none = (folder_.path() / "none.json").string();
  expect_error({"--id", "n1", "--data", data(), "--peers", none}, 2,
               "{}/none.json: cannot be read; is it the path of a file?");
  expect_error(good({"--config", none}), 2,
               "{}/none.json: cannot be read; is it the path of a file?");
  const auto config = [&](const char* text) { return folder_.file("c.json", text).string(); };
  expect_error(good({"--config", config(R"({"n": 0})")}), 2, "{}/c.json: n must be 1 to 64");
  expect_error(good({"--config", config(R"({"n": true})")}), 2,
               "{}/c.json.n: expected a whole number from 0 to 4294967295, found true");
  expect_error(good({"--config", config(R"({"seeds": ["n3"]})")}), 2,
               "{}/c.json: seeds: {}/peers.json does not name \"n3\"");
  const auto broken = run(good({"--config", config("{")}));
  EXPECT_EQ(broken->wait(), 2);
  EXPECT_TRUE(broken->err().starts_with("dynamo-node: " + folder_.path().string() +
                                        "/c.json: is not JSON: "))
      << broken->err();
}

TEST_F(NodeCli, name_that_the_peers_file_does_not_have) {
  expect_error({"--id", "n7", "--data", data(), "--peers", peers()}, 2,
               "--id n7: {}/peers.json names only n1, n2");
}

TEST_F(NodeCli, taken_ports) {
  boost::asio::io_context io;
  tcp::acceptor taken(io, {boost::asio::ip::make_address("127.0.0.1"), 0});
  const std::string address = "127.0.0.1:" + std::to_string(taken.local_endpoint().port());
  const std::string cure =
      ": Address already in use; is another node running, or is the address not this machine's?";
  expect_error({"--id", "n1", "--data", data(), "--peers", peers(address)}, 2,
               "cannot listen for peers on " + address + cure);
  expect_error({"--id", "n1", "--data", data(), "--peers", peers("127.0.0.1:0", address)}, 2,
               "cannot listen for HTTP on " + address + cure);
}

TEST_F(NodeCli, disks_that_cannot_be_used) {
  const auto node = run(good());
  ASSERT_TRUE(node->wait_for("ready")) << node->err();
  expect_error(good(), 74,
               "{}/disk: cannot use the folder: another process uses it; give each node a --data "
               "folder of its own");
  folder_.file("plain", "");
  expect_error(
      {"--id", "n1", "--data", (folder_.path() / "plain").string(), "--peers", peers()}, 74,
      "{}/plain: cannot make the folder: Not a directory; give --data a folder that you may "
      "write to");
}

TEST_F(NodeCli, tokens) {
  const auto token = [&](const char* text) { return folder_.file("token", text).string(); };
  const std::string too_short =
      "{}/token: its first line must be a token of at least 16 characters";
  expect_error(good({"--admin-token-file", token("short\n")}), 2, too_short);
  expect_error(good({"--admin-token-file", token("\n0123456789abcdef\n")}), 2, too_short);
  expect_error(
      good({"--admin-token-file", token("")}), 2,
      "--admin-token-file {}/token: cannot be read, or is empty; is it the path of a file?");
  expect_error(
      good({"--admin-token-file", (folder_.path() / "none").string()}), 2,
      "--admin-token-file {}/none: cannot be read, or is empty; is it the path of a file?");
}

TEST_F(NodeCli, beyond_loopback_only_with_a_token) {
  const std::string error =
      "HTTP on 0.0.0.0 is open to the network: give --admin-token-file FILE as well";
  expect_error(good({"--bind", "0.0.0.0"}), 2, error);
  expect_error({"--id", "n1", "--data", data(), "--peers", peers("127.0.0.1:0", "0.0.0.0:0")}, 2,
               error);
  expect_error(good({"--bind", "here"}), 2,
               "--bind: \"here\" is no IP address; use numbers, such as 127.0.0.1");
  const std::string token = folder_.file("token", "0123456789abcdef\r\n").string();
  const auto node = run(good({"--bind", "0.0.0.0", "--admin-token-file", token}));
  ASSERT_TRUE(node->wait_for("ready n1 peer 0.0.0.0:")) << node->err();
  const std::string get = "GET /admin/view HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
  EXPECT_TRUE(ask(http_port(*node), get + "\r\n").starts_with("HTTP/1.1 401"));
  EXPECT_TRUE(ask(http_port(*node), get + "Authorization: Bearer 0123456789abcdef\r\n\r\n")
                  .starts_with("HTTP/1.1 200"));
}

TEST_F(NodeCli, bootstrap_on_a_disk_with_a_history_is_ignored_aloud) {
  const auto first_life = [&](std::vector<std::string> words) {
    const auto node = run(good(std::move(words)));
    EXPECT_TRUE(node->wait_for("ready"));
    ask(http_port(*node),
        "GET /admin/view HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    node->send(SIGTERM);
    EXPECT_EQ(node->wait(), 0);
    return node->err();
  };
  EXPECT_EQ(first_life({}), "") << "an empty disk";
  EXPECT_EQ(first_life({"--bootstrap"}), "") << "still without a history";
  EXPECT_EQ(first_life({"--bootstrap"}),
            "n1: --bootstrap is ignored: the disk in " + data() + " holds a history already\n");
  EXPECT_EQ(first_life({}), "");
}

/// The source file of the first frame that is the program's own; addr2line comes with the linker.
std::string place_of_first_frame(const std::string& report) {
  const std::string mark = "throwing-node(+";
  const std::size_t at = report.find(mark);
  if (at == report.npos) return "no frame";
  const std::size_t begin = at + mark.size();
  const std::string offset = report.substr(begin, report.find(')', begin) - begin);
  Process tool({"/usr/bin/env", "addr2line", "-e", THROWING_NODE, offset});
  if (tool.wait() != 0) return "no addr2line: " + tool.err();
  const std::string path = tool.out().substr(0, tool.out().rfind(':'));
  return path.substr(path.rfind('/') + 1);
}

/// A node whose warm-up dies of a ping; which way, the peer's name decides.
TEST_F(NodeCli, last_words_of_a_solution_that_dies) {
  struct Case {
    const char* peer;
    int code;
    const char* words;
  };
  for (const Case& one : {Case{"n1", 70, "std::out_of_range: the warm-up threw\n"},
                          Case{"n2", -1 - SIGSEGV, "Segmentation fault\n"}}) {
    const std::string config = folder_.file("c.json", R"({"modules": ["warmup"]})").string();
    const auto node = run(good({"--config", config}), THROWING_NODE);
    ASSERT_TRUE(node->wait_for("ready")) << node->err();
    const std::string target = std::string("/admin/ping/") + one.peer;
    EXPECT_EQ(ask(http_port(*node), "POST " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n"), "")
        << "nothing leaves of a handler that died";
    const int code = node->wait();
    if (kSanitized && one.code < 0) continue;  // the sanitizer has its own report
    EXPECT_EQ(code, one.code);
    EXPECT_TRUE(node->err().starts_with(one.words)) << node->err();
    EXPECT_EQ(place_of_first_frame(node->err()), "throwing_warmup.cpp") << node->err();
  }
}

/// What a module does in its constructor and in its destructor is no less than in a handler.
TEST_F(NodeCli, timers_and_calls_of_a_constructor_take_effect) {
  const std::string config = folder_.file("c.json", R"({"modules": ["warmup"]})").string();
  const auto node = run(good({"--config", config}), THROWING_NODE);
  ASSERT_TRUE(node->wait_for("ready")) << node->err();
  const std::uint16_t port = http_port(*node);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::string answer;
  while (answer.find(R"({"counted":1,"answered":1})") == answer.npos &&
         std::chrono::steady_clock::now() < deadline) {
    answer =
        ask(port, "GET /admin/warmup HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  }
  EXPECT_NE(answer.find(R"({"counted":1,"answered":1})"), answer.npos) << answer;
  node->send(SIGTERM);
  EXPECT_EQ(node->wait(), 0) << node->err();
}

/// The disk is another matter: nothing of it would be in a transaction. As in the simulator's host.
TEST_F(NodeCli, constructor_that_reads_the_disk_is_told_so) {
  const std::string config = folder_.file("c.json", R"({"modules": ["warmup"]})").string();
  const auto node =
      run({"--id", "n2", "--data", data(), "--peers", peers(), "--config", config}, THROWING_NODE);
  EXPECT_EQ(node->wait(), 70) << node->err();
  EXPECT_NE(
      node->err().find(
          "env.storage() was used in a constructor or destructor of a module; wait for start()"),
      std::string::npos)
      << node->err();
}

}  // namespace
}  // namespace dynamo
