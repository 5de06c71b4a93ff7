// Boost.Asio and Boost.Beast, compiled once for all (see the target `asio`).
#include <utility>  // Boost 1.74 with g++ 12 needs it before Asio

#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
