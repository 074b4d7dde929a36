// SEARCH (RFC 9051 6.4.4) with ESEARCH, SEARCHRES, PARTIAL, WITHIN, CONDSTORE, OBJECTID and SAVEDATE.
#include <algorithm>
#include <array>

#include "core/mail/date.h"
#include "imap/parser_productions.h"

namespace twinpost::imap {

namespace {

enum class Takes : std::uint8_t {
  kNothing,
  kText,
  kHeader,
  kNumber,
  kSeconds,
  kDate,
  kKeyword,
  kSet,
  kModSeq,
  kObjectId
};

// One key of the RFCs and what it becomes.
struct KeyName {
  std::string_view name;
  SearchKind kind;
  Takes takes = Takes::kNothing;
  store::Flag flag = store::Flag::kSeen;      // of kFlag
  bool on = true;                             // of kFlag and kKeyword
  DateRelation relation = DateRelation::kOn;  // of dates
  std::string_view field{};                   // of kHeader
};

constexpr KeyName flag_key(std::string_view name, store::Flag flag, bool on) {
  return {name, SearchKind::kFlag, Takes::kNothing, flag, on};
}
constexpr KeyName keyword_key(std::string_view name, bool on) {
  return {name, SearchKind::kKeyword, Takes::kKeyword, store::Flag::kSeen, on};
}
constexpr KeyName date_key(std::string_view name, SearchKind kind, DateRelation relation) {
  return {name, kind, Takes::kDate, store::Flag::kSeen, true, relation};
}
constexpr KeyName field_key(std::string_view name, std::string_view field) {
  return {name, SearchKind::kHeader, Takes::kText, store::Flag::kSeen,
          true, DateRelation::kOn,   field};
}

// NEW, OLD, NOT, OR and what begins with a parenthesis or a number are not here.
constexpr std::array kKeyNames = {
    KeyName{"ALL", SearchKind::kAll},
    flag_key("SEEN", store::Flag::kSeen, true),
    flag_key("UNSEEN", store::Flag::kSeen, false),
    flag_key("ANSWERED", store::Flag::kAnswered, true),
    flag_key("UNANSWERED", store::Flag::kAnswered, false),
    flag_key("FLAGGED", store::Flag::kFlagged, true),
    flag_key("UNFLAGGED", store::Flag::kFlagged, false),
    flag_key("DELETED", store::Flag::kDeleted, true),
    flag_key("UNDELETED", store::Flag::kDeleted, false),
    flag_key("DRAFT", store::Flag::kDraft, true),
    flag_key("UNDRAFT", store::Flag::kDraft, false),
    keyword_key("KEYWORD", true),
    keyword_key("UNKEYWORD", false),
    KeyName{"RECENT", SearchKind::kRecent},
    KeyName{"LARGER", SearchKind::kLarger, Takes::kNumber},
    KeyName{"SMALLER", SearchKind::kSmaller, Takes::kNumber},
    date_key("BEFORE", SearchKind::kInternalDate, DateRelation::kBefore),
    date_key("ON", SearchKind::kInternalDate, DateRelation::kOn),
    date_key("SINCE", SearchKind::kInternalDate, DateRelation::kSince),
    date_key("SENTBEFORE", SearchKind::kSentDate, DateRelation::kBefore),
    date_key("SENTON", SearchKind::kSentDate, DateRelation::kOn),
    date_key("SENTSINCE", SearchKind::kSentDate, DateRelation::kSince),
    date_key("SAVEDBEFORE", SearchKind::kSaveDate, DateRelation::kBefore),
    date_key("SAVEDON", SearchKind::kSaveDate, DateRelation::kOn),
    date_key("SAVEDSINCE", SearchKind::kSaveDate, DateRelation::kSince),
    KeyName{"SAVEDATESUPPORTED", SearchKind::kSaveDateSupported},
    KeyName{"OLDER", SearchKind::kOlder, Takes::kSeconds},
    KeyName{"YOUNGER", SearchKind::kYounger, Takes::kSeconds},
    KeyName{"MODSEQ", SearchKind::kModSeq, Takes::kModSeq},
    KeyName{"EMAILID", SearchKind::kEmailId, Takes::kObjectId},
    KeyName{"THREADID", SearchKind::kThreadId, Takes::kObjectId},
    field_key("FROM", "from"),
    field_key("TO", "to"),
    field_key("CC", "cc"),
    field_key("BCC", "bcc"),
    field_key("SUBJECT", "subject"),
    KeyName{"HEADER", SearchKind::kHeader, Takes::kHeader},
    KeyName{"BODY", SearchKind::kBody, Takes::kText},
    KeyName{"TEXT", SearchKind::kText, Takes::kText},
    KeyName{"UID", SearchKind::kUid, Takes::kSet},
};

SearchKey composite(SearchKind kind) {
  SearchKey key;
  key.kind = kind;
  key.value = SearchKey::Children{};
  return key;
}

SearchKey recent() {
  SearchKey key;
  key.kind = SearchKind::kRecent;
  return key;
}

class SearchParser {
 public:
  explicit SearchParser(Cursor& cursor) : cursor_(cursor) {}

