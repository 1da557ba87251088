// error/result.h: a value, or the Error that stands in its place.
//
// Model    spelled like std::expected<T, Error>, which gcc 12 has only as C++23 and clang 14 not at
//          all. Result<void> carries only success or the Error. Nothing in krg throws.
// Threads  as T.
// Blocks   never.
// Source   docs/decisions/0002-own-result.md
#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "krg/base/assert.h"
#include "krg/error/error.h"

namespace krg {

struct Unexpected {
  Error error;
  constexpr explicit Unexpected(Error e) : error(e) {}
};

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, error) {}         // NOLINT
  Result(Unexpected u) : state_(std::in_place_index<1>, u.error) {}      // NOLINT
  Result(Errc code) : Result(Error(code)) {}                             // NOLINT

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  // Requires  has_value().
  T& value() & noexcept { return *get(); }
  const T& value() const& noexcept { return *const_cast<Result*>(this)->get(); }
  T&& value() && noexcept { return std::move(*get()); }
  T& operator*() & noexcept { return *get(); }
  const T& operator*() const& noexcept { return value(); }
  T&& operator*() && noexcept { return std::move(*get()); }
  T* operator->() noexcept { return get(); }
  const T* operator->() const noexcept { return &value(); }

  // Requires  !has_value().
  const Error& error() const noexcept {
    KRG_ASSERT(!has_value());
    return *std::get_if<1>(&state_);
  }

  template <class U>
  T value_or(U&& other) && {
    return has_value() ? std::move(*get()) : static_cast<T>(std::forward<U>(other));
  }

 private:
  T* get() noexcept {
    KRG_ASSERT(has_value());
    return std::get_if<0>(&state_);
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  constexpr Result() = default;
  constexpr Result(Error error) : error_(error) {}      // NOLINT
  constexpr Result(Unexpected u) : error_(u.error) {}   // NOLINT
  constexpr Result(Errc code) : error_(Error(code)) {}  // NOLINT

  constexpr bool has_value() const noexcept { return error_.code() == Errc::ok; }
  constexpr explicit operator bool() const noexcept { return has_value(); }
  // Requires  has_value().
  void value() const noexcept { KRG_ASSERT(has_value()); }
  // Requires  !has_value().
  const Error& error() const noexcept {
    KRG_ASSERT(!has_value());
    return error_;
  }

 private:
  Error error_;
};

using Status = Result<void>;

}  // namespace krg

#define KRG_CONCAT_(a, b) a##b
#define KRG_CONCAT(a, b) KRG_CONCAT_(a, b)
// KRG_TRY(expression): returns the Error of a failed Result from the enclosing function.
#define KRG_TRY(expression)                                 \
  do {                                                      \
    if (auto krg_try = (expression); !krg_try) [[unlikely]] \
      return ::krg::Unexpected(krg_try.error());            \
  } while (false)
// KRG_TRY_ASSIGN(auto name, expression): the same, and names the value.
#define KRG_TRY_ASSIGN(declaration, expression) \
  KRG_TRY_ASSIGN_(KRG_CONCAT(krg_try_, __LINE__), declaration, expression)
#define KRG_TRY_ASSIGN_(temporary, declaration, expression) \
  auto temporary = (expression);                            \
  if (!temporary) [[unlikely]]                              \
    return ::krg::Unexpected(temporary.error());            \
  declaration = std::move(temporary).value()
// The same two inside a coroutine.
#define KRG_CO_TRY(expression)                              \
  do {                                                      \
    if (auto krg_try = (expression); !krg_try) [[unlikely]] \
      co_return ::krg::Unexpected(krg_try.error());         \
  } while (false)
#define KRG_CO_TRY_ASSIGN(declaration, expression) \
  KRG_CO_TRY_ASSIGN_(KRG_CONCAT(krg_try_, __LINE__), declaration, expression)
#define KRG_CO_TRY_ASSIGN_(temporary, declaration, expression) \
  auto temporary = (expression);                               \
  if (!temporary) [[unlikely]]                                 \
    co_return ::krg::Unexpected(temporary.error());            \
  declaration = std::move(temporary).value()
