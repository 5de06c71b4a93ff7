// What both kinds of host share: handlers queue up as a batch of bytes, and answers become Handled.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "host/protocol_writer.h"
#include "sim/host.h"

namespace dynamo::sim {

/// An answer that no honest host gives; what() says what is wrong with it.
class BrokenProtocol : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Turns answers into Handled. Bounds every length and count: the answer may be forged.
class AnswerReader {
 public:
  explicit AnswerReader(std::size_t handlers) : expected_(handlers) { handled_.reserve(handlers); }

  /// True if `answer` was the last one, false if the host has more. Throws BrokenProtocol.
  bool feed(std::string_view answer);

  std::vector<Handled>& handled() { return handled_; }
  std::uint64_t allocations() const { return allocations_; }

 private:
  void item(codec::Reader& in, host::Item kind, Handled& current);
  void count_item();

  const std::size_t expected_;  ///< Handlers that the batch asked for.
  std::vector<Handled> handled_;
  std::size_t items_ = 0;      ///< Of the handler that is being read.
  std::size_t all_items_ = 0;  ///< Of all handlers so far.
  std::uint64_t allocations_ = 0;
};

/// One command of a batch, for a message to a person.
struct AtWork {
  Slot slot = 0;
  std::string what;  ///< For example "handling a Gossip".
};

class QueueingHost : public Host {
 public:
  void make(Slot slot, const NodeSetup& setup, const Disk& disk, std::uint64_t room) override;
  void make_from(const std::shared_ptr<const Disk>& image, Slot slot, const NodeSetup& setup,
                 std::uint64_t room) override;
  void destroy(Slot slot) override;
  void set_room(Slot slot, std::uint64_t room) override;
  void start(Slot slot, const Moment& moment, bool bootstrap) override;
  void request(Slot slot, const Moment& moment, RequestToken token, const NodeId& from,
               MessageType type, std::string_view bytes) override;
  void call_ended(Slot slot, const Moment& moment, CallId id,
                  const Result<std::string>& outcome) override;
  void timer_fired(Slot slot, const Moment& moment, TimerId id) override;
  void invoke(Slot slot, const Moment& moment, MethodId method, std::string_view args) override;
  std::vector<Handled> exchange() final;
  std::uint64_t allocations() const final { return allocations_; }

 protected:
  /// Carries one batch over and feeds `answers` until it is at its end. Throws SolutionDied.
  virtual void cross(std::string_view batch, AnswerReader& answers) = 0;

  /// Slots of a batch, each once, in the order in which they were asked.
  static std::vector<Slot> slots_of(std::string_view batch);
  /// The `index`th command of a batch; nothing if there are not so many.
  static std::optional<AtWork> command_at(std::string_view batch, std::uint32_t index);
  /// The name of the node in `slot`.
  std::string name_of(Slot slot) const;

 private:
  struct Batch {
    std::string bytes;
    std::size_t handlers = 0;
  };

  host::CommandWriter to(Slot slot);       ///< Throws std::logic_error if there is no node.
  host::CommandWriter handler(Slot slot);  ///< The same, for what is answered.
  void begin_make(Slot slot, const NodeSetup& setup, std::uint64_t room, bool from_image);
  void write_disk(const Disk& disk);
  void queued();

  std::vector<Batch> batches_ = std::vector<Batch>(1);  ///< The last one is being filled.
  std::map<Slot, NodeId> nodes_;                        ///< Who lives where, once all is done.
  std::shared_ptr<const Disk> image_;                   ///< The one that the host has; or null.
  std::uint64_t allocations_ = 0;                       ///< Of the last exchange.
};

}  // namespace dynamo::sim