  // search-key *(SP search-key) up to the end of the command, as one key.
  bool program(SearchKey& out) {
    SearchKey all = composite(SearchKind::kAnd);
    do {
      if (!all.children().empty() && !cursor_.space("the search key")) return false;
      if (!key(all.children().emplace_back(), 1)) return false;
    } while (cursor_.has_more());
    take_single(all, out);
    return true;
  }

 private:
  // An AND of one key is that key.
  static void take_single(SearchKey& all, SearchKey& out) {
    if (all.children().size() > 1) {
      out = std::move(all);
      return;
    }
    SearchKey only = std::move(all.children().front());
    out = std::move(only);
  }

  bool key(SearchKey& out, unsigned depth) {
    const ReaderSettings& settings = cursor_.settings();
    if (depth > settings.search_depth) {
      return cursor_.fail("Search keys are nested deeper than " +
                          std::to_string(settings.search_depth));
    }
    if (++keys_ > settings.search_keys) {
      return cursor_.fail("More than " + std::to_string(settings.search_keys) + " search keys");
    }
    const char first = cursor_.peek();
    if (first == '(') return group(out, depth);
    if (ascii::is_digit(first) || first == '*' || first == '$') {
      out.kind = SearchKind::kSequence;
      return cursor_.sequence_set(out.value.emplace<SequenceSet>());
    }
    std::string_view name;
    if (!cursor_.word(name, "search key")) return false;
    return composite_key(name, out, depth);
  }

  bool group(SearchKey& out, unsigned depth) {
    SearchKey all = composite(SearchKind::kAnd);
    const auto one = [&] { return key(all.children().emplace_back(), depth + 1); };
    if (!cursor_.list("search keys", false, one)) return false;
    take_single(all, out);
    return true;
  }

  bool composite_key(std::string_view name, SearchKey& out, unsigned depth) {
    if (ascii::equals_ignore_case(name, "NOT")) {
      out = composite(SearchKind::kNot);
      return cursor_.space("NOT") && key(out.children().emplace_back(), depth + 1);
    }
    if (ascii::equals_ignore_case(name, "OR")) {
      out = composite(SearchKind::kOr);
      return cursor_.space("OR") && key(out.children().emplace_back(), depth + 1) &&
             cursor_.space("the first key of OR") && key(out.children().emplace_back(), depth + 1);
    }
    if (ascii::equals_ignore_case(name, "OLD")) {
      out = composite(SearchKind::kNot);
      out.children().push_back(recent());
      return true;
    }
    if (ascii::equals_ignore_case(name, "NEW")) {
      out = composite(SearchKind::kAnd);
      SearchKey unseen;
      unseen.kind = SearchKind::kFlag;
      unseen.value = SearchFlag{store::Flag::kSeen, false};
      out.children().push_back(recent());
      out.children().push_back(std::move(unseen));
      return true;
    }
    for (const KeyName& known : kKeyNames) {
      if (ascii::equals_ignore_case(known.name, name)) return leaf(known, out);
    }
    return cursor_.fail("Unknown search key " + ascii::printable(name, 40));
  }

  bool leaf(const KeyName& known, SearchKey& out) {
    out.kind = known.kind;
    if (known.kind == SearchKind::kFlag) out.value = SearchFlag{known.flag, known.on};
    if (known.takes == Takes::kNothing) return true;
    if (!cursor_.space(known.name)) return false;
    switch (known.takes) {
      case Takes::kText: return text(known, out);
      case Takes::kHeader: return header(out);
      case Takes::kNumber: return cursor_.number64(out.value.emplace<std::uint64_t>(), "size");
      case Takes::kSeconds: return seconds(out);
      case Takes::kDate: return date(known.relation, out);
      case Takes::kKeyword: {
        auto& keyword = out.value.emplace<SearchKeyword>();
        keyword.on = known.on;
        return cursor_.atom(keyword.name, "keyword");
      }
      case Takes::kSet: return cursor_.sequence_set(out.value.emplace<SequenceSet>());
      case Takes::kModSeq: return mod_seq(out);
      case Takes::kObjectId: return object_id(out);
      case Takes::kNothing: break;
    }
    return true;
  }

  bool text(const KeyName& known, SearchKey& out) {
    if (known.kind != SearchKind::kHeader) {
      return cursor_.search_text(out.value.emplace<std::string_view>());
    }
    auto& header = out.value.emplace<SearchHeader>();
    header.field = known.field;
    return cursor_.search_text(header.text);
  }

