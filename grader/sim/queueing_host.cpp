#include "sim/queueing_host.h"

#include <algorithm>
#include <utility>

namespace dynamo::sim {

using host::Command;

namespace {

bool is_handler(Command command) { return command >= Command::start && command <= Command::invoke; }

void skip_disk(codec::Reader& in) {
  for (std::uint64_t left = in.number(); left > 0 && in.ok(); --left) {
    for (int part = 0; part < 3; ++part) in.bytes();
  }
}

/// Reads one command of our own batch; `what` tells a person of it.
AtWork next_command(codec::Reader& in) {
  const auto take = [&in]<class T>(T value) {
    codec::read(in, value);
    return value;
  };
  const auto command = take(Command{});
  AtWork at{take(Slot{}), ""};
  if (is_handler(command)) {
    take(Instant{});
    take(Instant{});
    in.fixed64();
  }
  switch (command) {
    case Command::image:
      skip_disk(in);
      at.what = "being given a disk";
      break;
    case Command::make:
      take(NodeSetup{});
      take(std::uint64_t{});
      take(false);
      skip_disk(in);
      at.what = "making its modules";
      break;
    case Command::destroy:
      at.what = "destroying its modules";
      break;
    case Command::set_room:
      take(std::uint64_t{});
      at.what = "being told the room on its disk";
      break;
    case Command::start:
      take(false);
      at.what = "starting";
      break;
    case Command::request: {
      take(RequestToken{});
      in.bytes();
      at.what = "handling a " + name_of_message(take(MessageType{}));
      in.bytes();
      break;
    }
    case Command::call_ended: {
      take(CallId{});
      const auto outcome = take(Result<std::string>{});
      at.what = outcome.ok()
                    ? "taking the reply to one of its calls"
                    : "hearing that one of its calls " + dynamo::name_of(outcome.error().code);
      break;
    }
    case Command::timer_fired:
      take(std::uint64_t{});
      at.what = "running the callback of a timer";
      break;
    case Command::invoke:
      at.what = "running " + name_of_method(take(MethodId{}));
      in.bytes();
      break;
  }
  return at;
}

}  // namespace

host::CommandWriter QueueingHost::to(Slot slot) {
  // Asking without a node is the grader's own bug.
  if (!nodes_.contains(slot)) {
    throw std::logic_error("there is no node in slot " + std::to_string(slot));
  }
  return host::CommandWriter(batches_.back().bytes);
}

host::CommandWriter QueueingHost::handler(Slot slot) {
  host::CommandWriter out = to(slot);
  ++batches_.back().handlers;
  return out;
}

void QueueingHost::queued() {
  if (batches_.back().bytes.size() > host::kMaxCrossingBytes / 2) batches_.emplace_back();
}

void QueueingHost::write_disk(const Disk& disk) {
  codec::Writer out(batches_.back().bytes);
  out.number(disk.size());
  for (const auto& [where, value] : disk) {
    out.bytes(where.first);
    out.bytes(where.second);
    out.bytes(value);
  }
}

void QueueingHost::begin_make(Slot slot, const NodeSetup& setup, std::uint64_t room,
                              bool from_image) {
  host::CommandWriter command(batches_.back().bytes);
  codec::Writer& out = command.command(Command::make, slot);
  codec::write(out, setup);
  out.number(room);
  codec::write(out, from_image);
  nodes_[slot] = setup.self;
}

void QueueingHost::make(Slot slot, const NodeSetup& setup, const Disk& disk, std::uint64_t room) {
  begin_make(slot, setup, room, false);
  write_disk(disk);
  queued();
}

void QueueingHost::make_from(const std::shared_ptr<const Disk>& image, Slot slot,
                             const NodeSetup& setup, std::uint64_t room) {
  if (image_ != image) {
    host::CommandWriter(batches_.back().bytes).command(Command::image, 0);
    write_disk(*image);
    queued();
    image_ = image;
  }
  begin_make(slot, setup, room, true);
  write_disk({});
  queued();
}

void QueueingHost::destroy(Slot slot) {
  to(slot).command(Command::destroy, slot);
  nodes_.erase(slot);
  queued();
}

void QueueingHost::set_room(Slot slot, std::uint64_t room) {
  to(slot).command(Command::set_room, slot).number(room);
  queued();
}

void QueueingHost::start(Slot slot, const Moment& moment, bool bootstrap) {
  handler(slot).start(slot, moment, bootstrap);
  queued();
}

void QueueingHost::request(Slot slot, const Moment& moment, RequestToken token, const NodeId& from,
                           MessageType type, std::string_view bytes) {
  handler(slot).request(slot, moment, token, from, type, bytes);
  queued();
}

void QueueingHost::call_ended(Slot slot, const Moment& moment, CallId id,
                              const Result<std::string>& outcome) {
  handler(slot).call_ended(slot, moment, id, outcome);
  queued();
}

void QueueingHost::timer_fired(Slot slot, const Moment& moment, TimerId id) {
  handler(slot).timer_fired(slot, moment, id);
  queued();
}

void QueueingHost::invoke(Slot slot, const Moment& moment, MethodId method, std::string_view args) {
  handler(slot).invoke(slot, moment, method, args);
  queued();
}

std::vector<Handled> QueueingHost::exchange() {
  std::vector<Batch> batches = std::exchange(batches_, std::vector<Batch>(1));
  allocations_ = 0;
  std::vector<Handled> all;
  try {
    for (Batch& batch : batches) {
      if (batch.bytes.empty()) continue;
      if (batch.bytes.size() > host::kMaxCrossingBytes) {
        throw GraderTrouble("one command of " + std::to_string(batch.bytes.size()) +
                            " bytes: a simulated disk has grown too large to be handed over");
      }
      AnswerReader answers(batch.handlers);
      cross(batch.bytes, answers);
      allocations_ += answers.allocations();
      if (all.empty()) {
        all = std::move(answers.handled());
      } else {
        std::move(answers.handled().begin(), answers.handled().end(), std::back_inserter(all));
      }
    }
  } catch (...) {
    nodes_.clear();
    image_.reset();
    throw;
  }
  // Its memory serves the next batch.
  batches_.front().bytes = std::move(batches.front().bytes);
  batches_.front().bytes.clear();
  return all;
}

std::vector<Slot> QueueingHost::slots_of(std::string_view batch) {
  std::vector<Slot> slots;
  codec::Reader in(batch);
  while (in.ok() && in.left() > 0) {
    const Slot slot = next_command(in).slot;
    if (std::find(slots.begin(), slots.end(), slot) == slots.end()) slots.push_back(slot);
  }
  return slots;
}

std::optional<AtWork> QueueingHost::command_at(std::string_view batch, std::uint32_t index) {
  codec::Reader in(batch);
  while (in.ok() && in.left() > 0) {
    AtWork at = next_command(in);
    if (index-- == 0) return at;
  }
  return std::nullopt;
}

std::string QueueingHost::name_of(Slot slot) const {
  const auto found = nodes_.find(slot);
  return found == nodes_.end() ? "slot " + std::to_string(slot) : found->second;
}

}  // namespace dynamo::sim
