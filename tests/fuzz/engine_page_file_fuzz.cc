// A data file of any octets: its pages, its heads, and a walk over whatever trees it has.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

#include "store/engine/page_walk.h"

using namespace twinpost;

namespace {

struct Counter final : engine::WalkVisitor {
  void entry(std::string_view, std::string_view key, std::string_view,
             engine::ValuePlace) override {
    if (key.empty()) std::abort();
    ++entries;
  }
  void damage(std::string_view, std::string what, engine::KeyRange) override {
    if (what.empty()) std::abort();
  }
  std::uint64_t entries = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  (void)engine::parse_tree(octets.substr(0, 48));
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{2}}) {
    (void)engine::parse_page(octets.substr(0, 4096), number);
  }
  engine::for_each_possible_node(octets.substr(0, 4096), [&](const engine::PageNode& node) {
    if (node.key.empty()) std::abort();
  });
  const int fd = ::memfd_create("page_file", MFD_CLOEXEC);
  if (fd < 0) return 0;
  if (size > 0 && ::write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  const auto file = engine::PageFile::open("/proc/self/fd/" + std::to_string(fd));
  if (file) {
    for (const engine::FileHead& head : file->heads()) {
      // A list of pages may be as long as the head claims, never longer than the file.
      Counter counter;
      engine::WalkOptions options;
      options.overflow_heads = true;
      engine::PageWalk walk(*file, head);
      walk.run(counter, options);
      if (counter.entries > size) std::abort();
    }
    (void)file->heads_agree();
  }
  ::close(fd);
  return 0;
}
