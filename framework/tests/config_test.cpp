// Config and peers files: whatever is wrong with them is said with file, field and cure.
#include <gtest/gtest.h>

#include <functional>

#include "core/json.h"
#include "folder.h"
#include "node/config_file.h"

namespace dynamo {
namespace {

/// The message without the folder's own path.
std::string message_of(const testing::Folder& folder, const std::function<void()>& load) {
  try {
    load();
  } catch (const ConfigError& error) {
    std::string text = error.what();
    const std::string path = folder.path().string() + "/";
    for (auto at = text.find(path); at != text.npos; at = text.find(path)) {
      text.erase(at, path.size());
    }
    return text;
  }
  return "no error";
}

std::string config_error(const std::string& content) {
  const testing::Folder folder;
  const auto file = folder.file("c.json", content);
  return message_of(folder, [&] { load_config(file); });
}

std::string peers_error(const std::string& content) {
  const testing::Folder folder;
  const auto file = folder.file("p.json", content);
  return message_of(folder, [&] { load_peers(file); });
}

TEST(ConfigFile, absent_fields_have_defaults) {
  const testing::Folder folder;
  const NodeConfig config = load_config(folder.file("c.json", R"({"n": 5})"));
  EXPECT_EQ(config.n, 5u);
  EXPECT_EQ(config.q, NodeConfig{}.q);
}

TEST(ConfigFile, that_cannot_be_read_is_named) {
  const testing::Folder folder;
  EXPECT_EQ(message_of(folder, [&] { load_config(folder.path() / "none.json"); }),
            "none.json: cannot be read; is it the path of a file?");
  std::filesystem::create_directory(folder.path() / "sub");
  EXPECT_EQ(message_of(folder, [&] { load_config(folder.path() / "sub"); }),
            "sub: cannot be read; is it the path of a file?");
}

TEST(ConfigFile, that_is_no_json_says_where) {
  EXPECT_TRUE(config_error("{\"q\": 8,\n oops}").starts_with("c.json: is not JSON: "));
  EXPECT_NE(config_error("{\"q\": 8,\n oops}").find("line 2"), std::string::npos);
  EXPECT_TRUE(config_error("").starts_with("c.json: is not JSON: "));
  EXPECT_TRUE(config_error("{\"q\": \"\xff\"}").starts_with("c.json: is not JSON: "));
}

TEST(ConfigFile, wrong_type_and_unknown_field_are_named) {
  EXPECT_TRUE(config_error(R"({"n": "3"})").starts_with("c.json.n: expected a whole number"));
  EXPECT_TRUE(
      config_error(R"({"N": 3})").starts_with(R"(c.json: unknown field "N"; known are: q,)"));
}

TEST(ConfigFile, values_that_make_no_sense_say_what_would) {
  EXPECT_EQ(config_error(R"({"q": 0})"), "c.json: q must be 1 to 65536");
  EXPECT_EQ(config_error(R"({"q": 65537})"), "c.json: q must be 1 to 65536");
  EXPECT_EQ(config_error(R"({"n": 0})"), "c.json: n must be 1 to 64");
  EXPECT_EQ(config_error(R"({"gossip_period_ms": 0})"),
            "c.json: gossip_period_ms must be at least 1");
  EXPECT_EQ(config_error(R"({"call_timeout_ms": 0.5})"),
            "c.json: call_timeout_ms must be at least 1");
  EXPECT_EQ(config_error(R"({"http_timeout_ms": 0})"),
            "c.json: http_timeout_ms must be at least 1");
  EXPECT_EQ(config_error(R"({"disk_limit_bytes": 5})"),
            "c.json: disk_limit_bytes must be 1048576 to 1099511627776");
  EXPECT_EQ(config_error(R"({"disk_limit_bytes": 1000000000000000})"),
            "c.json: disk_limit_bytes must be 1048576 to 1099511627776");
  EXPECT_EQ(config_error(R"({"peer_queue_bytes": 5})"),
            "c.json: peer_queue_bytes must be at least 65536");
  EXPECT_EQ(
      config_error(R"({"modules": ["rings"]})"),
      R"(c.json: modules: "rings" is none; known are membership, ring, replication, transfer, versioning, quorum, sync, warmup)");
  EXPECT_EQ(
      config_error(R"({"seeds": ["N1"]})"),
      R"(c.json: seeds: "N1" is no name for a node; use 1 to 32 of a-z, 0-9 and -, a letter first)");
}

TEST(ConfigFile, limits_of_the_store_make_sense_together) {
  EXPECT_EQ(config_error(R"({"max_value_bytes": 4194305})"),
            "c.json: max_value_bytes must be 1 to max_state_bytes");
  EXPECT_EQ(config_error(R"({"max_state_bytes": 4194305})"),
            "c.json: max_state_bytes must be 1 to 4194304");
  EXPECT_EQ(config_error(R"({"max_siblings": 0})"), "c.json: max_siblings must be at least 1");
  EXPECT_EQ(config_error(R"({"batch_bytes": 0})"), "c.json: batch_bytes must be 1 to 3145728");
  EXPECT_EQ(config_error(R"({"retry_period_ms": 0})"),
            "c.json: retry_period_ms must be at least 1");
  EXPECT_EQ(config_error(R"({"request_deadline_ms": 0})"),
            "c.json: request_deadline_ms must be at least 1");
  EXPECT_EQ(config_error(R"({"request_memory_ms": 0})"),
            "c.json: request_memory_ms must be at least 1");
  EXPECT_EQ(config_error(R"({"reconciliation": "newest"})"),
            R"(c.json: reconciliation: "newest" is none; known are siblings, last_write_wins)");
}

TEST(PeersFile, names_every_node_with_two_addresses) {
  const testing::Folder folder;
  const Peers peers = load_peers(
      folder.file("p.json", R"({"nodes": {"n1": {"peer": "127.0.0.1:7001", "http": "[::1]:8001"},
                              "n2": {"peer": "127.0.0.1:0", "http": "127.0.0.1:0"}}})"));
  ASSERT_EQ(peers.size(), 2u);
  EXPECT_EQ(peers.at("n1").peer.text(), "127.0.0.1:7001");
  EXPECT_EQ(peers.at("n1").http.host, "::1");
  EXPECT_EQ(peers.at("n1").http.text(), "[::1]:8001");
}

TEST(PeersFile, of_another_shape_shows_the_right_one) {
  const std::string shape =
      R"(p.json: expected {"nodes": {"n1": {"peer": "127.0.0.1:7001", "http": "127.0.0.1:8001"}, …}})";
  EXPECT_EQ(peers_error("[]"), shape);
  EXPECT_EQ(peers_error("{}"), shape);
  EXPECT_EQ(peers_error(R"({"nodes": []})"), shape);
  EXPECT_EQ(peers_error(R"({"nodes": {}, "more": 1})"), shape);
  EXPECT_EQ(peers_error(R"({"nodes": {}})"), "p.json: nodes: no node is named");
  EXPECT_EQ(peers_error(R"({"nodes": {"n1": 5}})"),
            R"(p.json: nodes.n1: expected {"peer": …, "http": …})");
  EXPECT_TRUE(peers_error("{").starts_with("p.json: is not JSON: "));
}

std::string one_node(const std::string& entry) {
  return peers_error(R"({"nodes": {"n1": {)" + entry + "}}}");
}

TEST(PeersFile, missing_and_unknown_fields_are_named) {
  EXPECT_EQ(one_node(R"("http": "127.0.0.1:1")"),
            R"(p.json: nodes.n1: the field "peer" is missing)");
  EXPECT_EQ(one_node(R"("peer": "127.0.0.1:1")"),
            R"(p.json: nodes.n1: the field "http" is missing)");
  EXPECT_EQ(one_node(R"("port": 1)"),
            R"(p.json: nodes.n1: unknown field "port"; known are: peer, http)");
}

TEST(PeersFile, addresses_are_numbers_with_a_port) {
  for (const char* bad : {"\"127.0.0.1\"", "\"127.0.0.1:\"", "\"127.0.0.1:99999\"", "\":7001\"",
                          "\"127.0.0.1:-1\"", "\"127.0.0.1:7001x\"", "\"localhost:7001\"",
                          "\"1.2.3:7001\"", "\"[::1:7001\"", "7001", "\"\""}) {
    EXPECT_EQ(
        one_node(std::string("\"peer\": ") + bad),
        std::string(
            R"(p.json: nodes.n1.peer: expected an address such as "127.0.0.1:7001", found )") +
            bad);
  }
}

TEST(PeersFile, one_address_cannot_serve_two) {
  EXPECT_EQ(one_node(R"("peer": "127.0.0.1:1", "http": "127.0.0.1:1")"),
            "p.json: nodes.n1.http: 127.0.0.1:1 is taken by n1.peer");
}

TEST(PeersFile, names_are_checked) {
  for (const std::string& bad : {std::string(), std::string("1n"), std::string("n_1"),
                                 std::string("N1"), std::string(33, 'n'), std::string("-a")}) {
    EXPECT_TRUE(peers_error(R"({"nodes": {")" + bad + R"(": {}}})")
                    .starts_with("p.json: nodes: \"" + bad + "\" is no name for a node"));
  }
}

TEST(ConfigTable, explains_each_field_once) {
  const std::string table = config_table();
  const Json schema = json::parse_or_throw(config_schema());
  const Json defaults = json::to(NodeConfig{});
  EXPECT_EQ(schema.at("properties").size(), defaults.size());
  for (const auto& [field, value] : defaults.items()) {
    EXPECT_NE(table.find("| `" + field + "` | `" + json::text(value) + "` |"), table.npos) << field;
    EXPECT_EQ(schema.at("properties").at(field).at("default"), value) << field;
  }
}

std::string content_of(const std::string& path) {
  std::ifstream in(std::string(PROJECT_FOLDER) + "/" + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(ConfigTable, in_the_repository_is_what_the_code_prints) {
  EXPECT_EQ(content_of("docs/config.md"), config_table())
      << "dynamo-node --print-defaults > docs/config.md";
  EXPECT_EQ(content_of("framework/node/config.schema.json"), config_schema())
      << "dynamo-node --print-schema > framework/node/config.schema.json";
}

}  // namespace
}  // namespace dynamo
