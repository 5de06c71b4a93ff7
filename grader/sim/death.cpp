#include "sim/death.h"

#include <string.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <sstream>
#include <vector>

#include "sim/symbols.h"

namespace dynamo::sim {

namespace {

using host::CrashReport;

const std::string kNotWritten = "not written yet: ";

/// A text that a stranger filled in: up to its first zero, printable.
template <std::size_t N>
std::string text_of(const char (&text)[N]) {
  std::string copy(text, strnlen(text, N));
  std::replace_if(
      copy.begin(), copy.end(), [](unsigned char c) { return c < ' ' || c == 127; }, ' ');
  return copy;
}

std::string seconds(Duration limit) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g s", std::chrono::duration<double>(limit).count());
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::replace_if(
        line.begin(), line.end(), [](unsigned char c) { return c < ' ' && c != '\t'; }, ' ');
    if (line.size() > 200) line.replace(200, line.npos, " …");
    lines.push_back(std::move(line));
  }
  return lines;
}

/// The first line of a sanitizer's report, as an index; lines.size() if there is none.
std::size_t sanitizer_report(const std::vector<std::string>& lines) {
  const auto found = std::find_if(lines.begin(), lines.end(), [](const std::string& line) {
    return line.find("ERROR: AddressSanitizer") != std::string::npos ||
           line.find("ERROR: LeakSanitizer") != std::string::npos ||
           line.find("WARNING: ThreadSanitizer") != std::string::npos ||
           line.find(": runtime error: ") != std::string::npos;
  });
  return static_cast<std::size_t>(found - lines.begin());
}

/// "SUMMARY"-like text of a sanitizer's line: what stands after its banner.
std::string sanitizer_headline(const std::string& line) {
  for (const char* banner : {": runtime error: ", "Sanitizer: "}) {
    const std::size_t at = line.find(banner);
    if (at == std::string::npos) continue;
    const std::string text = line.substr(at + std::string(banner).size());
    // "heap-use-after-free on address 0x… at pc 0x…": addresses say nothing to a reader.
    return text.substr(0, text.find(" on address "));
  }
  return line;
}

/// The place that a sanitizer names: "… in f /path/membership.cpp:57:3" or "/path/x.cpp:57:3:
/// runtime …".
std::optional<Place> sanitizer_place(const std::vector<std::string>& lines, std::size_t from) {
  for (std::size_t i = from; i < lines.size(); ++i) {
    std::istringstream words(lines[i]);
    for (std::string word; words >> word;) {
      const std::size_t dot = word.find(".cpp:");
      if (dot == std::string::npos) continue;
      Place place{"", word.substr(0, dot + 4), std::atoi(word.c_str() + dot + 5)};
      if (is_solution_file(place.file)) return place;
    }
  }
  return std::nullopt;
}

std::string signal_text(const CrashReport& crash, int number) {
  char address[32];
  std::snprintf(address, sizeof(address), "0x%llx",
                static_cast<unsigned long long>(crash.fault_address));
  switch (number) {
    case SIGSEGV:
      if (crash.stack_overflow != 0)
        return "stack overflow (segmentation fault): endless recursion?";
      if (crash.kind == CrashReport::none) return "segmentation fault";
      return std::string("segmentation fault at address ") + address +
             (crash.fault_address < 4096 ? ": a null pointer was used" : "");
    case SIGBUS:
      return std::string("bus error at address ") + address;
    case SIGFPE:
      return "arithmetic exception: for whole numbers, a division by zero";
    case SIGILL:
      return "illegal instruction: often a function that ends without return";
    case SIGABRT:
      return "abort() was called: a failed assertion, or a corrupted heap";
    case SIGSYS:
      return "a system call that no module may make, and that the sandbox ends a program for: a "
             "socket, another process, another process's memory, a signal to others";
    case SIGKILL:
      return "killed (signal 9): by itself, or by a system that ran out of memory";
    default:
      break;
  }
  const char* name = strsignal(number);
  return "ended by signal " + std::to_string(number) + (name ? std::string(" (") + name + ")" : "");
}

