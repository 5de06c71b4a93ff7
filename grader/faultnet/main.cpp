// faultnet: the network between the real nodes of a cluster, with the faults that a plan asks for.
//
//     faultnet --spec FILE
//
// prints {"ports": {"n1": {"n2": 40123, …}, …}}, then takes commands from standard input until it
// ends.
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <iostream>
#include <string_view>

#include "core/json.h"
#include "faultnet/control.h"
#include "faultnet/dials.h"
#include "faultnet/network.h"
#include "faultnet/recorder.h"
#include "faultnet/relay.h"
#include "faultnet/spec.h"

namespace dynamo::faultnet {
namespace {

constexpr std::string_view kUsage =
    "usage: faultnet --spec FILE | faultnet --check-plan FILE\n"
    "  FILE is JSON: {\"seed\": 1, \"nodes\": {\"n1\": \"127.0.0.1:7001\", …}, \"links\": {…}, "
    "\"record\": \"trace.jsonl\",\n"
    "  \"dial\": {\"n1\": 7, …}}: descriptors on which nodes in a sandbox ask for their "
    "connections.\n"
    "  Prints the port that each node is to take for each other. Then reads commands, one JSON "
    "object a\n"
    "  line, from standard input and answers each: the actions cut, heal, link and drop of a fault "
    "plan,\n"
    "  counts, news (what happened since it was last asked), flush, quit. Ends when standard input "
    "ends.\n"
    "  --check-plan only says whether FILE is a fault plan: exit code 0, or 2 and what is wrong.\n";

int run(const std::string& path) {
  const Spec spec = read_spec(path);
  boost::asio::io_context io(1);
  const auto began = std::chrono::steady_clock::now();
  const auto now = [began] {
    return Instant(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - began));
  };
  Recorder recorder(spec.record);
  Network network(spec, recorder, now);
  Relay relay(io, network, spec);
  if (!say({{"ports", relay.ports()}})) return 2;
  const Dials dials(io, relay, spec);
  const Control control(io, network, relay, recorder);
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&](const boost::system::error_code&, int) { io.stop(); });
  io.run();
  recorder.flush();
  return 0;
}

}  // namespace
}  // namespace dynamo::faultnet

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "--help") {
    std::cout << dynamo::faultnet::kUsage;
    return 0;
  }
  if (argc != 3 || (first != "--spec" && first != "--check-plan")) {
    std::cerr << dynamo::faultnet::kUsage;
    return 2;
  }
  try {
    if (first == "--spec") return dynamo::faultnet::run(argv[2]);
    dynamo::faultnet::check_plan(argv[2]);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "faultnet: " << error.what() << '\n';
    return 2;
  }
}
