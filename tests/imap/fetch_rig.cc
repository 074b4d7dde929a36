#include "tests/imap/fetch_rig.h"

#include <stdexcept>

#include "core/base/ascii.h"
#include "tests/mail/support.h"

namespace twinpost::imap::test {

namespace {

class ResponseReader {
 public:
  explicit ResponseReader(std::string_view octets) : rest_(octets) {}

  std::vector<FetchResponse> all() {
    std::vector<FetchResponse> responses;
    while (!rest_.empty()) responses.push_back(response());
    return responses;
  }

 private:
  [[noreturn]] void raise_failure(const std::string& what) const {
    throw std::runtime_error(what + " at: " + ascii::printable(rest_, 60));
  }
  void expect(std::string_view text) {
    if (!rest_.starts_with(text)) raise_failure("expected " + ascii::printable(text));
    rest_.remove_prefix(text.size());
  }
  bool accept(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  std::string take(std::size_t count) {
    if (count > rest_.size()) raise_failure("it ends too early");
    std::string taken(rest_.substr(0, count));
    rest_.remove_prefix(count);
    return taken;
  }
  std::uint64_t number() {
    std::size_t digits = 0;
    while (digits < rest_.size() && ascii::is_digit(rest_[digits])) ++digits;
    const auto value = ascii::parse_number<std::uint64_t>(rest_.substr(0, digits));
    if (!value) raise_failure("expected a number");
    rest_.remove_prefix(digits);
    return *value;
  }

  FetchResponse response() {
    FetchResponse response;
    expect("* ");
    response.number = static_cast<SequenceNumber>(number());
    expect(" FETCH (");
    do {
      const std::string name = item_name();
      expect(" ");
      char form = 'a';
      std::string text = value(form);
      if (!response.items.emplace(name, std::move(text)).second) raise_failure("twice: " + name);
      response.forms[name] = form;
    } while (accept(" "));
    expect(")\r\n");
    return response;
  }

  std::string item_name() {
    std::string name;
    bool in_section = false;
    while (!rest_.empty() && (in_section || rest_.front() != ' ')) {
      if (in_section && (rest_.front() == '"' || rest_.front() == '{')) {
        char form = 0;
        name += value(form);
        continue;
      }
      in_section = (in_section || rest_.front() == '[') && rest_.front() != ']';
      name += take(1);
    }
    return name;
  }

  std::string value(char& form) {
    if (accept("NIL")) {
      form = 'n';
      return "NIL";
    }
    if (rest_.starts_with("\"")) {
      form = 'q';
      return quoted();
    }
    const bool is_literal8 = accept("~");
    if (accept("{")) {
      form = is_literal8 ? '8' : 'l';
      const std::uint64_t size = number();
      expect("}\r\n");
      std::string octets = take(size);
      if (!is_literal8 && octets.find('\0') != std::string::npos) raise_failure("NUL in a literal");
      return octets;
    }
    if (rest_.starts_with("(")) {
      form = '(';
      return list();
    }
    form = 'a';
    std::size_t end = 0;
    while (end < rest_.size() && rest_[end] != ' ' && rest_[end] != ')' && rest_[end] != '\r')
      ++end;
    if (end == 0) raise_failure("expected a value");
    return take(end);
  }

  std::string quoted() {
    expect("\"");
    std::string text;
    while (!accept("\"")) {
      if (accept("\\") && !rest_.starts_with("\"") && !rest_.starts_with("\\")) {
        raise_failure("bad quoting");
      }
      text += take(1);
      if (text.back() == '\r' || text.back() == '\n') raise_failure("line end in a quoted string");
    }
    return text;
  }

  // As it is on the wire, with the right number of parentheses.
  std::string list() {
    const std::string_view begin = rest_;
    int depth = 0;
    do {
      if (accept("(")) {
        ++depth;
      } else if (accept(")")) {
        --depth;
      } else if (rest_.starts_with("\"") || rest_.starts_with("{")) {
        char form = 0;
        value(form);
      } else if (rest_.starts_with("\r") || rest_.starts_with("\n")) {
        raise_failure("line end in a list");
      } else {
        take(1);
      }
    } while (depth > 0);
    return std::string(begin.substr(0, begin.size() - rest_.size()));
  }

  std::string_view rest_;
};

}  // namespace

const std::string& FetchResponse::at(const std::string& name) const {
  const auto found = items.find(name);
  if (found == items.end()) throw std::runtime_error("no item " + name);
  return found->second;
}

std::vector<FetchResponse> parse_responses(std::string_view octets) {
  return ResponseReader(octets).all();
}

FetchRig::FetchRig() { select(); }

store::Uid FetchRig::deliver(std::string_view text, const std::string& prefix,
                             store::FlagBits flags, std::vector<std::string> keywords) {
  return deliver_octets(mail::crlf(text), prefix, flags, std::move(keywords));
}

store::Uid FetchRig::deliver_octets(std::string_view octets, const std::string& prefix,
                                    store::FlagBits flags, std::vector<std::string> keywords) {
  store::AppendRequest request = store::test::request_of(octets);
  request.prefix = prefix;
  request.flags = flags;
  request.keywords = std::move(keywords);
  return fixture.append(fixture.inbox, request).uid;
}

void FetchRig::select() {
  selected.key = fixture.inbox;
  const auto info = fixture.info(fixture.inbox);
  selected.keywords = info.keywords;
  selected.known = info.highest_modseq;
  const auto uids =
      fixture.read([&](const store::ReadView& view) { return view.uids(fixture.inbox); });
  selected.uids = std::make_shared<const UidList>(UidList(uids));
}

void FetchRig::expunge(std::vector<std::uint32_t> uids) {
  const std::vector<store::Uid> gone(uids.begin(), uids.end());
  fixture.write([&](store::WriteTxn& txn) { return txn.expunge(fixture.inbox, gone, {}); });
}

void FetchRig::set_flags(std::vector<std::uint32_t> uids, store::FlagBits flags) {
  const std::vector<store::Uid> changed(uids.begin(), uids.end());
  store::FlagChange change;
  change.flags = flags;
  fixture.write(
      [&](store::WriteTxn& txn) { return txn.change_flags(fixture.inbox, changed, change); });
}

std::string FetchRig::fetch_from(store::Store& store, std::string_view command) {
  CommandReader reader;
  const Step step = reader.line("a " + std::string(command));
  if (step.kind != Step::Kind::kComplete) throw std::runtime_error(reader.refusal().text);
  const Fetch& fetch = std::get<Fetch>(reader.command().arguments);
  NumberSet uids = store::test::must(selected.resolve(fetch.set, fetch.uid));
  if (fetch.partial) uids = fetch.partial->select(uids);
  const FetchPlan plan(fetch, selected.read_only);
  const FetchView view{selected, style};
  FetchWalk walk(store, plan, view, uids, slices);
  marks_seen = plan.marks_seen;
  unseen.clear();
  slice_octets.clear();
  broken.reset();
  std::string all;
  std::string out;
  for (bool is_last = false; !is_last;) {
    const auto slice = store::test::must(
        store.read_now([&](const store::ReadView& now) -> Result<FetchWalk::Slice> {
          return walk.next(now, out);
        }));
    if (slice.broken) {
      broken = slice.broken;
      break;
    }
    is_last = slice.is_last;
    all += out;
    slice_octets.push_back(out.size());
    for (const store::MessageRecord& record : slice.unseen) unseen.push_back(record.uid.value());
  }
  troubles = walk.troubles();
  return all;
}

FetchResponse FetchRig::one(std::string_view command) {
  const auto responses = parse_responses(fetch(command));
  if (responses.size() != 1) throw std::runtime_error("not one response");
  return responses.front();
}

std::string FetchRig::item(std::string_view item, std::uint32_t number) {
  auto response = one("FETCH " + std::to_string(number) + " " + std::string(item));
  // An unseen message's flags come with what makes it seen.
  if (!item.starts_with("FLAGS")) response.items.erase("FLAGS");
  if (response.items.size() != 1) throw std::runtime_error("not one item");
  return response.items.begin()->second;
}

}  // namespace twinpost::imap::test
