// Boost.Asio as the project uses it: separately compiled, and only the parts that are needed.
#pragma once

#include <utility>  // Boost 1.74 with g++ 12 needs it before Asio

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
