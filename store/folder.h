// The store's folder: made private, held by one writing process at a time, cleaned of what a crash
// left.
//
//   data.mdb, lock.mdb   the engine's
//   writer.lock          held (flock) by the process that has the store open for writing
//   swap.lock            held for the moment in which a compacted data file takes its place
//   compact.tmp/         a compaction that is being made
//   spool/               temporary files of messages on their way in
#pragma once

#include <string>

#include "core/base/error.h"

namespace twinpost::store {

class Folder {
 public:
  // For writing: makes what is missing (0700), takes the lock (kInUse where another has it),
  // removes left spool files.
  [[nodiscard]] static Result<Folder> open_for_writing(const std::string& path);
  // For reading: changes nothing. kNotFound where there is none.
  [[nodiscard]] static Result<Folder> open_for_reading(const std::string& path);

  Folder(Folder&& other) noexcept;
  Folder& operator=(Folder&&) = delete;
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder();

  // The names of new files in it, and its own, are on the disk.
  [[nodiscard]] Result<void> sync() const;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::string& spool() const { return spool_; }
  // Opened for reading: whether a writing process had it open at that moment.
  [[nodiscard]] bool has_writer() const { return has_writer_; }

 private:
  explicit Folder(std::string path) : path_(std::move(path)), spool_(path_ + "/spool") {}

  std::string path_;
  std::string spool_;
  int lock_ = -1;
  bool has_writer_ = false;
};

}  // namespace twinpost::store
