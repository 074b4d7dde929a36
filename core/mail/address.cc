#include "core/mail/address.h"

#include <optional>
#include <utility>

#include "core/mail/structured.h"

namespace twinpost::mail {

namespace {

// What ends an atom here. Dots, brackets, backslashes and 8-bit octets may be part of one: local
// parts and domains are not checked, they are shown.
bool is_atom_octet(char c) {
  return !is_wsp(c) && std::string_view("()<>@,;:\"").find(c) == std::string_view::npos;
}

// Words in a row, as they will be shown: quotes off, one space where there was a blank or a comment
// between them.
class Phrase {
 public:
  void add(std::string_view word, bool quoted, bool after_blank) {
    const bool dotted = (!text_.empty() && text_.back() == '.') || word.starts_with('.');
    if (words_ > 0 && (after_blank || quoted || quoted_)) {
      if (!dotted) plain_local_ = false;
      last_ = text_.size() + 1;
      before_last_ = text_.size();
      text_ += ' ';
      spaced_dots_ = spaced_dots_ || dotted;
    }
    ++words_;
    quoted_ = quoted;
    any_quoted_ = any_quoted_ || quoted;
    text_ += word;
  }
  void clear() { *this = Phrase(); }
  [[nodiscard]] bool empty() const { return words_ == 0; }
  [[nodiscard]] bool one_word() const { return plain_local_; }
  [[nodiscard]] bool any_quoted() const { return any_quoted_; }
  [[nodiscard]] const std::string& text() const { return text_; }
  // obs-local-part, obs-domain: blanks around dots mean nothing (RFC 5322 4.4).
  [[nodiscard]] std::string joined() const {
    if (!spaced_dots_ || !plain_local_) return text_;
    std::string out;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      const bool beside_dot = text_[i] == ' ' && ((i > 0 && text_[i - 1] == '.') ||
                                                  (i + 1 < text_.size() && text_[i + 1] == '.'));
      if (!beside_dot) out += text_[i];
    }
    return out;
  }
  // "John Smith john" before an "@": the last word is the local part, the others a name.
  [[nodiscard]] std::string last_word() const { return text_.substr(last_); }
  [[nodiscard]] std::string all_but_last() const { return text_.substr(0, before_last_); }

 private:
  std::string text_;
  std::size_t words_ = 0;
  std::size_t last_ = 0;
  std::size_t before_last_ = 0;
  bool quoted_ = false;
  bool any_quoted_ = false;
  bool plain_local_ = true;  // one word, or words that dots hold together
  bool spaced_dots_ = false;
};

std::optional<std::string> name_or_none(std::string name) {
  if (name.empty()) return std::nullopt;
  return name;
}

class AddressParser {
 public:
  AddressParser(std::string_view text, std::size_t limit) : text_(text), limit_(limit) {}

  ParsedAddresses run() {
    while (at_ < text_.size() && !result_.cut) step();
    finish_mailbox();
    if (in_group_) {
      result_.malformed = true;
      close_group();
    }
    return std::move(result_);
  }

 private:
  void step() {
    const char c = text_[at_];
    if (is_wsp(c)) {
      blank_ = true;
      ++at_;
    } else if (c == '(') {
      std::string comment;
      at_ = skip_comment(text_, at_, &comment);
      if (!comment.empty()) comment_ = std::move(comment);
      blank_ = true;
    } else if (c == ',') {
      ++at_;
      finish_mailbox();
    } else if (c == ';') {
      ++at_;
      finish_mailbox();
      if (in_group_) {
        close_group();
      } else {
        result_.malformed = true;
      }
    } else if (c == ':') {
      colon();
    } else if (c == '<') {
      angle();
    } else if (c == '@') {
      addr_spec();
    } else if (c == '>' || c == ')') {
      ++at_;
      result_.malformed = true;
    } else {
      read_word();
    }
  }

