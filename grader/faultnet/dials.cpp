#include "faultnet/dials.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace dynamo::faultnet {

namespace {

constexpr std::size_t kLongestQuestion = 256;

/// To a port of ours; it need not be done yet. -1 if there is no socket to be had.
int connection_to(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
      errno == EINPROGRESS) {
    return fd;
  }
  if (fd >= 0) close(fd);
  return -1;
}

void answer(int socket, std::uint64_t number, int fd) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec piece{&number, sizeof(number)};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  }
  // A node that does not read its answers has itself to blame.
  [[maybe_unused]] const ssize_t sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

Dials::Dials(boost::asio::io_context& io, const Relay& relay, const Spec& spec) : relay_(relay) {
  for (const auto& [node, fd] : spec.dial) {
    lines_.push_back({node, boost::asio::posix::stream_descriptor(io, static_cast<int>(fd))});
    wait(lines_.back());
  }
}

void Dials::wait(Line& line) {
  line.socket.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this, &line](const boost::system::error_code& error) {
                           if (!error && answer_one(line)) wait(line);
                         });
}

bool Dials::answer_one(Line& line) {
  std::array<char, kLongestQuestion> text{};
  const int socket = line.socket.native_handle();
  const ssize_t got = recv(socket, text.data(), text.size(), MSG_DONTWAIT);
  if (got == 0) return false;
  std::uint64_t number = 0;
  if (got < static_cast<ssize_t>(sizeof(number))) return true;
  std::memcpy(&number, text.data(), sizeof(number));
  const NodeId peer(text.data() + sizeof(number), static_cast<std::size_t>(got) - sizeof(number));
  const std::uint16_t port = relay_.port(line.node, peer);
  const int fd = port == 0 ? -1 : connection_to(port);
  answer(socket, number, fd);
  if (fd >= 0) close(fd);
  return true;
}

}  // namespace dynamo::faultnet
