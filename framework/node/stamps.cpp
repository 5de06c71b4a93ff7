#include "node/stamps.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace dynamo {

namespace {

constexpr std::string_view kSpace = "given";
constexpr std::string_view kKey = "last stamp";
constexpr std::size_t kDigits = 20;  // of the largest number: a record that never grows

std::string padded(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kDigits - digits.size(), '0') + digits;
}

}  // namespace

void Stamps::load() {
  const auto record = env_.storage().get(kSpace, kKey);
  if (!record) return;
  if (record->size() != 2 * kDigits ||
      record->find_first_not_of("0123456789") != std::string::npos) {
    throw std::runtime_error("the last stamp on the disk is malformed");
  }
  time_us_ = std::stoull(record->substr(0, kDigits));
  sequence_ = std::stoull(record->substr(kDigits));
}

std::optional<Stamp> Stamps::next() {
  constexpr std::size_t record = kSpace.size() + kKey.size() + 2 * kDigits;
  if (sequence_ == 0 && !env_.storage().room(record)) return std::nullopt;
  const Duration wall = std::max(env_.wall_clock().time_since_epoch(), Duration::zero());
  time_us_ = std::max(time_us_, static_cast<std::uint64_t>(wall.count()));
  ++sequence_;
  env_.storage().put(kSpace, kKey, padded(time_us_) + padded(sequence_));
  return Stamp{time_us_, env_.self(), env_.incarnation(), sequence_};
}

}  // namespace dynamo
