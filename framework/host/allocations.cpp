#include "host/allocations.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "core/random.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DYNAMO_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DYNAMO_SANITIZED 1
#endif
#endif

namespace {
// Handlers run on one thread; a solution that starts threads miscounts, which is all that happens.
std::uint64_t made = 0;
bool perturbed = false;
std::uint64_t perturb_state = 0;
}  // namespace

namespace dynamo::host {

std::uint64_t allocations() { return made; }

void perturb_heap(std::uint64_t seed) {
  perturb_state = seed;
  perturbed = true;
}

[[gnu::noinline]] void spoil_stack() {
  char rubbish[32 * 1024];
  std::memset(rubbish, 0xa5, sizeof(rubbish));
  asm volatile("" : : "r"(rubbish) : "memory");  // so that the compiler keeps it
}

}  // namespace dynamo::host

#ifndef DYNAMO_SANITIZED

namespace {

/// Takes one of two fresh blocks and gives the other back: so two objects that are made one after
/// the other lie in an order that the seed decides.
void* perturbed_block(std::size_t size) {
  void* first = std::malloc(size);
  void* second = std::malloc(size);
  perturb_state = dynamo::mix(perturb_state);
  if ((perturb_state & 1) != 0) std::swap(first, second);
  std::free(second);
  if (first != nullptr) std::memset(first, 0xa5, size);
  return first;
}

void* block(std::size_t size) {
  ++made;
  if (size == 0) size = 1;
  return perturbed ? perturbed_block(size) : std::malloc(size);
}

}  // namespace

// All other forms of new and delete, but those for over-aligned types, come down to these.
void* operator new(std::size_t size) {
  if (void* memory = block(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

#endif
