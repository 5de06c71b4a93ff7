// Whatever a solution does to its host: SolutionDied, with a message that a student can act on.
#include <csignal>
#include <cstdlib>
#include <fstream>

#include "host_fixture.h"

namespace dynamo::sim {
namespace {

/// "hostile_warmup.cpp:57" for the line that is marked "// LINE mark".
std::string marked(const std::string& mark) {
  std::ifstream source(HOSTILE_SOURCE);
  std::string line;
  for (int number = 1; std::getline(source, line); ++number) {
    if (line.ends_with("// LINE " + mark)) return "hostile_warmup.cpp:" + std::to_string(number);
  }
  ADD_FAILURE() << "no line is marked " << mark;
  return "?";
}

class Death : public testing::TestWithParam<Transport> {
 protected:
  void SetUp() override { begin(std::chrono::seconds(20)); }

  void begin(Duration wall_limit) {
    ProcessOptions options = options_for(binary(), GetParam());
    options.cpu_limit = std::chrono::milliseconds(200);
    options.wall_limit = wall_limit;
    host_ = start_process_host(options);
  }

  virtual const char* binary() const { return HOSTILE_HOST; }

  void make() { host_->make(1, setup_of("n1"), {}, kPlenty); }

  /// Lets node n1 do `deed`, and returns what SolutionDied says.
  std::string death_by(const std::string& deed) {
    make();
    try {
      invoke<&Warmup::ping>(*host_, 1, at_ms(1), nullptr, deed);
    } catch (const SolutionDied& died) {
      EXPECT_EQ(died.slots(), std::vector<Slot>{1});
      return died.what();
    }
    ADD_FAILURE() << deed << " was survived";
    return "";
  }

  /// The host is as good as new after a death.
  void TearDown() override {
    make();
    host_->request(1, at_ms(1), 5, "n2", kPing, ping_bytes(1));
    EXPECT_EQ(host_->exchange().at(0).effects.at(0).id, 5U);
  }

