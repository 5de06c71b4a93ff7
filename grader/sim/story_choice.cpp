// Which lines of a story are told, and what is said of the others.
#include <algorithm>
#include <functional>

#include "core/json.h"
#include "sim/story_lines.h"

namespace dynamo::sim {

namespace {

std::size_t height(const std::vector<Line>& lines) {
  std::size_t height = 0;
  Gap gap;
  for (const Line& line : lines) {
    if (!line.told) {
      gap.add(line);
      continue;
    }
    height += (gap.empty() ? 1 : 2) + (line.more == 0 ? 0 : 1);
    gap = {};
  }
  return height + (gap.empty() ? 0 : 1);
}

/// Tells those of `group`, the latest first, while the story stays within `most` lines. False:
/// there is no more room.
bool tell_group(std::vector<Line>& lines, std::size_t most,
                const std::function<bool(const Line&)>& group) {
  for (std::size_t i = lines.size(); i-- > 0;) {
    if (lines[i].told || lines[i].rank == 0 || !group(lines[i])) continue;
    lines[i].told = true;
    if (height(lines) <= most) continue;
    lines[i].told = false;
    return false;
  }
  return true;
}

bool of_write(const Line& line) { return line.of_key && line.of_client && line.writes; }

/// Before each write of the key that is told, the faults that it met: the nearest ones.
void tell_before_writes(std::vector<Line>& lines, std::size_t most) {
  constexpr std::size_t kNearest = 2;
  for (std::size_t i = lines.size(); i-- > 0;) {
    if (!lines[i].told || !of_write(lines[i])) continue;
    std::size_t found = 0;
    for (std::size_t k = i; k-- > 0 && found < kNearest;) {
      if (lines[k].told && of_write(lines[k])) break;
      if (lines[k].rank != 1 || lines[k].of_client) continue;
      ++found;
      if (lines[k].told) continue;
      lines[k].told = true;
      if (height(lines) <= most) continue;
      lines[k].told = false;
      return;
    }
  }
}

bool is_of_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// Whether `text` names `key`, and no longer one that begins or ends like it.
bool names(const std::string& text, const std::string& key) {
  for (std::size_t at = text.find(key); at != text.npos; at = text.find(key, at + 1)) {
    const std::size_t end = at + key.size();
    const bool begins = at == 0 || !is_of_word(text[at - 1]);
    const bool dotted = end + 1 < text.size() && text[end] == '.' && is_of_word(text[end + 1]);
    if (begins && !dotted && (end == text.size() || !is_of_word(text[end]))) return true;
  }
  return false;
}

/// All that a field "key" holds, however deep.
void collect_keys(const Json& value, KeySet& keys) {
  if (!value.is_structured()) return;
  for (const auto& [name, item] : value.items()) {
    if (name == "key" && item.is_string()) keys.insert(item.get<std::string>());
    collect_keys(item, keys);
  }
}

}  // namespace

void Gap::add(const Line& line) {
  if (line.rank != 0) {
    steps_ += 1 + line.more;
  } else if (!line.text.empty()) {
    ++counts_[line.text];
  }
}

std::string Gap::text() const {
  std::string words;
  if (steps_ != 0) words = std::to_string(steps_) + (steps_ == 1 ? " more step" : " more steps");
  for (const auto& [what, count] : counts_) {
    std::string noun = what;
    if (count == 1) {  // "1 call without an answer", "1 Gossip exchange without news"
      if (noun.rfind("gets that hear ", 0) == 0) noun.replace(0, 14, "get that hears");
      for (const char* plural : {"exchanges", "messages", "calls"}) {
        const std::size_t at = noun.find(plural);
        if (at != noun.npos) noun.erase(at + std::string(plural).size() - 1, 1);
      }
    }
    words += (words.empty() ? "" : ", ") + std::to_string(count) + " " + noun;
  }
  return words;
}

void choose(std::vector<Line>& lines) {
  constexpr std::size_t kWritesOfKey = 10;  // lines; faults need room, too
  for (Line& line : lines) {                // how it all begins
    if (line.rank != 1) continue;
    line.told = true;
    break;
  }
  (void)tell_group(lines, kWritesOfKey, of_write);
  tell_before_writes(lines, kLines);
  const std::function<bool(const Line&)> groups[] = {
      [](const Line& line) { return line.rank == 1 && (line.of_key || !line.of_client); },
      [](const Line& line) { return line.rank == 1; },
      [](const Line& line) { return line.rank == 2 && line.of_key; },
      [](const Line& line) { return line.rank == 2; }, [](const Line&) { return true; }};
  for (const auto& group : groups) {
    if (!tell_group(lines, kLines, group)) return;
  }
}

KeySet keys_named(const std::vector<std::string>& data, const StoryEnd& end) {
  KeySet asked;
  for (const std::string& text : data) collect_keys(json::parse(text), asked);
  KeySet named;
  for (const std::string& key : asked) {
    if (!key.empty() && (names(end.actual, key) || names(end.expected, key))) named.insert(key);
  }
  return named;
}

bool names_key(const std::string& data, const KeySet& keys) {
  return std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
    return data.find(json::text(Json(key))) != data.npos;
  });
}

}  // namespace dynamo::sim