  bool header(SearchKey& out) {
    auto& header = out.value.emplace<SearchHeader>();
    return cursor_.astring(header.field, "header field name") &&
           cursor_.space("the header field name") && cursor_.search_text(header.text);
  }

  bool seconds(SearchKey& out) {
    std::uint32_t interval = 0;
    if (!cursor_.nz_number(interval, "interval")) return false;
    out.value = std::uint64_t{interval};
    return true;
  }

  bool date(DateRelation relation, SearchKey& out) {
    std::string_view text;
    if (!cursor_.astring(text, "date")) return false;
    const auto days = mail::parse_imap_date(text);
    if (!days) {
      return cursor_.fail("Invalid date \"" + ascii::printable(text, 40) +
                          "\": expected 1-Feb-1994");
    }
    out.value = SearchDate{relation, std::chrono::sys_days{std::chrono::days{*days}}};
    return true;
  }

  // [entry-name SP entry-type-req SP] mod-sequence-valzer
  bool mod_seq(SearchKey& out) {
    auto& key = out.value.emplace<SearchModSeq>();
    if (!ascii::is_digit(cursor_.peek())) {
      std::string_view type;
      if (!cursor_.string(key.entry, "entry name") || !cursor_.space("the entry name") ||
          !cursor_.word(type, "entry type")) {
        return false;
      }
      if (!ascii::starts_with_ignore_case(key.entry, "/flags/")) {
        return cursor_.fail("The entry name must begin with \"/flags/\" (RFC 7162)");
      }
      if (!ascii::equals_ignore_case(type, "priv") && !ascii::equals_ignore_case(type, "shared") &&
          !ascii::equals_ignore_case(type, "all")) {
        return cursor_.fail("The entry type must be priv, shared or all (RFC 7162)");
      }
      if (!cursor_.space("the entry type")) return false;
    }
    return cursor_.number64(key.at_least, "mod-sequence");
  }

  // RFC 8474 section 7: 1*255 of letters, digits, "_" and "-".
  bool object_id(SearchKey& out) {
    auto& id = out.value.emplace<std::string_view>();
    if (!cursor_.astring(id, "object id")) return false;
    const auto allowed = [](char c) { return ascii::is_alnum(c) || c == '-' || c == '_'; };
    if (id.empty() || id.size() > 255 || !std::all_of(id.begin(), id.end(), allowed)) {
      return cursor_.fail("Invalid object id \"" + ascii::printable(id, 40) + "\"");
    }
    return true;
  }

  Cursor& cursor_;
  unsigned keys_ = 0;
};

bool return_option(Cursor& cursor, Search& out) {
  std::string_view name;
  if (!cursor.word(name, "return option")) return false;
  if (ascii::equals_ignore_case(name, "MIN")) {
    out.return_min = true;
  } else if (ascii::equals_ignore_case(name, "MAX")) {
    out.return_max = true;
  } else if (ascii::equals_ignore_case(name, "ALL")) {
    out.return_all = true;
  } else if (ascii::equals_ignore_case(name, "COUNT")) {
    out.return_count = true;
  } else if (ascii::equals_ignore_case(name, "SAVE")) {
    out.return_save = true;
  } else if (ascii::equals_ignore_case(name, "PARTIAL")) {
    if (out.return_partial) return cursor.fail("PARTIAL was given twice");
    return cursor.space("PARTIAL") && cursor.partial_range(out.return_partial.emplace());
  } else {
    return cursor.fail("Unknown SEARCH return option " + ascii::printable(name, 40));
  }
  return true;
}

bool parse_return(Cursor& cursor, Search& out) {
  out.extended = true;
  if (!cursor.space("RETURN") ||
      !cursor.list("return options", true, [&] { return return_option(cursor, out); })) {
    return false;
  }
  // RFC 9394 3.1: one PARTIAL, one ALL, or neither.
  if (out.return_partial && out.return_all)
    return cursor.fail("PARTIAL and ALL exclude each other");
  // RFC 4731 3.1: an empty list is ALL.
  if (!out.return_min && !out.return_max && !out.return_count && !out.return_save &&
      !out.return_partial) {
    out.return_all = true;
  }
  return cursor.space("the return options");
}

}  // namespace

bool parse_search(Cursor& cursor, Search& out) {
  if (!cursor.space("SEARCH")) return false;
  if (cursor.accept_word("RETURN") && !parse_return(cursor, out)) return false;
  if (cursor.accept_word("CHARSET")) {
    if (!cursor.space("CHARSET") || !cursor.astring(out.charset.emplace(), "charset") ||
        !cursor.space("the charset")) {
      return false;
    }
  }
  return SearchParser(cursor).program(out.key) && cursor.end("the search keys");
}

}  // namespace twinpost::imap