std::string headline(const Death& death, const std::vector<std::string>& lines,
                     std::size_t sanitizer) {
  const CrashReport& crash = death.crash;
  switch (death.cause) {
    case Death::Cause::endless_loop:
      return "endless loop: used more than " + seconds(death.limit) + " of CPU";
    case Death::Cause::asleep:
      return "no answer within " + seconds(death.limit) +
             ", though it used little CPU: it sleeps or waits";
    case Death::Cause::broke_protocol:
      return "its process answered what no node can answer: " + death.detail;
    case Death::Cause::ended:
      break;
  }
  if (crash.kind == CrashReport::by_exception) {
    return tell_exception(text_of(crash.type), text_of(crash.text));
  }
  if (sanitizer < lines.size()) return "sanitizer: " + sanitizer_headline(lines[sanitizer]);
  if (crash.kind == CrashReport::by_signal) return signal_text(crash, crash.signal);
  if (WIFSIGNALED(death.status)) return signal_text(crash, WTERMSIG(death.status));
  const std::string code = std::to_string(WEXITSTATUS(death.status));
  return "ended its own process with exit(" + code + "); a module must never do that";
}

/// File and line, as far as they can be found out; and the function, which a stub's text names
/// itself.
std::string where(const Death& death, const std::vector<std::string>& lines, std::size_t sanitizer,
                  bool unwritten) {
  if (sanitizer < lines.size()) {
    if (const std::optional<Place> place = sanitizer_place(lines, sanitizer)) {
      return file_and_line(*place);
    }
  }
  const std::size_t count = std::min<std::size_t>(death.crash.frame_count, CrashReport::kFrames);
  if (death.crash.kind == CrashReport::none || count == 0) return "";
  std::vector<std::uint64_t> addresses;
  // A frame is the address after its call; the call itself lies before it.
  for (std::size_t i = 0; i < count; ++i) addresses.push_back(death.crash.frames[i] - 1);
  const std::vector<Place> places = places_of(death.program, addresses, death.tool);
  if (const std::optional<Place> place = first_in_solution(places)) {
    return file_and_line(*place) + (unwritten ? "" : ", in " + place->function);
  }
  if (!places.empty()) return "";
  std::ostringstream raw;
  raw << "addresses in " << death.program << " (install binutils for file and line):" << std::hex;
  for (std::size_t i = 0; i < std::min<std::size_t>(count, 8); ++i) raw << " 0x" << addresses[i];
  return raw.str();
}

}  // namespace

std::string tell_exception(const std::string& type, const std::string& text) {
  const std::size_t close = text.find(')');
  if (text.rfind("TODO(", 0) == 0 && close != std::string::npos) {
    return kNotWritten + text;
  }
  return "exception " + type + ": " + text;
}

std::string tell(const Death& death) {
  const std::vector<std::string> lines = lines_of(death.words);
  const std::size_t sanitizer = sanitizer_report(lines);
  const std::string what = headline(death, lines, sanitizer);
  const bool unwritten = what.rfind(kNotWritten, 0) == 0;
  const std::string place = where(death, lines, sanitizer, unwritten);
  if (unwritten) {
    return place.empty() ? what : kNotWritten + place + ", " + what.substr(kNotWritten.size());
  }

  std::string text = what;
  if (!place.empty()) text += "\n  where: " + place;
  if (!death.was_serving) {
    text += "\n  while: the program was starting (a global object's constructor?)";
  } else if (!death.at_work.empty()) {
    text += "\n  while: " + death.at_work;
  }
  constexpr std::size_t most = 10;
  // A sanitizer says what matters first, a program last.
  const std::size_t first = sanitizer < lines.size() ? sanitizer
                            : lines.size() > most    ? lines.size() - most
                                                     : 0;
  const std::size_t end = std::min(lines.size(), first + most);
  if (first < end) text += "\n  its last words:";
  for (std::size_t i = first; i < end; ++i) {
    // Of a sanitizer's frames only those that a student wrote.
    const bool frame = sanitizer < lines.size() && lines[i].rfind("    #", 0) == 0;
    if (!frame || sanitizer_place({lines[i]}, 0)) text += "\n    " + lines[i];
  }
  return text;
}

}  // namespace dynamo::sim
