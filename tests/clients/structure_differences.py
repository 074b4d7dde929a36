"""Where Twinpost and Dovecot (2.3) give different answers about a message, and who is right.

Three ways of explaining, tried in this order for each difference:
  - a rule over the two values alone (RULES): they say the same in other words;
  - a rule over the message's answers as a whole (`section_rule`): a section that one of them does not have;
  - a table of messages (MESSAGES): what is broken about them, and what each server makes of it.
"""

import itertools
import re


class Message:
    def __init__(self, name, ours, theirs):
        self.name = name
        self.ours = ours
        self.theirs = theirs


class Difference:
    def __init__(self, message, item, path, ours, theirs, category):
        self.message = message
        self.item = item
        self.path = path
        self.ours = ours
        self.theirs = theirs
        self.category = category

    def __str__(self):
        place = f"{self.message.name}: {self.item}" + "".join(f"[{i}]" for i in self.path)
        return f"{place}: {self.category}\n    ours   {short(self.ours)}\n    theirs {short(self.theirs)}"


def short(value):
    text = repr(value)
    return text if len(text) <= 240 else f"{text[:160]} ... {text[-60:]} ({len(text)})"


# ---- rules over two values; each is (category, function) ----

PLACEHOLDERS = (b"MISSING_DOMAIN", b"MISSING_MAILBOX", b"SYNTAX_ERROR")


def is_text(*values):
    return all(isinstance(value, bytes) for value in values)


def same_without_case(item, ours, theirs):
    """RFC 2045 section 5.1: types, parameter names, encodings and dispositions have no case. Twinpost gives them in lower case."""
    return item in ("BODY", "BODYSTRUCTURE") and is_text(ours, theirs) and ours.lower() == theirs.lower()


def placeholder(item, ours, theirs):
    """An address without domain or mailbox: Dovecot puts in a word that no message contains; "" is the empty string that is there."""
    return item != "BODY[]" and ours == b"" and theirs in PLACEHOLDERS


def blanks(item, ours, theirs):
    """Header text: RFC 5322 2.2.3 has unfolding take the line ends only; Dovecot makes one blank of every run of them. And it
    leaves the blanks at the ends of folded values, which belong to no value (RFC 5322 3.2.2)."""
    return (item in ("ENVELOPE", "BODY", "BODYSTRUCTURE") and is_text(ours, theirs)
            and re.sub(rb"[ \t\r]+", b" ", ours).strip() == re.sub(rb"[ \t\r]+", b" ", theirs).strip())


def header_end(item, ours, theirs):
    """Some of the fields of a header that has no blank line at its end: RFC 9051 6.4.5 lets a message without body go without.
    Twinpost always puts it there; Dovecot does so for HEADER.FIELDS, not for HEADER.FIELDS.NOT."""
    return "HEADER.FIELDS" in item and is_text(ours, theirs) and ours == theirs + b"\r\n"


def header_before_delimiter(item, ours, theirs):
    """A header with its blank line, and a delimiter at once: the blank line ends the header; Dovecot counts its line end to the
    delimiter, so that the part has a header without an end."""
    return item.endswith((".MIME]", ".HEADER]")) and is_text(ours, theirs) and ours == theirs + b"\r\n"


RULES = [
    ("case", same_without_case),
    ("placeholder for what an address lacks", placeholder),
    ("blanks in header text", blanks),
    ("blank line after chosen fields", header_end),
    ("blank line before a delimiter", header_before_delimiter),
]

# ---- rules that need the whole answer ----


def part_at(structure, path):
    """The part of a BODYSTRUCTURE that a path of numbers names (RFC 9051 6.4.5.1); None where there is none."""
    part, is_message_body = structure, True
    for number in path:
        if not is_message_body and is_message(part):
            part, is_message_body = part[8], True
        if is_multipart(part):
            children = list(itertools.takewhile(lambda value: isinstance(value, list), part))
            if number > len(children):
                return None
            part = children[number - 1]
        elif not is_message_body or number != 1:
            return None
        is_message_body = False
    return part


