// The texts of transcripts: lines with wildcards, and messages of an exact size.
//
// Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twinpost::testing {

// What `<<name>>` stood for when it was first seen in a transcript.
using Captures = std::map<std::string, std::string>;

// Whether a server's line is what `pattern` says. "..." stands for anything, also nothing;
// "<<name>>" for a run of octets without a blank, the same one wherever the name comes again.
// Captures are kept on a match only.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view line, Captures& captures);

// What a client sends: quotes around the whole are taken off, {plain:USER:PASSWORD} and
// {plain:AUTHZID:USER:PASSWORD} become the base64 of SASL PLAIN, <<name>> what was captured.
[[nodiscard]] std::string expand(std::string_view text, const Captures& captures);

// A message of exactly `octets` octets (30 at least), canonical, with a header, and with lines that
// begin with dots where there is room. `seed` makes it differ from others of that size.
[[nodiscard]] std::string make_message(std::uint64_t octets, std::uint64_t seed);

// "300ms", "2s", "10min"
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// Blank-separated; "in quotes" is one word.
[[nodiscard]] std::vector<std::string> words_of(std::string_view text);

}  // namespace twinpost::testing
