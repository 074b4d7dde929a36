// Lists that say which file has which UID.
//
//   dovecot-uidlist    3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1
//                      25006 :1276528487.M364837P9451.host,S=1355,W=1394:2,
//                      25017 PUIDL-of-it W2481 :1276533073.M242911P3632.host:2,F
//   its version 1, and courierimapuiddb:
//                      1 1275660208 25022
//                      25006 1276528487.M364837P9451.host
//
// Of a record: P the POP3 UIDL ("P" alone: the base name), G the GUID, W and S sizes, O the POP3 order. The file name is
// the last known one; its flags may have changed since. Lists are read with distrust: a record whose UID is not above the one
// before, or not one at all, keeps its other fields and has no UID.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "store/types.h"

namespace twinpost::tools {

struct UidListRecord {
  store::Uid uid;
  std::optional<std::string> uidl;
  std::string guid;
  std::string file;  // base name; of the writer: the whole name
};

struct UidList {
  store::UidValidity uid_validity;
  store::Uid uid_next;
  std::string guid;
  std::vector<UidListRecord> records;          // by UID, those without one last
  std::map<std::string, std::size_t> by_name;  // lasting_name() of the file -> index
  std::uint64_t bad_lines = 0;

  [[nodiscard]] const UidListRecord* find(std::string_view lasting_name) const;
};

// Empty, but for bad_lines, where the first line is no header that is known.
[[nodiscard]] Result<UidList> read_uidlist(int fd);
[[nodiscard]] std::string dovecot_uidlist(const UidList& list);

}  // namespace twinpost::tools
