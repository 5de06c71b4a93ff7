// Lab 3, part B: what one node remembers of requests, and of keys that are no more.
#include <string>
#include <vector>

#include "one_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

void execute(OneNode& node, const Write& write) {
  const WriteReply reply = node.ask(write);
  if (!reply.mine || !reply.status.ok()) {
    violation("n1, an owner of " + write.key + ", answers the Write: mine, done",
              !reply.mine
                  ? "it answers \"not mine\""
                  : name_of(reply.status.error().code) + ": " + reply.status.error().message);
  }
}

/// Two writes of one key; then the first request once more, as a client sends it that has heard no
/// answer: stamped later by whoever took it this time.
struct Repeated {
  explicit Repeated(OneNode& node_) : node(node_), key(node.key(true)) {
    execute(node, write_of(node.known(), key, "milk", 1));
    execute(node, write_of(node.known(), key, "tea", 2));
  }

  void again(const std::string& when) {
    Write write = write_of(node.known(), key, "milk", 1);
    write.version.stamp = stamp(++last);
    node.lone.say("the first request again, since its client has heard no answer");
    execute(node, write);
    if (node.value(key) != "[tea]") {
      violation("n1 executed this request id once and remembers it " + when +
                    ": it answers as before and changes nothing, so [tea] stays",
                "its disk holds " + node.value(key));
    }
  }

  OneNode& node;
  std::string key;
  std::uint64_t last = 2;
};

/// Nothing has changed, so the other owners need not hear of it.
void a_repetition_is_not_propagated() {
  OneNode node;
  Repeated repeated(node);
  const auto confirming = [&](const NodeId&, const Update& update) {
    return confirmed(node.known(), update);
  };
  (void)node.updated(repeated.key, 3s, confirming);
  node.lone.say("all owners have confirmed what n1 holds");
  repeated.again("when all have confirmed");
  const std::vector<NodeId> receivers = node.updated(repeated.key, 3s, confirming);
  if (receivers.empty()) return;
  violation("a known id changes nothing, so nothing is owed: n1 sends no Update",
            "it sends one to " + list(receivers));
}

TEST(replication, a_repeated_request_is_executed_once) {
  OneNode node;
  Repeated repeated(node);
  repeated.again("when it comes a second time");
  repeated.again("when it comes a third time");
  const std::vector<RequestId> others = {{"amy", 1, 3}, {"amy", 2, 1}, {"bob", 1, 1}};
  for (const RequestId& id : others) {
    Write write = write_of(node.known(), repeated.key, "by " + id.client, 1);
    write.id = id;
    write.version.stamp = stamp(++repeated.last);
    execute(node, write);
    if (node.value(repeated.key) == "[by " + id.client + "]" &&
        node.held(repeated.key)->state == written("by " + id.client, stamp(repeated.last))) {
      continue;
    }
    violation(
        "a request of another client, incarnation or sequence is another request: n1 "
        "executes it",
        "its disk holds " + node.value(repeated.key));
  }
  a_repetition_is_not_propagated();
}

TEST(replication, a_request_id_survives_a_kill) {
  OneNode node;
  Repeated repeated(node);
  node.lone.restart();
  repeated.again("after kill -9: the id was stored in the transaction of the write");
}

TEST(replication, a_request_id_is_remembered_for_the_configured_time) {
  NodeSetup setup = replication_setup();
  setup.config.request_memory = 60s;
  setup.config.retry_period = 20s;
  OneNode node(5, setup);
  Repeated repeated(node);
  node.silence();
  for (int i = 0; i < 59; ++i) {
    node.lone.advance(1s);
    node.silence();
  }
  repeated.again("59 seconds later, of the 60 that are configured");
  node.lone.restart();
  for (int i = 0; i < 59; ++i) {
    node.lone.advance(1s);
    node.silence();
  }
  repeated.again("59 seconds after a restart, which begins the time anew");
}

