// Random searches of random messages, against a search that is simple enough to be right by looking
// at it: every message is a value in memory, every key is tested alone.
#include <doctest/doctest.h>
#include <random>
#include <set>
#include <string>

#include "core/mail/unicode.h"
#include "tests/imap/search_support.h"

using namespace twinpost;
using namespace twinpost::imap;
using namespace twinpost::imap::test;
using namespace std::chrono_literals;

namespace {

const std::vector<std::string> kWords = {"alpha", "Beta", "grün", "ÄRGER", "x", "foo bar", "日本"};

struct Message {
  std::uint32_t uid = 0;
  bool is_gone = false;  // removed; the client was not told
  bool is_told = false;  // removed; the client was told
  store::FlagBits flags = 0;
  bool has_keyword = false;
  std::int64_t received = 0;
  std::string subject;
  std::vector<std::string> tos;
  std::string body;
  std::uint64_t size = 0;
  std::uint64_t modseq = 0;
};

// A key as the client writes it and what it means.
struct Key {
  std::string text;
  std::function<Verdict(const Message&, std::uint32_t number)> test;
};

bool contains(std::string_view text, std::string_view needle) {
  return mail::unicode_casemap(text).find(mail::unicode_casemap(needle)) != std::string::npos;
}

// What needs the message itself is not known of one that is gone.
Key needing(std::string text, std::function<bool(const Message&)> test) {
  return {std::move(text), [test = std::move(test)](const Message& message, std::uint32_t) {
            if (message.is_gone) return Verdict::kUnknown;
            return test(message) ? Verdict::kYes : Verdict::kNo;
          }};
}

class Generator {
 public:
  explicit Generator(std::mt19937& random, std::uint32_t messages, std::uint32_t last_uid)
      : random_(random), messages_(messages), last_uid_(last_uid) {}

