// The operations of the admin protocol that concern the sessions of a running server:
//
//   who   {account?, after?} -> {sessions: [{id, account, protocol, address, since, tls, octets_in, octets_out, state, mailbox,
//         client}...], more: bool}          by id, at most some hundred; the rest with after: the last id
//   kick  {account?, id?, address?, protocol?} -> {kicked: N}   at least one of them; ends the sessions that fit all of them, politely
//
// since is Unix time. Loop thread only.
#pragma once

#include <optional>

#include "core/auth/sessions.h"
#include "core/server/admin.h"

namespace twinpost::server {

// The whole answer, "ok" included; nullopt where the request is another one.
[[nodiscard]] std::optional<Json> answer_about_sessions(auth::Sessions& sessions,
                                                        const Json& request);

}  // namespace twinpost::server
