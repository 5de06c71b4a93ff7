#include "node/admin_api.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <limits>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "core/codec.h"
#include "core/json.h"
#include "node/error_status.h"
#include "node/held_api.h"
#include "node/kv_api.h"
#include "node/real_node.h"

namespace dynamo {

namespace {

using net::http_error;
using net::HttpRequest;
using net::HttpResponse;
using Respond = net::HttpServer::Respond;

HttpResponse json_response(const Json& body) {
  return {200, "application/json", json::text(body) + "\n", {}};
}

HttpResponse status_response(const Status& status) {
  if (status.ok()) return json_response({{"done", true}});
  return http_error(status_of(status.error().code), name_of(status.error().code),
                    status.error().message);
}

/// Runs `work` as a handler of the node; its answer leaves after the commit.
void answer_with(RealNode& node, Respond respond, std::function<HttpResponse(Node&)> work) {
  auto response = std::make_shared<HttpResponse>();
  node.run_handler([work = std::move(work), response](Node& inner) { *response = work(inner); },
                   [respond = std::move(respond), response] { respond(std::move(*response)); });
}

HttpResponse not_at_work(std::string_view module) {
  return http_error(
      501, "not_at_work",
      "the module \"" + std::string(module) + "\" is not at work in this node (config: modules)");
}

bool is_member(Node& node) {
  const std::vector<NodeId> members = members_of(node.membership()->view());
  return std::find(members.begin(), members.end(), node.setup().self) != members.end();
}

HttpResponse view(Node& node) {
  if (node.membership() == nullptr) return not_at_work("membership");
  const History seen = node.membership()->view();
  return json_response({{"self", node.setup().self},
                        {"incarnation", node.setup().incarnation},
                        {"member", is_member(node)},
                        {"members", members_of(seen)},
                        {"suspects", node.membership()->suspects()},
                        {"view", json::to(seen)}});
}

HttpResponse history(Node& node) {
  if (node.membership() == nullptr) return not_at_work("membership");
  const History& events = node.membership()->history();
  return json_response({{"digest", json::to(digest_of(events))}, {"events", json::to(events)}});
}

HttpResponse ring(Node& node) {
  if (node.ring() == nullptr) return not_at_work("ring");
  return json_response({{"q", node.setup().config.q},
                        {"n", node.setup().config.n},
                        {"owners", node.ring()->owners()}});
}

HttpResponse place_of(Node& node, const std::string& key) {
  if (node.ring() == nullptr) return not_at_work("ring");
  const Ring& ring = *node.ring();
  std::array<char, 17> hash{};
  std::snprintf(hash.data(), hash.size(), "%016llx", static_cast<unsigned long long>(hash_of(key)));
  Json body = {{"key", key}, {"hash", hash.data()}};
  if (ring.owners().empty()) {
    return http_error(503, "not_a_member",
                      "the ring is empty: " + node.setup().self + " knows of no member yet");
  }
  const VnodeId vnode = ring.vnode_of(hash_of(key));
  const std::vector<NodeId> dead =
      node.membership() ? node.membership()->suspects() : std::vector<NodeId>{};
  body["vnode"] = vnode;
  body["preference_list"] = ring.preference_list(vnode);
  body["active_list"] = json::to(ring.active_list(vnode, dead));
  return json_response(body);
}

/// What this node keeps for others: how many keys, and the first of them.
HttpResponse hints(Node& node) {
  if (node.hints() == nullptr) return not_at_work("quorum");
  constexpr std::size_t most_named = 100;
  std::size_t count = 0;
  Json keys = Json::array();
  node.hints()->scan(0, std::numeric_limits<KeyHash>::max(),
                     [&](std::string_view key, const StateHash&) {
                       if (++count <= most_named) keys.push_back(std::string(key));
                       return true;
                     });
  return json_response({{"count", count}, {"keys", keys}});
}

HttpResponse unknown_peer(const Peers& peers, const NodeId& id) {
  std::string known;
  for (const auto& [name, addresses] : peers) known += (known.empty() ? "" : ", ") + name;
  return http_error(400, name_of(ErrorCode::invalid_argument),
                    "\"" + id + "\" is not in the peers file, which names: " + known);
}

HttpResponse metrics(RealNode& real, Node& node) {
  net::Metrics& metrics = real.metrics();
  if (Membership* membership = node.membership()) {
    metrics.gauge("dynamo_members", members_of(membership->view()).size());
    metrics.gauge("dynamo_suspects", membership->suspects().size());
    metrics.gauge("dynamo_history_events", membership->history().size());
  }
  if (const SyncCounts* sync = node.sync_counts()) {
    metrics.counter("dynamo_sync_comparisons_total") = sync->comparisons;
    metrics.counter("dynamo_sync_bytes_total") = sync->bytes;
    metrics.counter("dynamo_sync_keys_total", {{"direction", "in"}}) = sync->keys_received;
    metrics.counter("dynamo_sync_keys_total", {{"direction", "out"}}) = sync->keys_sent;
  }
  metrics.gauge(
      "dynamo_uptime_seconds",
      static_cast<std::uint64_t>(real.moment().now.time_since_epoch() / std::chrono::seconds(1)));
  return {200, "text/plain; version=0.0.4; charset=utf-8", metrics.text(), {}};
}

HttpResponse warmup(Node& node) {
  if (node.warmup() == nullptr) return not_at_work("warmup");
  return json_response(
      {{"counted", node.warmup()->counted()}, {"answered", node.warmup()->answered()}});
}

/// Compares to the end, so that the time tells nothing of where the two differ.
bool same_secret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  }
  return difference == 0;
}

