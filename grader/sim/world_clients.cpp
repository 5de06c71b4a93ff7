// Clients: they ask a node, and hear its answer at the moment at which it leaves the node.
#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/json.h"
#include "core/keys.h"
#include "sim/world_state.h"

namespace dynamo::sim {

namespace {

using Outcome = ClientOperation::Outcome;

/// How much longer than the node's own deadline a client waits: for a node that says nothing.
constexpr Duration kPatience = std::chrono::seconds(1);

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text.push_back(digits[static_cast<unsigned char>(byte) >> 4]);
    text.push_back(digits[static_cast<unsigned char>(byte) & 15]);
  }
  return text;
}

std::string from_hex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1])));
  }
  return bytes;
}

bool may_have_happened(const Error& error) {
  return error.code == ErrorCode::unavailable || error.code == ErrorCode::timed_out;
}

void fail(ClientOperation& operation, const Error& error) {
  operation.error = error;
  operation.outcome = may_have_happened(error) ? Outcome::unknown : Outcome::error;
}

void take(ClientOperation& operation, const WriteOutcome& answer) {
  operation.needed = answer.needed;
  operation.got = answer.got;
  if (!answer.status) return fail(operation, answer.status.error());
  operation.outcome = Outcome::done;
}

void take(ClientOperation& operation, const ReadOutcome& answer) {
  operation.needed = answer.needed;
  operation.got = answer.got;
  if (!answer.state.ok()) return fail(operation, answer.state.error());
  operation.outcome = Outcome::absent;
  if (!answer.state.value()) return;
  operation.held = key_state_of(*answer.state.value());
  if (!operation.held) {
    throw SolutionDied(operation.at + " answered a get with bytes that are no state of a key");
  }
  operation.read_context = answer.context;
  for (const ObjectVersion& version : operation.held->versions) {
    if (version.value) operation.values.push_back(*version.value);
  }
  std::sort(operation.values.begin(), operation.values.end());
  if (!operation.values.empty()) operation.outcome = Outcome::found;
}

template <class Answer>
void take_encoded(ClientOperation& operation, const std::string& bytes) {
  const std::optional<Answer> answer = codec::decode<Answer>(bytes);
  if (!answer) {
    throw SolutionDied("a client's answer is malformed: the process was tampered with");
  }
  take(operation, *answer);
}

}  // namespace

void take_answer(ClientOperation& operation, const std::string& encoded) {
  if (operation.write()) {
    take_encoded<WriteOutcome>(operation, encoded);
  } else {
    take_encoded<ReadOutcome>(operation, encoded);
  }
}

std::string beginning(const std::string& text) {
  constexpr std::size_t kMost = 40;
  return text.size() <= kMost
             ? text
             : text.substr(0, kMost / 2) + "… (" + std::to_string(text.size()) + " bytes)";
}

std::string to_string(const ClientOperation& operation) {
  const auto error = [&] {
    std::string text = name_of(operation.error.code) + ": " + operation.error.message;
    if (operation.needed != 0) {
      text += " (needed " + std::to_string(operation.needed) + ", got " +
              std::to_string(operation.got) + ")";
    }
    return text;
  };
  switch (operation.outcome) {
    case Outcome::pending:
      return "nothing yet";
    case Outcome::done:
      return "done";
    case Outcome::found: {
      std::string text;
      for (const std::string& value : operation.values) {
        text += (text.empty() ? "" : ", ") + beginning(value);
      }
      return "[" + text + "]";
    }
    case Outcome::absent:
      return "there is no such key";
    case Outcome::error:
      return error();
    case Outcome::unknown:
      if (operation.error.message.empty()) return "nothing: the node died, or did not answer";
      return error();
  }
  return "";
}

std::string question(const ClientOperation& operation) {
  std::string text = operation.what + " " + beginning(operation.key);
  if (operation.value) text += " = " + beginning(*operation.value);
  return text + " at " + operation.at;
}

/// What `client` read last of the key.
std::string World::State::last_read(const std::string& client, const std::string& key) const {
  for (std::size_t left = clients.size(); left > 0; --left) {
    const ClientOperation& asked = clients[left - 1];
    const bool answered = asked.outcome == Outcome::found || asked.outcome == Outcome::absent;
    if (!asked.write() && answered && asked.id.client == client && asked.key == key) {
      return asked.read_context;
    }
  }
  return {};
}

