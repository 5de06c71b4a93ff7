// Both halves of protocol.h as bytes: what a host is told, and what its nodes did. The trusted side
// and the host write them, and so does the flight recorder of a real node.
#pragma once

#include <string>
#include <string_view>

#include "core/codec.h"
#include "host/protocol.h"
#include "node/node.h"

namespace dynamo::host {

/// Appends commands to a buffer that the caller owns.
class CommandWriter {
 public:
  explicit CommandWriter(std::string& bytes) : out_(bytes) {}

  /// What follows it: setup, room, and the disk's entries.
  codec::Writer& command(Command command, std::uint32_t slot) {
    codec::write(out_, command);
    codec::write(out_, slot);
    return out_;
  }
  void start(std::uint32_t slot, const Moment& moment, bool bootstrap) {
    handler(Command::start, slot, moment);
    out_.number(bootstrap ? 1 : 0);
  }
  void request(std::uint32_t slot, const Moment& moment, RequestToken token, const NodeId& from,
               MessageType type, std::string_view bytes) {
    handler(Command::request, slot, moment);
    out_.number(token);
    out_.bytes(from);
    out_.number(type);
    out_.bytes(bytes);
  }
  void call_ended(std::uint32_t slot, const Moment& moment, CallId id,
                  const Result<std::string>& outcome) {
    handler(Command::call_ended, slot, moment);
    out_.number(id);
    codec::write(out_, outcome);
  }
  void timer_fired(std::uint32_t slot, const Moment& moment, TimerId id) {
    handler(Command::timer_fired, slot, moment);
    out_.number(static_cast<std::uint64_t>(id));
  }
  void invoke(std::uint32_t slot, const Moment& moment, MethodId method, std::string_view args) {
    handler(Command::invoke, slot, moment);
    out_.number(method);
    out_.bytes(args);
  }

 private:
  void handler(Command kind, std::uint32_t slot, const Moment& moment) {
    command(kind, slot);
    codec::write(out_, moment.now);
    codec::write(out_, moment.wall);
    out_.fixed64(moment.seed);
  }

  codec::Writer out_;
};

/// Appends what a handler does to a buffer that the caller owns.
class ItemWriter {
 public:
  explicit ItemWriter(std::string& bytes) : out_(bytes) {}

  void call(CallId id, std::string_view to, MessageType type, std::string_view bytes,
            Duration timeout) {
    item(Item::call);
    out_.number(id);
    out_.bytes(to);
    out_.number(type);
    out_.bytes(bytes);
    codec::write(out_, timeout);
  }
  void reply(RequestToken token, std::string_view bytes) {
    item(Item::reply);
    out_.number(token);
    out_.bytes(bytes);
  }
  void set_timer(TimerId id, Duration delay) {
    item(Item::set_timer);
    out_.number(static_cast<std::uint64_t>(id));
    codec::write(out_, delay);
  }
  void cancel_timer(TimerId id) {
    item(Item::cancel_timer);
    out_.number(static_cast<std::uint64_t>(id));
  }
  void note(std::string_view text) {
    item(Item::note);
    out_.bytes(text);
  }
  void put(std::string_view space, std::string_view key, std::string_view value) {
    item(Item::put);
    out_.bytes(space);
    out_.bytes(key);
    out_.bytes(value);
  }
  void erase(std::string_view space, std::string_view key) {
    item(Item::erase);
    out_.bytes(space);
    out_.bytes(key);
  }
  void result(std::string_view bytes) {
    item(Item::result);
    out_.bytes(bytes);
  }
  void handled(bool taken) {
    item(Item::handled);
    out_.number(taken ? 1 : 0);
  }
  void full() { item(Item::full); }
  void finished(std::uint64_t allocations) {
    item(Item::finished);
    out_.number(allocations);
  }

 private:
  void item(Item kind) { out_.number(static_cast<std::uint64_t>(kind)); }

  codec::Writer out_;
};

}  // namespace dynamo::host