bool may_administer(const RealNode& node, const HttpRequest& request) {
  const std::string& token = node.options().admin_token;
  if (token.empty()) return true;
  const std::string* said = request.header("Authorization");
  return said != nullptr && same_secret("Bearer " + token, *said);
}

/// A handler of the node that only reads its modules.
template <HttpResponse (*work)(Node&)>
void ask(RealNode& real, const HttpRequest& /*request*/, Respond respond) {
  answer_with(real, std::move(respond), work);
}

void serve_ring(RealNode& real, const HttpRequest& request, Respond respond) {
  for (const auto& [name, value] : request.query) {
    if (name != "key") {
      return respond(http_error(400, name_of(ErrorCode::invalid_argument),
                                "unknown parameter \"" + name + "\"; known is: key"));
    }
  }
  const auto key = request.query.find("key");
  if (key == request.query.end()) return answer_with(real, std::move(respond), ring);
  answer_with(real, std::move(respond),
              [key = key->second](Node& node) { return place_of(node, key); });
}

/// A method of a module, given the name that stands third in the path. `answer` makes a response of
/// what it returned.
template <auto M, class Answer>
void ask_about_peer(RealNode& real, const HttpRequest& request, Respond respond,
                    std::string_view module, Answer answer) {
  using Value = typename MethodTraits<decltype(M)>::Value;
  using Decoded = std::conditional_t<std::is_void_v<Value>, Done, Value>;
  const NodeId& peer = request.path[2];
  const Peers& peers = real.options().peers;
  if (!peers.contains(peer)) return respond(unknown_peer(peers, peer));
  real.invoke(method_id<M>, codec::encode(std::tuple(peer)),
              [respond = std::move(respond), module, answer](const auto& result) {
                if (!result) return respond(not_at_work(module));
                respond(answer(codec::decode<Decoded>(*result).value()));
              });
}

void serve_members(RealNode& real, const HttpRequest& request, Respond respond) {
  if (request.method == "POST") {
    return ask_about_peer<&Membership::add>(real, request, std::move(respond), "membership",
                                            status_response);
  }
  ask_about_peer<&Membership::remove>(real, request, std::move(respond), "membership",
                                      status_response);
}

void serve_ping(RealNode& real, const HttpRequest& request, Respond respond) {
  ask_about_peer<&Warmup::ping>(real, request, std::move(respond), "warmup", [](const Done&) {
    return json_response({{"done", true}});
  });
}

void serve_held(RealNode& real, const HttpRequest& request, Respond respond) {
  answer_with(real, std::move(respond),
              [key = request.path[2]](Node& node) { return held_response(node, key); });
}

/// A whole number within [low, high]; nothing if the text is none.
std::optional<long> number_in(const std::string& text, long low, long high) {
  long number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end || number < low || number > high) return std::nullopt;
  return number;
}

void serve_tree(RealNode& real, const HttpRequest& request, Respond respond) {
  const long last = static_cast<long>(real.options().config.q) - 1;
  const std::optional<long> vnode = number_in(request.path[2], 0, last);
  if (!vnode) {
    return respond(http_error(
        400, name_of(ErrorCode::invalid_argument),
        "\"" + request.path[2] + "\" is no virtual node; there are 0 to " + std::to_string(last)));
  }
  answer_with(real, std::move(respond), [vnode = static_cast<VnodeId>(*vnode)](Node& node) {
    return tree_response(node, vnode);
  });
}

