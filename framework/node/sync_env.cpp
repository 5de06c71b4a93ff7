#include "node/sync_env.h"

#include <utility>

#include "core/codec.h"
#include "sync_messages.h"

namespace dynamo {

void SyncEnv::call_raw(const NodeId& to, std::string_view type, std::string request,
                       Duration timeout, RawDone done) {
  if (type == CompareRoots::type_name) ++counts_.comparisons;
  counts_.bytes += request.size();
  // The name is the message's own, a constant.
  call_(to, type, std::move(request), timeout,
        [this, type, done = std::move(done)](Result<std::string> reply) {
          if (reply.ok()) count_reply(type, *reply);
          done(std::move(reply));
        });
}

void SyncEnv::count_reply(std::string_view type, const std::string& reply) {
  counts_.bytes += reply.size();
  if (type == AskCopies::type_name) {
    if (const auto copies = from_bytes<AskCopiesReply>(reply)) {
      counts_.keys_received += copies->copies.size();
    }
  }
  if (type == Update::type_name) {
    if (const auto update = from_bytes<UpdateReply>(reply)) {
      counts_.keys_sent += update->confirmed.size();
    }
  }
}

}  // namespace dynamo
