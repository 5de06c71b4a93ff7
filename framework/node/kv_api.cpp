#include "node/kv_api.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "core/json.h"
#include "node/context_seal.h"
#include "node/error_status.h"
#include "node/local_store.h"
#include "node/real_node.h"

namespace dynamo {

namespace {

using net::http_error;
using net::HttpRequest;
using net::HttpResponse;
using Respond = net::HttpServer::Respond;

constexpr std::string_view kContext = "X-Dynamo-Context";
constexpr std::string_view kRequestId = "X-Request-Id";
/// Says why there is no context.
constexpr std::string_view kContextError = "X-Dynamo-Context-Error";

/// Longest context that is given out. It has to come back in a header (64 KiB in all), and there
/// are clients that take no longer one.
constexpr std::size_t kMaxContextText = 56 << 10;

HttpResponse bad_request(const std::string& message) {
  return http_error(400, name_of(ErrorCode::invalid_argument), message);
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

/// "client:incarnation:sequence"; any other text names a client with one request.
std::optional<RequestId> request_id_in(const std::string& text) {
  if (text.empty() || text.size() > kMaxRequestIdBytes || !is_printable(text)) return std::nullopt;
  const std::size_t last = text.rfind(':');
  if (last == text.npos || last == 0) return RequestId{text, 0, 0};
  const std::size_t first = text.rfind(':', last - 1);
  if (first == text.npos) return RequestId{text, 0, 0};
  const auto incarnation = number_in(std::string_view(text).substr(first + 1, last - first - 1));
  const auto sequence = number_in(std::string_view(text).substr(last + 1));
  if (!incarnation || !sequence) return RequestId{text, 0, 0};
  return RequestId{text.substr(0, first), *incarnation, *sequence};
}

/// What is wrong with the parameters, or nothing. `quorum` gets the value of `name` (r or w). Lab
/// 3's coordinator is lazy, one host decides there: to take w=2 and answer when one host holds the
/// value would be a promise that is not kept.
std::optional<std::string> read_parameters(const RealNode& node, const HttpRequest& request,
                                           const std::string& name, std::uint32_t& quorum) {
  const std::uint32_t most = node.most_hosts();
  for (const auto& [parameter, text] : request.query) {
    if (parameter != name) {
      return "unknown parameter \"" + parameter + "\"; this request takes: " + name;
    }
    const auto value = number_in(text);
    if (!value || *value < 1 || *value > most) {
      return name +
             (most == 1 ? " must be 1, since one host decides here"
                        : " must be 1 to " + std::to_string(most)) +
             "; it is \"" + text + "\"";
    }
    quorum = static_cast<std::uint32_t>(*value);
  }
  return std::nullopt;
}

HttpResponse failure(const Error& error, std::uint32_t needed, std::uint32_t got) {
  const int status = status_of(error.code);
  const bool counted = status == 503 || status == 504;
  if (!counted || error.code == ErrorCode::not_a_member) {
    return http_error(status, name_of(error.code), error.message);
  }
  return {status,
          "application/json",
          json::text({{"error", {{"code", name_of(error.code)}, {"message", error.message}}},
                      {"needed", needed},
                      {"acked", got}}) +
              "\n",
          {}};
}

/// A value as JSON: text where it is text.
Json in_json(const std::string& value) {
  if (json::is_utf8(value)) return {{"text", value}};
  return {{"base64", padded_base64(value)}};
}

HttpResponse with_values(const KeyState& state) {
  // Two attempts of one write may have left two versions of one value: to a reader they are one.
  std::set<std::string> values;
  for (const ObjectVersion& version : state.versions) {
    if (version.value) values.insert(*version.value);
  }
  if (values.empty()) return http_error(404, name_of(ErrorCode::not_found), "the key was deleted");
  if (values.size() == 1) {
    return {200, "application/octet-stream", *values.begin(), {}};
  }
  Json siblings = Json::array();
  for (const std::string& value : values) siblings.push_back(in_json(value));
  return {300, "application/json", json::text({{"siblings", siblings}}) + "\n", {}};
}

/// 200, 300 or 404, each with the context of what was read; that of nothing is an empty clock.
HttpResponse read_response(const RealNode& node, const std::string& key,
                           const std::optional<ReadOutcome>& outcome) {
  if (!outcome) return http_error(500, "malformed", "the coordinator's answer is malformed");
  if (!outcome->state.ok()) return failure(outcome->state.error(), outcome->needed, outcome->got);
  HttpResponse response =
      http_error(404, name_of(ErrorCode::not_found), "nothing was ever put under this key");
  std::string context = to_bytes(VectorClock{});
  if (outcome->state.value()) {
    const std::optional<KeyState> state = key_state_of(*outcome->state.value());
    if (!state) return http_error(500, "malformed", "the coordinator's answer is malformed");
    response = with_values(*state);
    context = outcome->context;
  }
  const std::string sealed = node.seal().seal(key, context);
  if (sealed.size() <= kMaxContextText) {
    response.headers[std::string(kContext)] = sealed;
  } else {
    response.headers[std::string(kContextError)] =
        "too_large: the context of this key would have " + std::to_string(sealed.size()) +
        " characters, of at most " + std::to_string(kMaxContextText) +
        ", since so many nodes have written it: put its value under another key, delete this one";
  }
  return response;
}

HttpResponse write_response(const std::optional<WriteOutcome>& outcome) {
  if (!outcome) return http_error(500, "malformed", "the coordinator's answer is malformed");
  if (!outcome->status.ok()) return failure(outcome->status.error(), outcome->needed, outcome->got);
  return {204, "", "", {}};
}

void get(RealNode& node, const HttpRequest& request, const std::string& key, Respond respond) {
  ClientRead read{key, 0};
  if (const auto wrong = read_parameters(node, request, "r", read.r)) {
    return respond(bad_request(*wrong));
  }
  node.ask(message_number<ClientRead>, to_bytes(read),
           [&node, key, respond = std::move(respond)](const std::string& bytes) {
             respond(read_response(node, key, from_bytes<ReadOutcome>(bytes)));
           });
}

void write(RealNode& node, const HttpRequest& request, const std::string& key, Respond respond) {
  ClientWrite write;
  write.key = key;
  if (request.method == "PUT") write.value = request.body;
  if (const auto wrong = read_parameters(node, request, "w", write.w)) {
    return respond(bad_request(*wrong));
  }
  if (const std::string* sealed = request.header(kContext)) {
    const auto context = node.seal().open(key, *sealed);
    if (!context) {
      return respond(bad_request(std::string(kContext) +
                                 " is not a context of this key: send back what a GET of it gave"));
    }
    write.context = *context;
  }
  const std::string* given = request.header(kRequestId);
  const std::string name = given != nullptr ? *given : node.new_request_id();
  const auto id = request_id_in(name);
  if (!id) {
    return respond(bad_request(std::string(kRequestId) + " has 1 to " +
                               std::to_string(kMaxRequestIdBytes) + " printable characters"));
  }
  write.id = *id;
  node.ask(message_number<ClientWrite>, to_bytes(write),
           [name, respond = std::move(respond)](const std::string& bytes) {
             HttpResponse response = write_response(from_bytes<WriteOutcome>(bytes));
             response.headers[std::string(kRequestId)] = name;
             respond(std::move(response));
           });
}

HttpResponse no_coordinator() {
  return http_error(501, "not_at_work",
                    "no coordinator is at work in this node: its config's modules must name "
                    "membership, ring, and quorum or replication");
}

}  // namespace

void serve_kv(RealNode& node, const HttpRequest& request, Respond respond) {
  if (!node.keeps_keys()) return respond(no_coordinator());
  const std::string& key = request.path.at(1);
  if (key.empty() || key.size() > kMaxKeyBytes) {
    return respond(bad_request("a key has 1 to " + std::to_string(kMaxKeyBytes) +
                               " bytes, this one " + std::to_string(key.size())));
  }
  if (!json::is_utf8(key)) return respond(bad_request("a key is text in UTF-8; this one is not"));
  if (request.method == "GET") return get(node, request, key, std::move(respond));
  write(node, request, key, std::move(respond));
}

}  // namespace dynamo