/// The node's wall clock is off by so much from now on, until its process ends.
// NOLINTNEXTLINE(performance-unnecessary-value-param): the others in the table keep it
void serve_skew(RealNode& real, const HttpRequest& request, Respond respond) {
  constexpr long most = 24L * 3600 * 1000;
  const std::optional<long> ms = number_in(request.path[2], -most, most);
  if (!ms) {
    return respond(http_error(400, name_of(ErrorCode::invalid_argument),
                              "\"" + request.path[2] +
                                  "\" is no number of milliseconds between a day behind and a day "
                                  "ahead, such as -500"));
  }
  real.skew_for_test(std::chrono::milliseconds(*ms));
  respond(json_response({{"done", true}}));
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the others in the table keep it
void serve_health(RealNode& real, const HttpRequest& /*request*/, Respond respond) {
  respond(json_response({{"id", real.options().id}, {"ready", true}}));
}

void serve_metrics(RealNode& real, const HttpRequest& /*request*/, Respond respond) {
  answer_with(real, std::move(respond), [&real](Node& node) { return metrics(real, node); });
}

struct Route {
  std::string_view pattern;  ///< A segment in capitals stands for any one.
  std::string_view methods;  ///< As in "Allow". A HEAD comes here as a GET.
  void (*serve)(RealNode&, const HttpRequest&, Respond);
};

constexpr std::array kRoutes = {
    Route{"/health", "GET, HEAD", serve_health},
    Route{"/metrics", "GET, HEAD", serve_metrics},
    Route{"/kv/KEY", "GET, HEAD, PUT, DELETE", serve_kv},
    Route{"/admin/view", "GET, HEAD", ask<view>},
    Route{"/admin/history", "GET, HEAD", ask<history>},
    Route{"/admin/ring", "GET, HEAD", serve_ring},
    Route{"/admin/hints", "GET, HEAD", ask<hints>},
    Route{"/admin/held/KEY", "GET, HEAD", serve_held},
    Route{"/admin/tree/VNODE", "GET, HEAD", serve_tree},
    Route{"/admin/skew/MS", "POST", serve_skew},
    Route{"/admin/members/ID", "POST, DELETE", serve_members},
    Route{"/admin/ping/ID", "POST", serve_ping},
    Route{"/admin/warmup", "GET, HEAD", ask<warmup>},
};

/// Compares without taking either apart: this runs once a request.
bool fits(const std::vector<std::string>& path, std::string_view pattern) {
  for (const std::string& segment : path) {
    if (pattern.empty()) return false;
    pattern.remove_prefix(1);  // the slash
    const std::string_view wanted = pattern.substr(0, pattern.find('/'));
    const bool any = wanted.front() >= 'A' && wanted.front() <= 'Z';
    if (!any && wanted != segment) return false;
    pattern.remove_prefix(wanted.size());
  }
  return pattern.empty();
}

const Route* find_route(const HttpRequest& request) {
  const auto* const found = std::find_if(kRoutes.begin(), kRoutes.end(), [&](const Route& route) {
    return fits(request.path, route.pattern);
  });
  return found == kRoutes.end() ? nullptr : found;
}

/// True if `methods`, "POST, DELETE" say, names `method`.
bool names(std::string_view methods, std::string_view method) {
  while (!methods.empty()) {
    const std::string_view one = methods.substr(0, methods.find(','));
    if (one == method) return true;
    methods.remove_prefix(std::min(methods.size(), one.size() + 2));
  }
  return false;
}

HttpResponse wrong_method(std::string_view allowed) {
  HttpResponse response =
      http_error(405, "method_not_allowed", "this path takes " + std::string(allowed));
  response.headers["Allow"] = allowed;
  return response;
}

/// As in /kv/a/b: to a client that reads only the status, a 404 would say "no such key".
HttpResponse key_with_slash() {
  return http_error(400, name_of(ErrorCode::invalid_argument),
                    "a slash in a key is written as %2F: /kv/a%2Fb");
}

HttpResponse no_such_path() {
  std::string known;
  for (const Route& route : kRoutes) {
    known.append(known.empty() ? "" : ", ").append(route.pattern);
  }
  return http_error(404, name_of(ErrorCode::not_found), "no such path; there are " + known);
}

}  // namespace

std::string_view route_of(const HttpRequest& request) {
  const Route* route = find_route(request);
  return route == nullptr ? "other" : route->pattern;
}

void serve_http(RealNode& real, const HttpRequest& request, Respond respond) {
  if (request.path.front() == "admin" && !may_administer(real, request)) {
    HttpResponse response =
        http_error(401, "unauthorized", "say Authorization: Bearer and the admin token");
    response.headers["WWW-Authenticate"] = "Bearer";
    return respond(std::move(response));
  }
  const Route* route = find_route(request);
  if (route == nullptr && request.path.front() == "kv" && request.path.size() > 2) {
    return respond(key_with_slash());
  }
  if (route == nullptr) return respond(no_such_path());
  if (!names(route->methods, request.method)) return respond(wrong_method(route->methods));
  route->serve(real, request, std::move(respond));
}

}  // namespace dynamo
