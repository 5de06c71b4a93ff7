#include "net/listener.h"

namespace dynamo::net {

using boost::asio::ip::tcp;

void listen_at(tcp::acceptor& acceptor, const Address& address, int given,
               const std::string& purpose) {
  boost::system::error_code error;
  const auto host = boost::asio::ip::make_address(address.host, error);
  const tcp::endpoint endpoint(host, address.port);
  if (given >= 0) {
    if (!error) acceptor.assign(endpoint.protocol(), given, error);
    if (!error && acceptor.local_endpoint(error) != endpoint) {
      error = boost::system::errc::make_error_code(boost::system::errc::address_not_available);
    }
    if (!error) return;
    throw ConfigError("the socket that was handed in " + purpose + " (" + std::to_string(given) +
                      ") does not listen on " + address.text() + ": " + error.message());
  }
  if (!error) acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(boost::asio::socket_base::max_listen_connections, error);
  if (error) {
    throw ConfigError("cannot listen " + purpose + " on " + address.text() + ": " +
                      error.message() +
                      "; is another node running, or is the address not this machine's?");
  }
}

}  // namespace dynamo::net
