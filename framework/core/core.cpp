#include <algorithm>
#include <memory>
#include <stdexcept>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/codec.h"
#include "core/env.h"
#include "core/history.h"
#include "core/keys.h"
#include "core/state.h"

namespace dynamo {

std::string name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::timed_out:
      return "timed_out";
    case ErrorCode::refused:
      return "refused";
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::already_exists:
      return "already_exists";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::not_a_member:
      return "not_a_member";
    case ErrorCode::no_room:
      return "no_room";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::too_large:
      return "too_large";
  }
  return "error " + std::to_string(static_cast<int>(code));
}

std::string name_of(Change change) {
  switch (change) {
    case Change::join:
      return "join";
    case Change::leave:
      return "leave";
  }
  return "change " + std::to_string(static_cast<int>(change));
}

KeyHash hash_of(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

KeyHash first_hash(VnodeId i, std::uint32_t q) {
  __extension__ using Wide = unsigned __int128;
  const Wide numerator = static_cast<Wide>(i) << 64;
  return static_cast<KeyHash>((numerator + q - 1) / q);
}

HistoryDigest digest_of(const History& history) {
  const std::string bytes = codec::encode(history);
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

StateHash hash_of(std::string_view key, const State& state) {
  std::string bytes;
  bytes.reserve(key.size() + state.bytes.size() + 2 * sizeof(std::uint64_t));  // and two lengths
  codec::Writer out(bytes);
  out.bytes(key);
  out.bytes(state.bytes);
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

void every(Env& env, Duration period, Env::Callback callback) {
  // The timer's callback owns the one shared action, and hands it on to the next timer.
  auto action = std::make_shared<Env::Callback>(std::move(callback));
  struct Tick {
    Env& env;
    Duration period;
    std::shared_ptr<Env::Callback> action;
    void operator()() const {
      env.after(period, *this);
      (*action)();
    }
  };
  env.after(period, Tick{env, period, action});
}

}  // namespace dynamo
