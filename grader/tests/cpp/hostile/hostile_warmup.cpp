// A warm-up module that does what its tester asks for, by the name of the peer that it is to ping.
#include <stdlib.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "warmup.h"

namespace dynamo {
namespace {

// A global that crashes a program that sets it in its environment: before main().
const bool exits_early = [] {
  if (std::getenv("HOSTILE_EXITS_EARLY") != nullptr) _exit(0);
  return true;
}();

[[gnu::noinline]] int recurse(int depth) {
  volatile char room[256] = {};
  if (depth < 0) return 0;  // never, but the compiler does not know
  return recurse(depth + 1) + room[depth % 256];
}

/// The same pointer; the compiler does not know, and so does not warn of what is done with it.
template <class T>
T* hidden(T* pointer) {
  asm volatile("" : "+r"(pointer) : : "memory");
  return pointer;
}

class HostileWarmup final : public Warmup {
 public:
  explicit HostileWarmup(Env& env) : env_(env) {
    if (env.self() == "dies_in_constructor") throw std::runtime_error("made badly");
    if (env.self() == "calls_in_constructor") env.note("too early");
    if (env.self() == "reads_in_constructor") (void)env.storage().get("warmup", "too early");
  }

  void start() override {}

  void ping(const NodeId& what) override {
    using Deed = void (HostileWarmup::*)();
    static const std::map<std::string, Deed> deeds = {
        {"crash", &HostileWarmup::crash},
        {"throw", &HostileWarmup::throw_out_of_range},
        {"throw number", &HostileWarmup::throw_number},
        {"todo", &HostileWarmup::todo},
        {"library throws", &HostileWarmup::library_throws},
        {"loop", &HostileWarmup::loop},
        {"sleep", &HostileWarmup::sleep_on},
        {"exit", &HostileWarmup::exit_quietly},
        {"abort", &HostileWarmup::abort_now},
        {"divide", &HostileWarmup::divide},
        {"overflow", &HostileWarmup::overflow},
        {"kill", &HostileWarmup::kill_myself},
        {"fork", &HostileWarmup::fork_child},
        {"garbage", &HostileWarmup::garbage},
        {"chatter", &HostileWarmup::chatter},
        {"huge note", &HostileWarmup::huge_note},
        {"huge write", &HostileWarmup::huge_write},
        {"long key", &HostileWarmup::long_key},
        {"endless notes", &HostileWarmup::endless_notes},
        {"leak", &HostileWarmup::leak},
        {"many effects", &HostileWarmup::many_effects},
        {"by address", &HostileWarmup::by_address},
        {"uninitialised heap", &HostileWarmup::uninitialised_heap},
        {"uninitialised stack", &HostileWarmup::uninitialised_stack},
        {"allocate", &HostileWarmup::allocate},
        {"use after free", &HostileWarmup::use_after_free},
        {"signed overflow", &HostileWarmup::signed_overflow},
        {"write in scan", &HostileWarmup::write_in_scan},
    };
    const auto deed = deeds.find(what);
    if (deed != deeds.end()) {
      (this->*deed->second)();
    } else {
      env_.call(what, Ping{1}, std::chrono::milliseconds(10), [](Result<Pong>) {});
    }
  }

  void handle(const Ping& request, Responder<Pong> responder) override {
    if (request.number == 666) *nowhere_ = 1;
    env_.storage().put("count", "pings", to_bytes(++counted_));
    responder.reply({counted_});
    if (request.number == 2) responder.reply({counted_});
  }

  std::uint64_t counted() const override { return counted_; }
  std::uint64_t answered() const override { return 0; }

