// dynamo-node: one node of a cluster, or (--host) the nodes of a simulated world.
#include <csignal>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "host/crash.h"
#include "host/platform.h"
#include "host/serve.h"
#include "node/real_node.h"

namespace {

using namespace dynamo;

struct Arguments {
  RealNodeOptions node;
  std::string peers_file;
  std::string config_file;
  std::string token_file;
  bool die_with_parent = false;
};

bool is_loopback(const std::string& host, const std::string& where) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  if (error) {
    throw ConfigError(where + ": \"" + host +
                      "\" is no IP address; use numbers, such as 127.0.0.1");
  }
  return address.is_loopback();
}

/// Beyond loopback, anybody on the network could add and remove nodes: a token must stand before
/// that.
std::string read_token(const Arguments& args, const PeerAddresses& self) {
  std::string token;
  if (!args.token_file.empty()) {
    std::ifstream in(args.token_file);
    if (!std::getline(in, token)) {
      throw ConfigError("--admin-token-file " + args.token_file +
                        ": cannot be read, or is empty; is it the path of a file?");
    }
    if (token.ends_with('\r')) token.pop_back();
    if (token.size() < 16) {
      throw ConfigError(args.token_file +
                        ": its first line must be a token of at least 16 characters");
    }
  }
  const bool bound = !args.node.bind.empty();
  const std::string& host = bound ? args.node.bind : self.http.host;
  const bool loopback = is_loopback(host, bound ? "--bind" : args.peers_file);
  if (token.empty() && !loopback) {
    throw ConfigError("HTTP on " + host +
                      " is open to the network: give --admin-token-file FILE as well");
  }
  return token;
}

int run(Arguments& args) {
  if (!args.config_file.empty()) args.node.config = load_config(args.config_file);
  args.node.peers = load_peers(args.peers_file);
  const auto self = args.node.peers.find(args.node.id);
  if (self == args.node.peers.end()) {
    std::string known;
    for (const auto& [id, addresses] : args.node.peers) known += (known.empty() ? "" : ", ") + id;
    throw ConfigError("--id " + args.node.id + ": " + args.peers_file + " names only " + known);
  }
  for (const NodeId& seed : args.node.config.seeds) {
    if (!args.node.peers.contains(seed)) {
      throw ConfigError(args.config_file + ": seeds: " + args.peers_file + " does not name \"" +
                        seed + "\"");
    }
  }
  args.node.admin_token = read_token(args, self->second);

  // A terminal that has gone away must not take the node with it.
  std::signal(SIGPIPE, SIG_IGN);
  boost::asio::io_context io(1);
  boost::asio::signal_set signals(io, SIGINT, SIGTERM);
  RealNode node(io, args.node);
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    node.stop();
    io.stop();
  });
  node.start();
  std::cout << "ready " << args.node.id << " peer " << node.peer_address().text() << " http "
            << node.http_address().text() << std::endl;
  io.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words.front() == "--host") {
    return dynamo::host::serve({words.begin() + 1, words.end()});
  }

  Arguments args;
  CLI::App app{
      "One node of a Dynamo Labs cluster.\nExample: dynamo-node --id n1 --data n1.disk --peers "
      "peers.json --bootstrap"};
  app.set_version_flag("--version",
                       "dynamo-node 1.0 (protocol " + std::to_string(net::kProtocolVersion) + ")");
  std::vector<int> sockets;
  bool print_defaults = false;
  bool print_schema = false;
  app.add_option("--id", args.node.id, "this node's name in the peers file");
  app.add_option("--data", args.node.data, "folder of its disk; made if absent");
  app.add_option("--peers", args.peers_file,
                 "JSON: every node that may ever join, with its addresses");
  app.add_option("--config", args.config_file,
                 "JSON: settings of the cluster; absent fields have defaults");
  app.add_flag("--bootstrap", args.node.bootstrap,
               "this start only: the first node of a new cluster");
  app.add_option("--bind", args.node.bind, "listen on this address instead of the peers file's");
  app.add_option("--admin-token-file", args.token_file,
                 "first line: what /admin demands as a bearer token");
  app.add_option(
      "--record", args.node.record,
      "append each handler, what came in and what went out, to this file (for the grader)");
  app.add_option(
         "--sockets", sockets,
         "descriptors that listen for peers and for HTTP, and one that leads to who makes our "
         "connections (for the grader's sandbox, where a node makes no socket)")
      ->expected(3);
  app.add_flag("--die-with-parent", args.die_with_parent,
               "end when the process that started this one ends");
  app.add_flag("--print-defaults", print_defaults, "print the table of settings, in Markdown");
  app.add_flag("--print-schema", print_schema, "print the JSON Schema of the config file");
  bool host = false;
  app.add_flag("--host", host, "serve simulated nodes to the grader (must be the first word)");
  try {
    app.parse(argc, argv);
    if (!sockets.empty()) args.node.sockets = {sockets[0], sockets[1], sockets[2]};
    if (print_defaults) {
      std::cout << config_table();
      return 0;
    }
    if (print_schema) {
      std::cout << config_schema();
      return 0;
    }
    if (args.node.id.empty() || args.node.data.empty() || args.peers_file.empty()) {
      throw ConfigError("--id, --data and --peers are needed; --help explains them");
    }
    if (args.die_with_parent) dynamo::host::platform::die_with_parent();
    dynamo::host::install_crash_reports(nullptr);
    return run(args);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  } catch (const ConfigError& error) {
    std::cerr << "dynamo-node: " << error.what() << '\n';
    return 2;
  } catch (const StorageError& error) {
    std::cerr << "dynamo-node: " << error.what() << '\n';
    return 74;  // EX_IOERR
  }
  // Anything else was thrown by the solution: not caught here, so that the crash report shows
  // where.
}