TEST(replication, a_request_id_is_forgotten_in_the_end) {
  constexpr std::size_t kRequests = 300;
  NodeSetup setup = replication_setup();
  setup.config.request_memory = 60s;
  OneNode node(5, setup);
  const std::string key = node.key(true);
  std::uint64_t number = 0;
  const auto confirming = [&](const NodeId&, const Update& update) {
    return confirmed(node.known(), update);
  };
  const auto write = [&](std::size_t times) {
    for (std::size_t i = 0; i < times; ++i) {
      ++number;
      execute(node, write_of(node.known(), key, "value " + std::to_string(number), number));
      (void)node.updated(key, 100ms, confirming);
    }
    return node.lone.disk().size();
  };
  const std::size_t before = write(1);
  (void)write(kRequests);
  node.lone.say(std::to_string(kRequests) + " writes of one key; ten minutes later as many again");
  for (int i = 0; i < 60; ++i) {
    node.lone.advance(10s);
    (void)node.updated(key, 0s, confirming);
  }
  const std::size_t after = write(kRequests);
  if (after > before + kRequests + kRequests / 2) {
    violation(
        "of the ids that were executed more than the configured 60 seconds ago the disk "
        "keeps none: it holds about as many records as there were requests of late, " +
            std::to_string(kRequests),
        "it holds " + std::to_string(after - before) + " more than after one request");
  }
  node.lone.restart();
  retell_all("n1 executes some hundred writes, and is killed and started again");
  for (int i = 0; i < 60; ++i) {
    node.lone.advance(10s);
    (void)node.updated(key, 0s, confirming);
  }
  const std::size_t left = write(1);
  if (left <= before + kRequests / 2) return;
  violation(
      "ten minutes after the restart the ids of before it are forgotten, too",
      "the disk holds " + std::to_string(left - before) + " records more than after one request");
}

TEST(replication, an_old_update_does_not_bring_a_deleted_key_back) {
  OneNode node;
  const std::string key = node.key(true);
  const State old = written("milk", stamp(1));
  (void)node.ask(Update{node.known(), {copy_of(key, old)}});
  execute(node, write_of(node.known(), key, std::nullopt, 2));
  if (!node.held(key)) {
    violation("a delete is a write: n1 keeps what it made, a tombstone",
              "its disk holds nothing for the key, so whoever still has the old value brings it "
              "back");
  }
  for (int i = 0; i < 2; ++i) {
    (void)node.ask(Update{node.known(), {copy_of(key, old)}});
    if (node.value(key) == "a deletion") continue;
    violation("the key was deleted after [milk] was put: an old copy of that changes nothing",
              "n1's disk holds " + node.value(key));
  }
  const std::string unheard = node.key(true, 1);
  const auto outcome = node.lone.request("n1", client_write(unheard, std::nullopt, 3));
  if (!outcome || !outcome->status.ok()) {
    violation("n1, an owner of " + unheard + ", executes its client's delete at once: done",
              "the client is told something else, or nothing");
  }
  node.lone.say("an old copy of " + unheard + " arrives, which n1 had not heard of");
  (void)node.ask(Update{node.known(), {copy_of(unheard, old)}});
  if (node.value(unheard) != "a deletion") {
    violation("the key was deleted after that was put; that n1 did not hold it then says nothing",
              "n1's disk holds " + node.value(unheard));
  }
  const ReadReply reply = node.ask(Read{node.known(), key});
  if (reply.holding != Holding::found || !reply.state || !values_in(*reply.state) ||
      !values_in(*reply.state)->empty()) {
    violation("a Read finds the tombstone: whoever asks must see that it is newer than a value",
              "n1 answers \"" + name_of(reply.holding) + "\"");
  }
}

TEST(replication, nothing_is_confirmed_that_is_not_on_the_disk) {
  OneNode node;
  const std::string key = node.key(true);
  const std::string written_key = node.key(true, 1);
  const std::string value(20'000, 'v');
  const Copy copy = copy_of(key, written(value, stamp(1)));
  node.lone.set_room(0);
  UpdateReply reply = node.ask(Update{node.known(), {copy}});
  if (confirms(reply, copy) || node.held(key)) {
    violation("the disk of n1 is full: it keeps nothing of the Update, and confirms nothing",
              confirms(reply, copy) ? "it confirms the state" : "it wrote on a full disk");
  }
  const WriteReply refused = node.ask(write_of(node.known(), written_key, value, 2));
  if (refused.status.ok() || refused.status.error().code != ErrorCode::no_room) {
    violation("the disk of n1 is full: it answers a Write with no_room",
              refused.status.ok() ? "it answers: done" : name_of(refused.status.error().code));
  }
  node.lone.set_room(72'000);  // for small records, not for the value
  const WriteReply again = node.ask(write_of(node.known(), written_key, value, 2));
  if (again.status.ok() || node.held(written_key)) {
    violation(
        "the refused request again, with room for small records, not for its value: no_room as "
        "before",
        node.held(written_key) ? "n1's disk holds the key" : "n1 answers: done");
  }
  node.lone.set_room(1 << 30);
  reply = node.ask(Update{node.known(), {copy}});
  if (!confirms(reply, copy) || !node.held(key)) {
    violation("the disk has room again: n1 keeps what the Update brings, and confirms it",
              node.held(key) ? "it does not confirm it" : "its disk holds nothing");
  }
  execute(node, write_of(node.known(), written_key, value, 2));
  if (!node.held(written_key)) {
    violation("a Write that was refused has not happened, so the same request is executed now",
              "n1 answers \"done\", and its disk holds nothing");
  }
}

}  // namespace
