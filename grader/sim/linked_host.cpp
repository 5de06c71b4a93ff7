// A solution within this process: its exceptions can be caught, its crashes are seen by gdb.
#include <cxxabi.h>

#include <cstdlib>
#include <typeinfo>

#include "host/server.h"
#include "sim/death.h"
#include "sim/queueing_host.h"

namespace dynamo::sim {

namespace {

std::string demangled(const std::type_info& type) {
  int status = 0;
  char* name = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string text = name != nullptr ? name : type.name();
  std::free(name);
  return text;
}

class LinkedHost final : public QueueingHost {
 private:
  void cross(std::string_view batch, AnswerReader& answers) override {
    if (!server_) {
      server_ = std::make_unique<host::HostServer>(host::ServerHooks{&at_work_, nullptr, nullptr});
    }
    try {
      server_->begin(batch);
      do {
        answer_.clear();
        server_->run(answer_);
      } while (!answers.feed(answer_));
    } catch (const std::exception& e) {
      server_.reset();
      std::string what = tell_exception(demangled(typeid(e)), e.what());
      if (const std::optional<AtWork> at = command_at(batch, at_work_.load())) {
        what += "\n  while: " + name_of(at->slot) + " was " + at->what;
      }
      throw SolutionDied(what, slots_of(batch));
    }
  }

  std::unique_ptr<host::HostServer> server_;
  std::string answer_;
  std::atomic<std::uint32_t> at_work_{0};
};

}  // namespace

std::unique_ptr<Host> make_linked_host() { return std::make_unique<LinkedHost>(); }

}  // namespace dynamo::sim
