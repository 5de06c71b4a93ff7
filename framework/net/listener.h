// A listening socket: made here, or made by somebody else and handed in.
#pragma once

#include <string>

#include "net/asio.h"
#include "node/config_file.h"

namespace dynamo::net {

/// Opens, binds and listens. `given` is a descriptor that listens already, and is taken over; -1:
/// there is none. `purpose` is for the message: "for peers". Throws ConfigError.
void listen_at(boost::asio::ip::tcp::acceptor& acceptor, const Address& address, int given,
               const std::string& purpose);

}  // namespace dynamo::net
