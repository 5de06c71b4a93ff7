#include "node/context_seal.h"

#include <sodium.h>

#include <cstdint>
#include <stdexcept>

namespace dynamo {

namespace {

// BLAKE2b, keyed: 128 bits are more than a forger can try.
constexpr std::size_t kTagBytes = crypto_generichash_BYTES_MIN;
// Nothing in it needs an escape, in a header, a shell or a URL.
constexpr int kText = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

const unsigned char* raw(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* raw(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

std::string base64(std::string_view bytes, int variant) {
  std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), raw(bytes), bytes.size(), variant);
  text.pop_back();  // its terminating zero
  return text;
}

}  // namespace

std::string padded_base64(std::string_view bytes) {
  return base64(bytes, sodium_base64_VARIANT_ORIGINAL);
}

ContextSeal::ContextSeal(std::string_view cluster_secret)
    : hash_key_(crypto_generichash_KEYBYTES, '\0') {
  if (sodium_init() < 0) throw std::runtime_error("libsodium cannot be started");
  crypto_generichash(raw(hash_key_), hash_key_.size(), raw(cluster_secret), cluster_secret.size(),
                     nullptr, 0);
}

std::string ContextSeal::tag(std::string_view key, std::string_view clock_bytes) const {
  // The key's length first, or a key's end could pass for a clock's beginning.
  const std::uint64_t length = key.size();
  std::string length_bytes;
  for (int shift = 0; shift < 64; shift += 8) {
    length_bytes.push_back(static_cast<char>(length >> shift));
  }
  crypto_generichash_state state;
  crypto_generichash_init(&state, raw(hash_key_), hash_key_.size(), kTagBytes);
  for (const std::string_view part : {std::string_view(length_bytes), key, clock_bytes}) {
    crypto_generichash_update(&state, raw(part), part.size());
  }
  std::string tag(kTagBytes, '\0');
  crypto_generichash_final(&state, raw(tag), tag.size());
  return tag;
}

std::string ContextSeal::seal(std::string_view key, std::string_view clock_bytes) const {
  return base64(tag(key, clock_bytes) + std::string(clock_bytes), kText);
}

std::optional<std::string> ContextSeal::open(std::string_view key,
                                             const std::string& sealed) const {
  std::string bytes(sealed.size(), '\0');
  std::size_t length = 0;
  const char* end = nullptr;
  if (sodium_base642bin(raw(bytes), bytes.size(), sealed.data(), sealed.size(), nullptr, &length,
                        &end, kText) != 0 ||
      end != sealed.data() + sealed.size() || length < kTagBytes) {
    return std::nullopt;
  }
  bytes.resize(length);
  std::string clock_bytes = bytes.substr(kTagBytes);
  const std::string expected = tag(key, clock_bytes);
  if (sodium_memcmp(bytes.data(), expected.data(), kTagBytes) != 0) return std::nullopt;
  return clock_bytes;
}

}  // namespace dynamo
