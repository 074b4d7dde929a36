#include "core/net/stream.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace twinpost::net {

namespace {

constexpr unsigned kKeepaliveSeconds = 120;
constexpr std::size_t kChunk = 64 * 1024;  // small pieces are joined up to this

Error input_error(ssize_t status) {
  if (status == UV_EOF) return Error{ErrorCode::kClosed, "connection closed by the peer"};
  return Error{ErrorCode::kClosed,
               std::string("connection lost: ") + uv_strerror(static_cast<int>(status))};
}

}  // namespace

struct Stream::Handle {
  union {
    uv_handle_t base;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };
  Stream* owner = nullptr;
  EventLoop* loop = nullptr;

  Handle() { std::memset(&tcp, 0, sizeof tcp); }

  static Stream* of(uv_stream_t* stream) { return static_cast<Handle*>(stream->data)->owner; }

  void close() {
    owner = nullptr;
    if (uv_is_closing(&base) != 0) return;  // the loop has ended already
    uv_close(&base, [](uv_handle_t* closed) { delete static_cast<Handle*>(closed->data); });
  }
};

struct Stream::Write {
  uv_write_t request{};
  std::string octets;
};

Result<std::unique_ptr<Stream>> Stream::adopt(EventLoop& loop, int fd, bool is_unix) {
  auto* handle = new Handle;
  handle->loop = &loop;
  int status = is_unix ? uv_pipe_init(loop.native(), &handle->pipe, 0)
                       : uv_tcp_init(loop.native(), &handle->tcp);
  if (status != 0) {
    delete handle;
    ::close(fd);
    return tl::unexpected(system_error("socket", -status));
  }
  handle->base.data = handle;
  status = is_unix ? uv_pipe_open(&handle->pipe, fd) : uv_tcp_open(&handle->tcp, fd);
  if (status != 0) {
    ::close(fd);
    handle->close();
    return tl::unexpected(system_error("socket", -status));
  }
  if (!is_unix) {
    uv_tcp_nodelay(&handle->tcp, 1);
    uv_tcp_keepalive(&handle->tcp, 1, kKeepaliveSeconds);
  }
  std::unique_ptr<Stream> stream(new Stream(handle));
  handle->owner = stream.get();
  return stream;
}

Stream::~Stream() { handle_->close(); }

void Stream::set_owner(StreamOwner* owner) { owner_ = owner; }

void Stream::want_input() {
  if (reading_ || input_ended_) return;
  reading_ = uv_read_start(&handle_->stream, on_alloc, on_read) == 0;
}

void Stream::stop_input() {
  if (!reading_) return;
  uv_read_stop(&handle_->stream);
  reading_ = false;
}

bool Stream::input_waits_in_kernel() const {
  uv_os_fd_t fd = -1;
  int octets = 0;
  if (uv_fileno(&handle_->base, &fd) != 0 || ioctl(fd, FIONREAD, &octets) != 0) return false;
  return octets > 0;
}

void Stream::on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
  const Handle* self = static_cast<Handle*>(handle->data);
  const std::span<char> shared = self->loop->read_buffer();
  const std::size_t room = self->owner->owner_->input_room();
  buffer->base = shared.data();
  buffer->len = std::min(shared.size(), room);  // none: on_read() gets UV_ENOBUFS
}

void Stream::on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
  Stream* self = Handle::of(stream);
  if (count == 0) return;  // would block
  if (count == UV_ENOBUFS) {
    self->stop_input();
  } else if (count < 0) {
    self->stop_input();
    self->input_ended_ = true;
    self->owner_->on_input_end(input_error(count));
  } else {
    self->owner_->on_input({buffer->base, static_cast<std::size_t>(count)});
  }
}

void Stream::send(std::string octets) {
  if (failed_ || octets.empty()) return;
  chunk_octets_ += octets.size();
  if (!chunks_.empty() && chunks_.back().size() + octets.size() <= kChunk) {
    chunks_.back() += octets;
  } else {
    chunks_.push_back(std::move(octets));
  }
  pump();
}

void Stream::pump() {
  while (!failed_ && !write_in_flight_ && !chunks_.empty()) {
    std::string chunk = std::move(chunks_.front());
    chunks_.pop_front();
    chunk_octets_ -= chunk.size();
    uv_buf_t buffer = uv_buf_init(chunk.data(), static_cast<unsigned>(chunk.size()));
    const int sent = uv_try_write(&handle_->stream, &buffer, 1);
    if (sent < 0 && sent != UV_EAGAIN) return fail_output();
    const auto count = static_cast<std::size_t>(std::max(sent, 0));
    if (count == chunk.size()) continue;

    auto write = std::make_unique<Write>();
    write->octets = std::move(chunk);
    write->request.data = write.get();
    buffer = uv_buf_init(write->octets.data() + count,
                         static_cast<unsigned>(write->octets.size() - count));
    if (uv_write(&write->request, &handle_->stream, &buffer, 1, on_write) != 0) {
      return fail_output();
    }
    static_cast<void>(write.release());  // on_write() takes it back
    write_in_flight_ = true;
  }
}

void Stream::on_write(uv_write_t* request, int status) {
  const std::unique_ptr<Write> write(static_cast<Write*>(request->data));
  Stream* self = Handle::of(request->handle);
  if (self == nullptr) return;  // cancelled by the close
  self->write_in_flight_ = false;
  if (status != 0) {
    self->fail_output();
  } else {
    self->pump();
  }
  if (self->owner_ != nullptr) self->owner_->on_sent();
}

void Stream::fail_output() {
  failed_ = true;
  chunks_.clear();
  chunk_octets_ = 0;
}

std::size_t Stream::unsent() const {
  if (failed_) return 0;
  return chunk_octets_ + uv_stream_get_write_queue_size(&handle_->stream);
}

void Stream::shut_output() {
  uv_os_fd_t fd = -1;
  if (uv_fileno(&handle_->base, &fd) == 0) ::shutdown(fd, SHUT_WR);
}

}  // namespace twinpost::net
