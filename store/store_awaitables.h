// The typed faces of Store::read() and Store::write(): included by store.h only.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "store/store.h"

namespace twinpost::store {

namespace detail {

// Runs a function that returns Result<T> through the untyped call, keeping the value in the awaiting frame.
template <class T, class View, class F>
class Holder {
 public:
  explicit Holder(F function) : function_(std::move(function)) {}
  Result<void> run(View& view) {
    value_.reset();
    T result = function_(view);
    if (!result) return tl::unexpected(result.error());
    value_.emplace(std::move(result));
    return {};
  }
  T take(Result<void> outcome) {
    if (!outcome) return tl::unexpected(std::move(outcome.error()));
    return std::move(*value_);
  }

 private:
  F function_;
  std::optional<T> value_;
};

}  // namespace detail

template <class F>
auto Store::read(F function) {
  using T = std::invoke_result_t<F&, const ReadView&>;
  struct Awaiter {
    Store& store;
    detail::Holder<T, const ReadView, F> holder;
    std::optional<Result<void>> outcome;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) {
      store.submit_read([this](const ReadView& view) { return holder.run(view); },
                        [this, awaiting](Result<void> result) {
                          outcome.emplace(std::move(result));
                          awaiting.resume();
                        });
    }
    T await_resume() { return holder.take(std::move(*outcome)); }
  };
  return Awaiter{*this, detail::Holder<T, const ReadView, F>(std::move(function)), {}};
}

template <class F>
auto Store::write(F function) {
  using T = std::invoke_result_t<F&, WriteTxn&>;
  struct Awaiter {
    Store& store;
    detail::Holder<T, WriteTxn, F> holder;
    std::optional<Result<void>> outcome;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) {
      store.submit_write([this](WriteTxn& txn) { return holder.run(txn); },
                         [this, awaiting](Result<void> result) {
                           outcome.emplace(std::move(result));
                           awaiting.resume();
                         });
    }
    T await_resume() { return holder.take(std::move(*outcome)); }
  };
  return Awaiter{*this, detail::Holder<T, WriteTxn, F>(std::move(function)), {}};
}

template <class F>
auto Store::read_now(F function) -> std::invoke_result_t<F&, const ReadView&> {
  using T = std::invoke_result_t<F&, const ReadView&>;
  detail::Holder<T, const ReadView, F> holder(std::move(function));
  Result<void> outcome = run_read([&holder](const ReadView& view) { return holder.run(view); });
  return holder.take(std::move(outcome));
}

template <class F>
auto Store::write_now(F function) -> std::invoke_result_t<F&, WriteTxn&> {
  using T = std::invoke_result_t<F&, WriteTxn&>;
  detail::Holder<T, WriteTxn, F> holder(std::move(function));
  Result<void> outcome = run_write([&holder](WriteTxn& txn) { return holder.run(txn); });
  return holder.take(std::move(outcome));
}

}  // namespace twinpost::store
