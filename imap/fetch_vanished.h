// UID FETCH (CHANGEDSINCE n VANISHED), RFC 7162 3.2.6: which messages of a set have left the
// mailbox. Worker; pure over a ReadView.
#pragma once

#include "core/base/error.h"
#include "imap/selected.h"
#include "imap/sequence_set.h"
#include "store/read_view.h"

namespace twinpost::imap {

// The UIDs that `set` names of messages that went after `since`; where it is not known any more
// what went then, of all that are not there. Those that the client still has a message number for
// are not among them: the session tells of them by itself, in the form that shifts numbers.
//
// "*" is here the highest UID that was ever given. Meant as the last message that is left, "1:*"
// would never tell of the last ones that are gone.
[[nodiscard]] Result<NumberSet> find_vanished(const store::ReadView& view, const Selected& selected,
                                              const SequenceSet& set, store::ModSeq since);

}  // namespace twinpost::imap
