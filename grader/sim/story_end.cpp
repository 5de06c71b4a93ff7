// How a story ends: what was expected, and what is.
#include <algorithm>
#include <sstream>
#include <string_view>

#include "sim/story.h"
#include "sim/story_lines.h"

namespace dynamo::sim {

namespace {

constexpr const char* kNotWritten = "not written yet: ";  // as a death begins (sim/death.h)

/// How many columns it takes: characters, of which some have several bytes.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](unsigned char c) {
    return (c & 0xc0) != 0x80;  // no byte that goes on with a character
  }));
}

/// Sentences below each other, broken between words where they are too long for a line.
std::string indented(const std::string& words) {
  constexpr std::size_t kColumns = 130;
  constexpr const char* kIndent = "\n            ";
  std::string text;
  std::istringstream lines(words);
  for (std::string line; std::getline(lines, line);) {
    if (!text.empty()) text += kIndent;
    std::size_t at = 0;
    for (std::size_t begin = 0; begin <= line.size();) {
      const std::size_t end = std::min(line.find(' ', begin), line.size());
      const std::string_view word = std::string_view(line).substr(begin, end - begin);
      const std::size_t width = columns(word);
      if (at != 0 && at + 1 + width > kColumns) {
        text += kIndent;
        at = 0;
      } else if (begin != 0) {
        text += ' ';
        ++at;
      }
      text += word;
      at += width;
      begin = end + 1;
    }
  }
  return text;
}

}  // namespace

StoryEnd end_of_death(const std::string& death) {
  const bool unwritten = death.rfind(kNotWritten, 0) == 0;
  return {unwritten ? "" : "the node's process goes on", death};
}

std::string ending(const StoryEnd& end) {
  if (end.expected.empty() && end.actual.rfind(kNotWritten, 0) == 0)
    return "  " + end.actual + "\n";
  std::string text;
  if (!end.expected.empty()) text += "  expected: " + indented(end.expected) + "\n";
  return text + "  actual:   " + indented(end.actual) + "\n";
}

}  // namespace dynamo::sim
