#include "node/request_table.h"

#include <utility>
#include <vector>

namespace dynamo {

namespace {

constexpr std::string_view kSpace = "given";
constexpr std::string_view kTurn = "turn of requests";
constexpr std::uint64_t kSpaces = 3;
constexpr std::size_t kErasedAtOnce = 500;
constexpr std::size_t kRecordBytes = 64;  // about what an entry takes beside its key
constexpr Duration kPause = std::chrono::milliseconds(10);

// Counted from the current space: the next one is the oldest, and the one after that was before.
constexpr std::uint64_t kOldest = 1;
constexpr std::uint64_t kBefore = 2;

}  // namespace

std::string RequestTable::space(std::uint64_t turns_ahead) const {
  return "requests " + std::to_string((current_ + turns_ahead) % kSpaces);
}

void RequestTable::load() {
  const auto turn = env_.storage().get(kSpace, kTurn);
  current_ = turn ? from_bytes<std::uint64_t>(*turn).value_or(0) % kSpaces : 0;
  empty_oldest();
  begin_turn();
}

bool RequestTable::executed(const RequestId& id) const {
  const std::string key = to_bytes(id);
  return env_.storage().get(space(0), key) || env_.storage().get(space(kBefore), key);
}

bool RequestTable::add(const RequestId& id) {
  const std::string key = to_bytes(id);
  if (!env_.storage().room(key.size() + kRecordBytes)) return false;
  env_.storage().put(space(0), key, "");
  if (++added_ >= most_in_a_turn_) end_turn();
  return true;
}

void RequestTable::forget(const RequestId& id) {
  const std::string key = to_bytes(id);
  env_.storage().erase(space(0), key);
  env_.storage().erase(space(kBefore), key);
}

void RequestTable::begin_turn() {
  added_ = 0;
  turn_ = env_.after(remember_, [this] { end_turn(); });
}

void RequestTable::end_turn() {
  env_.cancel(turn_);
  // If the oldest space is not empty yet, ids stay longer.
  if (!emptying_ && env_.storage().room(kRecordBytes)) {
    current_ = (current_ + 1) % kSpaces;
    env_.storage().put(kSpace, kTurn, to_bytes(current_));
    empty_oldest();
  }
  begin_turn();
}

void RequestTable::empty_oldest() {
  std::vector<std::string> expired;
  env_.storage().scan(space(kOldest), "", [&](std::string_view key, std::string_view) {
    expired.emplace_back(key);
    return expired.size() < kErasedAtOnce;
  });
  for (const std::string& key : expired) env_.storage().erase(space(kOldest), key);
  emptying_ = expired.size() == kErasedAtOnce;
  if (emptying_) env_.after(kPause, [this] { empty_oldest(); });
}

}  // namespace dynamo