  // A quoted string or an atom, into the phrase.
  void read_word() {
    const bool quoted = text_[at_] == '"';
    std::string word;
    if (quoted) {
      bool closed = false;
      at_ = read_quoted_string(text_, at_, word, &closed);
      if (!closed) result_.malformed = true;
    } else {
      word = read_atom();
    }
    phrase_.add(word, quoted, blank_);
    blank_ = false;
  }

  std::string read_atom() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_atom_octet(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  void colon() {
    ++at_;
    if (in_group_ || have_address_ || phrase_.empty()) {
      result_.malformed = true;
      blank_ = true;
      return;
    }
    Address start;
    start.mailbox = phrase_.text();
    in_group_ = add(std::move(start));
    reset_mailbox();
  }

  // "@": what the phrase has is a local part, the domain follows.
  void addr_spec() {
    ++at_;
    if (have_address_ &&
        phrase_.empty()) {  // "a@b@c": the rest belongs to the host, as it was written
      result_.malformed = true;
      *address_.host += '@';
      *address_.host += read_domain();
      return;
    }
    if (have_address_) {  // "<a@b> c@d": a comma is missing
      result_.malformed = true;
      Phrase next = std::move(phrase_);
      phrase_.clear();
      finish_mailbox();
      phrase_ = std::move(next);
    }
    have_address_ = true;
    if (phrase_.one_word()) {
      address_.mailbox = phrase_.joined();
    } else {
      result_.malformed = true;
      address_.mailbox = phrase_.last_word();
      address_.name = name_or_none(phrase_.all_but_last());
    }
    if (phrase_.empty()) result_.malformed = true;
    phrase_.clear();
    address_.host = read_domain();
  }

  // Atoms and dots with CFWS around the dots, or a literal in brackets; "" where there is none.
  std::string read_domain() {
    Phrase domain;
    bool blank = false;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (is_wsp(c)) {
        blank = true;
        ++at_;
      } else if (c == '(') {
        std::string comment;
        at_ = skip_comment(text_, at_, &comment);
        if (!comment.empty()) comment_ = std::move(comment);
        blank = true;
      } else if (c == '[' && domain.empty()) {
        domain.add(read_literal(), false, false);
      } else if (is_atom_octet(c)) {
        const bool dotted = c == '.' || (!domain.empty() && domain.text().back() == '.');
        if (!domain.empty() && blank && !dotted) break;  // a word of its own
        domain.add(read_atom(), false, blank);
        blank = false;
      } else {
        break;
      }
    }
    blank_ = true;
    if (domain.empty()) result_.malformed = true;
    return domain.joined();
  }

  std::string read_literal() {
    std::string out;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (!is_wsp(c)) out += c;
      if (c == ']') return out;
    }
    result_.malformed = true;
    return out;
  }

  // "<": [route] local-part "@" domain ">".
  void angle() {
    ++at_;
    if (have_address_ && angle_) {  // a comma is missing between two mailboxes
      result_.malformed = true;
      Phrase next = std::move(phrase_);
      phrase_.clear();
      finish_mailbox();
      phrase_ = std::move(next);
    } else if (have_address_) {  // a@b <a@b>: the first one is a display name without its quotes
      result_.malformed = true;
      std::string name = address_.name ? *address_.name + " " : std::string();
      name += *address_.mailbox + "@" + *address_.host;
      if (!phrase_.empty()) name += " " + phrase_.text();
      phrase_.clear();
      phrase_.add(name, false, false);
    }
    address_ = Address();
    address_.name = name_or_none(phrase_.text());
    phrase_.clear();
    have_address_ = true;
    angle_ = true;
    skip_extra_brackets();
    read_route();
    read_angle_local();
    address_.mailbox = phrase_.joined();
    if (phrase_.empty() || !phrase_.one_word()) result_.malformed = true;
    phrase_.clear();
    if (!address_.host) address_.host = read_angle_host();
    close_angle();
    blank_ = true;
  }

  void skip_extra_brackets() {
    at_ = skip_cfws(text_, at_);
    while (at_ < text_.size() && text_[at_] == '<') {
      result_.malformed = true;
      at_ = skip_cfws(text_, at_ + 1);
    }
  }