 private:
  void crash() { *nowhere_ = counted_ == 0 ? 1 : 2; }                       // LINE crash
  void throw_out_of_range() { throw std::out_of_range("beyond the end"); }  // LINE throw
  void throw_number() { throw 42; }
  void todo() { throw std::logic_error("TODO(lab0 A): ping"); }  // LINE todo
  void library_throws() {
    const std::vector<int> three(3);
    env_.note(std::to_string(three.at(7 + env_.random(1))));  // LINE library
  }
  void loop() {
    while (true) asm volatile("");  // LINE loop
  }
  void sleep_on() { sleep(1000); }  // LINE sleep
  void exit_quietly() {
    std::puts("leaving now");
    _exit(0);
  }
  void abort_now() { std::abort(); }                         // LINE abort
  void divide() { env_.note(std::to_string(100 / zero_)); }  // LINE divide
  void overflow() { env_.note(std::to_string(recurse(0))); }
  void kill_myself() { raise(SIGKILL); }
  void fork_child() {
    // The child lives on in the host's process group; only its number leaves.
    const pid_t child = fork();
    if (child == 0) {
      sleep(1000);
      _exit(0);
    }
    env_.note(std::to_string(child));
  }
  /// Overwrites every shared mapping of this process: the mailbox is one of them.
  void garbage() {
    std::FILE* maps = std::fopen("/proc/self/maps", "r");
    char line[512];
    while (maps != nullptr && std::fgets(line, sizeof(line), maps) != nullptr) {
      unsigned long long from = 0, to = 0;
      char rights[8] = "";
      if (std::sscanf(line, "%llx-%llx %7s", &from, &to, rights) != 3 || rights[3] != 's') continue;
      // NOLINTNEXTLINE(performance-no-int-to-ptr): an address is what the file tells
      std::memset(reinterpret_cast<void*>(from), 0xff, 16384);
    }
    // Now every word says nonsense. Answer it, too.
    loop();
  }
  void chatter() {
    for (int i = 0; i < 200'000; ++i) {
      std::fprintf(stderr,
                   "chatter line %d, which is long enough to fill a pipe or a disk one day\n", i);
    }
    crash();
  }
  void huge_note() { env_.note(std::string(100'000, 'n')); }
  void huge_write() { env_.storage().put("s", "k", std::string(9 << 20, 'v')); }  // LINE huge
  void long_key() { env_.storage().put("s", std::string(401, 'k'), "v"); }        // LINE key
  void endless_notes() {
    while (true) env_.note("again");
  }
  void leak() {
    while (true) leaked_.emplace_back(1 << 20, 'l');  // LINE leak
  }
  void many_effects() {
    for (int i = 0; i < 100; ++i) env_.note(std::string(1000, 'e'));
  }
  void by_address() {
    // Which of two new objects lies first: the heap decides, not the seed.
    std::string order;
    std::vector<std::unique_ptr<std::uint64_t>> all;
    all.reserve(16);
    for (int i = 0; i < 16; ++i) all.push_back(std::make_unique<std::uint64_t>());
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
      order += std::less<>()(all[i].get(), all[i + 1].get()) ? '<' : '>';
    }
    env_.note(order);
  }
  void uninitialised_heap() {
    const std::unique_ptr<unsigned char[]> bytes(new unsigned char[48]);
    env_.note(std::to_string(static_cast<volatile unsigned char*>(bytes.get())[40]));
  }
  void uninitialised_stack() {
    unsigned char bytes[4096];
    env_.note(std::to_string(hidden(&bytes[0])[2000]));
  }
  void allocate() {
    for (int i = 0; i < 1000; ++i) leaked_.emplace_back(100, 'a');
    leaked_.clear();
  }
  void use_after_free() {
    auto* const number = new int(7);
    const int* gone = hidden(number);
    delete number;
    env_.note(std::to_string(*gone));  // LINE freed
  }
  void signed_overflow() {
    int large = 2147483647 - zero_;
    large = large + 1;  // LINE signed
    env_.note(std::to_string(large));
  }
  void write_in_scan() {
    env_.storage().put("s", "k", "v");
    env_.storage().scan("s", "", [this](std::string_view, std::string_view) {
      env_.storage().put("s", "l", "v");
      return true;
    });
  }

  Env& env_;
  std::uint64_t counted_ = 0;
  volatile int* nowhere_ = nullptr;
  volatile int zero_ = 0;
  std::deque<std::string> leaked_;
};

}  // namespace

std::unique_ptr<Warmup> make_warmup(Env& env) { return std::make_unique<HostileWarmup>(env); }

}  // namespace dynamo