/// `refused`: it is left out; the client hears so, and nobody else hears anything.
void World::State::ask_client(Action action, bool refused) {
  if (action.request.client.empty()) action.request.client = "client";
  for (const NodeId& at : action.nodes) {
    ClientOperation operation;
    operation.what = action.act;
    operation.at = at;
    operation.key = action.key;
    operation.asked = now;
    operation.hosts = action.hosts;
    operation.id = action.request;
    if (operation.write() && operation.id.sequence == 0) {
      operation.id.sequence = ++client_sequences;
    }
    if (action.act == "put") operation.value = action.value;
    operation.context = action.context == "read" ? last_read(operation.id.client, action.key)
                                                 : from_hex(action.context);
    if (refused) {
      fail(operation, nobody_listens(at));
      operation.answered = now;
      clients.push_back(std::move(operation));
      continue;
    }
    Happening ask;
    ask.kind = Happening::Kind::request;
    ask.client = true;
    ask.node = ask.peer = index_of(at);
    ask.id = clients.size();
    if (operation.write()) {
      ask.type = message_number<ClientWrite>;
      ask.bytes = codec::encode(ClientWrite{operation.id, operation.key, operation.value,
                                            operation.context, action.hosts});
    } else {
      ask.type = message_number<ClientRead>;
      ask.bytes = codec::encode(ClientRead{operation.key, action.hosts});
    }
    record(Step::Kind::client, at, [&](Step& step) {
      step.message = operation.what;
      step.id = clients.size() + 1;
      step.data = message_to_json(ask.type, false, ask.bytes).value_or("");
      step.text = beginning(operation.key);
      if (operation.value) step.text += " = " + beginning(*operation.value);
    });
    clients.push_back(std::move(operation));
    deliver_client(std::move(ask));
  }
}

void World::State::deliver_client(Happening ask) {
  const NodeState& node = nodes[ask.node];
  const std::uint64_t number = ask.id;
  if (node.life != Life::up && node.life != Life::paused) {
    ClientOperation& operation = clients[number];
    fail(operation, nobody_listens(operation.at));
    return client_heard(number);
  }
  Happening patience;
  patience.kind = Happening::Kind::gives_up;
  patience.node = patience.peer = ask.node;
  patience.id = number;
  push(now + plan.config.request_deadline + kPatience, std::move(patience));
  if (node.life == Life::paused) {
    nodes[ask.node].held.push_back(std::move(ask));
    return;
  }
  std::vector<Happening> asks;
  asks.push_back(std::move(ask));
  execute_now(asks);
}

void World::State::answer_client(std::uint64_t number, const std::optional<std::string>& encoded) {
  ClientOperation& operation = clients[number];
  if (!operation.pending()) return;  // the client has given up
  if (!encoded) {
    operation.outcome = Outcome::unknown;
  } else {
    take_answer(operation, *encoded);
  }
  if (encoded) trace.mix_in(hash_of(*encoded));
  client_heard(number);
}

void World::State::client_heard(std::uint64_t number) {
  ClientOperation& operation = clients[number];
  operation.answered = now;
  trace.mix_in(static_cast<std::uint64_t>(operation.outcome) ^ number << 8);
  record(Step::Kind::told, operation.at, [&](Step& step) {
    step.message = operation.what;
    step.id = number + 1;
    step.data = json::text({{"key", beginning(operation.key)}});
    step.text = to_string(operation);
  });
}

ClientNumber World::write(const NodeId& at, const std::string& key,
                          const std::optional<std::string>& value, const std::string& context,
                          const RequestId& id, std::uint32_t w) {
  Action action;
  action.act = value ? "put" : "delete";
  action.nodes = {at};
  action.key = key;
  action.value = value.value_or("");
  action.context = to_hex(context);
  action.request = id;
  action.hosts = w;
  act(action);
  return state_->clients.size() - 1;
}

ClientNumber World::read(const NodeId& at, const std::string& key, std::uint32_t r) {
  Action action;
  action.act = "get";
  action.nodes = {at};
  action.key = key;
  action.hosts = r;
  act(action);
  return state_->clients.size() - 1;
}

const ClientOperation& World::client(ClientNumber number) const {
  return state_->clients.at(number);
}

const std::deque<ClientOperation>& World::client_operations() const { return state_->clients; }

const ClientOperation& World::answer(ClientNumber number) {
  const ClientOperation& operation = client(number);
  // At the latest when its patience has come to an end.
  run_until([&] { return !operation.pending(); }, plan().config.request_deadline + 2 * kPatience,
            1ms);
  return operation;
}

const ClientOperation& World::put(const NodeId& at, const std::string& key,
                                  const std::string& value, const std::string& context) {
  return answer(write(at, key, value, context));
}
const ClientOperation& World::get(const NodeId& at, const std::string& key) {
  return answer(read(at, key));
}
const ClientOperation& World::remove_key(const NodeId& at, const std::string& key,
                                         const std::string& context) {
  return answer(write(at, key, std::nullopt, context));
}

}  // namespace dynamo::sim
