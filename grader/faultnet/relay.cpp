#include "faultnet/relay.h"

#include <algorithm>
#include <chrono>
#include <iostream>

#include "core/json.h"
#include "faultnet/connection.h"

namespace dynamo::faultnet {

using boost::asio::ip::tcp;

Proxy::Proxy(boost::asio::io_context& io, Network& network, NodeIndex caller, NodeIndex callee,
             const tcp::endpoint& upstream)
    : io_(io),
      network_(network),
      caller_(caller),
      callee_(callee),
      upstream_(upstream),
      acceptor_(io, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
      pause_(io) {
  accept();
}

Proxy::~Proxy() = default;

void Proxy::accept() {
  acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
    if (error == boost::asio::error::operation_aborted) return;
    if (error) {
      std::cerr << "faultnet: " << network_.name(caller_) << " → " << network_.name(callee_)
                << ": cannot accept a connection: " << error.message() << '\n';
      pause_.expires_after(std::chrono::milliseconds(50));
      pause_.async_wait([this](const boost::system::error_code& stopped) {
        if (!stopped) accept();
      });
      return;
    }
    if (connections_.size() < kMostConnections) {
      auto connection = std::make_shared<Connection>(*this, std::move(socket));
      connections_.insert(connection);
      connection->start();
    }
    accept();
  });
}

void Proxy::network_changed() {
  const std::set<std::shared_ptr<Connection>> all = connections_;  // it may leave the set meanwhile
  for (const auto& connection : all) connection->network_changed();
}

Relay::Relay(boost::asio::io_context& io, Network& network, const Spec& spec) : network_(network) {
  for (NodeIndex caller = 0; caller < spec.nodes.size(); ++caller) {
    for (NodeIndex callee = 0; callee < spec.nodes.size(); ++callee) {
      if (caller == callee) continue;
      const Address& address = spec.upstream.at(spec.nodes[callee]);
      boost::system::error_code error;
      const auto host = boost::asio::ip::make_address(address.host, error);
      if (error)
        throw SpecError("nodes." + spec.nodes[callee] + ": \"" + address.host +
                        "\" is no IP address");
      pairs_.push_back({caller, callee,
                        std::make_unique<Proxy>(io, network, caller, callee,
                                                tcp::endpoint(host, address.port))});
    }
  }
}

Json Relay::ports() const {
  Json ports = Json::object();
  for (const NodeId& node : network_.nodes()) ports[node] = Json::object();
  for (const Pair& pair : pairs_) {
    ports[network_.name(pair.caller)][network_.name(pair.callee)] = pair.proxy->port();
  }
  return ports;
}

std::uint16_t Relay::port(const NodeId& caller, const NodeId& callee) const {
  for (const Pair& pair : pairs_) {
    if (network_.name(pair.caller) == caller && network_.name(pair.callee) == callee) {
      return pair.proxy->port();
    }
  }
  return 0;
}

void Relay::network_changed() {
  for (Pair& pair : pairs_) pair.proxy->network_changed();
}

}  // namespace dynamo::faultnet
