// What comes again and again in a story is told once.
#include <algorithm>
#include <utility>

#include "sim/story_lines.h"

namespace dynamo::sim {

namespace {

/// "n2 starts" and "n3 starts" are alike: what differs are numbers.
std::string shape_of(const std::string& text) {
  std::string shape;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit || shape.empty() || shape.back() != '#') shape.push_back(digit ? '#' : c);
  }
  return shape;
}

/// How often the `length` lines from `begin` on come in a row, alike.
std::size_t turns(const std::vector<std::string>& shapes, std::size_t begin, std::size_t length) {
  std::size_t count = 1;
  const auto first = shapes.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto size = static_cast<std::ptrdiff_t>(length);
  for (std::size_t at = begin + length; at + length <= shapes.size(); at += length, ++count) {
    const auto next = shapes.begin() + static_cast<std::ptrdiff_t>(at);
    if (!std::equal(first, first + size, next, next + size)) break;
  }
  return count;
}

}  // namespace

void fold(std::vector<Line>& lines) {
  constexpr std::size_t kFewest = 5;
  std::vector<Line> folded;
  for (std::size_t begin = 0; begin < lines.size();) {
    std::size_t end = begin + 1;
    const std::string shape = shape_of(lines[begin].text);
    while (end < lines.size() && lines[begin].rank != 0 && lines[end].rank == lines[begin].rank &&
           lines[end].of_key == lines[begin].of_key && shape_of(lines[end].text) == shape)
      ++end;
    const std::size_t count = end - begin;
    for (std::size_t i = begin; i < end; ++i) {
      if (count >= kFewest && i > begin + 1 && i + 1 < end) continue;
      folded.push_back(std::move(lines[i]));
      if (count >= kFewest && i == begin + 1) folded.back().more = count - 3;
    }
    begin = end;
  }
  lines = std::move(folded);
}

void fold_turns(std::vector<Line>& lines) {
  constexpr std::size_t kLongest = 12;
  constexpr std::size_t kFewest = 3;
  std::vector<std::string> shapes;
  shapes.reserve(lines.size());
  for (const Line& line : lines) {
    const bool counts = line.more != 0;  // already, and so is like no other
    shapes.push_back(counts ? std::to_string(shapes.size()) : shape_of(line.text));
  }
  std::vector<Line> folded;
  for (std::size_t begin = 0; begin < lines.size();) {
    std::size_t length = 2;
    while (length <= kLongest && turns(shapes, begin, length) < kFewest) ++length;
    const std::size_t count = length <= kLongest ? turns(shapes, begin, length) : 1;
    const std::size_t told = length <= kLongest ? length : 1;
    for (std::size_t i = begin; i < begin + told; ++i) folded.push_back(std::move(lines[i]));
    if (count > 1) {
      folded.back().more = (count - 1) * length;
      folded.back().in_turn = length;
    }
    begin += told * count;
  }
  lines = std::move(folded);
}

std::string more_like_it(const Line& line) {
  if (line.more == 0) return "";
  if (line.in_turn == 1) return "     … " + std::to_string(line.more) + " more like this …\n";
  return "     … these " + std::to_string(line.in_turn) + " in turn, " +
         std::to_string(line.more / line.in_turn) + " times more …\n";
}

}  // namespace dynamo::sim
