#include "storage/lmdb_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

namespace dynamo {

namespace {

// The file format of LMDB 0.9 on a 64-bit machine, as lmdb.h and its library keep it (data version
// 1, numbers in the machine's own order).
constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kDataVersion = 1;
constexpr std::uint64_t kNoRoot = ~std::uint64_t{0};
constexpr std::size_t kPageHeader = 16;
constexpr std::size_t kNodeHeader = 8;
constexpr std::size_t kDeepest = 32;  ///< LMDB's own bound.
constexpr std::uint16_t kBranch = 0x01, kLeaf = 0x02, kOverflow = 0x04, kMeta = 0x08;
constexpr std::uint16_t kFixedMap = 0x01;  ///< Among the flags of the first tree: the whole file's.
constexpr std::uint16_t kBigValue = 0x01;  ///< The value lies on pages of its own.

struct Tree {
  std::uint32_t page_size = 0;  ///< In the first of a meta page's two trees only.
  std::uint16_t flags = 0;
  std::uint16_t depth = 0;
  std::uint64_t branches = 0, leaves = 0, overflows = 0, entries = 0;
  std::uint64_t root = kNoRoot;
};
static_assert(sizeof(Tree) == 48);

struct Meta {
  std::uint32_t magic = 0;
  std::uint32_t version = 0;
  std::uint64_t address = 0, map_size = 0;
  Tree free, main;
  std::uint64_t last_page = 0;
  std::uint64_t transaction = 0;
};
static_assert(sizeof(Meta) == 136);

/// What damage_in_lmdb_file() returns, on its way out of the depths.
struct Damage {
  std::string what;
};

template <class T>
T number_at(std::string_view bytes, std::size_t at) {
  if (at > bytes.size() || sizeof(T) > bytes.size() - at) throw Damage{"a length is wrong"};
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

class Check {
 public:
  explicit Check(int file) : file_(file) {}

  void run(std::uint64_t file_bytes) {
    const Meta meta = newest_meta();
    page_size_ = meta.free.page_size;
    last_page_ = meta.last_page;
    used_.resize(static_cast<std::size_t>(file_bytes / page_size_) + 1);
    used_[0] = used_[1] = true;
    visit_tree(meta.free, true);
    visit_tree(meta.main, false);
    for (const std::uint64_t page : free_) {
      if (page < used_.size() && used_[page]) fail(page, "is free and in use at once");
    }
  }

 private:
  [[noreturn]] static void fail(std::uint64_t page, const std::string& what) {
    throw Damage{"page " + std::to_string(page) + " " + what};
  }

  std::string read(std::uint64_t offset, std::size_t bytes, std::uint64_t page) const {
    std::string out(bytes, '\0');
    for (std::size_t had = 0; had < bytes;) {
      const ssize_t count =
          ::pread(file_, out.data() + had, bytes - had, static_cast<off_t>(offset + had));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail(page, std::string("cannot be read: ") + std::strerror(errno));
      if (count == 0) fail(page, "is missing: the file was cut short");
      had += static_cast<std::size_t>(count);
    }
    return out;
  }

  static Meta meta_in(std::string_view page, std::uint64_t number) {
    const Meta meta = number_at<Meta>(page, kPageHeader);
    if ((number_at<std::uint16_t>(page, 10) & kMeta) == 0 || meta.magic != kMagic) {
      fail(number, "is no beginning of a store");
    }
    if (meta.version != kDataVersion) {
      fail(number, "is of version " + std::to_string(meta.version) + ", we know " +
                       std::to_string(kDataVersion));
    }
    return meta;
  }

  Meta newest_meta() const {
    const Meta first = meta_in(read(0, kPageHeader + sizeof(Meta), 0), 0);
    const std::uint32_t size = first.free.page_size;
    if (size < 256 || size > 65536 || (size & (size - 1)) != 0) {
      fail(0, "has a page size of " + std::to_string(size));
    }
    const Meta second = meta_in(read(size, kPageHeader + sizeof(Meta), 1), 1);
    if (second.free.page_size != size) fail(1, "has another page size");
    const Meta& newest = second.transaction > first.transaction ? second : first;
    if ((newest.free.flags & kFixedMap) != 0 || newest.main.flags != 0) {
      throw Damage{"its settings are not ours"};
    }
    return newest;
  }

  /// Marks pages as in use.
  void take(std::uint64_t first, std::uint64_t count = 1) {
    if (count == 0 || first > last_page_ || count - 1 > last_page_ - first) {
      fail(first, "is beyond the last one, " + std::to_string(last_page_));
    }
    if (first + count > used_.size()) fail(first, "is missing: the file was cut short");
    for (std::uint64_t page = first; page < first + count; ++page) {
      if (used_[page]) fail(page, "is used twice");
      used_[page] = true;
    }
  }

  void visit_tree(const Tree& tree, bool is_free_list) {
    if (tree.root == kNoRoot) return;
    if (tree.depth == 0 || tree.depth > kDeepest) throw Damage{"the tree's depth is wrong"};
    entries_ = 0;
    visit_page(tree.root, tree.depth, is_free_list);
    if (entries_ != tree.entries) {
      throw Damage{"there are " + std::to_string(entries_) + " entries, not " +
                   std::to_string(tree.entries)};
    }
  }

  // NOLINTNEXTLINE(misc-no-recursion): as deep as the tree, which is bounded
  void visit_page(std::uint64_t number, std::size_t levels, bool is_free_list) {
    take(number);
    const std::string page = read(number * page_size_, page_size_, number);
    const auto flags = number_at<std::uint16_t>(page, 10);
    const auto lower = number_at<std::uint16_t>(page, 12);
    const auto upper = number_at<std::uint16_t>(page, 14);
    const bool leaf = levels == 1;
    if (number_at<std::uint64_t>(page, 0) != number ||
        (flags & (kBranch | kLeaf | kOverflow | kMeta)) != (leaf ? kLeaf : kBranch)) {
      fail(number, "is not the one that belongs there");
    }
    if (lower < kPageHeader + 2 || lower > upper || upper > page_size_ || lower % 2 != 0) {
      fail(number, "has a wrong length");
    }
    std::optional<std::string_view> previous;
    for (std::size_t slot = kPageHeader; slot < lower; slot += 2) {
      const std::size_t at = number_at<std::uint16_t>(page, slot);
      if (at < upper) fail(number, "has an entry outside of its room");
      const std::string_view node = std::string_view(page).substr(std::min(at, page.size()));
      const std::size_t key_bytes = number_at<std::uint16_t>(node, 6);
      if (kNodeHeader + key_bytes > node.size()) fail(number, "has a key beyond its end");
      const std::string_view key = node.substr(kNodeHeader, key_bytes);
      if (previous && key <= *previous) fail(number, "has its keys in the wrong order");
      // A branch's first key says nothing: all that is smaller than the second lies there. Keys in
      // the list of free pages are ordered as numbers, not as bytes.
      if (!is_free_list && (leaf || slot > kPageHeader)) previous = key;
      if (leaf) {
        visit_value(number, node, key_bytes, is_free_list);
      } else {
        visit_page(child_of(node), levels - 1, is_free_list);
      }
    }
  }

  static std::uint64_t child_of(std::string_view node) {
    return number_at<std::uint16_t>(node, 0) |
           static_cast<std::uint64_t>(number_at<std::uint16_t>(node, 2)) << 16 |
           static_cast<std::uint64_t>(number_at<std::uint16_t>(node, 4)) << 32;
  }

  void visit_value(std::uint64_t number, std::string_view node, std::size_t key_bytes,
                   bool is_free_list) {
    ++entries_;
    const std::uint64_t bytes = number_at<std::uint16_t>(node, 0) |
                                static_cast<std::uint64_t>(number_at<std::uint16_t>(node, 2)) << 16;
    const std::size_t at = kNodeHeader + key_bytes;
    const auto flags = number_at<std::uint16_t>(node, 4);
    if ((flags & ~kBigValue) != 0) fail(number, "has a value of an unknown kind");
    if ((flags & kBigValue) == 0) {
      if (bytes > node.size() - at) fail(number, "has a value beyond its end");
      if (is_free_list) take_free(number, node.substr(at, bytes));
      return;
    }
    const auto first = number_at<std::uint64_t>(node, at);
    take(first);
    const std::string header = read(first * page_size_, kPageHeader, first);
    const auto pages = number_at<std::uint32_t>(header, 12);
    if (number_at<std::uint64_t>(header, 0) != first ||
        (number_at<std::uint16_t>(header, 10) & kOverflow) == 0 ||
        pages < (kPageHeader - 1 + bytes) / page_size_ + 1) {  // a shorter value may have come in
      fail(first, "is not the long value that belongs there");
    }
    if (pages > 1) take(first + 1, pages - 1);
    // That its last byte is there: a file's length need not be whole pages.
    std::ignore = read(first * page_size_ + kPageHeader + bytes - 1, 1, first + pages - 1);
    if (is_free_list) take_free(first, read(first * page_size_ + kPageHeader, bytes, first));
  }

  /// A number of pages, and their numbers: what LMDB will write over one day.
  void take_free(std::uint64_t number, std::string_view list) {
    const auto count = number_at<std::uint64_t>(list, 0);
    if (count >= list.size() / 8 + 1 || (count + 1) * 8 > list.size()) {
      fail(number, "has a list of free pages beyond its end");
    }
    for (std::size_t i = 1; i <= count; ++i) {
      const auto page = number_at<std::uint64_t>(list, i * 8);
      if (page < 2 || page > last_page_) fail(number, "lists a free page that cannot be");
      free_.push_back(page);
    }
  }

  const int file_;
  std::uint64_t page_size_ = 0;
  std::uint64_t last_page_ = 0;
  std::uint64_t entries_ = 0;        ///< Of the tree that is being visited.
  std::vector<bool> used_;           ///< By page.
  std::vector<std::uint64_t> free_;  ///< Pages in the list of free ones.
};

}  // namespace

std::string damage_in_lmdb_file(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return errno == ENOENT ? "" : std::string("it cannot be read: ") + std::strerror(errno);
  }
  std::string damage;
  struct stat about {};
  if (::fstat(descriptor, &about) != 0) {
    damage = std::string("it cannot be read: ") + std::strerror(errno);
  } else if (about.st_size > 0) {
    try {
      Check(descriptor).run(static_cast<std::uint64_t>(about.st_size));
    } catch (const Damage& found) {
      damage = found.what;
    }
  }
  ::close(descriptor);
  return damage;
}

}  // namespace dynamo
