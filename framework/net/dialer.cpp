#include "net/dialer.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <string>
#include <utility>

namespace dynamo::net {

using boost::asio::ip::tcp;

Dialer::Dialer(boost::asio::io_context& io, int socket) : socket_(io) {
  std::random_device device;
  last_ = (static_cast<std::uint64_t>(device()) << 32) ^ device();
  socket_.assign(tcp::v4(), socket);
  socket_.non_blocking(true);
  wait();
}

void Dialer::dial(const NodeId& peer, Take take) {
  const std::uint64_t number = ++last_;
  std::string question(sizeof(number), '\0');
  std::memcpy(question.data(), &number, sizeof(number));
  question += peer;
  asked_.emplace(number, std::move(take));
  const ssize_t sent =
      send(socket_.native_handle(), question.data(), question.size(), MSG_DONTWAIT);
  if (sent >= 0) return;
  boost::asio::post(socket_.get_executor(), [this, number] {
    const auto found = asked_.find(number);
    if (stopped_ || found == asked_.end()) return;
    const Take told = std::move(found->second);
    asked_.erase(found);
    told(-1);
  });
}

void Dialer::stop() {
  stopped_ = true;
  asked_.clear();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void Dialer::wait() {
  socket_.async_wait(tcp::socket::wait_read, [this](const boost::system::error_code& error) {
    if (stopped_ || error) return;
    receive();
  });
}

void Dialer::receive() {
  std::uint64_t number = 0;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec piece{&number, sizeof(number)};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = recvmsg(socket_.native_handle(), &message, MSG_DONTWAIT);
  if (got == 0) return;  // the other end is gone, and the cluster with it
  int fd = -1;
  const cmsghdr* const header = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  }
  wait();
  const auto found = asked_.find(number);
  if (found == asked_.end()) {
    if (fd >= 0) close(fd);
    return;
  }
  const Take take = std::move(found->second);
  asked_.erase(found);
  take(fd);
}

}  // namespace dynamo::net
