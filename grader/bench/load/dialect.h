// How each of the systems is spoken to: one request and its answer.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace dynamo::load {

/// What is asked, the same of all systems.
struct Workload {
  bool put = true;              ///< Else get.
  std::size_t value_bytes = 0;  ///< A get must answer that many.
  std::uint64_t wait_for = 0;   ///< Redis alone: replicas that must have a put, too (WAIT).
};

/// One connection's side of a protocol. Requests and answers take turns.
class Dialect {
 public:
  virtual ~Dialect() = default;

  /// The bytes of the next request, and gets ready for its answer. They live until the next call.
  virtual std::string_view request(std::string_view key, std::string_view value) = 0;

  /// Takes what it can of the bytes that have come; how many. The rest must come again, with more
  /// behind it. Throws std::runtime_error if they are not what the protocol allows.
  virtual std::size_t take(std::string_view bytes) = 0;

  /// Is the answer complete?
  virtual bool done() const = 0;

  /// Then: why it is no success, or nothing.
  virtual std::string error() const = 0;
};

/// `system`: "dynamo" (HTTP), "etcd" (its HTTP gateway) or "redis" (RESP); null for any other.
/// `host` is what HTTP calls the server.
std::unique_ptr<Dialect> make_dialect(const std::string& system, const Workload& workload,
                                      const std::string& host);

}  // namespace dynamo::load