def is_multipart(part):
    return isinstance(part[0], list)


def is_message(part):
    return part[:2] == [b"message", b"rfc822"]


def section_rule(message, item, ours, theirs):
    found = re.fullmatch(r"(BODY|BINARY|BINARY\.SIZE)\[([0-9.]+?)(\.(?:MIME|HEADER|TEXT|HEADER\.FIELDS .*))?\](<\d+>)?", item)
    if found is None:
        return None
    kind, path, text, _ = found.groups()
    numbers = [int(number) for number in path.split(".")]
    part = part_at(message.ours["BODYSTRUCTURE"], numbers)
    is_there = part is not None and (text in (None, ".MIME") or is_message(part))
    if ours is None and theirs == b"" and not is_there:
        # NIL, as Cyrus and UW say (RFC 9051 section 9, nstring). Dovecot says that it has no octets.
        return "missing part"
    if ours is None and theirs == b"" and part[:8] == [b"text", b"plain", [b"charset", b"us-ascii"], None, None, b"7bit", 0, 0]:
        # The grammar wants a part in every multipart, so both servers show an empty one. There is none to fetch.
        return "part of a multipart without parts"
    if ours is None and not is_there and numbers[-1] == 1 and len(numbers) > 1:
        # RFC 9051 6.4.5.1 numbers the parts of multiparts and of messages. Dovecot takes one number 1 too many.
        above = ".".join(str(number) for number in numbers[:-1])
        if theirs == message.theirs.get(f"{kind}[{above}{text or ''}]"):
            return "number 1 of a part that has no parts"
    return None if kind == "BODY" else binary_rule(part, theirs)


def binary_rule(part, theirs):
    if part is None:
        return None
    if is_multipart(part) or part[0] == b"message":
        # RFC 3516 4.3 removes the encoding of the section, and these have none. Dovecot decodes the parts inside and writes
        # other headers for them, so that the octets are those of no section; BINARY.SIZE does not fit them always.
        return "BINARY of a part that holds parts"
    if theirs == "refused: UNKNOWN-CTE" and part[5] in (b"uuencode", b"x-uuencode", b"x-uue"):
        return "uuencode, which Dovecot does not decode"
    if theirs == "refused: UNKNOWN-CTE" and part[5] in (b"7bit", b"8bit", b"quoted-printable", b"base64"):
        # BINARY.SIZE of a part that Dovecot gives without ado, refused because of another part's encoding.
        return "BINARY.SIZE refused because of another part"
    if theirs in ("refused: PARSE", "refused: CLOSED"):
        # RFC 2045 6.8: characters outside the alphabet must be ignored. Dovecot refuses, or hangs up in the middle of the literal.
        return "damaged encoding, decoded as far as it goes"
    return None


# ---- the table of messages ----

STRUCTURE = ("BODY", "BODYSTRUCTURE")
PARTS = ("BODY", "BODYSTRUCTURE", "BINARY", "BINARY.SIZE")
ENVELOPE = ("ENVELOPE", "BODY", "BODYSTRUCTURE")  # also of the messages inside

