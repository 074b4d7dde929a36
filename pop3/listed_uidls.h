// The alarm for UIDLs that change (DESIGN: a UIDL never changes).
//
// A client takes a message whose UIDL is another one for a new message and loads it once more; where all of
// them change it loads the whole maildrop. So the store remembers, as 32 bits for each UID, which UIDL a
// listing has given (store::NoteKind::kPop3ListedUidls), and each further listing is compared.
//
//   name   u32 number of the row, big-endian: UIDs n * 1000 + 1 to n * 1000 + 1000
//   value  u32 for each of them, little-endian, CRC-32C of the UIDL; 0: not listed yet
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/task.h"
#include "store/store.h"

namespace twinpost::pop3 {

struct ListedUidl {
  store::Uid uid;
  std::uint32_t digest = 0;
};
[[nodiscard]] std::uint32_t digest_of_uidl(std::string_view uidl);

// Compares with what was listed before and remembers what is new. Gives how many UIDLs have changed.
// `listed` ascending by UID.
Task<Result<std::uint64_t>> note_listed(store::Store& store, store::MailboxKey maildrop,
                                        std::vector<ListedUidl> listed);

}  // namespace twinpost::pop3
