// What clients may see in the end, from what they asked and heard: no clock of a solution's is
// read.
#include <algorithm>
#include <vector>

#include "sim/store_checks.h"

namespace dynamo::sim {

namespace {

using Outcome = ClientOperation::Outcome;

/// Writes of the key that happened, or may have.
std::vector<const ClientOperation*> writes_of(const World& world, const std::string& key) {
  std::vector<const ClientOperation*> writes;
  for (const ClientOperation& operation : world.client_operations()) {
    if (operation.write() && operation.key == key && operation.outcome != Outcome::error) {
      writes.push_back(&operation);
    }
  }
  return writes;
}

}  // namespace

Expected expected_with_last_write_wins(const World& world, const std::string& key, Duration skew) {
  const auto writes = writes_of(world, key);
  Expected expected;
  expected.absent = true;
  for (const ClientOperation* done : writes) {
    if (done->done()) expected.absent = false;
  }
  const auto beaten = [&](const ClientOperation& write) {
    if (!write.done()) return false;
    return std::any_of(writes.begin(), writes.end(), [&](const ClientOperation* later) {
      return later->done() && later->asked > write.answered + skew;
    });
  };
  std::size_t candidates = 0;
  for (const ClientOperation* write : writes) {
    if (beaten(*write)) continue;
    ++candidates;
    if (write->value) {
      expected.may.insert(*write->value);
    } else {
      expected.absent = true;
    }
  }
  if (candidates == 1 && !expected.absent) expected.must = expected.may;
  return expected;
}

Expected expected_with_siblings(const World& world, const std::string& key, bool again,
                                Instant since) {
  using Values = std::set<std::string>;
  std::map<std::string, Values> shown;  // by context: what the last get that returned it showed
  std::map<std::string, Values> seen;   // by value: what its writer had seen, transitively
  Expected expected;
  Values surely_replaced;
  Values perhaps_replaced;
  Values done;
  Values twice;  // perhaps
  for (const ClientOperation& operation : world.client_operations()) {
    if (operation.key != key) continue;
    if (!operation.write()) {
      if (operation.outcome != Outcome::found && operation.outcome != Outcome::absent) continue;
      Values all(operation.values.begin(), operation.values.end());
      for (const std::string& value : operation.values) {
        all.insert(seen[value].begin(), seen[value].end());
      }
      shown[operation.read_context] = std::move(all);
      continue;
    }
    if (operation.outcome == Outcome::error) continue;
    Values replaces;
    if (!operation.context.empty()) replaces = shown[operation.context];
    // Without a context, a delete takes what its coordinator holds then: any of what was written.
    if (operation.context.empty() && !operation.value) {
      for (const ClientOperation* write : writes_of(world, key)) {
        if (write->value) perhaps_replaced.insert(*write->value);
      }
    }
    (operation.done() ? surely_replaced : perhaps_replaced)
        .insert(replaces.begin(), replaces.end());
    if (!operation.value) continue;
    seen[*operation.value] = replaces;
    expected.may.insert(*operation.value);
    if (operation.done()) done.insert(*operation.value);
    if (again && operation.answered >= since) twice.insert(*operation.value);
  }
  for (const std::string& value : done) {
    if (surely_replaced.count(value) != 0 && twice.count(value) == 0) expected.may.erase(value);
    if (surely_replaced.count(value) == 0 && perhaps_replaced.count(value) == 0) {
      expected.must.insert(value);
    }
  }
  expected.absent = expected.must.empty();
  return expected;
}

std::string text(const std::set<std::string>& values) {
  std::string all;
  for (const std::string& value : values) all += (all.empty() ? "" : ", ") + value;
  return values.empty() ? "nothing" : "{" + all + "}";
}

std::string contradicts(const std::vector<std::string>& values, const Expected& expected) {
  const std::set<std::string> there(values.begin(), values.end());
  for (const std::string& value : expected.must) {
    if (there.count(value) == 0) {
      return value + " is missing: there is " + text(there);
    }
  }
  for (const std::string& value : there) {
    if (expected.may.count(value) == 0) {
      return value + " is there, and should not be; possible are " + text(expected.may);
    }
  }
  if (there.empty() && !expected.absent) {
    return "there is nothing; possible are " + text(expected.may);
  }
  if (there.size() != values.size()) return "a value is there twice";
  return "";
}

}  // namespace dynamo::sim
