#include "faultnet/control.h"

#include <unistd.h>

#include <boost/asio/read_until.hpp>
#include <cerrno>
#include <iostream>
#include <istream>

#include "core/json.h"

namespace dynamo::faultnet {

bool say(const Json& line) {
  const std::string text = json::text(line) + "\n";
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(STDOUT_FILENO, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    written += static_cast<std::size_t>(count);
  }
  return true;
}

Control::Control(boost::asio::io_context& io, Network& network, Relay& relay, Recorder& recorder)
    // A copy, so that nothing of ours is set on a descriptor that a shell may share.
    : io_(io), network_(network), relay_(relay), recorder_(recorder), in_(io, ::dup(STDIN_FILENO)) {
  read();
}

void Control::read() {
  boost::asio::async_read_until(
      in_, buffer_, '\n', [this](const boost::system::error_code& error, std::size_t) {
        if (error) {
          if (error != boost::asio::error::eof) {
            std::cerr << "faultnet: standard input: " << error.message() << '\n';
          }
          io_.stop();
          return;
        }
        std::istream in(&buffer_);
        std::string line;
        std::getline(in, line);
        if (!say(answer(line)) || line.find("\"quit\"") != std::string::npos) {
          io_.stop();
          return;
        }
        read();
      });
}

Json Control::answer(const std::string& line) {
  try {
    const sim::Action action = read_command(line);
    if (action.act == "quit") return {{"done", true}};
    if (action.act == "news") return network_.news(action.message);
    if (action.act == "counts") return {{"counts", network_.counts()}};
    if (action.act == "flush") {
      recorder_.flush();
      return {{"done", true}};
    }
    network_.apply(action);
    relay_.network_changed();
    return {{"done", true}};
  } catch (const SpecError& error) {
    return {{"error", error.what()}};
  }
}

}  // namespace dynamo::faultnet
