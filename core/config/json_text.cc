#include "core/config/json_text.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>
#include <vector>

#include "core/config/schema.h"

namespace twinpost::config {

namespace {

// Walks over the text and tells how far the parser has come.
class Cursor {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor(const char* at, std::size_t* consumed) : at_(at), consumed_(consumed) {}
  reference operator*() const { return *at_; }
  Cursor& operator++() {
    ++at_;
    ++*consumed_;
    return *this;
  }
  Cursor operator++(int) {
    Cursor before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Cursor& other) const { return at_ == other.at_; }  // and != by it

 private:
  const char* at_;
  std::size_t* consumed_;
};

// "line 3, column 7" of the octet before which `consumed` octets were read, that one included.
std::string position_text(std::string_view text, std::size_t consumed) {
  const std::size_t at = consumed == 0 ? 0 : std::min(consumed - 1, text.size());
  const std::string_view before = text.substr(0, at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.find_last_of('\n');
  const std::size_t column = line_start == std::string_view::npos ? at + 1 : at - line_start;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

// What is wrong, out of the library's "[json.exception...] ... - unexpected X; last read: 'TEXT';
// expected Y".
std::string reason(std::string_view what) {
  constexpr std::string_view kAfterPosition = " - ";
  if (what.find("number overflow") != std::string_view::npos) return "a number is out of range";
  const std::size_t start = what.find(kAfterPosition);
  if (start == std::string_view::npos) return "it can't be read";
  what.remove_prefix(start + kAfterPosition.size());
  return std::string(what.substr(0, what.find("; last read")));
}

// Builds the tree. Objects are filled past ordered_json's own insertion, which looks through all
// keys for every new one: that would take minutes for an accounts file of a hundred thousand
// people.
class TreeBuilder : public nlohmann::json_sax<Json> {
 public:
  TreeBuilder(std::string_view text, const std::size_t& consumed)
      : text_(text), consumed_(consumed) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return stop("not valid JSON: binary data"); }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    Level& level = open_.back();
    if (!level.seen.insert(name).second) return stop(path_to(name) + " is there twice");
    level.key = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    error_ = position_text(text_, position == 0 ? consumed_ : position) +
             ": not valid JSON: " + reason(error.what());
    return false;
  }

  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] Json take() { return std::move(root_); }

 private:
  struct Level {
    Json* value;
    std::string key;             // of an object, the one whose value comes next
    std::set<std::string> seen;  // of an object
  };

  bool stop(const std::string& what) {
    error_ = position_text(text_, consumed_) + ": " + what;
    return false;
  }

  Json* place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Level& level = open_.back();
    if (level.value->is_array()) {
      level.value->push_back(std::move(value));
      return &level.value->back();
    }
    using Pairs = Json::object_t::Container;
    Pairs& pairs = level.value->get_ref<Json::object_t&>();
    pairs.emplace_back(std::move(level.key), std::move(value));
    level.key.clear();
    return &pairs.back().second;
  }

  bool add(Json value) {
    place(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (open_.size() >= kMaxDepth) {
      return stop("nested deeper than " + std::to_string(kMaxDepth) + " levels");
    }
    open_.push_back(Level{place(std::move(value)), {}, {}});
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  [[nodiscard]] std::string path_to(const std::string& name) const {
    std::string path;
    for (const Level& level : open_) {
      if (&level == &open_.back()) break;
      if (level.value->is_array()) {
        path += '[' + std::to_string(level.value->size() - 1) + ']';
      } else {
        if (!path.empty()) path += '.';
        path += path_component(level.value->get_ref<const Json::object_t&>().back().first);
      }
    }
    return (path.empty() ? "" : path + '.') + path_component(name);
  }

  std::string_view text_;
  const std::size_t& consumed_;
  Json root_;
  std::vector<Level> open_;
  std::string error_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, const std::string& source) {
  std::size_t consumed = 0;
  TreeBuilder builder(text, consumed);
  const bool complete = Json::sax_parse(Cursor(text.data(), &consumed),
                                        Cursor(text.data() + text.size(), &consumed), &builder);
  if (complete && builder.error().empty()) return builder.take();
  return fail(ErrorCode::kInvalid, source + ": " + builder.error());
}

std::string_view type_name(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null: return "null";
    case Json::value_t::boolean: return "true or false";
    case Json::value_t::string: return "a string";
    case Json::value_t::array: return "a list";
    case Json::value_t::object: return "an object";
    default: return "a number";
  }
}

}  // namespace twinpost::config
