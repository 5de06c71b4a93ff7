// The story of a unit check: what it did, call by call.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "sim/story_lines.h"

namespace dynamo::sim {

namespace {

/// Lines of text.
std::size_t lines_taken(const std::vector<Line>& lines) {
  std::size_t taken = 0;
  for (const Line& line : lines) {
    taken += 1 + static_cast<std::size_t>(std::count(line.text.begin(), line.text.end(), '\n'));
    taken += line.more == 0 ? 0 : 1;
  }
  return taken;
}

/// Leaves out looks that find what the last one of their kind found; never the last step of all.
std::vector<std::string> without_idle_looks(const std::vector<std::string>& steps) {
  static const std::set<std::string> looks = {"history()", "view()", "suspects()"};
  std::map<std::string, std::string> seen;  // what is asked, and of whom, to the whole step
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string asked = steps[i].substr(0, steps[i].find(" →"));
    const std::size_t name = asked.rfind(' ') == asked.npos ? 0 : asked.rfind(' ') + 1;
    if (looks.contains(asked.substr(name))) {
      std::string& before = seen[asked];
      if (before == steps[i] && i + 1 < steps.size()) continue;
      before = steps[i];
    }
    kept.push_back(steps[i]);
  }
  return kept;
}

}  // namespace

std::string tell(const UnitStory& story, const StoryEnd& end) {
  constexpr std::size_t kShort = 12;  // lines: all of them are told
  constexpr std::size_t kFirst = 3;   // of a long one, beside the last: what was set up
  std::vector<Line> first;
  std::vector<Line> lines;
  for (const std::string& step : story.first) first.push_back(plain_line({}, 1, step));
  for (const std::string& step : without_idle_looks(story.steps)) {
    lines.push_back(plain_line({}, 1, step));
  }
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
  std::size_t left_out = story.before;
  const std::size_t most = kLines - lines_taken(first);
  while (lines.size() > 1 && lines_taken(lines) > most) {
    left_out += 1 + lines.front().more;
    lines.erase(lines.begin());
  }
  std::string text;
  std::size_t number = 1;
  const auto tell_all = [&](const std::vector<Line>& those) {
    for (const Line& line : those) {
      text += numbered(number) + line.text + "\n" + more_like_it(line);
      number += 1 + line.more;
    }
  };
  tell_all(first);
  if (left_out != 0) {
    text += "     … " + std::to_string(left_out) + (first.empty() ? " earlier" : " more") +
            (left_out == 1 ? " step …\n" : " steps …\n");
    number += left_out;
  }
  tell_all(lines);
  return text + ending(end);
}

}  // namespace dynamo::sim
