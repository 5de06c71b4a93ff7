#include "sim/methods_text.h"

#include <map>
#include <utility>

#include <array>

#include "core/codec.h"
#include "core/json.h"

namespace dynamo::sim {

namespace {

template <class T>
std::string text_of(const T& value) {
  return json::text(json::to(value));
}

template <auto M>
std::string arguments(std::string_view bytes) {
  const auto args = codec::decode<typename MethodTraits<decltype(M)>::Arguments>(bytes);
  if (!args) return "malformed";
  Json list = Json::array();
  std::apply([&](const auto&... arg) { (list.push_back(json::to(arg)), ...); }, *args);
  return json::text(list);
}

template <auto M>
std::string result(std::string_view bytes) {
  using Value = typename MethodTraits<decltype(M)>::Value;
  if constexpr (std::is_void_v<Value>) {
    return "done";
  } else {
    const auto value = codec::decode<Value>(bytes);
    if (!value) return "malformed";
    if constexpr (std::is_same_v<Value, Status>) {
      if (value->ok()) return "done";
      return name_of(value->error().code) + ": " + value->error().message;
    } else {
      return text_of(*value);
    }
  }
}

struct Row {
  std::string (*arguments)(std::string_view);
  std::string (*result)(std::string_view);
};

template <auto... M>
const Row* row(MethodId method, MethodList<M...>) {
  static constexpr std::array<Row, sizeof...(M)> rows = {Row{&arguments<M>, &result<M>}...};
  return method < rows.size() ? &rows[method] : nullptr;
}

}  // namespace

std::string method_name(MethodId method) {
  const std::string name = name_of_method(method);
  const std::size_t colons = name.rfind("::");
  return colons == name.npos ? name : name.substr(colons + 2);
}

std::string arguments_text(MethodId method, std::string_view args) {
  const Row* found = row(method, Methods{});
  return found != nullptr ? found->arguments(args) : "malformed";
}

std::string result_text(MethodId method, std::string_view bytes) {
  const Row* found = row(method, Methods{});
  return found != nullptr ? found->result(bytes) : "malformed";
}

std::string spaces_text(const std::vector<DiskWrite>& writes) {
  std::map<std::string, std::pair<std::size_t, std::size_t>> spaces;  // puts and erases
  for (const DiskWrite& write : writes) {
    write.value ? ++spaces[write.space].first : ++spaces[write.space].second;
  }
  std::string text;
  for (const auto& [space, count] : spaces) {
    text += (text.empty() ? "" : "; ") + space + ": ";
    if (count.first != 0) text += std::to_string(count.first) + " put";
    if (count.second != 0)
      text += (count.first ? ", " : "") + std::to_string(count.second) + " erased";
  }
  return text;
}

}  // namespace dynamo::sim