  Key key(int depth) {
    const auto which = pick(depth > 0 ? 15 : 12);
    switch (which) {
      case 0: return set("", messages_, false);
      case 1: return set("UID ", last_uid_ + 2, true);
      case 2: return {"ALL", [](const Message&, std::uint32_t) { return Verdict::kYes; }};
      case 3: return needing("SEEN", [](const Message& m) { return (m.flags & 1) != 0; });
      case 4: return needing("UNFLAGGED", [](const Message& m) { return (m.flags & 4) == 0; });
      case 5: return needing("KEYWORD $Work", [](const Message& m) { return m.has_keyword; });
      case 6: {
        const std::uint64_t size = 60 + pick(60);
        return needing("LARGER " + std::to_string(size),
                       [size](const Message& m) { return m.size > size; });
      }
      case 7:
        return needing("SINCE 10-Nov-2023",
                       [](const Message& m) { return m.received >= 1'699'574'400; });
      case 8: {
        const std::string word = this->word();
        return needing("SUBJECT " + word,
                       [word](const Message& m) { return contains(m.subject, plain(word)); });
      }
      case 9: {
        const std::string word = this->word();
        return needing("TO " + word, [word](const Message& m) {
          return std::any_of(m.tos.begin(), m.tos.end(),
                             [&](const std::string& to) { return contains(to, plain(word)); });
        });
      }
      case 10: {
        const std::string word = this->word();
        return needing("BODY " + word,
                       [word](const Message& m) { return contains(m.body, plain(word)); });
      }
      case 11: {
        const std::string word = this->word();
        return needing("TEXT " + word, [word](const Message& m) {
          return contains(m.body, plain(word)) || contains(m.subject, plain(word)) ||
                 std::any_of(m.tos.begin(), m.tos.end(),
                             [&](const std::string& to) { return contains(to, plain(word)); });
        });
      }
      case 12: return negation(key(depth - 1));
      case 13: return either(key(depth - 1), key(depth - 1));
      default: return both(key(depth - 1), key(depth - 1));
    }
  }

 private:
  std::uint32_t pick(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }
  std::string word() { return '"' + kWords[pick(static_cast<std::uint32_t>(kWords.size()))] + '"'; }
  static std::string plain(const std::string& quoted) {
    return quoted.substr(1, quoted.size() - 2);
  }

  Key set(std::string name, std::uint32_t most, bool by_uid) {
    std::set<std::uint32_t> numbers;
    std::string text;
    for (std::uint32_t i = 0; i <= pick(3); ++i) {
      std::uint32_t a = 1 + pick(most);
      std::uint32_t b = 1 + pick(most);
      if (!text.empty()) text += ',';
      text += std::to_string(a) + ':' + std::to_string(b);
      if (a > b) std::swap(a, b);
      for (std::uint32_t n = a; n <= b; ++n) numbers.insert(n);
    }
    return {name + text, [numbers, by_uid](const Message& m, std::uint32_t number) {
              return numbers.contains(by_uid ? m.uid : number) ? Verdict::kYes : Verdict::kNo;
            }};
  }
  static Key negation(Key inner) {
    return {"NOT " + inner.text, [test = inner.test](const Message& m, std::uint32_t n) {
              const Verdict verdict = test(m, n);
              if (verdict == Verdict::kUnknown) return verdict;
              return verdict == Verdict::kYes ? Verdict::kNo : Verdict::kYes;
            }};
  }
  static Key either(Key a, Key b) {
    return {"OR " + a.text + ' ' + b.text,
            [ta = a.test, tb = b.test](const Message& m, std::uint32_t n) {
              const Verdict x = ta(m, n);
              const Verdict y = tb(m, n);
              if (x == Verdict::kYes || y == Verdict::kYes) return Verdict::kYes;
              return x == Verdict::kUnknown ? x : y;
            }};
  }
  static Key both(Key a, Key b) {
    return {'(' + a.text + ' ' + b.text + ')',
            [ta = a.test, tb = b.test](const Message& m, std::uint32_t n) {
              const Verdict x = ta(m, n);
              const Verdict y = tb(m, n);
              if (x == Verdict::kNo || y == Verdict::kNo) return Verdict::kNo;
              return x == Verdict::kUnknown ? x : y;
            }};
  }

  std::mt19937& random_;
  std::uint32_t messages_;
  std::uint32_t last_uid_;
};

std::string random_words(std::mt19937& random) {
  std::string text = "-";
  for (std::size_t i = random() % 3; i > 0; --i) text += kWords[random() % kWords.size()] + "-";
  return text;
}

// A mailbox of random messages, some of them gone, of which the client knows some.
std::vector<Message> fill(SearchWorld& world, std::mt19937& random, std::size_t count) {
  std::vector<Message> messages;
  std::vector<store::Uid> gone;
  std::vector<store::Uid> told;
  for (std::size_t i = 0; i < count; ++i) {
    Message message;
    message.subject = random_words(random);
    message.tos = {random_words(random), random_words(random)};
    message.body = random_words(random);
    message.flags = static_cast<store::FlagBits>(random() % 32);
    message.has_keyword = random() % 3 == 0;
    message.received = 1'699'574'400 + (static_cast<std::int64_t>(random() % 11) - 5) * 43'200;
    auto request =
        store::test::request_of("Subject: " + message.subject + "\r\nTo: " + message.tos[0] +
                                "\r\nTo: " + message.tos[1] + "\r\n\r\n" + message.body + "\r\n");
    request.flags = message.flags;
    if (message.has_keyword) request.keywords = {"$work"};
    request.internal_date.time = UnixTime(std::chrono::seconds(message.received));
    const store::Uid uid = world.add(request);
    message.uid = uid.value();
    message.size = request.message->octets.size();
    const auto fate = random() % 10;
    message.is_gone = fate < 2;
    message.is_told = fate == 0;
    if (message.is_gone) gone.push_back(uid);
    if (message.is_told) told.push_back(uid);
    messages.push_back(std::move(message));
  }
  world.expunge(gone);
  world.uids.remove(told);
  std::erase_if(messages, [](const Message& message) { return message.is_told; });
  return messages;
}

}  // namespace

TEST_CASE("random searches find what a simple search finds") {
  std::mt19937 random(2024);
  std::size_t matches = 0;
  std::size_t tested = 0;
  for (int mailbox = 0; mailbox < 6; ++mailbox) {
    SearchWorld world;
    const std::vector<Message> messages = fill(world, random, 30 + random() % 120);
    const auto size = static_cast<std::uint32_t>(messages.size());
    Generator generator(random, size, messages.back().uid);
    for (int round = 0; round < 120; ++round) {
      const Key key = generator.key(4);
      NumberSet expected;
      for (std::uint32_t i = 0; i < size; ++i) {
        if (key.test(messages[i], i + 1) == Verdict::kYes) expected.add(messages[i].uid);
      }
      matches += expected.count();
      tested += size;
      const SearchSettings settings = round % 2 == 0 ? SearchSettings{} : SearchSettings{0ns, 7};
      const std::string found = world.search(key.text, settings);
      if (found != expected.to_string()) {
        FAIL_CHECK(key.text << " found " << found << ", not " << expected.to_string());
      }
      // From the end, and only some: the last ones of the same.
      const ParsedSearch parsed(key.text);
      const std::uint64_t some = 1 + random() % 5;
      const std::string latest = world.search(parsed.search(), {true, some}, settings);
      const PartialRange wanted{true, 1, static_cast<std::uint32_t>(some)};
      const auto as_set = [](const std::string& text) {
        return text.empty() ? NumberSet() : SequenceSet::parse(text)->resolve(0);
      };
      if (wanted.select(as_set(latest)) != wanted.select(expected)) {
        FAIL_CHECK(key.text << " found " << latest << " at the end of " << expected.to_string());
      }
      const std::string first = world.search(parsed.search(), {false, some}, settings);
      const PartialRange front{false, 1, static_cast<std::uint32_t>(some)};
      if (front.select(as_set(first)) != front.select(expected)) {
        FAIL_CHECK(key.text << " found " << first << " at the start of " << expected.to_string());
      }
    }
  }
  CHECK(matches > tested / 10);
  CHECK(matches < tested * 9 / 10);
}
