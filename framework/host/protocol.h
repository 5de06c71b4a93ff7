// What crosses between the trusted side and a host: batches of commands one way, what the handlers
// did the other way. Both sides are built together, so there is one version and no negotiation.
//
// A batch is commands one after the other, each a Command number, its slot, and then:
//     make         NodeSetup, room, from image or not, count, count × (space, key, value)
//     destroy      –
//     set_room     room
//     start        moment, bootstrap
//     request      moment, token, from, message type, bytes
//     call_ended   moment, call, Result<string>
//     timer_fired  moment, timer
//     invoke       moment, method, arguments
//     image        count, count × (space, key, value): what many disks begin with; its slot is 0
// A moment is now, wall, and 8 bytes of seed. Everything is in core/codec.h's canonical encoding.
//
// The answer is a stream of items, each an Item number and then:
//     put          space, key, value
//     erase        space, key
//     call         call, to, message type, bytes, timeout
//     reply        token, bytes
//     set_timer    timer, delay
//     cancel_timer timer
//     note         text
//     result       bytes                 of an invoke
//     handled      taken                 ends one handler
//     full                               the answer is at its bound; ask for the rest
//     finished     allocations           the batch is at its end
#pragma once

#include <cstddef>
#include <cstdint>

namespace dynamo::host {

enum class Command : std::uint8_t {
  make,
  destroy,
  set_room,
  start,
  request,
  call_ended,
  timer_fired,
  invoke,
  image,
};

enum class Item : std::uint8_t {
  put,
  erase,
  call,
  reply,
  set_timer,
  cancel_timer,
  note,
  result,
  handled,
  full,
  finished,
};

// Bounds. The host keeps a solution to them with an exception that names file and line; the trusted
// side checks them again, since nothing that a host says can be trusted.

/// One batch, and one answer. A batch never grows past it; an answer is cut at half of it (`full`).
inline constexpr std::size_t kMaxCrossingBytes = std::size_t{64} << 20;
inline constexpr std::size_t kFullAnswerBytes = kMaxCrossingBytes / 2;
/// What one handler may write and send, encoded; so an answer always fits a crossing.
inline constexpr std::size_t kMaxHandlerBytes = std::size_t{16} << 20;
/// One message, value, or result.
inline constexpr std::size_t kMaxPayloadBytes = std::size_t{8} << 20;
/// Writes and effects of one handler.
inline constexpr std::size_t kMaxHandlerItems = 100'000;
/// A longer note is cut here.
inline constexpr std::size_t kMaxNoteBytes = 4096;
/// The name of a peer.
inline constexpr std::size_t kMaxNodeIdBytes = 255;

}  // namespace dynamo::host
