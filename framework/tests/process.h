// A child process with its output, for tests of a program. Gone with the test.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace dynamo::testing {

class Process {
 public:
  /// Starts `words`; stdout and stderr are read through pipes.
  explicit Process(const std::vector<std::string>& words);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Reads until `part` stands in out() or err(); false if the process ends, or it takes too long.
  bool wait_for(const std::string& part);

  /// Its exit code, or -1 - signal; -1000 if it does not end in time.
  int wait();

  void send(int signal) const;
  pid_t pid() const { return pid_; }
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }

 private:
  /// Takes what there is. False when both pipes are closed.
  bool read_more(std::chrono::milliseconds at_most);

  pid_t pid_ = -1;
  int pipes_[2] = {-1, -1};
  std::string out_;
  std::string err_;
};

}  // namespace dynamo::testing
