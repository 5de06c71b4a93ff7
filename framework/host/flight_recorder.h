// What a real node was given and what it did, handler by handler, in a file. Fed to a simulated
// node, the same events in the same order make a module that keeps to Env do the same again.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "core/codec.h"
#include "core/storage.h"
#include "host/protocol_writer.h"
#include "node/node.h"

namespace dynamo::host {

/// The parts of a recording, one after the other: a Frame number, how many bytes follow, and these.
/// A file that a kill -9 cut in the middle of a part ends before it.
enum class Frame : std::uint8_t {
  born,     ///< A start of the node: microseconds on the machine's steady clock at which its clock
            ///< was 0, NodeSetup, count, count × (space, key, value): its disk.
  command,  ///< A handler begins: a command of protocol.h, of slot 0.
  no_room,  ///< In it, the disk said that so many bytes do not fit.
  done,     ///< It has ended: its items, as in protocol.h. They leave the node after this.
  call,     ///< The next handler takes a request that its sender counts as this call.
  full,     ///< The recording is as long as it may be; nothing follows.
};

/// Stands between a node and its driver, which tells it of each handler. Each part is written
/// before what it tells of can be seen outside, so a recording outlives a kill -9. One thread.
class FlightRecorder final : public Effects, public Storage {
 public:
  /// Past it the recording ends: a node left alone over night must not fill the disk.
  static constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20;

  /// Appends to `file`. `disk` and `effects` outlive it and get all that the node does. Throws
  /// std::system_error, here and later, if the file cannot be written.
  FlightRecorder(const std::filesystem::path& file, Storage& disk, Effects& effects);
  ~FlightRecorder() override;
  FlightRecorder(const FlightRecorder&) = delete;
  FlightRecorder& operator=(const FlightRecorder&) = delete;

  /// Gives each entry of the disk to `visit`.
  using Entry = std::function<void(std::string_view, std::string_view, std::string_view)>;
  using Entries = std::function<void(const Entry& visit)>;
  /// The node starts. `born`: what the steady clock showed when the node's clock was 0.
  void born(std::chrono::steady_clock::time_point born, const NodeSetup& setup,
            const Entries& entries);

  /// The next handler takes a request: its sender's number of that call.
  void next_is_call(CallId call) { write(Frame::call, codec::encode(call)); }
  /// A handler begins; `tell` writes the one command that it is.
  void begin(const std::function<void(CommandWriter&)>& tell);
  /// What a method that was invoked returned.
  void result(std::string_view bytes) { items_.result(bytes); }
  /// It has ended well. `taken`: as in protocol.h.
  void end(bool taken);

  // Effects and Storage: noted down and passed on.
  void call(CallId id, const NodeId& to, MessageType type, std::string bytes,
            Duration timeout) override;
  void reply(RequestToken token, std::string bytes) override;
  void set_timer(TimerId id, Duration delay) override;
  void cancel_timer(TimerId id) override;
  void note(std::string_view text) override;
  std::optional<std::string> get(std::string_view space, std::string_view key) const override;
  void put(std::string_view space, std::string_view key, std::string_view value) override;
  void erase(std::string_view space, std::string_view key) override;
  void scan(std::string_view space, std::string_view from, const Visitor& visit) const override;
  bool room(std::size_t bytes) const override;

 private:
  void write(Frame frame, std::string_view bytes) const;

  const std::filesystem::path file_;
  Storage& disk_;
  Effects& effects_;
  int descriptor_ = -1;
  mutable std::uint64_t written_ = 0;
  std::string done_;  ///< What the handler that runs now has done.
  ItemWriter items_{done_};
};

}  // namespace dynamo::host
