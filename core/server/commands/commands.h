// The operations of the admin protocol (core/server/admin.h), by family. Account names are those of accounts.json, in
// any case; mailbox names are UTF-8 with '/' between levels. Numbers are JSON numbers; store ids, EMAILIDs and keys,
// which may be larger than JSON's integers are safe, are hexadecimal texts.
//
// General (general.cc):
//   ping      {} -> {version, store_id, pid, data}
//   space     {} -> StoreSpace and StoreFigures, by their members' names
//
// Bringing mail (deposit.cc), of an import or a restore:
//   account   {account} -> {id, created: bool}                   made with an INBOX where it is missing; it must be in
//                                                                accounts.json unless {"unlisted": true}
//   adopt     {account, mailboxes: [{name, uid_validity?, uid_next?, highest_modseq?, guid?, special_use?, subscribed?}]}
//             -> {mailboxes: [{name, uid_validity, uid_next, messages, same_identity: bool}]}
//             missing parents are made; special_use as in RFC 6154 ("\\Sent")
//   known     {account, keys: ["hex"...]} -> {known: [bool...]}     which import keys came before
//   uidls     {account, mailbox} -> {uidls: [text...]}              of the messages that are in it now
//   deposit   {account, ignore_quota?, items: [{mailbox, octets, prefix_octets?, flags?: ["\\Seen"...], keywords?: [...],
//              date, zone?, uidl?, uid?, save_date?, hidden?, email_id?, thread_id?, key?}], octets: N} + payload: the
//              messages (prefix first, then body) one after the other, lines ended by CRLF
//             -> {items: [{uid} | {known: true} | {code, error}...]}   in one transaction where all of them can be taken,
//             else each by itself. A UIDL that the mailbox has already is an error ("exists") of that item.
//   advance   {account, mailbox, uid_next} -> {}
//   install   {account, mailbox, name} -> {}                        WriteTxn::install_mailbox
//   provisioned {account} -> {}                                     WriteTxn::set_provisioned
//
// Undo (undo.cc):
//   undelete  {account, ids: ["TIME-MAILBOX-UID"...], to?: mailbox name} -> {messages: [{id, mailbox, uid}...], missing: [id...],
//             present: [id...]}; any number of ids, some hundred a transaction
//   forget    {account, ids} -> {forgotten: N}
//
// Sessions (sessions.h), of a running server only: who, kick
//
// The whole store (maintenance.cc), long, with progress:
//   check     {bodies?, repair?, account?, most_problems?} -> CheckReport by its members' names
//   compact   {} -> {octets_before, octets_after}
//   recode    {compression?, key_file?} -> {bodies}                 of the file that the client sees, where that is newer; refused
//                                                                while the store is not open with these and the newest key
#pragma once

#include "core/server/admin.h"

namespace twinpost::server {

[[nodiscard]] Result<Json> admin_ping(AdminJob& job);
[[nodiscard]] Result<Json> admin_space(AdminJob& job);
[[nodiscard]] Result<Json> admin_account(AdminJob& job);
[[nodiscard]] Result<Json> admin_adopt(AdminJob& job);
[[nodiscard]] Result<Json> admin_known(AdminJob& job);
[[nodiscard]] Result<Json> admin_uidls(AdminJob& job);
[[nodiscard]] Result<Json> admin_deposit(AdminJob& job);
[[nodiscard]] Result<Json> admin_advance(AdminJob& job);
[[nodiscard]] Result<Json> admin_install(AdminJob& job);
[[nodiscard]] Result<Json> admin_provisioned(AdminJob& job);
[[nodiscard]] Result<Json> admin_undelete(AdminJob& job);
[[nodiscard]] Result<Json> admin_forget(AdminJob& job);
[[nodiscard]] Result<Json> admin_check(AdminJob& job);
[[nodiscard]] Result<Json> admin_compact(AdminJob& job);
[[nodiscard]] Result<Json> admin_recode(AdminJob& job);

}  // namespace twinpost::server
