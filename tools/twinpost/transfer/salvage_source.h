// What is salvaged of one account as a source of mail.
#pragma once

#include <functional>
#include <memory>

#include "store/salvage.h"
#include "tools/twinpost/transfer/mail.h"

namespace twinpost::tools {

// A message whose octets can't be had as they were.
using OnDamaged = std::function<void(const store::Salvage::Mailbox& mailbox, store::Uid uid,
                                     const store::MessageRecord* record, const Error& error)>;

// `salvage` and `account` outlive it. Messages that can't be read are told to `on_damaged`, once
// each time that they are asked for, and are kCorrupt to who asked.
[[nodiscard]] std::unique_ptr<MailSource> make_salvage_source(
    const store::Salvage& salvage, const store::Salvage::Account& account, OnDamaged on_damaged);

}  // namespace twinpost::tools
