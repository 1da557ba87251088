// reactor/co.h: Co<T>, a coroutine that runs when it is awaited.
//
// Model    lazy: the body starts at co_await (or Reactor::spawn) and its result goes to the one
//          awaiter by symmetric transfer, so chains of any length use no stack. Destroying a Co
//          destroys its frame and with it everything the coroutine awaits: that is how work is
//          cancelled. Bodies do not throw.
// Threads  owned by one thread: the reactor's.
// Blocks   never; it suspends.
// Source   ISO C++20, 17.12 (coroutine support); docs/design/reactor.md
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "krg/base/assert.h"
#include "krg/reactor/frame_pool.h"

namespace krg::reactor {

template <class T>
class Co;

namespace detail {

// What every promise of a Co shares: the awaiter to go back to, and pooled frames.
struct CoPromiseBase {
  std::coroutine_handle<> continuation;

  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { free_frame(frame, bytes); }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      return self.promise().continuation;
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
};

template <class T>
struct CoPromise : CoPromiseBase {
  std::optional<T> result;

  Co<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& value) {
    result.emplace(std::forward<U>(value));
  }
  T take() { return std::move(*result); }
};

template <>
struct CoPromise<void> : CoPromiseBase {
  Co<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Co {
 public:
  using promise_type = detail::CoPromise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Co() = default;
  explicit Co(Handle handle) noexcept : handle_(handle) {}
  Co(Co&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Co& operator=(Co&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Co() {
    if (handle_) handle_.destroy();
  }

  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

  // Requires  awaited once, and not moved from.
  struct Awaiter {
    Handle handle;
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) const noexcept {
      handle.promise().continuation = caller;
      return handle;
    }
    T await_resume() const { return handle.promise().take(); }
  };
  Awaiter operator co_await() && noexcept {
    KRG_DASSERT(handle_);
    return Awaiter{handle_};
  }

 private:
  Handle handle_;
};

namespace detail {
template <class T>
Co<T> CoPromise<T>::get_return_object() noexcept {
  return Co<T>(std::coroutine_handle<CoPromise>::from_promise(*this));
}
inline Co<void> CoPromise<void>::get_return_object() noexcept {
  return Co<void>(std::coroutine_handle<CoPromise>::from_promise(*this));
}
}  // namespace detail

}  // namespace krg::reactor

namespace krg {
using reactor::Co;
}  // namespace krg
