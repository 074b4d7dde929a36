#include "tools/twinpost/transfer/maildir_uidlist.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/base/ascii.h"
#include "tools/twinpost/transfer/maildir_files.h"
#include "tools/twinpost/transfer/maildir_names.h"

namespace twinpost::tools {

namespace {

constexpr std::size_t kLongestLine = 8192;
constexpr std::uint32_t kHighestUid = 0xffff'fffe;

std::string_view take_word(std::string_view& line) {
  const auto end = line.find(' ');
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end == std::string_view::npos ? line.size() : end);
  while (line.starts_with(' ')) line.remove_prefix(1);
  return word;
}

std::uint32_t number_of(std::string_view text) {
  return ascii::parse_number<std::uint32_t>(text).value_or(0);
}

bool is_object_id(std::string_view text) {
  return !text.empty() && text.size() <= 255 && std::all_of(text.begin(), text.end(), [](char c) {
    return ascii::is_alnum(c) || c == '-' || c == '_';
  });
}

class Reader {
 public:
  explicit Reader(UidList& list) : list_(list) {}

  bool header(std::string_view line) {
    version_ = number_of(take_word(line));
    if (version_ == 1) {
      list_.uid_validity = store::UidValidity(number_of(take_word(line)));
      next_ = number_of(take_word(line));
    } else if (version_ == 3) {
      while (!line.empty()) extension(take_word(line));
    } else {
      ++list_.bad_lines;
    }
    return version_ == 1 || version_ == 3;
  }

  void record(std::string_view line) {
    UidListRecord record;
    const std::string_view number = take_word(line);
    const std::uint32_t uid = number_of(number);
    while (version_ == 3 && !line.empty() && !line.starts_with(':')) field(record, take_word(line));
    if (version_ == 3) line.remove_prefix(std::min<std::size_t>(1, line.size()));
    if (line.empty() || line.find('/') != std::string_view::npos) {
      ++list_.bad_lines;
      return;
    }
    record.file = std::string(parse_file_name(line).base);
    if (uid > last_ && uid <= kHighestUid) {
      record.uid = store::Uid(uid);
      last_ = uid;
    } else {
      ++list_.bad_lines;
    }
    // The same file once more: a server that put it back gave it a new UID. One without any does not count.
    const std::string name(lasting_name(record.file));
    const auto known = list_.by_name.find(name);
    if (known != list_.by_name.end() && record.uid.value() == 0) return;
    list_.by_name[name] = list_.records.size();
    list_.records.push_back(std::move(record));
  }

  void finish() {
    const std::uint32_t after = last_ == 0 ? 0 : last_ + 1;
    list_.uid_next = store::Uid(std::max(next_, after));
  }

 private:
  void extension(std::string_view word) {
    const std::string_view value = word.substr(1);
    if (word.front() == 'V') list_.uid_validity = store::UidValidity(number_of(value));
    if (word.front() == 'N') next_ = number_of(value);
    if (word.front() == 'G' && is_object_id(value)) list_.guid = std::string(value);
  }
  static void field(UidListRecord& record, std::string_view word) {
    if (word.front() == 'P') record.uidl = std::string(word.substr(1));
    if (word.front() == 'G') record.guid = std::string(word.substr(1));
  }

  UidList& list_;
  std::uint32_t version_ = 0;
  std::uint32_t next_ = 0;
  std::uint32_t last_ = 0;
};

}  // namespace

const UidListRecord* UidList::find(std::string_view lasting_name) const {
  const auto found = by_name.find(std::string(lasting_name));
  return found == by_name.end() ? nullptr : &records[found->second];
}

Result<UidList> read_uidlist(int fd) {
  UidList list;
  Reader reader(list);
  bool first = true;
  auto read = for_each_line(
      fd, kLongestLine,
      [&](std::string_view line) {
        if (std::exchange(first, false)) return reader.header(line);
        if (!line.empty()) reader.record(line);
        return true;
      },
      &list.bad_lines);
  if (!read) return tl::unexpected(read.error());
  reader.finish();
  return list;
}

std::string dovecot_uidlist(const UidList& list) {
  std::string text = fmt::format("3 V{} N{}", list.uid_validity.value(), list.uid_next.value());
  if (!list.guid.empty()) text += " G" + list.guid;
  text += '\n';
  for (const UidListRecord& record : list.records) {
    text += std::to_string(record.uid.value());
    if (record.uidl) text += " P" + *record.uidl;
    if (!record.guid.empty()) text += " G" + record.guid;
    text += fmt::format(" :{}\n", record.file);
  }
  return text;
}

}  // namespace twinpost::tools