  std::unique_ptr<Host> host_;
};

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_P(Death, crash_names_file_line_and_handler) {
  const std::string text = death_by("crash");
#ifndef HOSTS_ARE_SANITIZED
  EXPECT_SAYS(text, "segmentation fault at address 0x0");
#endif
  EXPECT_SAYS(text, marked("crash"));
  EXPECT_SAYS(text, "n1 was running Warmup::ping");
}

TEST_P(Death, crash_in_a_request_names_the_message) {
  make();
  host_->request(1, at_ms(1), 5, "n2", kPing, ping_bytes(1));
  host_->request(1, at_ms(1), 6, "n2", kPing, ping_bytes(666));
  try {
    host_->exchange();
    FAIL() << "survived";
  } catch (const SolutionDied& died) {
    EXPECT_SAYS(std::string(died.what()), "n1 was handling a Ping");
  }
}

TEST_P(Death, exception_names_type_text_and_throw_site) {
  const std::string text = death_by("throw");
  EXPECT_SAYS(text, "exception std::out_of_range: beyond the end");
  EXPECT_SAYS(text, marked("throw"));
}

TEST_P(Death, exception_out_of_the_library_names_the_line_that_called_it) {
  const std::string text = death_by("library throws");
  EXPECT_SAYS(text, "exception std::out_of_range");
  EXPECT_SAYS(text, marked("library"));
}

TEST_P(Death, exception_that_is_no_exception) {
  EXPECT_SAYS(death_by("throw number"), "exception int");
}

TEST_P(Death, stub_is_not_written_yet) {
  const std::string text = death_by("todo");
  EXPECT_EQ(text, "not written yet: " + marked("todo") + ", TODO(lab0 A): ping");
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST_P(Death, answering_twice_is_an_exception) {
  make();
  host_->request(1, at_ms(1), 5, "n2", kPing, ping_bytes(2));
  try {
    host_->exchange();
    FAIL() << "survived";
  } catch (const SolutionDied& died) {
    EXPECT_SAYS(std::string(died.what()), "a Ping was answered twice");
    EXPECT_SAYS(std::string(died.what()), "hostile_warmup.cpp:");
  }
}

TEST_P(Death, endless_loop_is_ended_and_located) {
  const std::string text = death_by("loop");
  EXPECT_SAYS(text, "endless loop: used more than 0.2 s of CPU");
  EXPECT_SAYS(text, marked("loop"));
}

TEST_P(Death, sleeper_is_ended_and_located) {
  begin(std::chrono::milliseconds(500));
  const std::string text = death_by("sleep");
  begin(std::chrono::seconds(20));  // what comes after must not fail on a busy machine
  EXPECT_SAYS(text, "no answer within 0.5 s");
  EXPECT_SAYS(text, marked("sleep"));
}

TEST_P(Death, exit_is_a_death_with_last_words) {
  const std::string text = death_by("exit");
  EXPECT_SAYS(text, "exit(0)");
  EXPECT_SAYS(text, "leaving now");
  EXPECT_SAYS(text, "n1 was running Warmup::ping");
}

TEST_P(Death, abort_is_located) {
  const std::string text = death_by("abort");
  EXPECT_SAYS(text, "abort() was called");
  EXPECT_SAYS(text, marked("abort"));
}

TEST_P(Death, division_by_zero_is_located) {
  const std::string text = death_by("divide");
  EXPECT_SAYS(text, "division by zero");
  EXPECT_SAYS(text, marked("divide"));
}

TEST_P(Death, endless_recursion_is_named) {
  const std::string text = death_by("overflow");
#ifdef HOSTS_ARE_SANITIZED
  EXPECT_SAYS(text, "sanitizer: stack-overflow");
#else
  EXPECT_SAYS(text, "stack overflow");
#endif
  EXPECT_SAYS(text, "hostile_warmup.cpp:");
}

TEST_P(Death, killed_by_itself) { EXPECT_SAYS(death_by("kill"), "signal 9"); }

TEST_P(Death, garbage_in_the_mailbox_is_survived) {
  // Nonsense in all words: an answer from nowhere, then silence. Either is a death.
  EXPECT_FALSE(death_by("garbage").empty());
}

TEST_P(Death, chatter_does_not_block_and_keeps_the_end) {
  const std::string text = death_by("chatter");
  EXPECT_SAYS(text, marked("crash"));
  EXPECT_SAYS(text, "chatter line");
}

TEST_P(Death, huge_value_is_refused_by_line) {
  const std::string text = death_by("huge write");
  EXPECT_SAYS(text, "std::length_error: a value of 9437184 bytes");
  EXPECT_SAYS(text, marked("huge"));
}

TEST_P(Death, long_key_is_refused_by_line) {
  const std::string text = death_by("long key");
  EXPECT_SAYS(text, "a key of 401 bytes");
  EXPECT_SAYS(text, marked("key"));
}

TEST_P(Death, write_during_a_scan) {
  EXPECT_SAYS(death_by("write in scan"), "a write during a scan");
}

TEST_P(Death, endless_effects_are_bounded) {
  EXPECT_SAYS(death_by("endless notes"), "one handler made more than 100000");
}

TEST_P(Death, leak_is_bounded) {
  const std::string text = death_by("leak");
  // Whichever comes first on this machine: the limit of memory, or that of time.
  EXPECT_TRUE(text.find("std::bad_alloc") != std::string::npos ||
              text.find("endless loop") != std::string::npos ||
              text.find("no answer within") != std::string::npos)
      << text;
}

TEST_P(Death, constructor_that_throws) {
  host_->make(1, setup_of("dies_in_constructor"), {}, kPlenty);
  host_->start(1, at_ms(0), false);
  try {
    host_->exchange();
    FAIL() << "survived";
  } catch (const SolutionDied& died) {
    EXPECT_SAYS(std::string(died.what()), "made badly");
    EXPECT_SAYS(std::string(died.what()), "dies_in_constructor was making its modules");
  }
}

TEST_P(Death, constructor_that_uses_env) {
  host_->make(1, setup_of("calls_in_constructor"), {}, kPlenty);
  host_->start(1, at_ms(0), false);
  EXPECT_THROW(host_->exchange(), SolutionDied);
}

TEST_P(Death, constructor_that_reads_the_disk) {
  host_->make(1, setup_of("reads_in_constructor"), {}, kPlenty);
  host_->start(1, at_ms(0), false);
  try {
    host_->exchange();
    FAIL() << "survived";
  } catch (const SolutionDied& died) {
    EXPECT_SAYS(
        std::string(died.what()),
        "env.storage() was used in a constructor or destructor of a module; wait for start()");
  }
}

TEST_P(Death, exit_before_main_is_a_death) {
  setenv("HOSTILE_EXITS_EARLY", "1", 1);
  make();
  host_->start(1, at_ms(0), false);
  try {
    host_->exchange();
    ADD_FAILURE() << "survived";
  } catch (const SolutionDied& died) {
    EXPECT_SAYS(std::string(died.what()), "the program was starting");
  }
  unsetenv("HOSTILE_EXITS_EARLY");
}

INSTANTIATE_TEST_SUITE_P(, Death, every_transport(), transport_name);

#ifdef SANITIZED_HOST
class SanitizerDeath : public Death {
 protected:
  const char* binary() const override { return SANITIZED_HOST; }
};

TEST_P(SanitizerDeath, report_is_told_with_its_place) {
  const std::string freed = death_by("use after free");
  EXPECT_SAYS(freed, "sanitizer: heap-use-after-free");
  EXPECT_SAYS(freed, marked("freed"));
  const std::string overflow = death_by("signed overflow");
  EXPECT_SAYS(overflow, "sanitizer: signed integer overflow");
  EXPECT_SAYS(overflow, marked("signed"));
}

TEST_P(SanitizerDeath, crash_is_told_with_its_place) {
  const std::string text = death_by("crash");
  EXPECT_SAYS(text, marked("crash"));
  EXPECT_SAYS(death_by("throw"), marked("throw"));
}

INSTANTIATE_TEST_SUITE_P(, SanitizerDeath, every_transport(), transport_name);
#endif

TEST(LinkedDeath, exception_is_told_as_from_a_process) {
  const std::unique_ptr<Host> host = make_linked_host();
  host->make(0, setup_of("n1"), {{{"count", "pings"}, "\xff\xff"}}, kPlenty);
  host->start(0, at_ms(0), false);
  EXPECT_THROW(host->exchange(), SolutionDied);
  host->make(0, setup_of("n1"), {}, kPlenty);
  host->start(0, at_ms(0), false);
  EXPECT_EQ(host->exchange().size(), 1U);
}

}  // namespace
}  // namespace dynamo::sim
