// FETCH and its sections (RFC 9051 6.4.5, RFC 3516, 7162, 8474, 8514, 8970, 9394).
#include <array>

#include "imap/parser_productions.h"

namespace twinpost::imap {

namespace {

struct ItemName {
  std::string_view name;
  FetchKind kind;
};
// Those that stand alone; BODY, BINARY and PREVIEW have more to them.
constexpr std::array kItemNames = {
    ItemName{"UID", FetchKind::kUid},
    ItemName{"FLAGS", FetchKind::kFlags},
    ItemName{"INTERNALDATE", FetchKind::kInternalDate},
    ItemName{"RFC822.SIZE", FetchKind::kRfc822Size},
    ItemName{"ENVELOPE", FetchKind::kEnvelope},
    ItemName{"BODYSTRUCTURE", FetchKind::kBodyStructure},
    ItemName{"RFC822", FetchKind::kRfc822},
    ItemName{"RFC822.HEADER", FetchKind::kRfc822Header},
    ItemName{"RFC822.TEXT", FetchKind::kRfc822Text},
    ItemName{"MODSEQ", FetchKind::kModSeq},
    ItemName{"EMAILID", FetchKind::kEmailId},
    ItemName{"THREADID", FetchKind::kThreadId},
    ItemName{"SAVEDATE", FetchKind::kSaveDate},
};

FetchItem plain(FetchKind kind) {
  FetchItem item;
  item.kind = kind;
  return item;
}

// "1.2." before a section text, or "1.2" alone.
bool section_part(Cursor& cursor, std::vector<std::uint32_t>& part, bool& text_follows) {
  while (ascii::is_digit(cursor.peek())) {
    std::uint32_t number = 0;
    if (!cursor.nz_number(number, "part number")) return false;
    if (part.size() == cursor.settings().list_items) return cursor.fail("Too many part numbers");
    part.push_back(number);
    if (!cursor.accept('.')) {
      text_follows = false;
      return true;
    }
  }
  text_follows = true;
  return true;
}

bool header_list(Cursor& cursor, Section& section) {
  const auto field = [&] {
    std::string_view name;
    if (!cursor.astring(name, "header field name")) return false;
    if (section.fields.size() == cursor.settings().list_items)
      return cursor.fail("Too many header fields");
    section.fields.push_back(name);
    return true;
  };
  return cursor.space("HEADER.FIELDS") && cursor.list("header field names", false, field);
}

bool section_text(Cursor& cursor, Section& section) {
  if (cursor.accept_word("HEADER")) {
    section.text = SectionText::kHeader;
  } else if (cursor.accept_word("TEXT")) {
    section.text = SectionText::kText;
  } else if (cursor.accept_word("HEADER.FIELDS")) {
    section.text = SectionText::kHeaderFields;
    return header_list(cursor, section);
  } else if (cursor.accept_word("HEADER.FIELDS.NOT")) {
    section.text = SectionText::kHeaderFieldsNot;
    return header_list(cursor, section);
  } else if (cursor.accept_word("MIME")) {
    section.text = SectionText::kMime;
    if (section.part.empty()) return cursor.fail("MIME needs a part number before it");
  } else {
    return cursor.fail(
        "Unknown section: HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT and MIME are known");
  }
  return true;
}

bool parse_section(Cursor& cursor, Section& section) {
  if (!cursor.accept('[')) return cursor.fail("Missing '[' before the section");
  if (cursor.accept(']')) return true;
  bool text_follows = true;
  if (!section_part(cursor, section.part, text_follows)) return false;
  if (text_follows && !section_text(cursor, section)) return false;
  return cursor.accept(']') || cursor.fail("Missing ']' after the section");
}

bool parse_binary_section(Cursor& cursor, Section& section) {
  if (!parse_section(cursor, section)) return false;
  return section.text == SectionText::kWhole ||
         cursor.fail("A BINARY section is a part number only (RFC 3516)");
}

bool parse_partial(Cursor& cursor, std::optional<Partial>& out) {
  if (!cursor.accept('<')) return true;
  Partial& partial = out.emplace();
  if (!cursor.number64(partial.offset, "partial offset")) return false;
  if (!cursor.accept('.')) return cursor.fail("Missing '.' in the partial range");
  if (!cursor.number64(partial.length, "partial length")) return false;
  if (partial.length == 0) return cursor.fail("The partial length must not be zero");
  return cursor.accept('>') || cursor.fail("Missing '>' after the partial range");
}

bool parse_body(Cursor& cursor, bool peek, FetchItem& out) {
  out.kind = FetchKind::kSection;
  out.peek = peek;
  if (cursor.peek() != '[') {
    out.kind = FetchKind::kBodyShort;
    return !peek || cursor.fail("Missing '[' after BODY.PEEK");
  }
  return parse_section(cursor, out.section) && parse_partial(cursor, out.partial);
}

bool parse_binary(Cursor& cursor, bool peek, FetchItem& out) {
  out.kind = FetchKind::kBinary;
  out.peek = peek;
  return parse_binary_section(cursor, out.section) && parse_partial(cursor, out.partial);
}

bool parse_preview(Cursor& cursor, FetchItem& out) {
  out.kind = FetchKind::kPreview;
  if (cursor.peek_after_spaces() != '(') return true;
  const auto modifier = [&] {
    if (!cursor.accept_word("LAZY")) return cursor.fail("Unknown PREVIEW modifier: LAZY is known");
    out.lazy = true;
    return true;
  };
  return cursor.space("PREVIEW") && cursor.list("PREVIEW modifiers", false, modifier);
}

bool is_macro(std::string_view name) {
  return ascii::equals_ignore_case(name, "ALL") || ascii::equals_ignore_case(name, "FAST") ||
         ascii::equals_ignore_case(name, "FULL");
}

bool parse_item(Cursor& cursor, FetchItem& out) {
  if (cursor.accept_word("BODY")) return parse_body(cursor, false, out);
  if (cursor.accept_word("BODY.PEEK")) return parse_body(cursor, true, out);
  if (cursor.accept_word("BINARY")) return parse_binary(cursor, false, out);
  if (cursor.accept_word("BINARY.PEEK")) return parse_binary(cursor, true, out);
  if (cursor.accept_word("PREVIEW")) return parse_preview(cursor, out);
  if (cursor.accept_word("BINARY.SIZE")) {
    out.kind = FetchKind::kBinarySize;
    return parse_binary_section(cursor, out.section);
  }
  std::string_view name;
  if (!cursor.word(name, "data item")) return false;
  for (const ItemName& known : kItemNames) {
    if (!ascii::equals_ignore_case(known.name, name)) continue;
    out.kind = known.kind;
    return true;
  }
  if (is_macro(name)) return cursor.fail("The macro " + ascii::upper(name) + " must stand alone");
  return cursor.fail("Unknown data item " + ascii::printable(name, 40));
}

// RFC 9051 6.4.5: what ALL, FAST and FULL stand for.
void expand_macro(std::string_view name, std::vector<FetchItem>& items) {
  items = {plain(FetchKind::kFlags), plain(FetchKind::kInternalDate),
           plain(FetchKind::kRfc822Size)};
  if (ascii::equals_ignore_case(name, "FAST")) return;
  items.push_back(plain(FetchKind::kEnvelope));
  if (ascii::equals_ignore_case(name, "FULL")) items.push_back(plain(FetchKind::kBodyShort));
}

bool parse_items(Cursor& cursor, std::vector<FetchItem>& items) {
  const auto item = [&] {
    if (items.size() == cursor.settings().list_items) return cursor.fail("Too many data items");
    return parse_item(cursor, items.emplace_back());
  };
  if (cursor.peek() == '(') return cursor.list("data items", false, item);
  const std::string_view word = cursor.peek_word();
  if (!is_macro(word)) return item();
  expand_macro(word, items);
  return cursor.accept_word(word);
}

bool parse_modifier(Cursor& cursor, Fetch& out) {
  if (cursor.accept_word("CHANGEDSINCE")) {
    return cursor.space("CHANGEDSINCE") &&
           cursor.number64(out.changed_since.emplace(), "mod-sequence");
  }
  if (cursor.accept_word("VANISHED")) {
    out.vanished = true;
    return true;
  }
  if (cursor.accept_word("PARTIAL")) {
    return cursor.space("PARTIAL") && cursor.partial_range(out.partial.emplace());
  }
  return cursor.fail("Unknown FETCH modifier: CHANGEDSINCE, VANISHED and PARTIAL are known");
}

bool check_modifiers(Cursor& cursor, const Fetch& fetch) {
  // RFC 7162 3.2.6
  if (fetch.vanished && !fetch.uid) return cursor.fail("VANISHED is allowed in UID FETCH only");
  if (fetch.vanished && !fetch.changed_since)
    return cursor.fail("VANISHED needs CHANGEDSINCE beside it");
  if (fetch.partial && !fetch.uid) return cursor.fail("PARTIAL is allowed in UID FETCH only");
  return true;
}

}  // namespace

bool parse_fetch(Cursor& cursor, Fetch& out) {
  if (!cursor.space("FETCH") || !cursor.sequence_set(out.set) ||
      !cursor.space("the sequence set") || !parse_items(cursor, out.items)) {
    return false;
  }
  if (!cursor.has_more()) return cursor.end("the data items");
  return cursor.space("the data items") &&
         cursor.list("FETCH modifiers", false, [&] { return parse_modifier(cursor, out); }) &&
         check_modifiers(cursor, out) && cursor.end("the FETCH modifiers");
}

}  // namespace twinpost::imap