  // obs-route: "@a,@b:". Without its colon what is there can only be a host (RFC 5322 4.4).
  void read_route() {
    std::string route;
    std::string last;
    while (at_ < text_.size() && text_[at_] == '@') {
      ++at_;
      last = read_domain();
      if (!route.empty()) route += ',';
      route += '@' + last;
      while (at_ < text_.size() && (is_wsp(text_[at_]) || text_[at_] == '(' || text_[at_] == ',')) {
        at_ = text_[at_] == ',' ? at_ + 1 : skip_cfws(text_, at_);
      }
    }
    if (route.empty()) return;
    if (at_ < text_.size() && text_[at_] == ':') {
      ++at_;
      address_.route = std::move(route);
      return;
    }
    result_.malformed = true;
    address_.host = std::move(last);
  }

  void read_angle_local() {
    blank_ = false;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '@' || c == '>' || c == ',' || c == '<') return;
      if (is_wsp(c) || c == '(') {
        at_ = skip_cfws(text_, at_);
        blank_ = true;
      } else if (c == ':' || c == ';' || c == ')') {  // <mailto:a@b>
        result_.malformed = true;
        phrase_.add(text_.substr(at_, 1), false, false);
        ++at_;
      } else {
        read_word();
      }
    }
  }

  std::string read_angle_host() {
    if (at_ >= text_.size() || text_[at_] != '@') {
      result_.malformed = true;
      return {};
    }
    ++at_;
    return read_domain();
  }

  // To the ">", over what else is in the brackets; a comma or another "<" shows that the ">" was
  // forgotten.
  void close_angle() {
    while (at_ < text_.size() && text_[at_] != '>') {
      if (text_[at_] == ',' || text_[at_] == '<') {
        result_.malformed = true;
        return;
      }
      if (is_wsp(text_[at_]) || text_[at_] == '(') {
        at_ = skip_cfws(text_, at_);
        continue;
      }
      result_.malformed = true;
      if (text_[at_] == '"') {
        std::string ignored;
        at_ = read_quoted_string(text_, at_, ignored);
      } else {
        ++at_;
      }
    }
    if (at_ < text_.size()) {
      ++at_;
    } else {
      result_.malformed = true;
    }
  }

  void finish_mailbox() {
    if (have_address_) {
      if (!phrase_.empty()) result_.malformed = true;  // words behind an address mean nothing
      if (!address_.name && !angle_) address_.name = name_or_none(comment_);
      add(std::move(address_));
    } else if (!phrase_.empty()) {
      // No "@" at all: one plain word is taken for a mailbox of this host, more for a name.
      result_.malformed = true;
      Address address;
      address.host = "";
      if (phrase_.one_word() && !phrase_.any_quoted()) {
        address.mailbox = phrase_.joined();
        address.name = name_or_none(comment_);
      } else {
        address.mailbox = "";
        address.name = name_or_none(phrase_.text());
      }
      add(std::move(address));
    }
    reset_mailbox();
  }

  void reset_mailbox() {
    address_ = Address();
    phrase_.clear();
    comment_.clear();
    have_address_ = false;
    angle_ = false;
    blank_ = false;
  }

  bool add(Address address) {
    if (result_.list.size() >= limit_) {
      result_.cut = true;
      return false;
    }
    result_.list.push_back(std::move(address));
    return true;
  }

  void close_group() {
    result_.list.emplace_back();
    in_group_ = false;
  }

  std::string_view text_;
  std::size_t limit_;
  std::size_t at_ = 0;
  ParsedAddresses result_;
  Address address_;      // of the mailbox that is being read
  Phrase phrase_;        // words that have not found their place yet
  std::string comment_;  // the last comment in this mailbox
  bool have_address_ = false;
  bool angle_ = false;
  bool in_group_ = false;
  bool blank_ = false;  // blanks or a comment since the last word
};

}  // namespace

ParsedAddresses parse_addresses(std::string_view value, std::size_t limit) {
  return AddressParser(value, limit).run();
}

}  // namespace twinpost::mail
