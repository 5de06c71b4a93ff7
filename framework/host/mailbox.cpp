#include "host/mailbox.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

#include "host/platform.h"

namespace dynamo::host {

Mailbox::Mailbox(int fd, bool fresh) {
  void* memory = mmap(nullptr, kMailboxBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    throw std::runtime_error(std::string("the mailbox cannot be mapped: ") + std::strerror(errno));
  }
  memory_ = static_cast<char*>(memory);
  if (fresh) new (memory_) Board();
}

Mailbox::~Mailbox() { munmap(memory_, kMailboxBytes); }

void Bell::ring(std::atomic<std::uint32_t>& word) const {
  if (socket_ < 0) return platform::wake(word);
    // A full socket holds a ring already, and a dead peer is noticed elsewhere: no error matters
    // here.
#ifdef MSG_NOSIGNAL
  constexpr int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
  constexpr int flags = MSG_DONTWAIT;  // SO_NOSIGPIPE is set where the pair is made
#endif
  [[maybe_unused]] const auto sent = send(socket_, "!", 1, flags);
}

void Bell::wait(std::atomic<std::uint32_t>& word, std::uint32_t seen,
                std::chrono::milliseconds slice) const {
  if (word.load(std::memory_order_acquire) != seen) return;
  if (socket_ < 0) return platform::sleep_on(word, seen, slice);
  pollfd ready{socket_, POLLIN, 0};
  if (poll(&ready, 1, static_cast<int>(slice.count())) <= 0) return;
  char rings[64];
  [[maybe_unused]] const auto taken = recv(socket_, rings, sizeof(rings), MSG_DONTWAIT);
}

}  // namespace dynamo::host
