#include "host/flight_recorder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace dynamo::host {

namespace {

[[noreturn]] void fail(const std::filesystem::path& file, const char* doing) {
  throw std::system_error(errno, std::generic_category(),
                          "--record: cannot " + std::string(doing) + " " + file.string());
}

}  // namespace

FlightRecorder::FlightRecorder(const std::filesystem::path& file, Storage& disk, Effects& effects)
    : file_(file), disk_(disk), effects_(effects) {
  descriptor_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor_ < 0) fail(file_, "open");
  const off_t size = ::lseek(descriptor_, 0, SEEK_END);
  if (size < 0) fail(file_, "look into");
  written_ = static_cast<std::uint64_t>(size);
}

FlightRecorder::~FlightRecorder() { ::close(descriptor_); }

void FlightRecorder::write(Frame frame, std::string_view bytes) const {
  if (written_ > kMostBytes) return;
  if (written_ + bytes.size() > kMostBytes) {
    frame = Frame::full;
    bytes = {};
    written_ = kMostBytes;
  }
  std::string part;
  codec::Writer out(part);
  codec::write(out, frame);
  out.bytes(bytes);
  written_ += part.size();
  for (std::string_view left = part; !left.empty();) {
    const ssize_t wrote = ::write(descriptor_, left.data(), left.size());
    if (wrote < 0 && errno != EINTR) fail(file_, "write to");
    if (wrote > 0) left.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

void FlightRecorder::born(std::chrono::steady_clock::time_point born, const NodeSetup& setup,
                          const Entries& entries) {
  std::string disk;
  codec::Writer out(disk);
  std::uint64_t count = 0;
  entries([&](std::string_view space, std::string_view key, std::string_view value) {
    out.bytes(space);
    out.bytes(key);
    out.bytes(value);
    ++count;
  });
  std::string bytes;
  codec::Writer whole(bytes);
  codec::write(whole, std::chrono::duration_cast<Duration>(born.time_since_epoch()));
  codec::write(whole, setup);
  whole.number(count);
  write(Frame::born, bytes + disk);
}

void FlightRecorder::begin(const std::function<void(CommandWriter&)>& tell) {
  std::string bytes;
  CommandWriter out(bytes);
  tell(out);
  done_.clear();
  write(Frame::command, bytes);
}

void FlightRecorder::end(bool taken) {
  items_.handled(taken);
  write(Frame::done, done_);
}

void FlightRecorder::call(CallId id, const NodeId& to, MessageType type, std::string bytes,
                          Duration timeout) {
  items_.call(id, to, type, bytes, timeout);
  effects_.call(id, to, type, std::move(bytes), timeout);
}

void FlightRecorder::reply(RequestToken token, std::string bytes) {
  items_.reply(token, bytes);
  effects_.reply(token, std::move(bytes));
}

void FlightRecorder::set_timer(TimerId id, Duration delay) {
  items_.set_timer(id, delay);
  effects_.set_timer(id, delay);
}

void FlightRecorder::cancel_timer(TimerId id) {
  items_.cancel_timer(id);
  effects_.cancel_timer(id);
}

void FlightRecorder::note(std::string_view text) {
  items_.note(text.substr(0, kMaxNoteBytes));
  effects_.note(text);
}

std::optional<std::string> FlightRecorder::get(std::string_view space, std::string_view key) const {
  return disk_.get(space, key);
}

void FlightRecorder::put(std::string_view space, std::string_view key, std::string_view value) {
  items_.put(space, key, value);
  disk_.put(space, key, value);
}

void FlightRecorder::erase(std::string_view space, std::string_view key) {
  // As a simulated disk tells it: an erase of what is not there is none.
  if (disk_.get(space, key)) items_.erase(space, key);
  disk_.erase(space, key);
}

void FlightRecorder::scan(std::string_view space, std::string_view from,
                          const Visitor& visit) const {
  disk_.scan(space, from, visit);
}

bool FlightRecorder::room(std::size_t bytes) const {
  const bool fits = disk_.room(bytes);
  if (!fits) write(Frame::no_room, codec::encode(std::uint64_t{bytes}));
  return fits;
}

}  // namespace dynamo::host
