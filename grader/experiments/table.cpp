#include "table.h"

#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <optional>
#include <vector>

#include "sim/violation.h"

namespace dynamo::sim {
namespace {

std::optional<std::uint32_t> number(const char* text, const NumberArgument& argument) {
  std::uint32_t value = 0;
  const char* end = text + std::strlen(text);
  const auto [stopped, error] = std::from_chars(text, end, value);
  const bool good =
      error == std::errc() && stopped == end && value >= argument.least && value <= argument.most;
  return good ? std::optional(value) : std::nullopt;
}

/// The numbers after NODE, or nothing if one is missing, too many or out of its bounds.
std::optional<std::vector<std::uint32_t>> numbers(int argc, char** argv,
                                                  std::span<const NumberArgument> arguments) {
  if (static_cast<std::size_t>(argc) != arguments.size() + 2) return std::nullopt;
  std::vector<std::uint32_t> values;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto value = number(argv[i + 2], arguments[i]);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

void print_usage(const char* program, std::span<const NumberArgument> arguments) {
  std::string usage = std::string("usage: ").append(program).append(" NODE");
  for (const NumberArgument& argument : arguments) {
    usage.append(" ").append(argument.name).append(" (");
    usage.append(std::to_string(argument.least)).append(" to ");
    usage.append(std::to_string(argument.most)).append(")");
  }
  std::fprintf(stderr, "%s\n", usage.c_str());
}

}  // namespace

int run_table(int argc, char** argv, std::span<const NumberArgument> arguments,
              const std::function<void(Host&, std::span<const std::uint32_t>)>& print,
              const std::function<bool(std::span<const std::uint32_t>)>& apart) {
  const auto values = numbers(argc, argv, arguments);
  if (!values) {
    print_usage(argv[0], arguments);
    return 2;
  }
  ProcessOptions options;
  options.node_binary = argv[1];
  options.apart = apart && apart(*values);
  try {
    print(*start_process_host(options), *values);
    return 0;
  } catch (const SolutionDied& death) {
    std::fprintf(stderr, "%s\n", death.what());
    return 1;
  } catch (const Violation& violation) {
    std::fprintf(stderr, "expected: %s\nactual: %s\n", violation.expected().c_str(),
                 violation.actual().c_str());
    return 1;
  } catch (const std::exception& trouble) {
    std::fprintf(stderr, "%s\n", trouble.what());
    return 2;
  }
}

}  // namespace dynamo::sim