# (category, items, messages). "BODY" stands for BODY[...] too.
MESSAGES = [
    # RFC 2045 5.2: what can't be read as a type is text/plain in us-ascii. Dovecot shows a part of type "" and subtype "".
    ("Content-Type that can't be read", STRUCTURE, {
        "made-nasty/hdr-empty-values.eml", "made-nasty/mutated-00.eml", "made-nasty/mutated-10.eml", "made-nasty/mutated-21.eml",
        "made-nasty/mutated-29.eml", "made-nasty/param-no-type.eml", "james-project/oneAttachmentWithEmptyContentType.eml",
        "mimekit/missing-subtype.eml", "mimekit/startrek.eml", "james-mime4j/multi-digest.eml"}),
    # A type with something wrong behind it (no semicolon, two of them, other fields' text folded into it) is read as far as it goes,
    # and its boundary is found where it has one. Dovecot shows a part of type "" with all the text, or no parts.
    ("Content-Type with something wrong in it", PARTS, {
        "gmime/jwz.eml", "gmime/substring.eml", "james-mime4j/double-semicolon.eml", "made-nasty/mutated-25.eml",
        "mail-parser/017-2.eml", "mimekit/content-length-summary.eml", "mimekit/content-length.mbox.eml",
        "mimekit/issue1189-summary.eml", "mimekit/jwz-summary.eml"}),
    # RFC 2046 5.1.1 allows 70 octets. Longer ones are compared whole; Dovecot looks at the first 80 or so.
    ("boundary that is too long", PARTS, {
        "james-mime4j/very-long-boundary.eml", "james-mime4j/very-very-long-boundary.eml", "mail-parser/016-2.eml"}),
    # RFC 2045 5.1 wants quotes around "=", "?" and "/": without them the value is taken to its evident end; Dovecot cuts it, and
    # then finds delimiters that are none.
    ("boundary without the quotes that it needs", STRUCTURE, {
        "mikel-mail/raw_email_bad_time.eml", "mikel-mail/raw_email_with_binary_encoded.eml",
        "mikel-mail/raw_email_with_illegal_boundary.eml", "wildduck/fix3.eml"}),
    # The same with other parameters: a file name with blanks is kept whole; empty values are kept; what follows a broken one too.
    ("parameter without the quotes that it needs", STRUCTURE, {
        "made-nasty/param-unquoted-spaces.eml", "james-project/space.eml", "mikel-mail/attachment_with_unquoted_name.eml",
        "james-project/incorrect-headers.mime.eml", "mail-parser/001-3.eml", "courier-libs/testsuite.txt.idn.eml"}),
    # RFC 2231 sections are joined and decoded, and given in UTF-8 as "name*" where the client takes no UTF-8, in place of a plain
    # parameter of the same name (section 4.1 is silent, RFC 6266 4.3 says so). Dovecot joins them and does not decode. 8-bit values
    # that nobody encoded are given the same way; Dovecot sends them as they are, in a literal.
    ("RFC 2231 parameters decoded", STRUCTURE, {
        "made-nasty/param-rfc2231-both.eml", "made-nasty/param-rfc2231-continued.eml", "made-nasty/param-unquoted-8bit.eml",
        "james-mime4j/attachment-filename-encoding-Latin1.eml", "james-mime4j/attachment-filename-encoding-Latin1.out.eml",
        "james-mime4j/attachment-filename-encoding-UTF8.eml", "james-mime4j/attachment-filename-encoding-UTF8.out.eml",
        "james-project/messageWithNonASCIIFilenameAttachment.eml", "james-project/james-3901.eml", "mail-parser/010-3.eml",
        "mail-parser/045.eml", "mikel-mail/attachment_nonascii_filename.eml", "mikel-mail/attachment_with_encoded_name.eml",
        "mikel-mail/attachment_with_quoted_filename.eml", "stalwart/009.eml", "stalwart/headers.eml",
        "flanker/outlook-express.eml"}),
    # "8 bit", "text/html", "quoted-printable;", nothing: shown as it is where it can be (RFC 2045 6.1 has the field hold one token),
    # and taken for what it must mean where that is plain. Dovecot says 7bit, and refuses to decode.
    ("Content-Transfer-Encoding that is no token", PARTS, {
        "mikel-mail/content_transfer_encoding_qp_with_space.eml", "mikel-mail/content_transfer_encoding_text-html.eml",
        "mikel-mail/content_transfer_encoding_with_semi_colon.eml", "mikel-mail/content_transfer_encoding_empty.eml",
        "mail-parser/004-4.eml"}),
    # A Content-Disposition without a kind is none (RFC 2183 section 2). Dovecot shows the kind "".
    ("empty Content-Disposition", STRUCTURE, {
        "mikel-mail/missing_content_disposition.eml", "mikel-mail/multiple_invalid_content_dispositions.eml"}),
    # Content-Language: en. Dovecot shows languages only where there is more than one.
    ("one language", STRUCTURE, {"stalwart/text_plain.eml", "stalwart/text_plain_chinese.eml"}),
    # RFC 2046 5.1.1: the line end before a delimiter belongs to the delimiter. Dovecot counts it to a message whose header it ends.
    ("line end after a header without end", PARTS, {
        "mail-parser/008-3.eml", "mail-parser/015-3.eml", "mail-parser/022-2.eml"}),
    # RFC 6532, RFC 9051 7.5.2. Dovecot 2.3 knows message/rfc822 only.
    ("message/global", PARTS, {"flanker/enclosed-global.eml"}),
    # RFC 5322 3.6 has them once. The first counts; Dovecot takes the last one, or the addresses of all.
    ("field that may be there once", ENVELOPE, {
        "mikel-mail/raw_email_multiple_from.eml", "mikel-mail/raw_email_with_binary_encoded.eml",
        "mikel-mail/raw_email_with_multipart_mixed_quoted_boundary.eml", "mail-parser/019-2.eml", "made-nasty/mutated-14.eml",
        "mail-mime-parser/m0010.eml"}),
    # Addresses that are not RFC 5322: each server makes out what it can; Twinpost loses none that follow, and no text.
    ("broken addresses", ENVELOPE, {
        "james-project/brokenReplyTo.eml", "made-nasty/addr-05.eml", "made-nasty/addr-17.eml", "made-nasty/addr-20.eml",
        "made-nasty/addr-21.eml", "made-nasty/eol-cr.eml", "made-nasty/mutated-21.eml", "made-nasty/mutated-23.eml",
        "mikel-mail/example11.eml", "mikel-mail/missing_body.eml", "mikel-mail/mix_caps_content_type.eml",
        "mikel-mail/raw_email_with_at_display_name.eml", "mikel-mail/weird_to_header.eml", "mimekit/feedback-report.eml",
        "mimekit/issue358.eml", "mimekit/message.rtf.eml", "mimekit/stack-overflow.eml", "stalwart/009.eml", "stalwart/arf1.eml",
        "stalwart/headers.eml", "stalwart/mixed.eml"}),
    # RFC 9051 section 9, CHAR8: a string can't hold it. Dovecot has U+FFFD in its place here, 0x80 in BODY[...].
    ("NUL in a header", ("ENVELOPE",), {"made-nasty/hdr-nul-in-subject.eml"}),
    # A line of a header without a colon: it goes with the field before it, as if it had been folded badly. Dovecot counts it as a
    # field of its own that nobody asks for.
    ("line that is no field", ("BODY",), {
        "james-mime4j/malformedHeader-nocrlfcrlf.eml", "made-nasty/mutated-21.eml", "mikel-mail/example13.eml",
        "mimekit/message.rtf.eml", "made-10", "made-11"}),
]


def table_category(message, item):
    for category, kinds, names in MESSAGES:
        if message.name in names and any(item == kind or item.startswith(kind + "[") for kind in kinds):
            return category
    return None


# ---- all together ----


def differences(message):
    for item in sorted(set(message.ours) | set(message.theirs)):
        ours = message.ours.get(item, "not there")
        theirs = message.theirs.get(item, "not there")
        yield from compare(message, item, (), ours, theirs)


def compare(message, item, path, ours, theirs):
    if ours == theirs:
        return
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (left, right) in enumerate(zip(ours, theirs)):
            yield from compare(message, item, path + (index,), left, right)
        return
    category = next((name for name, rule in RULES if rule(item, ours, theirs)), None)
    category = category or section_rule(message, item, ours, theirs) or table_category(message, item)
    yield Difference(message, item, path, ours, theirs, category)
