#include "core/config/json_text.h"

#include <doctest/doctest.h>
#include <string>

using namespace twinpost;
using namespace twinpost::config;

namespace {

std::string error_of(std::string_view text) {
  const auto parsed = parse_json(text, "f.json");
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == ErrorCode::kInvalid);
  CHECK(parsed.error().message.find('\n') == std::string::npos);
  return parsed.error().message;
}

std::string nested(std::size_t levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

}  // namespace

TEST_CASE("JSON keeps the order of its keys") {
  const auto parsed = parse_json(R"({"b":1,"a":[true,null,"x"],"c":{"z":0.5,"y":-1}})", "f");
  REQUIRE(parsed);
  CHECK(parsed->dump() == R"({"b":1,"a":[true,null,"x"],"c":{"z":0.5,"y":-1}})");
}

TEST_CASE("broken JSON is told by line and column") {
  CHECK(error_of("{\n  \"a\": 1,\n  b: 2\n}") ==
        "f.json: line 3, column 3: not valid JSON: invalid literal");
  CHECK(error_of("") ==
        "f.json: line 1, column 1: not valid JSON: unexpected end of input; expected '[', '{', or "
        "a literal");
  CHECK(error_of("{\"a\": 1,}") ==
        "f.json: line 1, column 9: not valid JSON: unexpected '}'; expected string literal");
  CHECK(error_of("{} {}") ==
        "f.json: line 1, column 4: not valid JSON: unexpected '{'; expected end of input");
  CHECK(error_of("{\"a\": 1e999}") ==
        "f.json: line 1, column 11: not valid JSON: a number is out of range");
  CHECK(error_of("// comment\n{}").starts_with("f.json: line 1, column 1: not valid JSON: "));
  CHECK(error_of("\"\xff\"").starts_with("f.json: line 1, column 2: not valid JSON: "));
}

TEST_CASE("an error about broken JSON quotes nothing of it, since it may be a password") {
  const std::string error = error_of("{\"password\": \"hunter2\n\"}");
  CHECK(error.find("hunter2") == std::string::npos);
  CHECK(error.starts_with("f.json: line 1, column 22: not valid JSON: invalid string: "));
  CHECK(error_of("{\"password\": hunter2}").find("hunter") == std::string::npos);
}

TEST_CASE("a key that is in an object twice is an error that says where") {
  CHECK(error_of("{\"a\": {\n \"b\": 1,\n \"b\": 2}}") ==
        "f.json: line 3, column 4: a.b is there twice");
  CHECK(error_of(R"({"a": [{}, {"x y": {"k": 1, "k": 1}}]})") ==
        "f.json: line 1, column 31: a[1].\"x y\".k is there twice");
  CHECK(parse_json(R"({"a": {"k": 1}, "b": {"k": 1}})", "f"));
}

TEST_CASE("nesting is bounded at 64 levels") {
  CHECK(parse_json(nested(64), "f"));
  CHECK(error_of(nested(65)) == "f.json: line 1, column 65: nested deeper than 64 levels");
  CHECK(error_of(std::string(1'000'000, '[')) ==
        "f.json: line 1, column 65: nested deeper than 64 levels");
}

TEST_CASE("an object of many keys takes no quadratic time") {
  std::string text = "{";
  for (int i = 0; i < 100'000; ++i)
    text += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  text.back() = '}';
  const auto parsed = parse_json(text, "f");  // minutes, were it quadratic
  REQUIRE(parsed);
  CHECK(parsed->size() == 100'000);
}
