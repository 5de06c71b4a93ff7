#include "sim/recording.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "host/flight_recorder.h"
#include "sim/queueing_host.h"

namespace dynamo::sim {

namespace {

using host::Command;
using host::Frame;

/// Thrown within this file; read_recording adds where.
struct Damaged {
  const char* what;
};

template <class T>
T take(codec::Reader& in) {
  T value{};
  codec::read(in, value);
  if (!in.ok()) throw Damaged{"a part of it is malformed"};
  return value;
}

RecordedStart read_start(std::string_view bytes) {
  codec::Reader in(bytes);
  RecordedStart start;
  start.born = take<Duration>(in);
  start.setup = take<NodeSetup>(in);
  for (auto left = take<std::uint64_t>(in); left > 0; --left) {
    auto space = take<std::string>(in);
    auto key = take<std::string>(in);
    start.disk.insert_or_assign({std::move(space), std::move(key)}, take<std::string>(in));
  }
  if (!in.at_end()) throw Damaged{"a start of the node is longer than it should be"};
  return start;
}

RecordedHandler read_handler(std::string_view bytes) {
  codec::Reader in(bytes);
  RecordedHandler handler;
  handler.kind = take<Command>(in);
  take<Slot>(in);
  handler.moment.now = take<Instant>(in);
  handler.moment.wall = take<Instant>(in);
  handler.moment.seed = in.fixed64();
  switch (handler.kind) {
    case Command::start:
      handler.bootstrap = take<bool>(in);
      break;
    case Command::request:
      handler.id = take<RequestToken>(in);
      handler.from = take<NodeId>(in);
      handler.type = take<MessageType>(in);
      handler.bytes = take<std::string>(in);
      break;
    case Command::call_ended:
      handler.id = take<CallId>(in);
      handler.outcome = take<Result<std::string>>(in);
      break;
    case Command::timer_fired:
      handler.id = take<std::uint64_t>(in);
      break;
    case Command::invoke:
      handler.method = take<MethodId>(in);
      handler.bytes = take<std::string>(in);
      break;
    default:
      throw Damaged{"there is no such kind of handler"};
  }
  if (!in.at_end()) throw Damaged{"a handler is longer than it should be"};
  return handler;
}

/// The items of one handler, by the reader that reads a host's answers.
Handled read_done(std::string_view items) {
  std::string answer(items);
  host::ItemWriter(answer).finished(0);
  AnswerReader reader(1);
  try {
    if (reader.feed(answer) && reader.handled().size() == 1) return reader.handled().front();
  } catch (const BrokenProtocol&) {  // told below
  }
  throw Damaged{"what a handler did is malformed"};
}

RecordedHandler& handler_under_way(Recording& recording) {
  if (recording.starts.empty() || recording.starts.back().handlers.empty() ||
      recording.starts.back().handlers.back().done) {
    throw Damaged{"a handler ends that has not begun"};
  }
  return recording.starts.back().handlers.back();
}

/// `call`: of the handler that comes next, if it takes a peer's request.
void add_part(Recording& recording, Frame frame, std::string_view bytes, CallId& call) {
  switch (frame) {
    case Frame::born:
      recording.starts.push_back(read_start(bytes));
      return;
    case Frame::command:
      if (recording.starts.empty()) throw Damaged{"a handler comes before its node"};
      recording.starts.back().handlers.push_back(read_handler(bytes));
      recording.starts.back().handlers.back().call = std::exchange(call, 0);
      return;
    case Frame::call: {
      codec::Reader in(bytes);
      call = take<CallId>(in);
      return;
    }
    case Frame::no_room: {
      codec::Reader in(bytes);
      handler_under_way(recording).no_room = take<std::uint64_t>(in);
      return;
    }
    case Frame::done:
      handler_under_way(recording).done = read_done(bytes);
      return;
    case Frame::full:
      recording.full = true;
      return;
  }
  throw Damaged{"there is no such part"};
}

}  // namespace

Recording read_recording(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) throw GraderTrouble(file.string() + ": cannot be read");
  Recording recording;
  CallId call = 0;
  codec::Reader parts(bytes);
  while (parts.left() > 0) {
    const std::size_t at = bytes.size() - parts.left();
    Frame frame{};
    codec::read(parts, frame);
    const std::string_view part = parts.bytes();
    if (!parts.ok()) break;  // a kill -9 tore it
    try {
      add_part(recording, frame, part, call);
    } catch (const Damaged& damaged) {
      throw GraderTrouble(file.string() + ": is damaged at byte " + std::to_string(at) + ": " +
                          damaged.what);
    }
  }
  return recording;
}

}  // namespace dynamo::sim
