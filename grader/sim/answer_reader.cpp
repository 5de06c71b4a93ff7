#include "sim/queueing_host.h"

#include "storage/memory_store.h"

namespace dynamo::sim {

using host::Item;

namespace {

[[noreturn]] void broken(const std::string& what) { throw BrokenProtocol(what); }

template <class T>
T take(codec::Reader& in) {
  T value{};
  codec::read(in, value);
  if (!in.ok()) broken("its answer is malformed");
  return value;
}

std::string take_bytes(codec::Reader& in, std::size_t most, const char* what) {
  const std::string_view bytes = in.bytes();
  if (!in.ok()) broken("its answer is malformed");
  if (bytes.size() > most) {
    broken(std::string("a ") + what + " of " + std::to_string(bytes.size()) + " bytes, more than " +
           std::to_string(most));
  }
  return std::string(bytes);
}

Duration take_delay(codec::Reader& in) {
  const auto delay = take<Duration>(in);
  if (delay < Duration::zero()) broken("a negative delay");
  return delay;
}

DiskWrite take_write(codec::Reader& in, bool put) {
  DiskWrite write;
  write.space = take_bytes(in, kMaxStorageSpaceBytes, "name of a space");
  write.key = take_bytes(in, kMaxStorageKeyBytes, "key");
  if (write.space.empty() || write.key.empty()) broken("a write without a space or a key");
  if (put) write.value = take_bytes(in, host::kMaxPayloadBytes, "value");
  return write;
}

Effect take_call(codec::Reader& in) {
  Effect effect;
  effect.kind = Effect::Kind::call;
  effect.id = take<CallId>(in);
  effect.to = take_bytes(in, host::kMaxNodeIdBytes, "node's name");
  effect.type = take<MessageType>(in);
  if (effect.type >= message_names().size()) broken("a message of an unknown type");
  effect.bytes = take_bytes(in, host::kMaxPayloadBytes, "message");
  effect.delay = take_delay(in);
  return effect;
}

}  // namespace

bool AnswerReader::feed(std::string_view answer) {
  codec::Reader in(answer);
  Handled current;
  items_ = 0;
  while (true) {
    const auto kind = take<Item>(in);
    if (kind == Item::full || kind == Item::finished) {
      const bool finished = kind == Item::finished;
      if (finished) allocations_ = take<std::uint64_t>(in);
      if (!in.at_end() || items_ != 0) broken("its answer goes on after its end");
      if (finished && handled_.size() != expected_) broken("it answered too few handlers");
      if (!finished && answer.size() < host::kFullAnswerBytes) broken("it stopped half-way");
      return finished;
    }
    if (kind == Item::handled) {
      if (handled_.size() == expected_) broken("it answered handlers that nobody asked for");
      current.taken = take<bool>(in);
      handled_.push_back(std::move(current));
      current = Handled();
      items_ = 0;
    } else {
      item(in, kind, current);
    }
  }
}

void AnswerReader::count_item() {
  // An item may take two bytes there and a hundred here: so their number is bounded, too.
  constexpr std::size_t for_each_handler = 1000;
  ++all_items_;
  if (++items_ > host::kMaxHandlerItems ||
      all_items_ > host::kMaxHandlerItems + for_each_handler * expected_) {
    broken("too many messages, timers, notes and writes");
  }
}

void AnswerReader::item(codec::Reader& in, Item kind, Handled& current) {
  count_item();
  switch (kind) {
    case Item::put:
    case Item::erase:
      current.writes.push_back(take_write(in, kind == Item::put));
      return;
    case Item::result:
      if (current.result) broken("two results of one handler");
      current.result = take_bytes(in, host::kMaxPayloadBytes, "result");
      return;
    case Item::call:
      current.effects.push_back(take_call(in));
      return;
    default:
      break;
  }
  Effect& effect = current.effects.emplace_back();
  switch (kind) {
    case Item::reply:
      effect.kind = Effect::Kind::reply;
      effect.id = take<RequestToken>(in);
      effect.bytes = take_bytes(in, host::kMaxPayloadBytes, "reply");
      break;
    case Item::set_timer:
      effect.kind = Effect::Kind::set_timer;
      effect.id = take<std::uint64_t>(in);
      effect.delay = take_delay(in);
      break;
    case Item::cancel_timer:
      effect.kind = Effect::Kind::cancel_timer;
      effect.id = take<std::uint64_t>(in);
      break;
    case Item::note:
      effect.kind = Effect::Kind::note;
      effect.bytes = take_bytes(in, host::kMaxNoteBytes, "note");
      break;
    default:
      broken("its answer is malformed");
  }
}

}  // namespace dynamo::sim
