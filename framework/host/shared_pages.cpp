#include "host/shared_pages.h"

#include "host/platform.h"

#if defined(__linux__) && defined(__GLIBC__)

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "core/keys.h"

namespace dynamo::host {

namespace {

constexpr std::uint32_t kPlaces = 1 << 20;  // a quarter full at most, so that probes are short
constexpr std::uint32_t kMet = 1 << 19;     // hashes of pages that were met once; newer ones win
constexpr long kManyFaults = 64;            // a handler that takes in nothing new makes a few dozen

long minor_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

/// Where the kernel says that the heap begins; null if it says nothing.
char* heap_begin() {
  std::FILE* maps = std::fopen("/proc/self/maps", "r");
  if (maps == nullptr) return nullptr;
  char line[512];
  std::uintptr_t begin = 0;
  while (begin == 0 && std::fgets(line, sizeof(line), maps) != nullptr) {
    if (std::strstr(line, "[heap]") != nullptr) std::sscanf(line, "%" SCNxPTR, &begin);
  }
  std::fclose(maps);
  return reinterpret_cast<char*>(begin);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace

/// In memory that all processes share.
struct SharedPages::Index {
  struct Entry {
    std::uint64_t hash;
    std::uint32_t page;  ///< In the pool, from 1; 0: the entry is free.
  };
  std::uint32_t pages;  ///< In the pool.
  std::array<Entry, kPlaces> entries;
  std::array<std::uint64_t, kMet> met;
};

SharedPages::SharedPages(int pool_fd)
    : pool_fd_(pool_fd), page_bytes_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
  if (platform::has_sanitizer()) return;
  // Large blocks on the heap, too; and whole huge pages would never be equal. What a handler has
  // freed is given back when pages are shared, not each time.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  mallopt(M_TOP_PAD, 256 << 10);
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  heap_ = heap_begin();
  if (heap_ == nullptr) return;
  static_assert(kPoolBytes / 4096 <= kPlaces / 4);
  void* pool = mmap(nullptr, kPoolBytes, PROT_READ | PROT_WRITE, MAP_SHARED, pool_fd_, 0);
  void* index = mmap(nullptr, sizeof(Index), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pool == MAP_FAILED || index == MAP_FAILED) {
    throw std::runtime_error("no memory for the pages that nodes share");
  }
  pool_ = static_cast<char*>(pool);
  index_ = static_cast<Index*>(index);
}

void SharedPages::share_if_grown() {
  if (index_ == nullptr || minor_faults() - faults_ < kManyFaults) return;
  share();
  faults_ = minor_faults();
}

/// Finds the page in the pool, or takes it in if it was met before.
bool SharedPages::interned(const char* page, std::uint32_t& place) {
  const std::uint64_t hash = hash_of(std::string_view(page, page_bytes_)) | 1;
  std::uint32_t at = static_cast<std::uint32_t>(hash >> 20) % kPlaces;
  for (; index_->entries[at].page != 0; at = (at + 1) % kPlaces) {
    const Index::Entry& entry = index_->entries[at];
    place = entry.page - 1;
    if (entry.hash == hash &&
        std::memcmp(pool_ + std::size_t{place} * page_bytes_, page, page_bytes_) == 0) {
      return true;
    }
  }
  std::uint64_t& met = index_->met[(hash >> 40) % kMet];
  if (std::exchange(met, hash) != hash) return false;
  if (index_->pages == kPoolBytes / page_bytes_) return false;
  place = index_->pages++;
  std::memcpy(pool_ + std::size_t{place} * page_bytes_, page, page_bytes_);
  index_->entries[at] = {hash, place + 1};
  return true;
}

/// Nothing here may use the heap: its pages are compared, and then replaced.
void SharedPages::share() {
  malloc_trim(0);
  const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return;
  const std::size_t pages =
      static_cast<std::size_t>(static_cast<char*>(sbrk(0)) - heap_) / page_bytes_;
  const auto first = reinterpret_cast<std::uintptr_t>(heap_) / page_bytes_;
  std::size_t run_at = 0;  // pages of the heap that wait to be mapped
  std::size_t run_pages = 0;
  std::uint32_t run_place = 0;
  const auto map_run = [&] {
    if (run_pages == 0) return;
    void* const at = heap_ + run_at * page_bytes_;
    // A failure may have unmapped the heap already: there is no way on.
    if (mmap(at, run_pages * page_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, pool_fd_,
             static_cast<off_t>(std::size_t{run_place} * page_bytes_)) != at) {
      std::abort();
    }
    run_pages = 0;
  };
  std::array<std::uint64_t, 512> state{};
  for (std::size_t from = 0; from < pages; from += state.size()) {
    const std::size_t count = std::min(state.size(), pages - from);
    const auto bytes = static_cast<ssize_t>(count * sizeof(state[0]));
    if (pread(pagemap, state.data(), static_cast<std::size_t>(bytes),
              static_cast<off_t>((first + from) * sizeof(state[0]))) != bytes) {
      break;
    }
    for (std::size_t i = 0; i < count; ++i) {
      // Neither a page of the pool, nor one that came with the fork and has not been written to.
      constexpr std::uint64_t present = std::uint64_t{1} << 63;
      constexpr std::uint64_t of_file = std::uint64_t{1} << 61;
      constexpr std::uint64_t exclusive = std::uint64_t{1} << 56;
      const bool own = (state[i] & (present | of_file | exclusive)) == (present | exclusive);
      std::uint32_t place = 0;
      if (!own || !interned(heap_ + (from + i) * page_bytes_, place)) continue;
      if (run_at + run_pages != from + i || run_place + run_pages != place) map_run();
      if (run_pages == 0) {
        run_at = from + i;
        run_place = place;
      }
      ++run_pages;
    }
  }
  map_run();
  close(pagemap);
}

}  // namespace dynamo::host

#else

namespace dynamo::host {

SharedPages::SharedPages(int pool_fd) : pool_fd_(pool_fd) {}
void SharedPages::share_if_grown() {}

}  // namespace dynamo::host

#endif
