#include "core/server/admission.h"

namespace twinpost::server {

Admission::Answer Admission::enter(const net::Peer& peer, const config::Limits& limits) {
  if (limits.connections != 0 && total_ >= limits.connections) return Answer::kTooMany;
  if (!peer.is_unix) {
    std::uint64_t& count = by_address_[peer.address];
    if (limits.connections_per_address != 0 && count >= limits.connections_per_address) {
      return Answer::kTooManyFromAddress;
    }
    ++count;
  }
  ++total_;
  return Answer::kAdmitted;
}

void Admission::leave(const net::Peer& peer) {
  --total_;
  if (peer.is_unix) return;
  const auto found = by_address_.find(peer.address);
  if (--found->second == 0) by_address_.erase(found);
}

}  // namespace twinpost::server
