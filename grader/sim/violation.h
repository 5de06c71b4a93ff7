// What a check throws when a property is broken.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace dynamo::sim {

/// A property does not hold: what should be, and what is, each a sentence for somebody who has
/// never seen a distributed system.
class Violation : public std::runtime_error {
 public:
  Violation(std::string expected, std::string actual)
      : std::runtime_error("expected: " + expected + "\nactual:   " + actual),
        expected_(std::move(expected)),
        actual_(std::move(actual)) {}

  const std::string& expected() const { return expected_; }
  const std::string& actual() const { return actual_; }

 private:
  std::string expected_;
  std::string actual_;
};

}  // namespace dynamo::sim
