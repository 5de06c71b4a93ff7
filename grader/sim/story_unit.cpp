// The story of a unit check: what it did, call by call.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "sim/story_lines.h"

namespace dynamo::sim {

namespace {

/// Lines of text.
std::size_t lines_taken(const Line& line) {
  const auto breaks = std::count(line.text.begin(), line.text.end(), '\n');
  return 1 + static_cast<std::size_t>(breaks) + (line.more == 0 ? 0 : 1);
}

std::size_t lines_taken(const std::vector<Line>& lines) {
  std::size_t taken = 0;
  for (const Line& line : lines) taken += lines_taken(line);
  return taken;
}

/// The steps, without looks that find what the last one of their kind found; never without the last
/// step of all.
std::vector<Line> lines_of(const UnitStory& story) {
  static const std::set<std::string> looks = {"history()", "view()", "suspects()"};
  std::map<std::string, std::string> seen;  // what is asked, and of whom, to the whole step
  std::vector<Line> lines;
  for (std::size_t i = 0; i < story.steps.size(); ++i) {
    const std::string& step = story.steps[i];
    const std::string asked = step.substr(0, step.find(" →"));
    const std::size_t name = asked.rfind(' ') == asked.npos ? 0 : asked.rfind(' ') + 1;
    if (looks.contains(asked.substr(name))) {
      std::string& before = seen[asked];
      if (before == step && i + 1 < story.steps.size()) continue;
      before = step;
    }
    lines.push_back(plain_line({}, 1, step));
    lines.back().of_key = story.of_key.contains(i);
  }
  return lines;
}

/// Tells lines, or only those of a key, the latest first, while there is room.
void tell_latest(std::vector<Line>& lines, std::size_t most, bool of_key) {
  std::size_t taken = 0;
  for (const Line& line : lines) taken += line.told ? lines_taken(line) : 0;
  for (std::size_t i = lines.size(); i-- > 0;) {
    if (lines[i].told || (of_key && !lines[i].of_key)) continue;
    taken += lines_taken(lines[i]);
    if (taken > most) return;
    lines[i].told = true;
  }
}

/// A step is told where the words that it was left out would take as many lines.
void tell_single_gaps(std::vector<Line>& lines) {
  for (std::size_t i = 1; i + 1 < lines.size(); ++i) {
    if (lines[i - 1].told && lines[i + 1].told && lines_taken(lines[i]) == 1) lines[i].told = true;
  }
}

}  // namespace

std::string tell(const UnitStory& story, const StoryEnd& end) {
  constexpr std::size_t kShort = 12;  // lines: all of them are told
  constexpr std::size_t kFirst = 3;   // of a long one, beside the last: what was set up
  constexpr std::size_t kOfKey = 12;  // lines for what was done to the key that the end is about
  std::vector<Line> first;
  for (const std::string& step : story.first) first.push_back(plain_line({}, 1, step));
  std::vector<Line> lines = lines_of(story);
  if (lines_taken(first) + lines_taken(lines) > kShort) {
    fold(lines);
    fold_turns(lines);
  }
  if (story.before == 0 && lines_taken(first) + lines_taken(lines) > kLines) {
    while (first.size() < kFirst && lines.front().more == 0) {
      first.push_back(std::move(lines.front()));
      lines.erase(lines.begin());
    }
  }
  if (!lines.empty()) lines.back().told = true;
  tell_latest(lines, kOfKey, true);
  tell_latest(lines, kLines - lines_taken(first), false);
  tell_single_gaps(lines);
  std::string text;
  std::size_t number = 1;
  const auto tell_line = [&](const Line& line) {
    text += numbered(number) + line.text + "\n" + more_like_it(line);
    number += 1 + line.more;
  };
  std::size_t left_out = story.before;
  const auto close = [&] {
    if (left_out == 0) return;
    text += "     … " + std::to_string(left_out) + (number == 1 ? " earlier" : " more") +
            (left_out == 1 ? " step …\n" : " steps …\n");
    number += left_out;
    left_out = 0;
  };
  for (const Line& line : first) tell_line(line);
  for (const Line& line : lines) {
    if (!line.told) {
      left_out += 1 + line.more;
      continue;
    }
    close();
    tell_line(line);
  }
  return text + ending(end);
}

}  // namespace dynamo::sim
