// A record of everything that a process does to the files under one folder, octet for octet and
// in order: what the power-cut test makes its images of.
//
// trace.cc is a shared library that stands before libc in the search for write(), fsync() and
// their like: linked to a program (or preloaded into it), it sees the calls of every library in
// the process. Until begin_trace() it only passes them on. Not seen: what is written through a
// mapping, and what libc writes for itself (stdio); a trace that lacks something is found out by
// replaying it to its end, which must give the folder itself.
//
// The file is a row of events, each a TraceEvent and `length` octets after it. The number of an
// event is its place in that row, from 0.
#pragma once

#include <cstdint>
#include <string_view>

namespace twinpost::powercut {

enum class Event : std::uint32_t {
  kCreate,      // a new file; octets: its path below the folder
  kWrite,       // `at`: the offset; octets: what was written
  kSize,        // `at`: the file's size from now on
  kSync,        // the whole file's writes before event `at` are on the disk
  kSyncRange,   // `at`: the event number of a write whose octets are on the disk (O_DSYNC)
  kSyncFolder,  // names given and taken in the folder before event `at` are on the disk
  kRename,      // octets: from, a zero octet, to
  kUnlink,      // octets: the path
  kMark,        // octets: what mark() was given
};

struct TraceEvent {
  Event kind = Event::kMark;
  std::uint32_t file = 0;  // given in turn by kCreate, from 0
  std::uint64_t at = 0;
  std::uint64_t length = 0;
};

}  // namespace twinpost::powercut

extern "C" {
// Begins to record what happens to files under `folder` (an absolute path without symbolic links,
// and empty) into `trace_file`, which is elsewhere. Once a process. False where the file can't be
// written.
bool twinpost_trace_begin(const char* folder, const char* trace_file);
// Puts a mark into the trace. Any thread.
void twinpost_trace_mark(const char* octets, std::size_t length);
// Ends the trace; false where it could not be written wholly.
bool twinpost_trace_end();
}
