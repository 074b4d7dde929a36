// The IMAP client's reader of responses: any octets as a server's side of a session, cut into lines
// and literals as ImapClient does.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/ascii.h"
#include "tools/twinpost/transfer/imap_folders.h"
#include "tools/twinpost/transfer/imap_octets.h"
#include "tools/twinpost/transfer/imap_response.h"

namespace {

using namespace twinpost;
using namespace twinpost::tools;

void require(bool condition) {
  if (!condition) std::abort();
}

// A message for people must stay one line, whatever the server sent.
void require_one_line(const std::string& text) {
  require(text.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
}

void look_at(ImapWire wire) {
  auto response = parse_imap_response(std::move(wire));
  if (!response) return require_one_line(response.error().message);
  require_one_line(response->text);
  require_one_line(response->fault);
  require(response->fault.empty() || response->values.empty());
  if (const auto listed = read_list(*response)) {
    const auto plan = plan_folders({*listed}, {}, read_namespaces(*response), {});
    for (const MailFolder& folder : plan.folders) {
      require(!folder.name.empty() && ascii::is_utf8(folder.name));
      require_one_line(folder.name);
    }
  }
  auto fetched = read_fetch(*std::move(response));
  if (!fetched) return require_one_line(fetched.error().message);
  require(!fetched->uid || *fetched->uid != 0);
  if (fetched->octets) {
    const std::string octets = with_crlf(*std::move(fetched->octets));
    require(octets.empty() || octets.ends_with("\r\n"));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view octets(reinterpret_cast<const char*>(data), size);
  ImapWire wire;
  while (true) {
    const auto end = octets.find('\n');
    if (end == std::string_view::npos) return 0;
    std::string line(octets.substr(0, end));
    octets.remove_prefix(end + 1);
    if (line.ends_with('\r')) line.pop_back();
    // NetConnection refuses such a line.
    if (line.find('\0') != std::string::npos) return 0;
    const auto mark = literal_mark(line, wire.lines.empty());
    if (!mark) return 0;
    if (!*mark) {
      wire.lines.push_back(std::move(line));
      look_at(std::exchange(wire, {}));
      continue;
    }
    require((*mark)->begin < line.size());
    if ((*mark)->octets > octets.size()) return 0;
    line.resize((*mark)->begin);
    wire.lines.push_back(std::move(line));
    wire.literals.emplace_back(octets.substr(0, (*mark)->octets));
    octets.remove_prefix((*mark)->octets);
  }
}
