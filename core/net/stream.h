// An open socket of the loop (TCP or Unix): reads as far as it is wanted, and sends in order.
//
// Below TLS; knows octets only. Loop thread only. The libuv handle lives until libuv lets go of it,
// which is after the Stream is gone; no call to the owner comes after that, nor from inside any
// member function here.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <uv.h>

#include "core/base/error.h"
#include "core/net/event_loop.h"

namespace twinpost::net {

// Who owns the stream. Each call may destroy the stream.
class StreamOwner {
 public:
  virtual ~StreamOwner() = default;
  // How many octets may be read now; 0 stops the reading until want_input() is called.
  virtual std::size_t input_room() = 0;
  virtual void on_input(
      std::string_view octets) = 0;             // in the loop's read buffer: good within the call
  virtual void on_input_end(Error reason) = 0;  // at most once; end of file is kClosed as well
  virtual void on_sent() = 0;                   // something went out, or failed() became true
};

class Stream {
 public:
  // Takes the connected socket `fd`. Never blocks.
  static Result<std::unique_ptr<Stream>> adopt(EventLoop& loop, int fd, bool is_unix);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void set_owner(StreamOwner* owner);

  // Starts reading, or goes on after input_room() said 0. Nothing happens where it reads already or
  // has ended.
  void want_input();
  void stop_input();
  [[nodiscard]] bool input_waits_in_kernel() const;

  // Sends after all that was given before, as much at once as the kernel takes.
  void send(std::string octets);
  [[nodiscard]] std::size_t unsent() const;
  [[nodiscard]] bool failed() const { return failed_; }  // nothing more can be sent
  // No more will be sent: the peer reads end of file. Only when nothing is unsent.
  void shut_output();

 private:
  struct Handle;
  struct Write;

  explicit Stream(Handle* handle) : handle_(handle) {}
  void pump();
  void fail_output();
  static void on_alloc(uv_handle_t* handle, std::size_t suggested, uv_buf_t* buffer);
  static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer);
  static void on_write(uv_write_t* request, int status);

  Handle* handle_;  // frees itself after uv_close()
  StreamOwner* owner_ = nullptr;
  std::list<std::string> chunks_;  // not yet given to libuv
  std::size_t chunk_octets_ = 0;
  bool reading_ = false;
  bool input_ended_ = false;
  bool write_in_flight_ = false;
  bool failed_ = false;
};

}  // namespace twinpost::net
